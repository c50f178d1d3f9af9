//! What a deployment tells of itself.

use serde::{Deserialize, Serialize};

/// All of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    /// The app that was made for it.
    pub app: App,
    /// Gateways.
    pub gateways: Vec<GatewayStatus>,
    /// Directories.
    pub directories: Vec<MemberStatus>,
    /// Routers.
    pub routers: Vec<RouterStatus>,
    /// Report services.
    pub reports: Vec<MemberStatus>,
    /// Engines.
    pub engines: Vec<EngineStatus>,
    /// Where log lines are.
    pub logs: String,
}

/// What an app's server calls with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct App {
    /// The app's public key.
    pub appkey: String,
    /// The secret.
    pub master_secret: String,
}

/// A gateway. `pid` 0: it does not run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GatewayStatus {
    /// Its name.
    pub name: String,
    /// Its public address.
    pub http: String,
    /// Its operations address.
    pub ops: String,
    /// Its process.
    pub pid: u32,
    /// Whether it says that work flows.
    pub ready: bool,
}

/// A directory or report service. `pid` 0: it does not run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MemberStatus {
    /// Its name.
    pub name: String,
    /// Its operations address.
    pub ops: String,
    /// Its process.
    pub pid: u32,
    /// Whether it says that it works.
    pub ready: bool,
}

/// A router. `pid` 0: it does not run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RouterStatus {
    /// Its name.
    pub name: String,
    /// Its operations address.
    pub ops: String,
    /// Its process.
    pub pid: u32,
    /// Whether it says that it works.
    pub ready: bool,
    /// Shards that it takes calls for.
    pub shards: u32,
}

/// An engine. `pid` 0: it does not run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EngineStatus {
    /// Its name.
    pub name: String,
    /// Its process.
    pub pid: u32,
    /// Its port.
    pub port: u16,
}

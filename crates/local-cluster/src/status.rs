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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn status() -> Status {
        let text = String::from;
        let member = |name: &str, pid| MemberStatus { name: name.into(), ops: text("127.0.0.1:9"), pid, ready: true };
        Status {
            app: App { appkey: text("key"), master_secret: text("secret") },
            gateways: vec![GatewayStatus {
                name: text("gateway-1"),
                http: text("127.0.0.1:80"),
                ops: text("127.0.0.1:9"),
                pid: 1,
                ready: true,
            }],
            directories: vec![member("directory-1", 2)],
            routers: vec![RouterStatus { name: text("router-1"), ops: text("127.0.0.1:9"), pid: 3, ready: false, shards: 256 }],
            reports: vec![member("report-1", 4)],
            engines: vec![EngineStatus { name: text("redis"), pid: 5, port: 6379 }],
            logs: text("/logs"),
        }
    }

    /// Whatever else there is.
    fn holds(all: &Value, part: &Value) -> bool {
        match (all, part) {
            (Value::Object(all), Value::Object(part)) => {
                part.iter().all(|(name, value)| all.get(name).is_some_and(|all| holds(all, value)))
            }
            (Value::Array(all), Value::Array(part)) => {
                all.len() == part.len() && all.iter().zip(part).all(|(all, part)| holds(all, part))
            }
            _ => all == part,
        }
    }

    /// What programs read from `cargo xtask cluster status --json`: names and places are kept, more may come.
    #[test]
    fn a_status_is_told_in_the_form_that_programs_read() {
        let expected = json!({
            "app": {"appkey": "key", "master_secret": "secret"},
            "gateways": [{"name": "gateway-1", "http": "127.0.0.1:80", "pid": 1}],
            "directories": [{"name": "directory-1", "pid": 2}],
            "routers": [{"name": "router-1", "pid": 3, "shards": 256}],
            "engines": [{"name": "redis", "pid": 5, "port": 6379}],
        });
        let told = serde_json::to_value(status()).unwrap();
        assert!(holds(&told, &expected), "{told}");
        let read: Status = serde_json::from_value(told.clone()).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), told, "it reads as it was told");
    }
}

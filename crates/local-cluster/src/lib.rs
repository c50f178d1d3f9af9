//! A whole distributed deployment on one machine: engines and binaries on loopback, logs in one folder, each part to be killed, paused
//! and started again by its name.
//!
//! It owns how a deployment is put together for tests, for the load test and for people. It knows the binaries by their flags and their
//! operations addresses, and nothing of their insides.
//!
//! Reading order: [`Cluster`], `member` (one of our processes), `engine` (one of the others), `control` (commands from another process).

mod cluster;
mod control;
mod engine;
mod member;
mod status;
mod wire;

pub use cluster::{Cluster, Plan};
pub use control::{ask, serve};
pub use member::{Kind, get};
pub use status::{App, EngineStatus, GatewayStatus, MemberStatus, RouterStatus, Status};

/// Why the deployment does not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An engine does not run.
    #[error(transparent)]
    Engine(#[from] mynah_engines::EngineError),
    /// A file, folder, socket or process cannot be had.
    #[error("{0}")]
    System(#[from] std::io::Error),
    /// What else went wrong, in words.
    #[error("{0}")]
    Other(String),
}

impl From<String> for Error {
    fn from(text: String) -> Self {
        Self::Other(text)
    }
}

//! The load: users' devices on one thread, by readiness, without a task or a buffer for each.
//!
//! A generator owns a share of the users and judges what they see. Threads and other machines' agents are the same to the coordinator:
//! both are told [`Order`]s and tell [`Told`].

mod arrival;
pub(crate) mod clock;
mod conn;
mod driver;
mod hear;
mod issue;
mod link;
pub(crate) mod places;
mod prove;
mod schedule;
pub(crate) mod server_sends;
pub(crate) mod stats;
mod timeline;

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

pub(crate) use driver::drive;
use places::World;
use stats::{Part, SecondPart};

use crate::scenario::Scenario;

/// What a generator is to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    pub(crate) scenario: Scenario,
    pub(crate) world: World,
    /// Which share of the users is this generator's, and of how many.
    pub(crate) share: (u32, u32),
    /// The gateways.
    pub(crate) targets: Vec<SocketAddr>,
    /// The processor to stay on.
    pub(crate) cpu: Option<usize>,
}

/// What a generator is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// The load begins at this Unix time in microseconds.
    Begin(u64),
    /// Nobody sends any more, and all answers are there: prove that everybody has everything.
    Prove,
    /// The run was given up.
    Stop,
}

/// What a generator tells.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Told {
    /// So many devices are logged in, of those that are to be.
    Connected(u32, u32),
    /// All are; it waits for the load to begin.
    Ready,
    /// A second of the load.
    Second(SecondPart),
    /// The load is over and all answers are there.
    Drained,
    /// The end.
    Done(Box<Part>),
    /// It could not go on.
    Failed(String),
}

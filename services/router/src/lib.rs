//! The message router: one actor per conversation, one log writer, delivery to gateways; implements the `Router` service.
//!
//! It owns the order of every conversation. It knows no name, no frame and no HTTP: an entry's payload is bytes that the edge made
//! and the edge reads. What a command means is decided by `mynah-domain`; here is the IO around it.
//!
//! Reading order: [`Router`] (what is wired), `conversation` (the actor, its registry and loader), `log_writer` (group commit),
//! `delivery` (from a durable entry to the gateways), `service` (the calls).

mod conversation;
mod convert;
mod delivery;
mod log_writer;
mod ownership;
mod retention;
mod service;
mod settings;
mod start;

pub use delivery::{GatewayFinder, Gateways};
pub use ownership::{Membership, Ownership};
pub use settings::Settings;
pub use start::{Deps, Router, StartError};

//! What every binary needs to run: settings out of a file, the environment and flags; listeners with bounds; metrics and health.
//!
//! It owns how a process starts, listens and is watched. It knows nothing of messages, users or any engine.

pub mod flags;
pub mod http;
pub mod ops;
pub mod process;
pub mod settings;

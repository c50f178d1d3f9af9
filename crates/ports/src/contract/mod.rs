//! Contract suites, one module per port.

pub mod directory_store;
pub mod message_log;

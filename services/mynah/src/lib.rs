//! The embedded binary's inside: the wiring of every service in one process, and its settings.
//!
//! It owns which adapter serves which port in this shape. It knows nothing of what the services do.

pub mod embedded;
pub mod settings;

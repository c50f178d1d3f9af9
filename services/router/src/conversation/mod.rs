//! Conversation actors: the shell around the domain's machine, the registry that keeps one per conversation, and its reads.

mod actor;
mod loader;
mod registry;
mod slot;
mod traced;

pub(crate) use actor::Shared;
pub(crate) use registry::Registry;
pub(crate) use slot::InFlight;
#[cfg(test)]
pub(crate) use slot::Slot;

#[cfg(test)]
mod tests;

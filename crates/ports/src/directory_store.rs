//! The directory's durable store (being built).

/// The directory's store.
pub trait DirectoryStore: Send + Sync + 'static {}

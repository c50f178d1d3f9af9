//! The engines behind the services, each as a trait named for what it is to the domain, and one contract suite per trait.
//!
//! Owns the shapes and promises that an adapter must keep. It knows no engine, no service and no wire format.

pub mod bus;
pub mod changes;
#[cfg(feature = "contract")]
pub mod contract;
pub mod deadline;
pub mod directory_store;
pub mod media_store;
pub mod message_log;
pub mod presence;
pub mod report_index;
pub mod shard_leases;

pub use bus::Bus;
pub use changes::Changes;
pub use directory_store::DirectoryStore;
pub use media_store::MediaStore;
pub use message_log::MessageLog;
pub use presence::Presence;
pub use report_index::ReportIndex;
pub use shard_leases::ShardLeases;

//! Bus, change events and presence inside one process: what the embedded shape uses where the distributed one has Kafka and Redis.
//!
//! It owns nothing that outlives the process. It knows the ports and the types only.

mod bus;
mod changes;
mod presence;

pub use bus::MemoryBus;
pub use changes::MemoryChanges;
pub use presence::MemoryPresence;

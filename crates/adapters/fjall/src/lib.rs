//! The embedded message log: fjall, a log-structured store, one durable batch per append. And the report index, made from it.
//!
//! It owns the layout on disk. It knows the port and the types, no service and no wire format.
//!
//! Layout: `entries` (conversation, seq), `messages` (shard, msg_id), `sends` (conversation, sender, cmid), and `rows` for everything
//! small: see `keys`. A commit error leaves the outcome unknown and ends the instance: nothing is written after it, and
//! [`FjallLog::failed`] tells the process.

mod append;
mod codec;
mod engine;
mod keys;
mod log;
mod mark;
mod packed;
mod read;
mod report;

pub use log::{FjallLog, OpenError, Options};
pub use report::FjallReport;

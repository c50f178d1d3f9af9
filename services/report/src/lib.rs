//! The report service: the history that an app's server asks for, and its statistics.
//!
//! It also tells an app's server of each message, where one asked for it.
//!
//! It reads the message log behind those who write it, and keeps an index of who said something when. It owns that index and nothing
//! else: lost, the index is made again. It knows nothing of HTTP, of times as text, or of who may ask.
//!
//! Reading order: [`Report`], `projector` (from the log into the index), `history`, `statistics`, `callback`.

mod callback;
mod history;
mod projector;
mod service;
mod statistics;

pub use service::{Deps, Report, Settings};

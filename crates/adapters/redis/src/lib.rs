//! Presence on Redis: who is online on which gateway, for services that are processes of their own.
//!
//! It owns the layout in Redis, the gateway's lease and how an emptied store is made whole. It knows the port and the types only.
//!
//! Each gateway writes fields of its own only, each under a version that grows: nothing is lost by the order in which writes arrive. A
//! line counts while the lease of its gateway does. What a gateway tells is kept in its memory too, and told again when the store lost it.
//!
//! Reading order: [`RedisPresence`], `own` (what this gateway tells), `shared` (a write), `lease` and `beat` (the leases and the repair), `view`
//! (reading), `codec` (the layout), `link` (the connection),
//! `source` (where it comes from).

mod beat;
mod codec;
mod lease;
mod link;
mod own;
mod presence;
mod scripts;
mod settings;
mod shared;
mod source;
mod view;

pub use presence::RedisPresence;
pub use settings::{InvalidSettings, Servers, Settings};

//! Device connections: the WebSocket endpoint of a gateway, its sessions, and what is pushed to them.
//!
//! It owns connections, their queues and the index of who hears of which conversation here; it implements the `Gateway` service.
//! It decides nothing about messages: rights and order are the router's, names and sessions the directory's.
//!
//! Reading order: [`Devices`], `connection` (the life of one), `codec` (how frames are written), `incoming` (frames read), `login`, `sends`, `catch_up`, `rooms` (enter and leave, and how a room is pushed), `hub` (who hears), `deliver`.

mod calls;
mod canary;
mod catch_up;
mod changes;
mod codec;
mod connection;
mod conv_list;
mod deliver;
mod devices;
mod entry;
mod errors;
mod groups;
mod hub;
mod incoming;
mod login;
mod media;
mod outbound;
mod rate;
mod resync;
mod rooms;
mod sends;
mod settings;
mod socket;
mod subscriptions;
mod targets;
mod traced;

pub use devices::{Deps, Devices};
pub use rate::Rate;
pub use settings::Settings;

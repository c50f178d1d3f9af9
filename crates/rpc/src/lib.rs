//! How services reach one another: addresses, channels, replicas, the owner of a shard, all gateways; and how a service is served.
//!
//! It owns which process a call goes to and when it is made again. It knows the services' schemas, and nothing of what they do.
//!
//! Reading order: [`Names`] (where processes are), [`Channels`] (ways to them), [`Pool`] (any replica), [`Routed`] (the owner of a
//! conversation's shard), [`Fleet`] (every gateway), [`serve`] (the other side).

mod channels;
mod counted;
mod fleet;
mod names;
mod overdue;
mod pool;
mod routed;
mod serve;
mod traced;

pub use channels::{Channels, Tls, TlsError};
pub use fleet::{Fleet, LiveGateways};
pub use names::Names;
pub use pool::Pool;
pub use routed::{Routed, Times};
pub use serve::{Serving, serve};

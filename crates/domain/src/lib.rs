//! What the product decides, with nothing else in sight: what a send means, which entry comes next, what a device is owed.
//!
//! Pure: no IO, no async, no clock and no randomness of its own; whatever is timed or random arrives as data. It knows `mynah-types` only.
//! The router, the device gateway and the simulation run this same code.
//!
//! Reading order: [`conversation`] (one conversation's state machine and its batching), [`writer`] (how many conversations share one
//! durable commit), [`delivery`] (what has been handed on), [`audience`] (who hears of it), [`visibility`] (who may read it),
//! [`ownership`] (which router owns which shard).

pub mod audience;
pub mod conversation;
pub mod delivery;
pub mod ownership;
pub mod visibility;
pub mod writer;

//! The oracle: judges by what clients saw whether a message was lost, doubled, reordered or shown to the wrong one.
//!
//! It knows what was offered, what was acknowledged, what each viewer saw, and which ranges a viewer was told to hold whole.
//! It knows nothing of servers, wires or time, so that the simulation and the load test judge by the same rules.
//!
//! Reading order: [`Oracle`] (what is noted), [`Verdict`] (what is found), `judge` (the rules), `calls` (those for messages of
//! an app's server).

mod calls;
mod dice;
mod judge;
mod notes;
mod verdict;

pub use dice::Dice;
pub use notes::{Ack, Oracle, Seen, What};
pub use verdict::Verdict;

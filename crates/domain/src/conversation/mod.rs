//! One conversation: commands in, entries and answers out.
//!
//! [`Machine`] gathers commands while an append is in flight, decides a batch against [`State`], and holds every answer until the
//! batch is durable. Its shell does the IO: it loads, looks up, appends, delivers.

mod command;
mod decide;
mod dedupe;
mod machine;
mod state;

#[cfg(test)]
mod tests;

pub use command::{
    Answer, Change, Command, Fact, HideCommand, Lookup, PairRights, PostItem, ReadCommand, ReadDone, Refusal, RetractCommand,
    SendCommand, SendItem, Sent, TargetFact,
};
pub use machine::{Deliverable, Done, Limits, Machine, Step};
pub use state::{Loaded, State};

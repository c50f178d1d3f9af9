//! The words of the product: identifiers, conversation keys, shards, log entries, clocks, failure reasons.
//!
//! Owns what every other crate must agree on. It knows no IO, no async runtime, no wire format and none of our other crates.

mod append;
mod clock;
mod conversation;
mod entry;
mod ids;
mod reason;
mod shards;

pub use append::{Appended, Claim, ConversationAppend, Meta, Progress, RecentSend, ShardAppend, Tail};
pub use clock::{Clock, CorrectedClock, ManualClock, Millis, SystemClock};
pub use conversation::{ConversationKey, ConversationKind, SHARDS, ShardId};
pub use entry::{Entry, EntryKind, FirstAnswer, Hidden, MemberChange, Membership, Position, Role};
pub use ids::{AppId, AppKey, Cmid, GatewayId, InvalidId, MsgId, OwnerToken, RouterId, Seq, Uid, Username};
pub use reason::Reason;
pub use shards::ShardRange;

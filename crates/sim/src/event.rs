//! What happens next: events by time, and by the order in which they were planned.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use mynah_domain::conversation::{Command, Deliverable, Fact, Loaded, Lookup};
use mynah_types::{Appended, ConversationKey, MsgId, Seq, ShardAppend, Uid};

use crate::router::{Shown, Ticket};

/// Who an append is for: a conversation's actor, in one of its lives.
pub(crate) type ActorId = (ConversationKey, u64);

/// Same shape as the shards of a batch: the actor and the ids of its entries.
pub(crate) type Tickets = Vec<Vec<(ActorId, Vec<MsgId>)>>;

/// Something that happens.
#[derive(Debug)]
pub(crate) enum Event {
    /// A device does something.
    Act(usize),
    /// A device sends one message.
    Speak(usize),
    /// A device reconnects, and meanwhile one message is sent.
    Blink,
    /// A device that waits for answers asks again.
    Resend(usize),
    /// An operator changes a group.
    ChangeGroup,
    /// Committed changes that are not applied go to their owner.
    Outbox,
    /// It is quiet: what was pushed is judged.
    Judge,
    /// A router takes the place of the owner, who dies or lives on.
    TakeOver,
    /// A command reaches a router.
    Arrive(usize, ConversationKey, Command, Ticket),
    /// An actor reads what it starts from.
    LoadRead(usize, ActorId),
    /// It has read.
    Loaded(usize, ActorId, Box<Loaded>),
    /// An actor reads facts.
    LookUp(usize, ActorId, Vec<Lookup>),
    /// It has read them.
    Found(usize, ActorId, Vec<Lookup>, Vec<Fact>),
    /// An actor that is idle goes away.
    Passivate(usize, ConversationKey),
    /// The writer takes what gathered.
    Commit(usize),
    /// The log takes a batch.
    Write(usize, Vec<ShardAppend>, Tickets),
    /// The writer hears of it.
    Written(usize, Tickets, Vec<Vec<Appended>>),
    /// A batch whose outcome nobody knows arrives late.
    Late(Vec<ShardAppend>),
    /// A router hands the next entry of a lane on.
    Lane(usize, usize),
    /// A record reaches the gateway.
    Record(usize, usize, ConversationKey, Deliverable),
    /// A device hears something on one of its connections.
    Hear(usize, u64, Heard),
    /// A device that connected takes the next step of its login.
    Login(usize, u64, u8),
    /// A sync reads the log.
    Sync(usize, u64, ConversationKey, Seq),
}

/// What a device hears.
#[derive(Debug)]
pub(crate) enum Heard {
    /// An entry is pushed.
    Entry(ConversationKey, Shown),
    /// A send is answered: place and id, or refused, for good or not.
    Answer(ConversationKey, String, Result<(Seq, MsgId), bool>),
    /// A page: its entries, and what it covers.
    Page(ConversationKey, Vec<Shown>, Seq, Seq, Seq),
    /// Where conversations stand: the end of a login.
    Heads(Vec<(ConversationKey, Seq)>),
}

struct Planned(u64, u64, Event);

impl PartialEq for Planned {
    fn eq(&self, other: &Self) -> bool {
        (self.0, self.1) == (other.0, other.1)
    }
}
impl Eq for Planned {}
impl PartialOrd for Planned {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Planned {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0, self.1).cmp(&(other.0, other.1))
    }
}

/// Virtual time, and what is planned.
#[derive(Default)]
pub(crate) struct Plan {
    pub(crate) now: u64,
    count: u64,
    queue: BinaryHeap<Reverse<Planned>>,
}

impl Plan {
    pub(crate) fn after(&mut self, ms: u64, event: Event) {
        self.at(self.now + ms, event);
    }

    pub(crate) fn at(&mut self, ms: u64, event: Event) {
        self.count += 1;
        self.queue.push(Reverse(Planned(ms.max(self.now), self.count, event)));
    }

    pub(crate) fn next(&mut self) -> Option<Event> {
        let Reverse(Planned(at, _, event)) = self.queue.pop()?;
        self.now = at;
        Some(event)
    }
}

/// The user of a device.
pub(crate) fn user(device: usize) -> Uid {
    Uid(u64::try_from(device).unwrap_or(0) + 1)
}

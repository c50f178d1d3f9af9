//! Batching: commands gather while an append is in flight; a batch is decided at once; answers wait until it is durable.
//!
//! ```text
//! Loading ──loaded──> Idle ──begin──> Looking ──decide──> Idle (nothing to append: answers at once)
//!    ^                                         └─append─> Appending ──appended──> Idle
//!    └────────────── failed (head moved, unknown, fenced): the batch goes back to the front of the queue
//! ```

use std::collections::{BTreeMap, VecDeque};

use mynah_types::{ConversationAppend, ConversationKey, Entry, MemberChange, MsgId, Reason, Seq};

use super::command::{Answer, Command, Fact, Lookup, Refusal, Sent};
use super::decide::{self, Draft, Held, HeldItem};
use super::state::{Loaded, State};

/// Bounds of one conversation's actor.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Commands that may wait; beyond it they are given back.
    pub pending: usize,
    /// Bytes that may wait.
    pub pending_bytes: usize,
    /// Commands of one batch.
    pub batch: usize,
    /// Bytes of one batch; one command may be larger and then goes alone.
    pub batch_bytes: usize,
    /// Sends that the dedupe window holds.
    pub window: usize,
    /// How long after its time a message may be taken back, in milliseconds.
    pub retract_within_ms: u64,
    /// Entries that a feed keeps.
    pub feed_entries: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            pending: 1024,
            pending_bytes: 2 << 20,
            batch: 256,
            batch_bytes: 512 << 10,
            window: 128,
            retract_within_ms: 3 * 60 * 1000,
            feed_entries: 1000,
        }
    }
}

/// An entry that became durable, on its way to devices.
#[derive(Debug, Clone)]
pub struct Deliverable {
    /// The entry, with its msg_id.
    pub entry: Entry,
    /// What it does to the membership.
    pub change: MemberChange,
    /// The connection that has the ack instead; 0 for none.
    pub origin_conn: u64,
}

/// What deciding a batch came to.
#[derive(Debug)]
pub enum Step<T> {
    /// Nothing to write: these are answered now.
    Ready(Vec<(T, Answer)>),
    /// Write this; every answer waits for it.
    Append(ConversationAppend),
}

/// What a durable batch releases.
#[derive(Debug)]
pub struct Done<T> {
    /// To those who asked, in the order of their commands.
    pub answers: Vec<(T, Answer)>,
    /// To devices, in the order of the conversation.
    pub deliver: Vec<Deliverable>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Loading,
    Idle,
    Looking,
    Appending,
}

/// One conversation. `T` is what the shell answers by.
#[derive(Debug)]
pub struct Machine<T> {
    limits: Limits,
    phase: Phase,
    state: State,
    pending: VecDeque<(Command, Option<T>)>,
    pending_bytes: usize,
    batch: Vec<(Command, Option<T>)>,
    draft: Option<Draft>,
}

impl<T> Machine<T> {
    /// A conversation that has to be loaded first.
    #[must_use]
    pub fn new(key: ConversationKey, limits: Limits) -> Self {
        Self {
            limits,
            phase: Phase::Loading,
            state: State::empty(key),
            pending: VecDeque::new(),
            pending_bytes: 0,
            batch: Vec::new(),
            draft: None,
        }
    }

    /// Queues a command.
    ///
    /// # Errors
    /// When the queue is full: the command and its ticket come back.
    pub fn offer(&mut self, command: Command, ticket: T) -> Result<(), (Command, T)> {
        let weight = command.weight();
        let full = self.pending.len() >= self.limits.pending || self.pending_bytes + weight > self.limits.pending_bytes;
        if full && !self.pending.is_empty() {
            return Err((command, ticket));
        }
        self.pending_bytes += weight;
        self.pending.push_back((command, Some(ticket)));
        Ok(())
    }

    /// Takes what was read from the log and the directory. Committed changes that the log lacks are decided first.
    pub fn loaded(&mut self, mut loaded: Loaded) {
        debug_assert_eq!(self.phase, Phase::Loading);
        let changes = std::mem::take(&mut loaded.changes);
        self.state = State::load(self.state.key, loaded, self.limits.window);
        if !changes.is_empty() {
            let catch_up = Command::Apply(changes);
            self.pending_bytes += catch_up.weight();
            self.pending.push_front((catch_up, None));
        }
        self.phase = Phase::Idle;
    }

    /// Whether the shell has to load before anything else.
    #[must_use]
    pub fn needs_load(&self) -> bool {
        self.phase == Phase::Loading
    }

    /// Whether a command waits.
    #[must_use]
    pub fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Nothing waits and nothing is in flight: the actor may be dropped.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.phase == Phase::Idle && self.pending.is_empty()
    }

    /// The state, as far as it is decided.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Starts the next batch, if none is under way and something waits: tells what must be looked up for it.
    pub fn begin(&mut self) -> Option<Vec<Lookup>> {
        if self.phase != Phase::Idle || self.pending.is_empty() {
            return None;
        }
        let mut bytes = 0;
        while self.batch.len() < self.limits.batch
            && let Some((command, _)) = self.pending.front()
        {
            bytes += command.weight();
            if bytes > self.limits.batch_bytes && !self.batch.is_empty() {
                break;
            }
            if let Some((command, ticket)) = self.pending.pop_front() {
                self.pending_bytes = self.pending_bytes.saturating_sub(command.weight());
                self.batch.push((command, ticket));
            }
        }
        self.phase = Phase::Looking;
        Some(decide::lookups(&self.state, self.batch.iter().map(|(command, _)| command)))
    }

    /// Decides the batch. `facts` answers the lookups, in their order.
    pub fn decide(&mut self, now: mynah_types::Millis, lookups: Vec<Lookup>, facts: Vec<Fact>) -> Step<T> {
        debug_assert_eq!(self.phase, Phase::Looking);
        let facts: BTreeMap<Lookup, Fact> = lookups.into_iter().zip(facts).collect();
        let mut draft = Draft::new(&self.state, now, self.limits);
        for (command, _) in &self.batch {
            let held = decide::decide(&mut self.state, &mut draft, command, &facts);
            draft.held.push(held);
        }
        self.state.window.trim();
        if draft.is_empty() {
            self.phase = Phase::Idle;
            let held = std::mem::take(&mut draft.held);
            return Step::Ready(release(&mut self.batch, held, &[]));
        }
        let append = draft.take_append();
        self.draft = Some(draft);
        self.phase = Phase::Appending;
        Step::Append(append)
    }

    /// The batch is durable. `ids` are what the writer gave its entries, in order.
    pub fn appended(&mut self, ids: &[MsgId]) -> Done<T> {
        debug_assert_eq!(self.phase, Phase::Appending);
        self.phase = Phase::Idle;
        let Some(mut draft) = self.draft.take() else { return Done { answers: Vec::new(), deliver: Vec::new() } };
        let mut deliver = std::mem::take(&mut draft.deliver);
        for (deliverable, id) in deliver.iter_mut().zip(ids) {
            deliverable.entry.msg_id = *id;
            if let Some(cmid) = &deliverable.entry.cmid {
                self.state.window.give_id(deliverable.entry.sender, cmid, *id);
            }
        }
        Done { answers: release(&mut self.batch, draft.held, &deliver), deliver }
    }

    /// The batch was refused, or nobody knows: everything decided is forgotten, the batch waits again, the shell loads.
    /// What was written all the same answers as a duplicate then.
    pub fn failed(&mut self) {
        self.draft = None;
        self.state = State::empty(self.state.key);
        self.phase = Phase::Loading;
        for (command, ticket) in std::mem::take(&mut self.batch).into_iter().rev() {
            // A catch-up without a ticket is read again by the load.
            if ticket.is_some() {
                self.pending_bytes += command.weight();
                self.pending.push_front((command, ticket));
            }
        }
    }

    /// Gives up on everything that waits: it is refused, retryably. The shell loads before it goes on.
    pub fn refuse_all(&mut self, reason: Reason) -> Vec<(T, Answer)> {
        self.failed();
        self.pending_bytes = 0;
        let waiting = std::mem::take(&mut self.pending);
        waiting.into_iter().filter_map(|(command, ticket)| Some((ticket?, refusal(&command, reason)))).collect()
    }
}

/// The same refusal in the form of a command's answer.
fn refusal(command: &Command, reason: Reason) -> Answer {
    let refused = Refusal::from(reason);
    match command {
        Command::Send(send) => Answer::Sent(send.items.iter().map(|_| Err(refused)).collect()),
        Command::Retract(_) => Answer::Retracted(Err(refused)),
        Command::Read(_) => Answer::Read(Err(refused)),
        Command::Apply(_) => Answer::Applied(Err(refused)),
        Command::Post(_) => Answer::Posted(Err(refused)),
        Command::Hide(_) => Answer::Hidden(Err(refused)),
        Command::RightsChanged => Answer::Noted(Err(refused)),
    }
}

fn release<T>(batch: &mut Vec<(Command, Option<T>)>, held: Vec<Held>, written: &[Deliverable]) -> Vec<(T, Answer)> {
    let batch = std::mem::take(batch);
    batch.into_iter().zip(held).filter_map(|((_, ticket), held)| Some((ticket?, answer(held, written)))).collect()
}

fn answer(held: Held, written: &[Deliverable]) -> Answer {
    // Their seqs follow one another.
    let first = written.first().map_or(0, |d| d.entry.seq);
    let by_seq = |seq: Seq| Some(&written.get(usize::try_from(seq.checked_sub(first)?).ok()?)?.entry);
    match held {
        Held::Sent(items) => Answer::Sent(
            items
                .into_iter()
                .map(|item| match item {
                    HeldItem::Known(first) => {
                        Ok(Sent { msg_id: first.msg_id, seq: first.seq, ctime: first.ctime, duplicate: true })
                    }
                    HeldItem::New { seq, duplicate } => by_seq(seq)
                        .map(|e| Sent { msg_id: e.msg_id, seq: e.seq, ctime: e.ctime, duplicate })
                        .ok_or(Refusal::from(Reason::Internal)),
                    HeldItem::Conflict(mut first) => {
                        if let Some(entry) = by_seq(first.seq) {
                            first.msg_id = entry.msg_id;
                        }
                        Err(Refusal { reason: Reason::CmidConflict, first: Some(first) })
                    }
                    HeldItem::Refused(refusal) => Err(refusal),
                })
                .collect(),
        ),
        Held::Plain(answer) => answer,
    }
}

//! A router: the shell around the machines, as far as order and faults matter.

use std::collections::{BTreeMap, VecDeque};

use mynah_domain::conversation::{Answer, Command, Deliverable, Limits, Machine, Step};
use mynah_domain::delivery::LowWater;
use mynah_domain::writer::Composer;
use mynah_types::{Claim, ConversationAppend, ConversationKey, Entry, EntryKind, MsgId, Progress, Seq, ShardId, Uid};

use crate::Broken;
use crate::event::ActorId;

/// Lanes of delivery.
pub(crate) const LANES: usize = 2;

/// Who is answered.
#[derive(Debug, Clone)]
pub(crate) enum Ticket {
    /// A device's connection, for a send.
    Device { device: usize, conn: u64, cmid: String },
    /// The outbox, for a group.
    Outbox,
}

/// What devices see of an entry.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    pub(crate) seq: Seq,
    pub(crate) msg_id: MsgId,
    pub(crate) sender: Uid,
    pub(crate) cmid: Option<String>,
}

impl From<&Entry> for Shown {
    fn from(entry: &Entry) -> Self {
        let cmid = entry.cmid.as_ref().filter(|_| matches!(entry.kind, EntryKind::Message { .. }));
        Self { seq: entry.seq, msg_id: entry.msg_id, sender: entry.sender, cmid: cmid.map(|cmid| cmid.as_str().to_owned()) }
    }
}

pub(crate) struct Actor {
    pub(crate) machine: Machine<Ticket>,
    pub(crate) life: u64,
    pub(crate) busy: bool,
}

/// What has to be done next for an actor.
pub(crate) enum Next {
    Load,
    LookUp(Vec<mynah_domain::conversation::Lookup>),
    Append(ConversationAppend),
    Answers(Vec<(Ticket, Answer)>),
}

pub(crate) struct Router {
    pub(crate) alive: bool,
    pub(crate) composer: Composer,
    pub(crate) actors: BTreeMap<ConversationKey, Actor>,
    pub(crate) gathered: Vec<(ConversationAppend, ActorId)>,
    pub(crate) committing: bool,
    water: BTreeMap<ShardId, LowWater>,
    newest: BTreeMap<ShardId, MsgId>,
    pub(crate) lanes: [VecDeque<(ConversationKey, Deliverable)>; LANES],
    pub(crate) lane_busy: [bool; LANES],
    lives: u64,
    broken: Option<Broken>,
}

impl Router {
    pub(crate) fn new(claims: &[Claim], broken: Option<Broken>) -> Self {
        let mut composer = Composer::default();
        composer.claimed(claims);
        let delivered = |claim: &Claim| claim.progress.delivered;
        Self {
            alive: true,
            composer,
            actors: BTreeMap::new(),
            gathered: Vec::new(),
            committing: false,
            water: claims.iter().map(|claim| (claim.shard, LowWater::at(delivered(claim)))).collect(),
            newest: claims.iter().map(|claim| (claim.shard, delivered(claim))).collect(),
            lanes: Default::default(),
            lane_busy: [false; LANES],
            lives: 0,
            broken,
        }
    }

    /// The conversation's actor, started if need be.
    pub(crate) fn actor(&mut self, key: ConversationKey) -> &mut Actor {
        let lives = &mut self.lives;
        self.actors.entry(key).or_insert_with(|| {
            *lives += 1;
            // A small window, so that repeats fall out of it.
            let limits = Limits { window: 3, batch: 4, ..Limits::default() };
            Actor { machine: Machine::new(key, limits), life: *lives, busy: false }
        })
    }

    /// The actor of a life, if it still lives it.
    pub(crate) fn living(&mut self, (key, life): ActorId) -> Option<&mut Actor> {
        self.actors.get_mut(&key).filter(|actor| actor.life == life)
    }

    pub(crate) fn issued(&mut self, ids: &[MsgId]) {
        for id in ids {
            if let Some(water) = self.water.get_mut(&id.shard()) {
                water.issued(*id);
            }
        }
    }

    /// Where the deliveries of a shard are complete, and whether an entry is on its way.
    pub(crate) fn mark(&self, shard: ShardId) -> MsgId {
        self.water.get(&shard).map_or(MsgId(0), LowWater::mark)
    }

    pub(crate) fn knows(&self, id: MsgId) -> bool {
        self.water.get(&id.shard()).is_some_and(|water| water.knows(id))
    }

    pub(crate) fn completed(&mut self, id: MsgId) {
        if let Some(water) = self.water.get_mut(&id.shard()) {
            water.completed(id);
        }
        if let Some(newest) = self.newest.get_mut(&id.shard()) {
            *newest = id.max(*newest);
        }
    }

    /// What to store of a shard's delivery.
    pub(crate) fn progress(&self, shard: ShardId) -> Option<Progress> {
        let mark = match self.broken {
            Some(Broken::MaxForLowWater) => self.newest.get(&shard).copied(),
            _ => self.water.get(&shard).map(LowWater::mark),
        };
        mark.map(|mark| Progress { delivered: mark, published: mark })
    }

    pub(crate) fn lane_of(key: ConversationKey) -> usize {
        // Single chats go directly, groups over the bus: one shard's deliveries end in any order.
        usize::from(matches!(key, ConversationKey::Group(_)))
    }
}

impl Actor {
    /// The next step, if none is under way.
    pub(crate) fn next(&mut self, now: u64) -> Option<Next> {
        if self.busy {
            return None;
        }
        if self.machine.needs_load() {
            if !self.machine.has_pending() {
                return None;
            }
            self.busy = true;
            return Some(Next::Load);
        }
        let lookups = self.machine.begin()?;
        if !lookups.is_empty() {
            self.busy = true;
            return Some(Next::LookUp(lookups));
        }
        Some(self.decided(now, Vec::new(), Vec::new()))
    }

    pub(crate) fn decided(
        &mut self,
        now: u64,
        lookups: Vec<mynah_domain::conversation::Lookup>,
        facts: Vec<mynah_domain::conversation::Fact>,
    ) -> Next {
        match self.machine.decide(now, lookups, facts) {
            Step::Ready(answers) => Next::Answers(answers),
            Step::Append(append) => {
                self.busy = true;
                Next::Append(append)
            }
        }
    }

    /// The variant that looks at rights first: a sender who is no member now is refused before anything else.
    pub(crate) fn refuses_first(&self, command: &Command) -> bool {
        let Command::Send(send) = command else { return false };
        let state = self.machine.state();
        !self.machine.needs_load()
            && state.member_version() > 0
            && !state.member(send.sender).is_some_and(mynah_types::Membership::is_current)
    }
}

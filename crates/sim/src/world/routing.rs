//! Commands at routers: actors that load, look up, decide; owners that take the place of others.

use mynah_domain::audience::changed_by;
use mynah_domain::conversation::{Answer, Command, Deliverable, Fact, Loaded, Lookup, PairRights};
use mynah_types::{ConversationKey, EntryKind, MemberChange, MsgId, Reason, ShardId};

use super::World;
use crate::Broken;
use crate::event::{ActorId, Event, Heard};
use crate::router::{Next, Router, Ticket};

/// Sends that an actor knows when it starts.
const RECENT: usize = 3;
const FRIENDS: PairRights = PairRights { a_blocks_b: false, b_blocks_a: false, a_exists: true, b_exists: true };

impl World {
    fn owner(&self) -> usize {
        self.routers.len().saturating_sub(1)
    }

    /// The router that a sender believes to own a conversation: sometimes the one before.
    pub(super) fn route(&mut self) -> usize {
        let owner = self.owner();
        let stale = self.breaks() && owner > 0 && self.dice.once_in(4);
        if stale { owner - 1 } else { owner }
    }

    pub(super) fn take_over(&mut self) {
        let claims = self.log.claim(&self.shards());
        if self.dice.once_in(2)
            && let Some(old) = self.routers.last_mut()
        {
            old.alive = false;
        }
        self.routers.push(Router::new(&claims, self.broken));
        self.takeovers += 1;
        if self.broken != Some(Broken::NoRedelivery) {
            for claim in claims {
                self.redeliver(self.owner(), claim.shard, claim.progress.delivered);
            }
        }
    }

    /// Hands on what lies above a mark and is not on its way already.
    pub(super) fn redeliver(&mut self, router: usize, shard: ShardId, after: MsgId) {
        for (key, entry) in self.log.since(shard, after) {
            let Some(r) = self.routers.get_mut(router) else { return };
            if r.knows(entry.msg_id) {
                continue;
            }
            r.issued(&[entry.msg_id]);
            let members = self.log.conversations.get(&key).map(|stored| stored.members.clone()).unwrap_or_default();
            let rows: Vec<_> = members.into_iter().collect();
            let change = if entry.kind == EntryKind::Event { changed_by(&entry, &rows) } else { MemberChange::default() };
            self.hand_on(router, key, vec![Deliverable { entry, change, origin_conn: 0 }]);
        }
    }

    pub(super) fn outbox(&mut self) {
        let owner = self.owner();
        let mut open = Vec::new();
        for (key, group) in &self.directory.groups {
            let changes: Vec<_> = group.changes.iter().filter(|change| change.version > group.applied).cloned().collect();
            if !changes.is_empty() {
                open.push((*key, changes));
            }
        }
        if !open.is_empty() {
            self.later(80, Event::Outbox);
        }
        for (key, changes) in open {
            self.later(10, Event::Arrive(owner, key, Command::Apply(changes), Ticket::Outbox));
        }
    }

    pub(super) fn arrive(&mut self, router: usize, key: ConversationKey, command: Command, ticket: Ticket) {
        let (passivates, panics) = (self.dice.once_in(5), self.breaks() && self.dice.once_in(40));
        let Some(r) = self.routers.get_mut(router).filter(|r| r.alive) else {
            // Sometimes the connection is refused; sometimes nothing is heard.
            if self.dice.once_in(2) {
                self.answer(key, ticket, Err(false));
            } else if let Ticket::Device { device, cmid, .. } = ticket {
                _ = self.settled(device, key, &cmid);
            }
            return;
        };
        if panics {
            // What it had under way goes on without it; its successor starts at once.
            r.actors.remove(&key);
        }
        let actor = r.actor(key);
        if self.broken == Some(Broken::DedupeAfterRights) && actor.refuses_first(&command) {
            self.answer(key, ticket, Err(true));
            return;
        }
        if let Err((_, ticket)) = actor.machine.offer(command, ticket) {
            self.answer(key, ticket, Err(false));
        }
        if passivates {
            self.later(60, Event::Passivate(router, key));
        }
        self.drive(router, key);
    }

    pub(super) fn passivate(&mut self, router: usize, key: ConversationKey) {
        let Some(r) = self.routers.get_mut(router) else { return };
        if r.actors.get(&key).is_some_and(|actor| !actor.busy && !actor.machine.has_pending()) {
            r.actors.remove(&key);
        }
    }

    /// Goes on with an actor until something has to be waited for.
    pub(super) fn drive(&mut self, router: usize, key: ConversationKey) {
        let now = self.plan.now;
        while let Some(r) = self.routers.get_mut(router).filter(|r| r.alive)
            && let Some(actor) = r.actors.get_mut(&key)
            && let Some(next) = actor.next(now)
        {
            let id = (key, actor.life);
            self.follow(router, id, next);
        }
    }

    fn follow(&mut self, router: usize, id: ActorId, next: Next) {
        match next {
            Next::Load => self.later(8, Event::LoadRead(router, id)),
            Next::LookUp(lookups) => self.later(6, Event::LookUp(router, id, lookups)),
            Next::Append(append) => self.gather(router, id, append),
            Next::Answers(answers) => self.answers(router, id.0, answers),
        }
    }

    pub(super) fn load_read(&mut self, router: usize, id: ActorId) {
        let key = id.0;
        let tail = self.log.tail(key, RECENT);
        let stored = self.log.conversations.get(&key);
        let members = stored.map(|stored| stored.members.iter().map(|(uid, m)| (*uid, *m)).collect()).unwrap_or_default();
        let (changes, directory_version) = self.directory.changes(key, tail.meta.member_version);
        let rights = matches!(key, ConversationKey::Single(..)).then_some(FRIENDS);
        let loaded = Loaded { tail, members, rights, changes, directory_version };
        self.later(8, Event::Loaded(router, id, Box::new(loaded)));
    }

    pub(super) fn loaded(&mut self, router: usize, id: ActorId, loaded: Loaded) {
        let Some(actor) = self.routers.get_mut(router).and_then(|r| r.living(id)) else { return };
        actor.busy = false;
        actor.machine.loaded(loaded);
        self.drive(router, id.0);
    }

    pub(super) fn look_up(&mut self, router: usize, id: ActorId, lookups: Vec<Lookup>) {
        let key = id.0;
        let facts = lookups.iter().map(|lookup| match lookup {
            Lookup::Send { .. } if self.broken == Some(Broken::DedupeByWindow) => Fact::Send(None),
            Lookup::Send { sender, cmid } => Fact::Send(self.log.find_send(key, *sender, cmid)),
            Lookup::Target(_) => Fact::Target(None),
            Lookup::ReadMark(_) => Fact::ReadMark(0),
            Lookup::Rights => Fact::Rights(FRIENDS),
            // No feed and no shield is driven here.
            Lookup::KeptFrom { from, .. } => Fact::KeptFrom(*from),
            Lookup::Hidden(_) => Fact::Hidden(None),
            Lookup::Changes { after } => Fact::Changes(self.directory.changes(key, *after).0),
        });
        let facts = facts.collect();
        self.later(6, Event::Found(router, id, lookups, facts));
    }

    pub(super) fn found(&mut self, router: usize, id: ActorId, lookups: Vec<Lookup>, facts: Vec<Fact>) {
        let now = self.plan.now;
        let Some(actor) = self.routers.get_mut(router).filter(|r| r.alive).and_then(|r| r.living(id)) else { return };
        actor.busy = false;
        let next = actor.decided(now, lookups, facts);
        self.follow(router, id, next);
        self.drive(router, id.0);
    }

    /// A refusal is final only from the owner: who was replaced has no lease to answer by.
    pub(super) fn answers(&mut self, router: usize, key: ConversationKey, answers: Vec<(Ticket, Answer)>) {
        let has_lease = router == self.owner() || self.broken == Some(Broken::StaleAnswers);
        for (ticket, answer) in answers {
            match (ticket, answer) {
                (Ticket::Outbox, Answer::Applied(Ok(version))) => {
                    if let Some(group) = self.directory.groups.get_mut(&key) {
                        group.applied = version.max(group.applied);
                    }
                }
                (ticket @ Ticket::Device { .. }, Answer::Sent(results)) => {
                    let result = match results.into_iter().next() {
                        Some(Ok(sent)) => Ok((sent.seq, sent.msg_id)),
                        Some(Err(refusal)) => Err(has_lease && !refusal.reason.is_retryable()),
                        None => Err(false),
                    };
                    self.answer(key, ticket, result);
                }
                _ => {}
            }
        }
    }

    /// An answer goes to the connection that asked; it may be cut on the way.
    fn answer(&mut self, key: ConversationKey, ticket: Ticket, result: Result<(u64, MsgId), bool>) {
        if let Ticket::Device { device, conn, cmid } = ticket {
            if self.settled(device, key, &cmid) && result == Err(true) {
                self.contested.insert((device, key, cmid.clone()));
            }
            if self.breaks() && self.dice.once_in(12) {
                self.cut(device);
            }
            self.say(device, conn, Heard::Answer(key, cmid, result));
        }
    }

    pub(super) fn refuse_all(&mut self, router: usize, (key, life): ActorId) {
        let Some(actor) = self.routers.get_mut(router).and_then(|r| r.living((key, life))) else { return };
        actor.busy = false;
        let refused = actor.machine.refuse_all(Reason::NotOwner);
        self.answers(router, key, refused);
    }
}

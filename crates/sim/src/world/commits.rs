//! Group commit with its faults, and what becomes durable on its way to the gateway.

use mynah_domain::conversation::Deliverable;
use mynah_domain::writer::Batch;
use mynah_types::{Appended, ConversationAppend, ConversationKey, MsgId, ShardAppend};

use super::World;
use crate::Broken;
use crate::event::{ActorId, Event, Heard, Tickets};
use crate::router::{Router, Shown};

impl World {
    pub(super) fn gather(&mut self, router: usize, id: ActorId, append: ConversationAppend) {
        let Some(r) = self.routers.get_mut(router) else { return };
        r.gathered.push((append, id));
        self.commit_soon(router);
    }

    fn commit_soon(&mut self, router: usize) {
        let Some(r) = self.routers.get_mut(router) else { return };
        if !r.committing && !r.gathered.is_empty() {
            r.committing = true;
            self.later(3, Event::Commit(router));
        }
    }

    pub(super) fn commit(&mut self, router: usize) {
        let Some(r) = self.routers.get_mut(router).filter(|r| r.alive) else { return };
        let gathered = std::mem::take(&mut r.gathered);
        let progress: std::collections::BTreeMap<_, _> =
            gathered.iter().filter_map(|(append, _)| Some((append.key.shard(), r.progress(append.key.shard())?))).collect();
        let Batch { shards, tickets, not_owned } = r.composer.compose(gathered, |shard| progress.get(&shard).copied());
        for id in not_owned {
            self.refuse_all(router, id);
        }
        if shards.is_empty() {
            self.rest(router);
            return;
        }
        if self.broken == Some(Broken::AckBeforeAppend) {
            for (id, ids) in tickets.iter().flatten() {
                self.done(router, *id, ids);
            }
        }
        self.later(30, Event::Write(router, shards, tickets));
    }

    /// The log takes the batch; or it does not; or nobody hears of it; or it comes later.
    pub(super) fn write(&mut self, router: usize, batch: Vec<ShardAppend>, tickets: Tickets) {
        let alive = self.routers.get(router).is_some_and(|r| r.alive);
        let fate = if self.breaks() { self.dice.below(24) } else { 24 };
        let unknown = || tickets.iter().map(|of_shard| of_shard.iter().map(|_| Appended::Unknown).collect()).collect();
        let outcomes = match fate {
            0 => unknown(),
            1 => {
                self.log.append(batch);
                unknown()
            }
            2 => {
                let outcomes = unknown();
                self.later(200, Event::Late(batch));
                outcomes
            }
            // A dead router's batch was on its way, or not.
            n if !alive && n % 2 == 0 => unknown(),
            _ => self.log.append(batch),
        };
        self.later(10, Event::Written(router, tickets, outcomes));
    }

    pub(super) fn written(&mut self, router: usize, tickets: Tickets, outcomes: Vec<Vec<Appended>>) {
        if !self.routers.get(router).is_some_and(|r| r.alive) {
            return;
        }
        self.claim_again(router, &tickets, &outcomes);
        let ended = tickets.into_iter().zip(outcomes).flat_map(|(tickets, outcomes)| tickets.into_iter().zip(outcomes));
        for ((id, ids), outcome) in ended.collect::<Vec<_>>() {
            let key = id.0;
            if self.broken == Some(Broken::AckBeforeAppend) {
                continue;
            }
            match outcome {
                Appended::Done => self.done(router, id, &ids),
                Appended::HeadMoved | Appended::Unknown => {
                    if let Some(actor) = self.routers.get_mut(router).and_then(|r| r.living(id)) {
                        actor.busy = false;
                        actor.machine.failed();
                    }
                }
                Appended::Fenced => self.refuse_all(router, id),
            }
            self.drive(router, key);
        }
        self.rest(router);
    }

    /// The commit is over: what gathered meanwhile is the next.
    fn rest(&mut self, router: usize) {
        if let Some(r) = self.routers.get_mut(router) {
            r.committing = false;
        }
        self.commit_soon(router);
    }

    /// After an unknown outcome the owner takes the shards anew; who is owner no more lets go of them.
    fn claim_again(&mut self, router: usize, tickets: &Tickets, outcomes: &[Vec<Appended>]) {
        let unknown = tickets.iter().zip(outcomes).filter(|(_, outcomes)| outcomes.contains(&Appended::Unknown));
        let keys = unknown.filter_map(|(tickets, _)| tickets.first().map(|((key, _), _)| key.shard()));
        let shards: Vec<_> = keys.collect();
        if shards.is_empty() || self.broken == Some(Broken::NoClaimAfterUnknown) {
            return;
        }
        let owns = router + 1 == self.routers.len();
        let claims = if owns { self.log.claim(&shards) } else { Vec::new() };
        let Some(r) = self.routers.get_mut(router) else { return };
        r.composer.claimed(&claims);
        if !owns {
            shards.iter().for_each(|shard| r.composer.released(*shard));
            return;
        }
        if self.broken == Some(Broken::NoRedeliveryAfterUnknown) {
            return;
        }
        let marks: Vec<_> = shards.iter().map(|shard| (*shard, r.mark(*shard))).collect();
        for (shard, mark) in marks {
            self.redeliver(router, shard, mark);
        }
    }

    fn done(&mut self, router: usize, id: ActorId, ids: &[MsgId]) {
        let Some(r) = self.routers.get_mut(router) else { return };
        if r.living(id).is_none() {
            // Nobody is left to hand it on: it is delivered from the log.
            let (shard, mark) = (id.0.shard(), r.mark(id.0.shard()));
            self.redeliver(router, shard, mark);
            return;
        }
        r.issued(ids);
        let Some(actor) = r.living(id) else { return };
        actor.busy = false;
        let done = actor.machine.appended(ids);
        self.answers(router, id.0, done.answers);
        self.hand_on(router, id.0, done.deliver);
        self.drive(router, id.0);
    }

    pub(super) fn hand_on(&mut self, router: usize, key: ConversationKey, entries: Vec<Deliverable>) {
        let lane = Router::lane_of(key);
        let Some(r) = self.routers.get_mut(router) else { return };
        let (Some(queue), Some(busy)) = (r.lanes.get_mut(lane), r.lane_busy.get_mut(lane)) else { return };
        queue.extend(entries.into_iter().map(|entry| (key, entry)));
        if !queue.is_empty() && !*busy {
            *busy = true;
            self.later(5, Event::Lane(router, lane));
        }
    }

    pub(super) fn lane(&mut self, router: usize, lane: usize) {
        let Some(r) = self.routers.get_mut(router).filter(|r| r.alive) else { return };
        match r.lanes.get_mut(lane).and_then(std::collections::VecDeque::pop_front) {
            Some((key, record)) => {
                // A bus or a gateway that is slow for once.
                let within = if self.breaks() && self.dice.once_in(12) { 600 } else { 25 };
                self.later(within, Event::Record(router, lane, key, record));
            }
            None => {
                if let Some(busy) = r.lane_busy.get_mut(lane) {
                    *busy = false;
                }
            }
        }
    }

    /// A record reaches the gateway; what a dead router had on its way may not.
    pub(super) fn record(&mut self, router: usize, lane: usize, key: ConversationKey, record: &Deliverable) {
        if self.routers.get(router).is_some_and(|r| r.alive) || self.dice.once_in(2) {
            for (device, conn) in self.gateway.hear(key, record, self.broken) {
                self.say(device, conn, Heard::Entry(key, Shown::from(&record.entry)));
            }
        }
        if let Some(r) = self.routers.get_mut(router) {
            r.completed(record.entry.msg_id);
            self.plan.after(0, Event::Lane(router, lane));
        }
    }
}

//! Everything together: events happen one after the other, and each plans what follows from it.

mod clients;
mod commits;
mod routing;

use std::collections::{BTreeMap, BTreeSet};

use mynah_oracle::{Dice, Oracle, Verdict};
use mynah_types::{ConversationKey, EntryKind, Seq, ShardId, Uid};

use crate::device::Device;
use crate::directory::Directory;
use crate::event::{Event, Plan, user};
use crate::gateway::Gateway;
use crate::log::Log;
use crate::router::Router;
use crate::{Broken, Report};

/// Users, one device each.
const DEVICES: usize = 4;
/// From here on nothing breaks, and nobody leaves.
const CALM: u64 = 2500;
/// All is quiet; one device reconnects while one message is sent, and then all is quiet again.
const BLINK: u64 = CALM + 1700;
/// Everybody says one last thing: what is not pushed now is not found by anything that follows.
const LAST_WORD: u64 = CALM + 2500;
/// What was answered so long ago has been pushed, if it is pushed at all.
const QUIET: u64 = 400;
/// Events of one run: more means that it does not come to rest.
const MOST_EVENTS: usize = 200_000;

pub(crate) struct World {
    plan: Plan,
    dice: Dice,
    oracle: Oracle,
    broken: Option<Broken>,
    log: Log,
    directory: Directory,
    gateway: Gateway,
    routers: Vec<Router>,
    devices: Vec<Device>,
    conns: u64,
    group: ConversationKey,
    takeovers: u32,
    /// How long a device rests between two doings, at most.
    pace: u64,
    /// When a sender was answered last.
    answered_at: u64,
    /// What was found before the last words.
    live: Option<Verdict>,
    /// Sends under way, by device, conversation and client message id: a device may have sent one twice.
    copies: BTreeMap<Copied, u32>,
    /// Sends that were refused while another copy was under way: that one may find the sender a member again.
    contested: BTreeSet<Copied>,
}

/// A send: device, conversation, client message id.
type Copied = (usize, ConversationKey, String);

impl World {
    pub(crate) fn new(seed: u64, broken: Option<Broken>) -> Self {
        let single = ConversationKey::single(user(0), user(1));
        // In the shard of a single chat, so that deliveries of one shard take two ways.
        let same_shard = |gid: &u64| ConversationKey::Group(*gid).shard() == single.shard();
        let group = ConversationKey::Group((10_000_001..).find(same_shard).unwrap_or(10_000_001));
        let mut world = Self {
            plan: Plan::default(),
            dice: Dice::new(seed),
            oracle: Oracle::new(),
            broken,
            log: Log::new(broken),
            directory: Directory::default(),
            gateway: Gateway::default(),
            routers: Vec::new(),
            devices: (0..DEVICES).map(|_| Device::default()).collect(),
            conns: 0,
            group,
            takeovers: 0,
            pace: 0,
            live: None,
            answered_at: 0,
            copies: BTreeMap::new(),
            contested: BTreeSet::new(),
        };
        // Busy seeds and quiet ones: in a quiet one nothing follows that heals what was missed.
        world.pace = 60 + world.dice.below(900);
        world.directory.change(group, &(0..3).map(user).collect(), &BTreeSet::new());
        world.take_over();
        world
    }

    pub(crate) fn run(mut self) -> Report {
        for device in 0..DEVICES {
            self.later(50, Event::Act(device));
            self.later(100, Event::Resend(device));
            self.plan.at(LAST_WORD + 7, Event::Speak(device));
        }
        self.plan.at(BLINK, Event::Blink);
        self.plan.at(LAST_WORD, Event::Judge);
        self.later(1, Event::Outbox);
        self.later(300, Event::ChangeGroup);
        self.later(600, Event::TakeOver);
        let mut events = 0;
        while let Some(event) = self.plan.next() {
            self.happen(event);
            events += 1;
            if events > MOST_EVENTS {
                break;
            }
        }
        self.rights();
        let mut verdict = match self.live.take() {
            Some(live) if !live.is_clean() => live,
            _ => self.oracle.judge(),
        };
        if events > MOST_EVENTS {
            verdict.lost += 1;
            verdict.faults.push("the run does not come to rest".into());
        }
        Report { verdict, acknowledged: self.oracle.acknowledged(), takeovers: self.takeovers }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Act(device) => self.act(device),
            Event::Resend(device) => self.resend(device),
            Event::ChangeGroup => self.change_group(),
            Event::Outbox => self.outbox(),
            Event::Speak(device) => self.write_one(device),
            Event::Blink => self.blink(),
            Event::Judge => self.judge_live(),
            Event::TakeOver => {
                if self.breaks() {
                    self.take_over();
                    let pause = 300 + self.dice.below(600);
                    self.plan.after(pause, Event::TakeOver);
                }
            }
            Event::Arrive(router, key, command, ticket) => self.arrive(router, key, command, ticket),
            Event::LoadRead(router, id) => self.load_read(router, id),
            Event::Loaded(router, id, loaded) => self.loaded(router, id, *loaded),
            Event::LookUp(router, id, lookups) => self.look_up(router, id, lookups),
            Event::Found(router, id, lookups, facts) => self.found(router, id, lookups, facts),
            Event::Passivate(router, key) => self.passivate(router, key),
            Event::Commit(router) => self.commit(router),
            Event::Write(router, batch, tickets) => self.write(router, batch, tickets),
            Event::Written(router, tickets, outcomes) => self.written(router, tickets, outcomes),
            Event::Late(batch) => _ = self.log.append(batch),
            Event::Lane(router, lane) => self.lane(router, lane),
            Event::Record(router, lane, key, record) => self.record(router, lane, key, &record),
            Event::Hear(device, conn, heard) => self.hear(device, conn, heard),
            Event::Login(device, conn, step) => self.login(device, conn, step),
            Event::Sync(device, conn, key, after) => self.sync(device, conn, key, after),
        }
    }

    /// Things may still break.
    fn breaks(&self) -> bool {
        self.plan.now < CALM
    }

    /// Plans an event within so many milliseconds from now.
    fn later(&mut self, within: u64, event: Event) {
        let pause = 1 + self.dice.below(within);
        self.plan.after(pause, event);
    }

    fn shards(&self) -> Vec<ShardId> {
        let singles = (0..DEVICES).map(|d| self.peer_chat(d).shard());
        let all: BTreeSet<ShardId> = singles.chain([self.group.shard()]).collect();
        all.into_iter().collect()
    }

    fn peer_chat(&self, device: usize) -> ConversationKey {
        ConversationKey::single(user(device), user(device ^ 1))
    }

    /// Judges what was pushed, while all is quiet and before anything follows that would show a hole.
    fn judge_live(&mut self) {
        let applied = self.directory.groups.values().all(|group| group.applied >= group.changes.last().map_or(0, |c| c.version));
        let quiet = self.plan.now > self.answered_at + QUIET;
        if applied && quiet && self.devices.iter().all(|d| d.logged_in && d.outbox.is_empty()) {
            self.rights();
            self.live = Some(self.oracle.judge());
        }
    }

    fn change_group(&mut self) {
        if !self.breaks() {
            return;
        }
        let one = user(usize::try_from(self.dice.below(4)).unwrap_or(0));
        let members = self.directory.groups.get(&self.group).map(|group| group.members.clone()).unwrap_or_default();
        let just = BTreeSet::from([one]);
        if !members.contains_key(&one) {
            self.directory.change(self.group, &just, &BTreeSet::new());
        } else if members.len() > 1 {
            self.directory.change(self.group, &BTreeSet::new(), &just);
        }
        self.later(20, Event::Outbox);
        let pause = 100 + self.dice.below(300);
        self.plan.after(pause, Event::ChangeGroup);
    }

    /// Tells the oracle who had to see what, by the log's own entries.
    fn rights(&mut self) {
        for device in 0..DEVICES {
            let key = self.peer_chat(device);
            self.oracle.must_see(&key.to_string(), &viewer(user(device)), 1, Seq::MAX);
        }
        let name = self.group.to_string();
        let entries = self.log.conversations.get(&self.group).map(|stored| stored.entries.as_slice()).unwrap_or_default();
        let (changes, _) = self.directory.changes(self.group, 0);
        let mut since: Vec<Option<(Seq, Seq)>> = vec![None; DEVICES];
        for entry in entries.iter().filter(|entry| entry.kind == EntryKind::Event) {
            let Some(change) = changes.iter().find(|change| change.version == entry.member_version) else { continue };
            for (at, range) in since.iter_mut().enumerate() {
                if change.joined.iter().any(|(uid, ..)| *uid == user(at)) {
                    if let Some((from, to)) = *range {
                        self.oracle.may_see(&name, &viewer(user(at)), from, to);
                    }
                    *range = Some((entry.seq, Seq::MAX));
                }
                if change.left.contains(&user(at)) {
                    *range = range.map(|(from, _)| (from, entry.seq));
                }
            }
        }
        for (at, range) in since.into_iter().enumerate() {
            if let Some((from, to)) = range {
                self.oracle.must_see(&name, &viewer(user(at)), from, to);
            }
        }
    }
}

fn viewer(uid: Uid) -> String {
    format!("user {}", uid.0)
}

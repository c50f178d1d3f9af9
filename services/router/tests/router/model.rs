//! What each of a group's people sees and what counts as unread for him, against a model that knows no floors, sums or pages: everybody has
//! a list of what he was shown and a mark of what he has read. Random joins, leaves, returns, shields, messages, retractions and reads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use mynah_oracle::Dice;
use mynah_proto::router::{HeadsRequest, HideRequest, ReadRequest, RetractRequest, SendRequest, SyncRange, SyncRequest};
use mynah_router::Settings;
use mynah_types::{Clock as _, ManualClock, Reason};

use crate::{GROUP, World, change, commit, send, start_at};

const PEOPLE: [u64; 4] = [1, 2, 3, 4];
const STEPS: u32 = 400;
const SEEDS: u64 = 6;

/// Somebody as the model knows him.
#[derive(Default)]
struct Person {
    is_in: bool,
    has_shield: bool,
    /// When his connection logged in, by the world's clock.
    online_since: u64,
    /// Seqs of this stay, or of the last one, that are shown to him.
    shown: BTreeSet<u64>,
    /// Of these, what was only for who was online then.
    fleeting: BTreeMap<u64, u64>,
    /// What he has not read: others' messages of this stay.
    unread: BTreeSet<u64>,
    /// The last seq that concerns him.
    head: u64,
}

struct Model {
    world: World,
    clock: ManualClock,
    dice: Dice,
    people: BTreeMap<u64, Person>,
    head: u64,
    version: u64,
    sends: u64,
    /// Messages that can be taken back: seq, sender, id.
    said: Vec<(u64, u64, u64)>,
}

impl Model {
    /// An entry that everybody who is in sees, shield or not.
    fn event(&mut self) {
        self.head += 1;
        for person in self.people.values_mut().filter(|person| person.is_in) {
            person.shown.insert(self.head);
            person.head = self.head;
        }
    }

    async fn comes_or_goes(&mut self, uid: u64) {
        self.version += 1;
        let comes = !self.people[&uid].is_in;
        let (joined, left): (&[u64], &[u64]) = if comes { (&[uid], &[]) } else { (&[], &[uid]) };
        commit(&self.world, change(self.version, joined, left)).await;
        if comes {
            let was = self.people.remove(&uid).unwrap();
            self.people.insert(uid, Person { is_in: true, online_since: was.online_since, ..Person::default() });
        }
        // Who goes sees his going.
        self.event();
        let person = self.people.get_mut(&uid).unwrap();
        (person.is_in, person.has_shield) = (comes, person.has_shield && comes);
    }

    async fn says(&mut self, uid: u64) {
        let counts = !self.dice.once_in(4);
        let fleeting = self.dice.once_in(5);
        self.sends += 1;
        let mut request: SendRequest = send(GROUP, uid, &format!("m{}", self.sends), self.sends);
        (request.items[0].unread_delta, request.items[0].no_offline) = (counts.into(), fleeting);
        let said = self.world.router.send(request).await.unwrap().results.remove(0);
        if !self.people[&uid].is_in {
            assert_eq!(said.failure.map(|failure| failure.why()), Some(Reason::SenderNotMember));
            return;
        }
        assert_eq!((said.failure, said.seq), (None, self.head + 1));
        self.head += 1;
        self.said.push((said.seq, uid, said.msg_id));
        for (other, person) in self.people.iter_mut().filter(|(_, person)| person.is_in) {
            person.head = self.head;
            if *other == uid {
                // Who speaks has read what is before him.
                person.unread.clear();
            }
            if person.has_shield {
                continue;
            }
            // What is for the moment is none that waits for him.
            if fleeting {
                person.fleeting.insert(self.head, said.ctime_ms);
            } else {
                person.shown.insert(self.head);
            }
            if *other != uid && counts && !fleeting {
                person.unread.insert(self.head);
            }
        }
    }

    async fn takes_back(&mut self) {
        let nth = self.dice.below(self.said.len() as u64) as usize;
        let Some((seq, sender, msg_id)) = self.said.get(nth).copied() else { return };
        let request = RetractRequest { conv_id: GROUP.into(), actor_uid: sender, msg_id, ..RetractRequest::default() };
        let done = self.world.router.retract(request).await;
        if !self.people[&sender].is_in {
            assert_eq!(done.unwrap_err().why(), Reason::SenderNotMember);
            return;
        }
        assert_eq!(done.unwrap().seq, self.head + 1);
        self.said.remove(nth);
        self.event();
        self.people.values_mut().for_each(|person| _ = person.unread.remove(&seq));
    }

    async fn reads(&mut self, uid: u64) {
        let read_seq = self.dice.below(self.people[&uid].head + 1);
        let request = ReadRequest { conv_id: GROUP.into(), uid, read_seq, origin_conn: 0 };
        let reply = self.world.router.read(request).await;
        let person = self.people.get_mut(&uid).unwrap();
        if person.head == 0 {
            assert_eq!(reply.unwrap_err().why(), Reason::ConversationNotFound, "he was never in");
            return;
        }
        person.unread.retain(|seq| *seq > read_seq);
        assert_eq!(reply.unwrap().unread, person.unread.len() as u64);
    }

    async fn shields(&mut self, uid: u64) {
        let hidden = self.dice.once_in(2);
        let done = self.world.router.hide(HideRequest { conv_id: GROUP.into(), uid, hidden }).await;
        let person = self.people.get_mut(&uid).unwrap();
        assert_eq!(done.is_ok(), person.is_in);
        person.has_shield = person.is_in && hidden;
    }

    async fn step(&mut self) {
        self.clock.advance(1 + self.dice.below(5));
        let uid = *self.dice.one_of(&PEOPLE).unwrap();
        match self.dice.below(12) {
            0 => self.comes_or_goes(uid).await,
            1 => self.takes_back().await,
            2 | 3 => self.reads(uid).await,
            4 => self.shields(uid).await,
            5 => self.people.get_mut(&uid).unwrap().online_since = self.clock.now_ms(),
            _ => self.says(uid).await,
        }
    }

    /// Everybody pages from somewhere to the end, and asks where he stands.
    async fn compare(&mut self) {
        for uid in PEOPLE {
            let (after, limit) = (self.dice.below(self.head + 1), 1 + self.dice.below(7) as u32);
            let person = &self.people[&uid];
            let Some(seen) = pages(&self.world, uid, person, after, limit).await else {
                assert_eq!(person.head, 0, "he was never in");
                continue;
            };
            let fleeting = person.fleeting.iter().filter(|(_, at)| person.online_since > 0 && **at >= person.online_since);
            let owed = person.shown.iter().chain(fleeting.map(|(seq, _)| seq)).filter(|seq| **seq > after);
            assert_eq!(seen, owed.copied().collect(), "{uid} from {after} by {limit}");
            let asked = HeadsRequest { uid, conv_ids: vec![GROUP.into()], with_last: false };
            let heads = self.world.router.heads(asked).await.unwrap().heads;
            assert_eq!((heads[0].head_seq, heads[0].unread), (person.head, person.unread.len() as u64), "{uid}");
        }
    }
}

/// What somebody gets page by page above a position; none: it is no conversation of his.
async fn pages(world: &World, uid: u64, person: &Person, after: u64, limit: u32) -> Option<BTreeSet<u64>> {
    let (mut seen, mut at) = (BTreeSet::new(), after.min(person.head));
    loop {
        let ranges = vec![SyncRange { conv_id: GROUP.into(), after_seq: at, limit }];
        let request = SyncRequest { uid, ranges, online_since_ms: person.online_since, ..SyncRequest::default() };
        let page = world.router.sync(request).await.unwrap().items.remove(0);
        if page.failure.is_some() {
            return None;
        }
        assert_eq!((page.from_seq, page.head_seq, page.reset), (at + 1, person.head, false));
        assert!(page.entries.iter().all(|entry| (page.from_seq..=page.covered_to).contains(&entry.seq)));
        assert!(page.entries.len() <= limit as usize);
        for entry in page.entries {
            assert!(seen.insert(entry.seq), "{} twice", entry.seq);
        }
        assert!(page.covered_to > at || !page.more, "it goes on");
        at = page.covered_to;
        if !page.more {
            assert_eq!(at, person.head, "to the end");
            return Some(seen);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_sees_and_counts_what_a_model_says() {
    for seed in 0..SEEDS {
        let folder = tempfile::tempdir().unwrap();
        let clock = ManualClock::at(1_700_000_000_000);
        // Actors forget at once and remember little: what they decide by comes from the log.
        let mut settings = Settings { passivate_after: Duration::from_millis(1), ..Settings::default() };
        settings.limits.window = 4;
        let world = start_at(folder.path(), Arc::default(), settings, Arc::new(clock.clone())).await;
        let people = PEOPLE.into_iter().map(|uid| (uid, Person::default())).collect();
        let (dice, said) = (Dice::new(seed), Vec::new());
        let mut model = Model { world, clock, dice, people, head: 0, version: 0, sends: 0, said };
        model.comes_or_goes(PEOPLE[0]).await;
        for step in 0..STEPS {
            eprintln!("seed {seed}, step {step}");
            model.step().await;
            model.compare().await;
        }
    }
}

//! The judge beside the oracle of the simulation: the same histories, sound and with one lie each, and the same judgement.

use mynah_oracle::{Ack, Dice, Oracle, Seen, What};

use super::*;

/// Users 0 to 2 share conversation 0; user 3 is a stranger to it.
const VIEWERS: u32 = 3;
const STRANGER: u32 = 3;
const MESSAGES: u64 = 60;

/// An entry: its place, its id, and which message of whom it is.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Place {
    seq: u64,
    msg_id: u64,
    own: Own,
}

#[derive(Debug, Clone, Copy)]
enum Event {
    Offered(Own),
    Acked(Place),
    Refused(Own),
    Unknown(Own),
    Saw(u32, Place, How),
    Covered(u32, u64, u64),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Lie {
    None,
    /// One viewer never gets an entry.
    Lose,
    /// A message lies at two places.
    Double,
    /// Two messages of a sender change places.
    Swap,
    /// One viewer gets another entry at a place.
    Other,
    Leak,
    /// An id does not rise.
    Id,
    /// A message is refused, and lies there.
    Deny,
    /// An answer names another id.
    Answer,
    /// An answer names a place where nothing comes to lie.
    Nowhere,
}

const LIES: [Lie; 10] =
    [Lie::None, Lie::Lose, Lie::Double, Lie::Swap, Lie::Other, Lie::Leak, Lie::Id, Lie::Deny, Lie::Answer, Lie::Nowhere];

/// A history while it is made up.
struct Story {
    dice: Dice,
    lie: Lie,
    events: Vec<Event>,
    ordinals: [u32; VIEWERS as usize],
    log: Vec<Place>,
    /// From which place on a viewer gets no pushes, while his connection is gone.
    away: [Option<u64>; VIEWERS as usize],
    /// What is never shown to a viewer.
    hidden: Option<(u32, u64)>,
    /// What was sent without an answer, and may yet come to lie somewhere.
    late: Vec<Own>,
}

fn story(seed: u64, lie: Lie) -> Vec<Event> {
    let dice = Dice::new(seed);
    let (events, log, late) = (Vec::new(), Vec::new(), Vec::new());
    let mut story = Story { dice, lie, events, ordinals: [0; 3], log, away: [None; 3], hidden: None, late };
    // The lie comes in the middle, where entries are before and after it.
    let at = 10 + story.dice.below(MESSAGES - 20);
    for nth in 0..MESSAGES {
        if nth == at { story.lying() } else { story.honest() }
    }
    story.end();
    story.events
}

impl Story {
    fn offer(&mut self) -> Own {
        let sender = u32::try_from(self.dice.below(u64::from(VIEWERS))).unwrap();
        self.offer_of(sender)
    }

    fn offer_of(&mut self, sender: u32) -> Own {
        self.ordinals[sender as usize] += 1;
        let own = Own { conv: 0, sender, ordinal: self.ordinals[sender as usize], due_us: 5 };
        self.events.push(Event::Offered(own));
        own
    }

    /// A message takes the next place.
    fn append(&mut self, own: Own) -> Place {
        let seq = self.log.len() as u64 + 1;
        let place = Place { seq, msg_id: seq * 10, own };
        self.log.push(place);
        place
    }

    /// Viewers get an entry, unless they are away. A sender has what was answered.
    fn push(&mut self, place: Place, but: Option<u32>) {
        for viewer in (0..VIEWERS).filter(|viewer| Some(*viewer) != but) {
            let there = self.away[viewer as usize].is_none();
            if there && self.hidden != Some((viewer, place.seq)) {
                self.events.push(Event::Saw(viewer, place, How::Push));
            }
        }
    }

    fn honest(&mut self) {
        match self.dice.below(20) {
            0 => {
                let own = self.offer();
                self.events.push(Event::Refused(own));
            }
            1 | 2 => {
                let own = self.offer();
                self.events.push(Event::Unknown(own));
                self.late.push(own);
            }
            3 if !self.late.is_empty() => {
                let own = self.late.remove(0);
                let place = self.append(own);
                self.push(place, None);
            }
            4 => {
                let viewer = u32::try_from(self.dice.below(u64::from(VIEWERS))).unwrap();
                let from = self.log.len() as u64 + 1;
                self.away[viewer as usize].get_or_insert(from);
            }
            5 | 6 => {
                let viewer = u32::try_from(self.dice.below(u64::from(VIEWERS))).unwrap();
                self.come_back(viewer);
            }
            _ => {
                let own = self.offer();
                self.answered(own);
            }
        }
    }

    fn answered(&mut self, own: Own) -> Place {
        let place = self.append(own);
        self.events.push(Event::Acked(place));
        self.push(place, Some(own.sender));
        place
    }

    /// A viewer asks for what he lacks.
    fn come_back(&mut self, viewer: u32) {
        let Some(from) = self.away[viewer as usize].take() else { return };
        let to = self.log.len() as u64;
        for place in self.log.iter().filter(|place| place.seq >= from && self.hidden != Some((viewer, place.seq))) {
            self.events.push(Event::Saw(viewer, *place, How::Page));
        }
        self.events.push(Event::Covered(viewer, from, to));
    }

    fn lying(&mut self) {
        let own = self.offer();
        let other = (own.sender + 1) % VIEWERS;
        match self.lie {
            Lie::None => _ = self.answered(own),
            Lie::Lose => {
                self.hidden = Some((other, self.log.len() as u64 + 1));
                self.answered(own);
            }
            Lie::Double => {
                self.answered(own);
                let again = self.append(own);
                self.push(again, None);
            }
            Lie::Swap => {
                let later = self.offer_of(own.sender);
                self.answered(later);
                self.answered(own);
            }
            Lie::Other => {
                let place = self.answered(own);
                let wrong = Place { own: Own { ordinal: own.ordinal + 1000, ..own }, ..place };
                self.come_back(other);
                let mine = |event: &Event| matches!(event, Event::Saw(of, seen, _) if *of == other && *seen == place);
                self.events.iter_mut().filter(|event| mine(event)).for_each(|event| *event = Event::Saw(other, wrong, How::Push));
            }
            Lie::Leak => {
                let place = self.answered(own);
                self.events.push(Event::Saw(STRANGER, place, How::Push));
            }
            Lie::Id => {
                let mut place = self.append(own);
                place.msg_id = self.log[place.seq as usize - 2].msg_id;
                self.log[place.seq as usize - 1] = place;
                self.events.push(Event::Acked(place));
                self.push(place, Some(own.sender));
            }
            Lie::Deny => {
                self.events.push(Event::Refused(own));
                let place = self.append(own);
                self.push(place, None);
            }
            Lie::Answer => {
                let place = self.append(own);
                self.events.push(Event::Acked(Place { msg_id: place.msg_id + 1, ..place }));
                self.push(place, Some(own.sender));
            }
            // It is told at the end, where nothing follows.
            Lie::Nowhere => {
                self.events.push(Event::Unknown(own));
                self.late.push(own);
            }
        }
    }

    fn end(&mut self) {
        (0..VIEWERS).for_each(|viewer| self.come_back(viewer));
        if self.lie == Lie::Nowhere {
            let own = self.offer();
            let place = self.append(own);
            self.events.push(Event::Acked(place));
        }
    }
}

fn by_judge(events: &[Event]) -> Findings {
    let mut judge = Judge::new(2, &[(0, vec![0]), (1, vec![0]), (2, vec![0]), (STRANGER, vec![1])], true);
    judge.begin();
    let key = Key::parse(KEY).unwrap();
    let digest = |place: &Place| mix(u64::from(place.own.sender) << 32 | u64::from(place.own.ordinal), place.msg_id);
    for event in events {
        match event {
            Event::Offered(_) => {}
            Event::Acked(at) => judge.acked(at.own.sender as usize, &at.own, key, at.seq, at.msg_id, digest(at)),
            Event::Refused(own) => judge.refused(own),
            Event::Unknown(own) => judge.unknown(own),
            Event::Saw(viewer, at, how) => {
                let (seq, msg_id, own) = (at.seq, at.msg_id, Some(at.own));
                let entry = Entry { key, seq, msg_id, digest: digest(at), delta: 1, own };
                judge.saw(*viewer as usize, *viewer, &entry, *how);
            }
            Event::Covered(viewer, from, to) => judge.covered(*viewer as usize, *viewer, 0, *from, *to),
        }
    }
    judge.finish().findings
}

fn by_oracle(events: &[Event]) -> mynah_oracle::Verdict {
    let mut oracle = Oracle::new();
    let name = |user: u32| format!("user {user}");
    let cmid = |own: &Own| format!("{}", own.ordinal);
    let seen = |at: &Place| {
        let (sender, cmid, content) = (name(at.own.sender), cmid(&at.own), cmid(&at.own));
        Seen { seq: at.seq, msg_id: at.msg_id, what: What::Message { sender, cmid, content } }
    };
    (0..VIEWERS).for_each(|viewer| oracle.must_see("c", &name(viewer), 1, u64::MAX));
    for event in events {
        match event {
            Event::Offered(own) => oracle.offer("c", &name(own.sender), &cmid(own), &cmid(own)),
            Event::Acked(at) => {
                let ack = Ack { seq: at.seq, msg_id: at.msg_id };
                oracle.ack("c", &name(at.own.sender), &cmid(&at.own), ack);
                // To the judge, a sender has what he was answered.
                oracle.saw("c", &name(at.own.sender), seen(at));
            }
            Event::Refused(own) => oracle.refused("c", &name(own.sender), &cmid(own)),
            Event::Unknown(own) => oracle.abandoned("c", &name(own.sender), &cmid(own)),
            Event::Saw(viewer, at, _) => oracle.saw("c", &name(*viewer), seen(at)),
            Event::Covered(viewer, from, to) => oracle.covered("c", &name(*viewer), *from, *to),
        }
    }
    oracle.judge()
}

#[test]
fn both_judge_alike_whether_somebody_lies_and_whatever_the_lie() {
    for seed in 0..300 {
        for lie in LIES {
            let events = story(seed, lie);
            let (judge, oracle) = (by_judge(&events), by_oracle(&events));
            let wanted = lie == Lie::None;
            assert_eq!((judge.is_clean(), oracle.is_clean()), (wanted, wanted), "{seed} {lie:?}: {judge:?} {oracle}");
        }
    }
}

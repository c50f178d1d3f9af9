//! The window of recent sends: what is in it is a duplicate; what is not is new only if the window covers the whole conversation.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use mynah_types::{Cmid, FirstAnswer, MsgId, RecentSend, Seq, Uid};

/// Recent sends of one conversation, oldest first. A busy server holds many of these, so that each id is held once, and a search goes through
/// a page of prints instead of a tree of texts.
#[derive(Debug)]
pub(crate) struct Window {
    capacity: usize,
    sends: VecDeque<RecentSend>,
    /// A hash of each send's sender and cmid, in the same order.
    prints: VecDeque<u64>,
    /// Every send from this seq on is in the window.
    covers_from: Seq,
}

impl Window {
    pub(crate) fn load(capacity: usize, recent: Vec<RecentSend>, covers_from: Seq) -> Self {
        let mut window = Self { capacity, sends: VecDeque::new(), prints: VecDeque::new(), covers_from: covers_from.max(1) };
        for send in recent {
            window.insert(send.sender, send.cmid, send.first);
        }
        window.trim();
        window
    }

    pub(crate) fn get(&self, sender: Uid, cmid: &Cmid) -> Option<FirstAnswer> {
        self.find(print(sender, cmid), sender, cmid).and_then(|at| self.sends.get(at)).map(|send| send.first)
    }

    /// Whether a cmid that is not in the window was certainly never used.
    pub(crate) fn proves_absence(&self) -> bool {
        self.covers_from <= 1
    }

    pub(crate) fn insert(&mut self, sender: Uid, cmid: Cmid, first: FirstAnswer) {
        let print = print(sender, &cmid);
        if let Some(known) = self.find(print, sender, &cmid).and_then(|at| self.sends.get_mut(at)) {
            known.first = first;
        } else {
            self.sends.push_back(RecentSend { sender, cmid, first });
            self.prints.push_back(print);
        }
    }

    /// Forgets the oldest beyond the capacity. Between batches only: inside one, what was in the window must stay provable.
    pub(crate) fn trim(&mut self) {
        while self.sends.len() > self.capacity {
            let Some(gone) = self.sends.pop_front() else { break };
            self.prints.pop_front();
            self.covers_from = self.covers_from.max(gone.first.seq + 1);
        }
    }

    /// Fills in the id that the log writer gave.
    pub(crate) fn give_id(&mut self, sender: Uid, cmid: &Cmid, msg_id: MsgId) {
        if let Some(known) = self.find(print(sender, cmid), sender, cmid).and_then(|at| self.sends.get_mut(at)) {
            known.first.msg_id = msg_id;
        }
    }

    /// Where a send lies. The newest are looked at first: most are asked for right after they came.
    fn find(&self, print: u64, sender: Uid, cmid: &Cmid) -> Option<usize> {
        let alike = self.prints.iter().enumerate().rev().filter(|(_, known)| **known == print);
        alike.map(|(at, _)| at).find(|at| self.sends.get(*at).is_some_and(|send| send.sender == sender && send.cmid == *cmid))
    }
}

fn print(sender: Uid, cmid: &Cmid) -> u64 {
    let mut hasher = DefaultHasher::new();
    (sender, cmid).hash(&mut hasher);
    hasher.finish()
}

//! The window of recent sends: what is in it is a duplicate; what is not is new only if the window covers the whole conversation.

use std::collections::{BTreeMap, VecDeque};

use mynah_types::{Cmid, FirstAnswer, MsgId, RecentSend, Seq, Uid};

/// Recent sends of one conversation.
#[derive(Debug)]
pub(crate) struct Window {
    capacity: usize,
    known: BTreeMap<(Uid, Cmid), FirstAnswer>,
    order: VecDeque<(Uid, Cmid)>,
    /// Every send from this seq on is in the window.
    covers_from: Seq,
}

impl Window {
    pub(crate) fn load(capacity: usize, recent: Vec<RecentSend>, covers_from: Seq) -> Self {
        let mut window = Self { capacity, known: BTreeMap::new(), order: VecDeque::new(), covers_from: covers_from.max(1) };
        for send in recent {
            window.insert(send.sender, send.cmid, send.first);
        }
        window.trim();
        window
    }

    pub(crate) fn get(&self, sender: Uid, cmid: &Cmid) -> Option<FirstAnswer> {
        self.known.get(&(sender, cmid.clone())).copied()
    }

    /// Whether a cmid that is not in the window was certainly never used.
    pub(crate) fn proves_absence(&self) -> bool {
        self.covers_from <= 1
    }

    pub(crate) fn insert(&mut self, sender: Uid, cmid: Cmid, first: FirstAnswer) {
        if self.known.insert((sender, cmid.clone()), first).is_none() {
            self.order.push_back((sender, cmid));
        }
    }

    /// Forgets the oldest beyond the capacity. Between batches only: inside one, what was in the window must stay provable.
    pub(crate) fn trim(&mut self) {
        while self.order.len() > self.capacity {
            let Some(oldest) = self.order.pop_front() else { break };
            if let Some(gone) = self.known.remove(&oldest) {
                self.covers_from = self.covers_from.max(gone.seq + 1);
            }
        }
    }

    /// Fills in the id that the log writer gave.
    pub(crate) fn give_id(&mut self, sender: Uid, cmid: &Cmid, msg_id: MsgId) {
        if let Some(first) = self.known.get_mut(&(sender, cmid.clone())) {
            first.msg_id = msg_id;
        }
    }
}

//! A conversation's entries that not every local viewer has yet.

use std::collections::VecDeque;

use super::order::Order;
use super::summary::Findings;
use crate::client::conv::Key;
use crate::client::text::mix;

/// Entries that are kept of one conversation; beyond it the oldest are given up, and the conversation is not compared.
const MOST_KEPT: usize = 1 << 20;

/// What is known of a place. A digest of 0: nobody saw it yet.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Slot {
    pub(super) digest: u64,
    pub(super) msg_id: u64,
    /// The run's sender; none if it is not of the run.
    pub(super) sender: Option<u32>,
    pub(super) ordinal: u32,
    /// What it counts for receivers.
    pub(super) delta: u32,
    /// Local viewers who have not passed it.
    pub(super) left: u32,
}

#[derive(Debug, Default)]
pub(super) struct Conversation {
    pub(super) key: Option<Key>,
    /// Everything up to here is judged.
    pub(super) floor: u64,
    /// Where the judgement began.
    pub(super) from: u64,
    /// The highest place that is known.
    pub(super) head: u64,
    /// All that is judged, in its order.
    pub(super) digest: u64,
    /// Some place was given up, or nobody here saw it.
    pub(super) broken: bool,
    pub(super) viewers: u32,
    last_msg_id: u64,
    slots: VecDeque<Slot>,
}

impl Conversation {
    /// Nothing up to `head` is judged.
    pub(super) fn begin_at(&mut self, head: u64) {
        self.floor = self.floor.max(head);
        self.from = self.floor;
        self.head = self.head.max(head);
    }

    /// Makes room up to a place.
    pub(super) fn reach(&mut self, seq: u64) {
        self.head = self.head.max(seq);
        while self.floor + (self.slots.len() as u64) < seq && self.slots.len() < MOST_KEPT {
            self.slots.push_back(Slot { left: self.viewers, ..Slot::default() });
        }
    }

    pub(super) fn slot(&mut self, seq: u64) -> Option<&mut Slot> {
        let at = usize::try_from(seq.checked_sub(self.floor + 1)?).ok()?;
        self.slots.get_mut(at)
    }

    /// Notes an entry. False if another one is there.
    pub(super) fn put(&mut self, seq: u64, slot: Slot) -> bool {
        self.reach(seq);
        match self.slot(seq) {
            Some(there) if there.digest == 0 => *there = Slot { left: there.left, ..slot },
            Some(there) => return there.digest == slot.digest,
            // Judged before, or beyond what is kept.
            None => {}
        }
        true
    }

    /// Judges what everybody here has.
    pub(super) fn fold(&mut self, conv: u32, order: &mut Order, findings: &mut Findings, judged: &mut u64) {
        while let Some(front) = self.slots.front().copied()
            && (front.left == 0 || self.slots.len() >= MOST_KEPT)
        {
            self.slots.pop_front();
            self.floor += 1;
            if front.digest == 0 {
                self.broken = true;
                continue;
            }
            self.broken |= front.left > 0;
            self.digest = mix(self.digest, front.digest);
            if front.msg_id <= self.last_msg_id {
                findings.reordered += 1;
                findings.tell(|| format!("the id at {} of conversation {conv} is not above those before it", self.floor));
            }
            self.last_msg_id = front.msg_id;
            if let Some(sender) = front.sender {
                *judged += u64::from(order.folded(conv, sender, (front.ordinal, front.msg_id), findings));
            }
        }
        if self.slots.is_empty() && self.slots.capacity() > 16 {
            self.slots.shrink_to(4);
        }
    }

    pub(super) fn is_room(&self) -> bool {
        self.key.is_some_and(Key::is_room)
    }

    pub(super) fn kept(&self) -> usize {
        self.slots.len()
    }
}

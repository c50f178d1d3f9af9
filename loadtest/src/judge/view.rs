//! One user's view of one conversation.

use super::conversation::Conversation;

/// What one user has of one conversation.
#[derive(Debug)]
pub(super) struct View {
    pub(super) conv: u32,
    pub(super) user: u32,
    /// What others sent since the user's own last message.
    pub(super) unread: u32,
    /// The same since the place that a read mark of his names, while nobody knows whether the server has taken it.
    pub(super) since_mark: Option<u32>,
    /// He is not in the room.
    pub(super) away: bool,
    /// Where the judgement began.
    pub(super) base: u64,
    /// He has everything up to here.
    pub(super) have: u64,
    /// What he has beyond: ranges, rising, ends included.
    ahead: Vec<(u64, u64)>,
    /// The highest that was pushed on this connection.
    pub(super) pushed: u64,
    /// How far he was told that it reaches.
    pub(super) announced: u64,
    /// A list that he asked for at the end named it, and its unread count was compared.
    pub(super) listed: bool,
    pub(super) compared: bool,
}

impl View {
    pub(super) fn new(conv: u32, user: u32) -> Self {
        let ahead = Vec::new();
        let (listed, compared) = (false, false);
        Self {
            conv,
            user,
            unread: 0,
            since_mark: None,
            away: false,
            base: 0,
            have: 0,
            ahead,
            pushed: 0,
            announced: 0,
            listed,
            compared,
        }
    }

    pub(super) fn begin(&mut self, floor: u64) {
        (self.base, self.have, self.pushed, self.announced) = (floor, floor, floor, floor);
        self.ahead = Vec::new();
    }

    pub(super) fn holds(&self, seq: u64) -> bool {
        seq <= self.have || self.ahead.iter().any(|(from, to)| (*from..=*to).contains(&seq))
    }

    pub(super) fn first_ahead(&self) -> Option<u64> {
        self.ahead.first().map(|(from, _)| *from)
    }

    /// What he has not, up to a place.
    pub(super) fn missing(&self, to: u64) -> impl Iterator<Item = u64> + use<> {
        let ahead = self.ahead.clone();
        (self.have + 1..=to).filter(move |seq| !ahead.iter().any(|(from, to)| (*from..=*to).contains(seq)))
    }

    /// He has another entry.
    pub(super) fn take(&mut self, seq: u64, conversation: &mut Conversation) {
        conversation.reach(seq);
        if seq != self.have + 1 {
            self.add_ahead(seq);
            return;
        }
        self.pass(seq, conversation);
        while let Some((from, to)) = self.ahead.first().copied()
            && from == self.have + 1
        {
            self.ahead.remove(0);
            for seq in from..=to {
                self.pass(seq, conversation);
            }
        }
        if self.ahead.is_empty() {
            self.ahead = Vec::new();
        }
    }

    fn pass(&mut self, seq: u64, conversation: &mut Conversation) {
        self.have = seq;
        let Some(slot) = conversation.slot(seq) else { return };
        slot.left = slot.left.saturating_sub(1);
        let is_own = slot.sender == Some(self.user);
        let more = |unread: u32| if is_own { 0 } else { unread.saturating_add(slot.delta) };
        (self.unread, self.since_mark) = (more(self.unread), self.since_mark.map(more));
    }

    fn add_ahead(&mut self, seq: u64) {
        let at = self.ahead.partition_point(|(from, _)| *from <= seq);
        let before = at.checked_sub(1).filter(|at| self.ahead.get(*at).is_some_and(|(_, to)| *to + 1 == seq));
        let behind = self.ahead.get(at).is_some_and(|(from, _)| *from == seq + 1);
        match (before.and_then(|at| self.ahead.get_mut(at)), behind) {
            (Some(range), false) => range.1 = seq,
            (Some(range), true) => {
                // The hole between two ranges is filled.
                range.1 = seq;
                let joined = self.ahead.remove(at);
                if let Some(range) = before.and_then(|at| self.ahead.get_mut(at)) {
                    range.1 = joined.1;
                }
            }
            (None, true) => {
                if let Some(range) = self.ahead.get_mut(at) {
                    range.0 = seq;
                }
            }
            (None, false) => self.ahead.insert(at, (seq, seq)),
        }
    }

    pub(super) fn hung_up(&mut self) {
        // The next connection begins anew; what it may have missed, it is told when it logs in.
        (self.pushed, self.announced) = (0, u64::MAX);
    }

    /// He leaves a room: nothing waits for him.
    pub(super) fn leave(&mut self, conversation: &mut Conversation) {
        if std::mem::replace(&mut self.away, true) {
            return;
        }
        for seq in self.have + 1..=conversation.head {
            if let Some(slot) = conversation.slot(seq) {
                slot.left = slot.left.saturating_sub(1);
            }
        }
        self.ahead = Vec::new();
        conversation.viewers -= 1;
    }

    /// He is in a room again: what was said meanwhile is not for him.
    pub(super) fn enter(&mut self, head: u64, conversation: &mut Conversation) {
        if !std::mem::replace(&mut self.away, false) {
            return;
        }
        let head = head.max(conversation.floor).max(self.have);
        conversation.reach(head);
        conversation.viewers += 1;
        let known = conversation.head;
        for seq in head + 1..=known {
            if let Some(slot) = conversation.slot(seq) {
                slot.left += 1;
            }
        }
        (self.base, self.have, self.pushed) = (head, head, head);
    }
}

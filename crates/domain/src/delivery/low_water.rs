//! How far a shard's deliveries are complete without a gap: the position that a new owner resumes from.

use std::collections::{BTreeMap, BTreeSet};

use mynah_types::MsgId;

/// Low-water mark of completions. Ids of a shard are issued in rising order and completed in any.
///
/// A maximum would skip: an entry that is still on its way when a later one is done would be lost to the next owner. However long the
/// mark waits for one entry, what is complete behind it takes the room of a range.
#[derive(Debug, Default)]
pub struct LowWater {
    mark: MsgId,
    /// On their way.
    open: BTreeSet<MsgId>,
    /// Of those, the ones that nobody carries.
    forgotten: BTreeSet<MsgId>,
    /// Complete above the mark: the first of a range whose counters follow one another, and its last.
    done: BTreeMap<MsgId, MsgId>,
    /// How often there was reason to think that entries above the mark were never issued, and of how many of these all were found.
    doubts: u64,
    settled: u64,
}

impl LowWater {
    /// Everything up to `mark` is complete.
    #[must_use]
    pub fn at(mark: MsgId) -> Self {
        Self { mark, ..Self::default() }
    }

    /// An entry is on its way.
    pub fn issued(&mut self, id: MsgId) {
        if id > self.mark && !self.is_done(id) {
            self.open.insert(id);
            self.forgotten.remove(&id);
        }
    }

    /// Whether an entry is complete, or known to be on its way.
    #[must_use]
    pub fn knows(&self, id: MsgId) -> bool {
        id <= self.mark || self.is_done(id) || (self.open.contains(&id) && !self.forgotten.contains(&id))
    }

    fn is_done(&self, id: MsgId) -> bool {
        self.done.range(..=id).next_back().is_some_and(|(_, last)| id <= *last)
    }

    /// It arrived, or what stands for it did.
    pub fn completed(&mut self, id: MsgId) {
        if self.open.remove(&id) {
            self.forgotten.remove(&id);
            self.note_done(id);
            self.rise();
        }
    }

    fn note_done(&mut self, id: MsgId) {
        let next = MsgId::compose(id.counter() + 1, id.shard());
        let last = self.done.remove(&next).unwrap_or(id);
        match self.done.range_mut(..id).next_back().filter(|(_, end)| end.counter() + 1 == id.counter()) {
            Some((_, end)) => *end = last,
            None => _ = self.done.insert(id, last),
        }
    }

    /// It is not on its way any more and did not arrive: the mark stays below it.
    pub fn forget(&mut self, id: MsgId) {
        if self.open.contains(&id) {
            self.forgotten.insert(id);
        }
    }

    /// Entries may have been written that nobody knows of: the mark stays until they are looked for.
    pub fn doubt(&mut self) {
        self.doubts += 1;
    }

    /// The doubts so far: whoever looks for entries notes it before he looks.
    #[must_use]
    pub fn doubts(&self) -> u64 {
        self.doubts
    }

    /// All that was written above the mark when there were so many doubts was issued. A later doubt stands.
    pub fn sure(&mut self, doubts: u64) {
        self.settled = doubts.max(self.settled);
        self.rise();
    }

    fn rise(&mut self) {
        while self.settled == self.doubts
            && let Some(range) = self.done.first_entry()
            && self.open.first().is_none_or(|open| open > range.key())
        {
            self.mark = range.remove();
        }
    }

    /// Everything with an id up to this is complete.
    #[must_use]
    pub fn mark(&self) -> MsgId {
        self.mark
    }

    /// How many are on their way, or wait for one before them; those that wait count by ranges.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.len() + self.done.len()
    }
}

#[cfg(test)]
mod tests {
    use mynah_types::ShardId;

    use super::*;

    fn id(counter: u64) -> MsgId {
        MsgId::compose(counter, ShardId(3))
    }

    #[test]
    fn the_mark_waits_for_the_slowest() {
        let mut water = LowWater::at(id(5));
        for n in [10, 20, 30] {
            water.issued(id(n));
        }
        water.completed(id(30));
        water.completed(id(20));
        assert_eq!(water.mark(), id(5));
        assert!(water.knows(id(20)) && !water.knows(id(15)));
        water.completed(id(10));
        assert_eq!((water.mark(), water.open()), (id(30), 0));
    }

    #[test]
    fn what_is_complete_behind_the_slowest_takes_no_room() {
        let mut water = LowWater::at(id(0));
        (1..=10_000).for_each(|n| water.issued(id(n)));
        // Even ones, then odd ones: each fills a hole between two ranges.
        (2..=10_000).step_by(2).chain((3..=10_000).step_by(2)).for_each(|n| water.completed(id(n)));
        assert_eq!((water.mark(), water.open()), (id(0), 2));
        assert!((1..=10_000).all(|n| water.knows(id(n))) && !water.knows(id(10_001)));
        water.completed(id(1));
        assert_eq!((water.mark(), water.open()), (id(10_000), 0));
    }

    #[test]
    fn a_mark_in_doubt_waits_until_all_that_was_written_is_known() {
        let mut water = LowWater::at(id(5));
        water.issued(id(10));
        water.doubt();
        water.completed(id(10));
        water.issued(id(30));
        water.completed(id(30));
        assert_eq!(water.mark(), id(5), "20 may have been written");
        let seen = water.doubts();
        water.issued(id(20));
        water.doubt();
        water.sure(seen);
        assert_eq!(water.mark(), id(5), "who looked before a doubt says nothing about it");
        water.sure(water.doubts());
        assert_eq!(water.mark(), id(10));
        water.completed(id(20));
        assert_eq!((water.mark(), water.open()), (id(30), 0));
    }

    #[test]
    fn what_was_given_up_holds_the_mark_until_it_is_carried_anew() {
        let mut water = LowWater::at(id(5));
        water.issued(id(10));
        water.issued(id(20));
        water.forget(id(10));
        water.completed(id(20));
        assert!(!water.knows(id(10)) && water.mark() == id(5));
        water.issued(id(10));
        assert!(water.knows(id(10)));
        water.completed(id(10));
        assert_eq!(water.mark(), id(20));
    }
}

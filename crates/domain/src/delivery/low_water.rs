//! How far a shard's deliveries are complete without a gap: the position that a new owner resumes from.

use std::collections::{BTreeMap, BTreeSet};

use mynah_types::MsgId;

/// Low-water mark of completions. Ids are issued in rising order and completed in any.
///
/// A maximum would skip: an entry that is still on its way when a later one is done would be lost to the next owner.
#[derive(Debug, Default)]
pub struct LowWater {
    mark: MsgId,
    open: BTreeMap<MsgId, bool>,
    /// Of those, the ones that nobody carries.
    forgotten: BTreeSet<MsgId>,
}

impl LowWater {
    /// Everything up to `mark` is complete.
    #[must_use]
    pub fn at(mark: MsgId) -> Self {
        Self { mark, ..Self::default() }
    }

    /// An entry is on its way.
    pub fn issued(&mut self, id: MsgId) {
        if id > self.mark {
            self.open.entry(id).or_insert(false);
            self.forgotten.remove(&id);
        }
    }

    /// Whether an entry is complete, or known to be on its way.
    #[must_use]
    pub fn knows(&self, id: MsgId) -> bool {
        id <= self.mark || (self.open.contains_key(&id) && !self.forgotten.contains(&id))
    }

    /// It arrived, or what stands for it did.
    pub fn completed(&mut self, id: MsgId) {
        if let Some(done) = self.open.get_mut(&id) {
            *done = true;
            self.forgotten.remove(&id);
        }
        while let Some(first) = self.open.first_entry().filter(|e| *e.get()) {
            self.mark = *first.key();
            first.remove();
        }
    }

    /// It is not on its way any more and did not arrive: the mark stays below it.
    pub fn forget(&mut self, id: MsgId) {
        if let Some(done) = self.open.get_mut(&id) {
            *done = false;
            self.forgotten.insert(id);
        }
    }

    /// Everything with an id up to this is complete.
    #[must_use]
    pub fn mark(&self) -> MsgId {
        self.mark
    }

    /// How many are on their way, or wait for one before them.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_waits_for_the_slowest() {
        let mut water = LowWater::at(MsgId(5));
        for id in [10, 20, 30] {
            water.issued(MsgId(id));
        }
        water.completed(MsgId(30));
        water.completed(MsgId(20));
        assert_eq!(water.mark(), MsgId(5));
        assert!(water.knows(MsgId(20)) && !water.knows(MsgId(15)));
        water.completed(MsgId(10));
        assert_eq!((water.mark(), water.open()), (MsgId(30), 0));
    }

    #[test]
    fn what_was_given_up_holds_the_mark_until_it_is_carried_anew() {
        let mut water = LowWater::at(MsgId(5));
        water.issued(MsgId(10));
        water.issued(MsgId(20));
        water.forget(MsgId(10));
        water.completed(MsgId(20));
        assert!(!water.knows(MsgId(10)) && water.mark() == MsgId(5));
        water.issued(MsgId(10));
        assert!(water.knows(MsgId(10)));
        water.completed(MsgId(10));
        assert_eq!(water.mark(), MsgId(20));
    }
}

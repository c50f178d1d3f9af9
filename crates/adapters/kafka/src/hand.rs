//! What a worker has of its partitions: read, handed over, handled.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use mynah_ports::bus::FanoutRecord;

pub(crate) type Partition = i32;
/// The place of a record in its partition.
pub(crate) type Offset = i64;

/// A record that was read.
pub(crate) struct Read {
    pub(crate) partition: Partition,
    pub(crate) offset: Offset,
    pub(crate) bytes: usize,
    pub(crate) record: FanoutRecord,
}

/// Records that were handed over together.
#[derive(Default)]
struct Batch {
    /// By partition: the place after the last of them.
    ends: BTreeMap<Partition, Offset>,
    /// It counts as handled when that is said of it, not when more is asked for.
    held: bool,
    handled: bool,
}

/// The records of one worker, from reading to committing.
#[derive(Default)]
pub(crate) struct Hand {
    waiting: VecDeque<Read>,
    waiting_bytes: usize,
    /// What was handed over together, in order, until it is handled.
    batches: BTreeMap<u64, Batch>,
    /// The last one.
    last: u64,
    /// By partition: the place after the last handled record.
    handled: BTreeMap<Partition, Offset>,
    uncommitted: bool,
    /// By partition: what should be committed by the next look.
    due: BTreeMap<Partition, Offset>,
}

impl Hand {
    pub(crate) fn read(&mut self, read: Read) {
        self.waiting_bytes += read.bytes;
        self.waiting.push_back(read);
    }

    /// Records and bytes that were read and not handed over.
    pub(crate) fn waiting(&self) -> (usize, usize) {
        (self.waiting.len(), self.waiting_bytes)
    }

    /// More is asked for: what was handed over last is handled, unless somebody holds it.
    pub(crate) fn asked(&mut self) {
        if self.batches.get(&self.last).is_some_and(|batch| !batch.held) {
            self.handled(self.last);
        }
    }

    /// What was handed over last is held from now on; answers its number.
    pub(crate) fn hold(&mut self) -> u64 {
        if let Some(batch) = self.batches.get_mut(&self.last) {
            batch.held = true;
        }
        self.last
    }

    /// A batch is handled. The position of a partition moves up to the first batch that is not.
    pub(crate) fn handled(&mut self, number: u64) {
        if let Some(batch) = self.batches.get_mut(&number) {
            batch.handled = true;
        }
        let mut blocked = BTreeSet::new();
        for batch in self.batches.values_mut() {
            if batch.handled {
                for (partition, end) in &batch.ends {
                    if !blocked.contains(partition) {
                        self.handled.insert(*partition, *end);
                        self.uncommitted = true;
                    }
                }
                batch.ends.retain(|partition, _| blocked.contains(partition));
            } else {
                blocked.extend(batch.ends.keys().copied());
            }
        }
        self.batches.retain(|_, batch| !batch.ends.is_empty());
    }

    /// The next records, into the worker's hand.
    pub(crate) fn take(&mut self, max: usize) -> Vec<FanoutRecord> {
        let count = self.waiting.len().min(max);
        let taken: Vec<Read> = self.waiting.drain(..count).collect();
        if !taken.is_empty() {
            self.last += 1;
            let batch = self.batches.entry(self.last).or_default();
            for read in &taken {
                self.waiting_bytes -= read.bytes;
                batch.ends.insert(read.partition, read.offset + 1);
            }
        }
        taken.into_iter().map(|read| read.record).collect()
    }

    /// Positions to commit, if any changed since this was asked or a commit failed.
    pub(crate) fn take_positions(&mut self) -> Option<BTreeMap<Partition, Offset>> {
        std::mem::take(&mut self.uncommitted).then(|| self.handled.clone())
    }

    /// The last commit did not reach the brokers.
    pub(crate) fn commit_failed(&mut self) {
        self.uncommitted = !self.handled.is_empty();
    }

    /// Looks at what the brokers have. True if a position that was due since the last look is not there: it is committed again.
    pub(crate) fn is_behind(&mut self, committed: impl Fn(Partition) -> Offset) -> bool {
        let behind = self.due.iter().any(|(partition, offset)| committed(*partition) < *offset);
        self.uncommitted |= behind;
        self.due.clone_from(&self.handled);
        behind
    }

    /// These partitions go to another worker: what waits of them is his.
    pub(crate) fn withdraw(&mut self, partitions: &[Partition]) {
        self.waiting.retain(|read| !partitions.contains(&read.partition));
        self.waiting_bytes = self.waiting.iter().map(|read| read.bytes).sum();
    }

    /// Whether the worker has records of these partitions in hand.
    pub(crate) fn holds(&self, partitions: &[Partition]) -> bool {
        self.batches.values().any(|batch| partitions.iter().any(|partition| batch.ends.contains_key(partition)))
    }

    /// Forgets partitions that are another's now: a position committed for them would be a lie.
    pub(crate) fn forget(&mut self, partitions: &[Partition]) {
        self.withdraw(partitions);
        for partition in partitions {
            self.batches.values_mut().for_each(|batch| _ = batch.ends.remove(partition));
            self.handled.remove(partition);
            self.due.remove(partition);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mynah_ports::contract::bus::record;

    fn hand(reads: &[(Partition, Offset)]) -> Hand {
        let mut hand = Hand::default();
        for &(partition, offset) in reads {
            hand.read(Read { partition, offset, bytes: 10, record: record(1, 1) });
        }
        hand
    }

    #[test]
    fn only_what_was_handled_is_committed() {
        let mut hand = hand(&[(0, 5), (1, 8), (0, 6)]);
        assert_eq!(hand.take(2).len(), 2);
        assert_eq!(hand.take_positions(), None);
        hand.asked();
        assert_eq!(hand.take_positions(), Some(BTreeMap::from([(0, 6), (1, 9)])));
        assert_eq!(hand.take_positions(), None);
        hand.commit_failed();
        assert!(hand.take_positions().is_some());
    }

    #[test]
    fn what_the_brokers_do_not_have_after_a_while_goes_again() {
        let mut hand = hand(&[(0, 5), (1, 8)]);
        hand.take(2);
        hand.asked();
        assert!(hand.take_positions().is_some());
        // It may be on its way.
        assert!(!hand.is_behind(|_| 0) && hand.take_positions().is_none());
        assert!(hand.is_behind(|partition| if partition == 0 { 6 } else { 8 }) && hand.take_positions().is_some());
        assert!(!hand.is_behind(|partition| if partition == 0 { 6 } else { 9 }));
        hand.forget(&[0, 1]);
        assert!(!hand.is_behind(|_| 0));
    }

    #[test]
    fn a_partition_that_goes_takes_its_records_along() {
        let mut hand = hand(&[(0, 5), (1, 8), (0, 6)]);
        assert_eq!(hand.take(1).len(), 1);
        hand.withdraw(&[0]);
        assert!(hand.waiting() == (1, 10) && hand.holds(&[0]) && !hand.holds(&[1]));
        hand.forget(&[0]);
        hand.asked();
        assert_eq!(hand.take_positions(), None);
    }

    #[test]
    fn a_batch_that_is_held_keeps_the_position_of_its_partitions_and_holds_up_nothing_else() {
        let mut hand = hand(&[(0, 5), (1, 8), (1, 9), (0, 6)]);
        hand.take(2);
        let first = hand.hold();
        hand.asked();
        assert_eq!(hand.take(1).len(), 1);
        let second = hand.hold();
        hand.asked();
        assert_eq!(hand.take(1).len(), 1);
        let third = hand.hold();
        hand.handled(second);
        hand.handled(third);
        assert_eq!(hand.take_positions(), None, "the first batch has both partitions");
        hand.handled(first);
        assert_eq!(hand.take_positions(), Some(BTreeMap::from([(0, 7), (1, 10)])));
        assert!(!hand.holds(&[0, 1]));
    }
}

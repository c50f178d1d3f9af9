//! What a worker has of its partitions: read, handed over, handled.

use std::collections::{BTreeMap, VecDeque};

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

/// The records of one worker, from reading to committing.
#[derive(Default)]
pub(crate) struct Hand {
    waiting: VecDeque<Read>,
    waiting_bytes: usize,
    /// By partition: the place after the last record that was handed over.
    in_hand: BTreeMap<Partition, Offset>,
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

    /// What was handed over is handled.
    pub(crate) fn handled(&mut self) {
        self.uncommitted |= !self.in_hand.is_empty();
        self.handled.append(&mut self.in_hand);
    }

    /// The next records, into the worker's hand.
    pub(crate) fn take(&mut self, max: usize) -> Vec<FanoutRecord> {
        let count = self.waiting.len().min(max);
        let taken: Vec<Read> = self.waiting.drain(..count).collect();
        for read in &taken {
            self.waiting_bytes -= read.bytes;
            self.in_hand.insert(read.partition, read.offset + 1);
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
        partitions.iter().any(|partition| self.in_hand.contains_key(partition))
    }

    /// Forgets partitions that are another's now: a position committed for them would be a lie.
    pub(crate) fn forget(&mut self, partitions: &[Partition]) {
        self.withdraw(partitions);
        for partition in partitions {
            self.in_hand.remove(partition);
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
        hand.handled();
        assert_eq!(hand.take_positions(), Some(BTreeMap::from([(0, 6), (1, 9)])));
        assert_eq!(hand.take_positions(), None);
        hand.commit_failed();
        assert!(hand.take_positions().is_some());
    }

    #[test]
    fn what_the_brokers_do_not_have_after_a_while_goes_again() {
        let mut hand = hand(&[(0, 5), (1, 8)]);
        hand.take(2);
        hand.handled();
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
        hand.handled();
        assert_eq!(hand.take_positions(), None);
    }
}

//! What the app's server was answered, compared with what devices saw. It grows with what was odd, not with time.

use std::collections::BTreeMap;

use crate::judge::{OfServer, Summary};

/// Answers by conversation.
#[derive(Debug, Default)]
pub(crate) struct Answers(BTreeMap<u32, Answered>);

#[derive(Debug, Default)]
struct Answered {
    acked: Ranges,
    /// All that were acknowledged, with their ids, in one number.
    digest: u64,
    refused: Ranges,
    /// Without an answer: they may be there, or not.
    unknown: Ranges,
}

impl Answers {
    fn of(&mut self, conv: u32) -> &mut Answered {
        self.0.entry(conv).or_default()
    }

    pub(super) fn acked(&mut self, conv: u32, ordinal: u32, msg_id: u64) {
        let of = self.of(conv);
        of.acked.add(ordinal);
        of.digest = of.digest.wrapping_add(OfServer::part(ordinal, msg_id));
    }

    pub(super) fn refused(&mut self, conv: u32, ordinal: u32) {
        self.of(conv).refused.add(ordinal);
    }

    pub(super) fn unknown(&mut self, conv: u32, ordinal: u32) {
        self.of(conv).unknown.add(ordinal);
    }

    /// Adds those of another flow, which has other conversations.
    pub(super) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Compares what was answered with what devices saw.
    pub(crate) fn judge(&self, seen: &mut Summary) {
        let nothing = OfServer::default();
        for (conv, answered) in &self.0 {
            let of = seen.server.iter().find(|of| of.conv == *conv).unwrap_or(&nothing);
            let findings = &mut seen.findings;
            let missing = answered.acked.above(of.last).chain(of.gaps.iter().copied().filter(|gap| answered.acked.has(*gap)));
            let (mut lost, mut denied) = (0, 0);
            for ordinal in missing {
                lost += 1;
                findings.tell(|| format!("message {ordinal} of the server is not in conversation {conv}"));
            }
            for ordinal in answered.refused.iter().filter(|ordinal| of.has(*ordinal)) {
                denied += 1;
                findings.tell(|| format!("message {ordinal} of the server was refused, and is in conversation {conv}"));
            }
            // Nobody knows the id of a message that is there without an answer.
            let comparable = lost + denied == 0 && !answered.unknown.iter().any(|ordinal| of.has(ordinal));
            if comparable && of.digest != answered.digest {
                lost += 1;
                findings.tell(|| format!("messages of the server are in conversation {conv} under other ids than were answered"));
            }
            findings.lost += lost;
            findings.doubled += denied;
        }
    }
}

/// Numbers as ranges, rising, ends included.
#[derive(Debug, Default)]
struct Ranges(Vec<(u32, u32)>);

impl Ranges {
    fn add(&mut self, number: u32) {
        // The first range that does not end before it.
        let at = self.0.partition_point(|(_, to)| *to < number);
        let next = self.0.get(at).copied();
        if next.is_some_and(|(from, _)| from <= number) {
            return;
        }
        let joins_next = next.filter(|(from, _)| *from == number + 1);
        let before = at.checked_sub(1).and_then(|at| self.0.get_mut(at)).filter(|(_, to)| *to + 1 == number);
        match (before, joins_next) {
            (Some(before), None) => before.1 = number,
            (Some(before), Some((_, to))) => {
                before.1 = to;
                self.0.remove(at);
            }
            (None, Some((_, to))) => {
                self.0.remove(at);
                self.0.insert(at, (number, to));
            }
            (None, None) => self.0.insert(at, (number, number)),
        }
    }

    fn has(&self, number: u32) -> bool {
        self.0.iter().any(|(from, to)| (*from..=*to).contains(&number))
    }

    fn iter(&self) -> impl Iterator<Item = u32> {
        self.0.iter().flat_map(|(from, to)| *from..=*to)
    }

    /// Those above a number.
    fn above(&self, number: u32) -> impl Iterator<Item = u32> {
        self.0.iter().flat_map(move |(from, to)| (*from).max(number + 1)..=*to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_what_was_added_and_join() {
        let mut ranges = Ranges::default();
        for number in [5, 1, 3, 2, 5, 9, 8, 4] {
            ranges.add(number);
        }
        assert_eq!(ranges.0, [(1, 5), (8, 9)]);
        assert!(ranges.has(3) && !ranges.has(6));
        assert_eq!((ranges.above(3).collect::<Vec<_>>(), ranges.iter().count()), (vec![4, 5, 8, 9], 7));
    }

    #[test]
    fn a_million_answers_in_nearly_their_order_are_kept_in_little() {
        let (mut answers, mut dice) = (Answers::default(), mynah_oracle::Dice::new(1));
        let mut waiting: Vec<u32> = Vec::new();
        for ordinal in 1..=1_000_000 {
            waiting.push(ordinal);
            if waiting.len() == 32 {
                let at = dice.below(32) as usize;
                let ordinal = waiting.swap_remove(at);
                answers.acked(0, ordinal, 1);
            }
        }
        assert!(answers.of(0).acked.0.len() < 1000, "{}", answers.of(0).acked.0.len());
    }

    /// Messages 1 to 4 of the server with the ids 10 to 40; `id` stands for that of the second, and some are missing.
    fn seen(id: u64, gaps: &[u32]) -> Summary {
        let there = (1..=4).filter(|ordinal| !gaps.contains(ordinal));
        let part = |ordinal: u32| OfServer::part(ordinal, if ordinal == 2 { id } else { u64::from(ordinal) * 10 });
        let digest = there.map(part).fold(0_u64, u64::wrapping_add);
        Summary { server: vec![OfServer { conv: 7, last: 4, gaps: gaps.to_vec(), digest }], ..Summary::default() }
    }

    fn judged(answers: &Answers, mut seen: Summary) -> (u64, u64) {
        answers.judge(&mut seen);
        (seen.findings.lost, seen.findings.doubled)
    }

    #[test]
    fn what_was_answered_is_there_under_its_id() {
        let mut answers = Answers::default();
        [2, 1, 4, 3].into_iter().for_each(|ordinal| answers.acked(7, ordinal, u64::from(ordinal) * 10));
        assert_eq!(judged(&answers, seen(20, &[])), (0, 0));
        assert_eq!(judged(&answers, seen(21, &[])), (1, 0), "another id");
        assert_eq!(judged(&answers, seen(20, &[3])), (1, 0));
        assert_eq!(judged(&answers, Summary::default()), (4, 0));
        answers.acked(7, 5, 50);
        assert_eq!(judged(&answers, seen(20, &[])), (1, 0), "the last is not there");
    }

    #[test]
    fn what_was_not_answered_may_be_there_and_what_was_refused_may_not() {
        let but_third = || {
            let mut answers = Answers::default();
            [1, 2, 4].into_iter().for_each(|ordinal| answers.acked(7, ordinal, u64::from(ordinal) * 10));
            answers
        };
        let mut answers = but_third();
        answers.unknown(7, 3);
        assert_eq!((judged(&answers, seen(20, &[])), judged(&answers, seen(20, &[3]))), ((0, 0), (0, 0)));
        assert_eq!(judged(&answers, seen(21, &[3])), (1, 0), "it is not there, and the others can be compared");
        let mut answers = but_third();
        answers.refused(7, 3);
        assert_eq!((judged(&answers, seen(20, &[])), judged(&answers, seen(20, &[3]))), ((0, 1), (0, 0)));
    }
}

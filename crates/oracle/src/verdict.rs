//! What was found.

use std::fmt;

/// Faults that are told in words; all are counted.
const TOLD: usize = 20;

/// The judgement of a run.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Acknowledged messages that somebody who must have them has not, or that have no place.
    pub lost: u64,
    /// Messages that took effect more than once.
    pub doubled: u64,
    /// Places held by two entries, and entries out of the order of sending or of ids.
    pub reordered: u64,
    /// Messages that were refused for good and took effect all the same.
    pub denied: u64,
    /// Entries shown to somebody who may not see them.
    pub leaked: u64,
    /// Messages that were refused for good although nothing was against them.
    pub refused: u64,
    /// The first faults, in words.
    pub faults: Vec<String>,
}

impl Verdict {
    /// No fault of any kind.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.lost + self.doubled + self.reordered + self.denied + self.leaked + self.refused == 0
    }

    pub(crate) fn tell(&mut self, fault: impl FnOnce() -> String) {
        if self.faults.len() < TOLD {
            self.faults.push(fault());
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lost, doubled, reordered, denied, leaked, refused, faults } = self;
        write!(f, "lost {lost}, doubled {doubled}, reordered {reordered}, denied {denied}, leaked {leaked}, refused {refused}")?;
        faults.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}

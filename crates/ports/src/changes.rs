//! Change events: what changed in the directory, told to every process that keeps something of it.

use std::collections::VecDeque;

use async_trait::async_trait;
use mynah_types::{AppId, Uid};

pub use crate::bus::Error;

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// An app: its switches, words, grants.
    App(AppId),
    /// A user: his data, sessions, relations.
    User(Uid),
    /// A group by its gid.
    Group(u64),
    /// A chatroom by its id.
    Room(u64),
    /// More than can be told; readers hear [`Heard::Everything`].
    Everything,
}

/// A hint to read something again. It carries no data, so that one that comes late or twice does no harm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What to read again.
    pub subject: Subject,
    /// Its version after the change; 0 for what has none.
    pub version: u64,
    /// The W3C trace context (`traceparent`) that it came about in; passed through as it is.
    pub traceparent: Option<Box<str>>,
}

/// What a reader hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// At least one change, oldest first.
    Changes(Vec<Change>),
    /// Changes before this moment may have been missed: whatever is kept has to be read again. Those after it will be heard.
    Everything,
}

/// Tells changes to all readers, each of which hears all. At least once, in order per subject; what cannot be told becomes
/// [`Heard::Everything`], so that nothing is missed in silence.
#[async_trait]
pub trait Changes: Send + Sync + 'static {
    /// Hands a change over. After an error it may still be heard, late.
    async fn publish(&self, change: Change) -> Result<(), Error>;

    /// What this reader hears next: at most `max` changes. It begins with [`Heard::Everything`]. None when it is closed.
    async fn next(&self, max: usize) -> Option<Heard>;
}

/// What a reader did not take yet, in bounded room.
#[derive(Debug)]
pub struct Unheard {
    changes: VecDeque<Change>,
    bound: usize,
    everything: bool,
}

impl Unheard {
    /// Room for so many changes; nothing is to be heard yet.
    #[must_use]
    pub fn new(bound: usize) -> Self {
        Self { changes: VecDeque::new(), bound: bound.max(1), everything: false }
    }

    /// One more. Where there is no room, all of them become [`Heard::Everything`].
    pub fn add(&mut self, change: Change) {
        if self.changes.len() >= self.bound || change.subject == Subject::Everything {
            self.add_everything();
        } else if !self.everything {
            self.changes.push_back(change);
        }
    }

    /// Something may have been missed.
    pub fn add_everything(&mut self) {
        self.changes.clear();
        self.everything = true;
    }

    /// What to hear next, if anything.
    pub fn take(&mut self, max: usize) -> Option<Heard> {
        if std::mem::take(&mut self.everything) {
            return Some(Heard::Everything);
        }
        let count = self.changes.len().min(max.max(1));
        (count > 0).then(|| Heard::Changes(self.changes.drain(..count).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(version: u64) -> Change {
        Change { subject: Subject::Group(1), version, traceparent: None }
    }

    #[test]
    fn changes_are_taken_in_order_and_pages() {
        let mut unheard = Unheard::new(4);
        assert_eq!(unheard.take(1), None);
        for version in 1..=3 {
            unheard.add(change(version));
        }
        assert_eq!(unheard.take(2), Some(Heard::Changes(vec![change(1), change(2)])));
        assert_eq!(unheard.take(2), Some(Heard::Changes(vec![change(3)])));
        assert_eq!(unheard.take(2), None);
    }

    #[test]
    fn too_many_become_everything() {
        let mut unheard = Unheard::new(2);
        for version in 1..=4 {
            unheard.add(change(version));
        }
        assert_eq!(unheard.take(8), Some(Heard::Everything));
        assert_eq!(unheard.take(8), None);
        unheard.add(change(5));
        assert_eq!(unheard.take(8), Some(Heard::Changes(vec![change(5)])));
    }
}

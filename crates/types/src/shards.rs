//! Shards that lie together.

use std::fmt;
use std::str::FromStr;

use crate::{InvalidId, SHARDS, ShardId};

/// Shards that follow one another: those of one database of the message log. Written `0-127`, or `7` for one alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardRange {
    first: ShardId,
    last: ShardId,
}

impl ShardRange {
    /// Every shard.
    pub const ALL: Self = Self { first: ShardId(0), last: ShardId(SHARDS - 1) };

    /// From one shard to another, both included. None if they stand in the wrong order, or are not there.
    #[must_use]
    pub fn new(first: u16, last: u16) -> Option<Self> {
        (first <= last && last < SHARDS).then_some(Self { first: ShardId(first), last: ShardId(last) })
    }

    /// The lowest.
    #[must_use]
    pub fn first(self) -> ShardId {
        self.first
    }

    /// The highest.
    #[must_use]
    pub fn last(self) -> ShardId {
        self.last
    }

    /// Whether a shard is one of them.
    #[must_use]
    pub fn contains(self, shard: ShardId) -> bool {
        self.first <= shard && shard <= self.last
    }

    /// All of them, by number.
    pub fn shards(self) -> impl Iterator<Item = ShardId> {
        (self.first.0..=self.last.0).map(ShardId)
    }
}

impl fmt::Display for ShardRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { self.first.fmt(f) } else { write!(f, "{}-{}", self.first, self.last) }
    }
}

impl FromStr for ShardRange {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
        let range = number(first).zip(number(last)).and_then(|(first, last)| Self::new(first, last));
        range.ok_or(InvalidId { what: "shards", why: "must be two numbers of 0 to 255 like 0-127, or one" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_written_as_it_is_read() {
        for text in ["0-127", "7", "0-255"] {
            let range: ShardRange = text.parse().unwrap();
            assert_eq!(range.to_string(), text);
        }
        assert_eq!("0-255".parse(), Ok(ShardRange::ALL));
        assert_eq!("3-5".parse::<ShardRange>().unwrap().shards().map(|shard| shard.0).collect::<Vec<_>>(), [3, 4, 5]);
        for text in ["", "-", "5-3", "0-256", "+1-2", "1-2-3", "a", " 1"] {
            assert!(text.parse::<ShardRange>().is_err(), "{text}");
        }
    }
}

//! What a message of a run says: who sent it, as which, and when it was due; so that every generator can judge and time it.

use std::hash::BuildHasher as _;

use foldhash::fast::FixedState;

use super::conv::number;
use super::scan::decimal;

/// A message of this run, by its own text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Own {
    /// The conversation's number in the world.
    pub(crate) conv: u32,
    /// The user's number; [`SERVER`] for the app's server.
    pub(crate) sender: u32,
    /// The place among the sender's messages to the conversation, from 1.
    pub(crate) ordinal: u32,
    /// When it was due: Unix time in microseconds.
    pub(crate) due_us: u64,
}

/// The sender of what the app's server sends.
pub(crate) const SERVER: u32 = u32::MAX;

impl Own {
    /// The text, filled up to `bytes`.
    pub(crate) fn write(&self, run: u32, bytes: usize, out: &mut Vec<u8>) {
        let end = out.len() + bytes;
        out.push(b'L');
        for part in [u64::from(run), self.due_us, u64::from(self.conv), u64::from(self.sender), u64::from(self.ordinal)] {
            number(part, out);
            out.push(b' ');
        }
        if out.len() < end {
            out.resize(end, b'x');
        }
    }

    /// None if the text is of nobody, or of another run.
    pub(crate) fn read(text: &[u8], run: u32) -> Option<Self> {
        let mut rest = text.strip_prefix(b"L")?;
        let mut next = || {
            let (number, length) = decimal(rest)?;
            rest = rest.get(length..)?.strip_prefix(b" ")?;
            Some(number)
        };
        let small = |number: u64| u32::try_from(number).ok();
        if next()? != u64::from(run) {
            return None;
        }
        let due_us = next()?;
        Some(Self { due_us, conv: small(next()?)?, sender: small(next()?)?, ordinal: small(next()?)? })
    }
}

/// A text in one number.
pub(crate) fn text_digest(text: &[u8]) -> u64 {
    FixedState::default().hash_one(text)
}

/// What an entry is, in one number: its text and its id.
pub(crate) fn digest(text: &[u8], msg_id: u64) -> u64 {
    mix(text_digest(text), msg_id)
}

/// Two numbers in one, their order included; never 0, which stands for nothing.
pub(crate) fn mix(a: u64, b: u64) -> u64 {
    FixedState::default().hash_one((a, b)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_tells_what_was_put_in_and_nothing_to_other_runs() {
        let own = Own { conv: 7, sender: SERVER, ordinal: 3, due_us: 1_795_661_979_094_123 };
        let mut text = Vec::new();
        own.write(99, 128, &mut text);
        assert_eq!(text.len(), 128);
        assert_eq!(Own::read(&text, 99), Some(own));
        assert_eq!(Own::read(&text, 98), None);
        assert_eq!(Own::read(b"L99 1 2", 99), None);
        assert_ne!(digest(&text, 1), digest(&text, 2));
    }
}

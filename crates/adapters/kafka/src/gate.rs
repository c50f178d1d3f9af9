//! Whether a record is worth a try, by what became of earlier ones.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Knows the records that their publishers gave up on and that are still tried.
///
/// A conversation with such a record waits for nothing more. The others go on while anything is confirmed: one partition without a leader
/// is no outage of the rest. Where nothing is confirmed any more, a record now and then finds out whether
/// that is still so.
#[derive(Default)]
pub(crate) struct Gate {
    late: HashMap<u64, Vec<u8>>,
    late_of: HashMap<Vec<u8>, usize>,
    /// Something was confirmed since a record became late.
    confirms: bool,
    tried: Option<Instant>,
}

impl Gate {
    /// Whether a record of this key goes out now. While nothing is confirmed, one does every so often.
    pub(crate) fn admits(&mut self, key: &[u8], now: Instant, try_every: Duration) -> bool {
        if self.late.is_empty() {
            return true;
        }
        if self.late_of.contains_key(key) {
            return false;
        }
        if self.confirms {
            return true;
        }
        let due = self.tried.is_none_or(|tried| now.duration_since(tried) >= try_every);
        if due {
            self.tried = Some(now);
        }
        due
    }

    /// The publisher of a record waits no longer.
    pub(crate) fn is_late(&mut self, id: u64, key: &[u8], now: Instant) {
        self.late.insert(id, key.to_vec());
        *self.late_of.entry(key.to_vec()).or_default() += 1;
        self.confirms = false;
        self.tried = Some(now);
    }

    /// A record was confirmed or failed. True if its publisher had given up on it.
    pub(crate) fn answered(&mut self, id: u64, confirmed: bool) -> bool {
        self.confirms |= confirmed;
        let Some(key) = self.late.remove(&id) else { return false };
        if let Some(count) = self.late_of.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                self.late_of.remove(&key);
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_secs(1);

    #[test]
    fn a_conversation_with_a_late_record_waits_for_it() {
        let (mut gate, now) = (Gate::default(), Instant::now());
        gate.is_late(1, b"a", now);
        gate.is_late(2, b"a", now);
        assert!(!gate.answered(7, true) && !gate.admits(b"a", now + EVERY, EVERY));
        assert!(gate.answered(1, true) && !gate.admits(b"a", now + EVERY, EVERY));
        assert!(gate.answered(2, false) && gate.admits(b"a", now, EVERY));
    }

    #[test]
    fn others_go_on_while_anything_is_confirmed() {
        let (mut gate, now) = (Gate::default(), Instant::now());
        gate.is_late(1, b"a", now);
        assert!(!gate.admits(b"b", now, EVERY));
        gate.answered(2, true);
        assert!(gate.admits(b"b", now, EVERY) && gate.admits(b"c", now, EVERY));
    }

    #[test]
    fn one_now_and_then_finds_out() {
        let (mut gate, now) = (Gate::default(), Instant::now());
        gate.is_late(1, b"a", now);
        assert!(gate.admits(b"b", now + EVERY, EVERY) && !gate.admits(b"c", now + EVERY, EVERY));
        assert!(gate.admits(b"c", now + 2 * EVERY, EVERY));
    }
}

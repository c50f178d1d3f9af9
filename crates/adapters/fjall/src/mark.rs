//! The high-water mark: how many commits were durable, kept outside the store.
//!
//! A journal that is damaged in its middle may open with what lies before the damage, and say nothing. The store
//! counts its commits, and this file remembers the count: a store that knows of fewer has lost some. The file is brought to disk once a
//! second, so that a loss of the last second's commits alone may go unnoticed after a power failure.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

const SYNC_EVERY: Duration = Duration::from_secs(1);
/// A count and its check.
const SLOT: usize = 16;

#[derive(Debug)]
pub(crate) struct Mark {
    file: File,
    synced_at: Instant,
}

impl Mark {
    /// Opens the mark beside a store's folder, and tells what it remembers; 0 if there is none.
    pub(crate) fn open(path: &Path) -> io::Result<(Self, u64)> {
        let file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut slots = [0_u8; 2 * SLOT];
        // A shorter file was never written whole: its slots do not check.
        _ = file.read_at(&mut slots, 0)?;
        let count = slots.chunks_exact(SLOT).filter_map(read_slot).max().unwrap_or(0);
        Ok((Self { file, synced_at: Instant::now() }, count))
    }

    /// Remembers a count of durable commits. The two slots are written in turn: a torn one leaves the other.
    pub(crate) fn note(&mut self, count: u64) -> io::Result<()> {
        self.file.write_all_at(&slot(count), (count % 2) * SLOT as u64)?;
        if self.synced_at.elapsed() >= SYNC_EVERY {
            self.file.sync_data()?;
            self.synced_at = Instant::now();
        }
        Ok(())
    }

    /// Forgets what it remembered: this is the count from now on.
    pub(crate) fn reset(&mut self, count: u64) -> io::Result<()> {
        self.file.write_all_at(&[0; 2 * SLOT], 0)?;
        self.file.write_all_at(&slot(count), (count % 2) * SLOT as u64)?;
        self.file.sync_data()
    }
}

fn slot(count: u64) -> [u8; SLOT] {
    let mut slot = [0; SLOT];
    for (at, byte) in slot.iter_mut().zip(count.to_le_bytes().into_iter().chain(check(count).to_le_bytes())) {
        *at = byte;
    }
    slot
}

fn read_slot(slot: &[u8]) -> Option<u64> {
    let (count, stored) = slot.split_at_checked(SLOT / 2)?;
    let count = u64::from_le_bytes(count.try_into().ok()?);
    (u64::from_le_bytes(stored.try_into().ok()?) == check(count)).then_some(count)
}

/// FNV-1a of the count's bytes.
fn check(count: u64) -> u64 {
    count.to_le_bytes().iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_whole_slot_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.mark");
        let (mut mark, none) = Mark::open(&path).unwrap();
        mark.note(6).unwrap();
        mark.note(7).unwrap();
        assert_eq!((none, Mark::open(&path).unwrap().1), (0, 7));
        // The newer slot is torn.
        mark.file.write_all_at(&[1, 2, 3], SLOT as u64 + 2).unwrap();
        assert_eq!(Mark::open(&path).unwrap().1, 6);
        mark.reset(2).unwrap();
        assert_eq!(Mark::open(&path).unwrap().1, 2);
    }
}

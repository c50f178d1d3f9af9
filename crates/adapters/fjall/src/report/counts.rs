//! How many places a user has in an hour: counted when it is asked for, and remembered while nothing is recorded of that hour.
//!
//! Every message is of two users. To keep a row of counts for each of them would cost more than the places themselves, and hardly
//! anybody asks.

use std::collections::HashMap;

use mynah_ports::report_index::Scope;
use parking_lot::Mutex;

/// Counts, and hours, that are remembered before all are forgotten.
const MOST: usize = 50_000;

#[derive(Debug, Default)]
pub(super) struct Counts(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    /// Rises when all is forgotten, so that no count of before is kept after it.
    age: u64,
    /// How often something was recorded of an hour.
    changes: HashMap<u64, u64>,
    /// Counts, each with the age and the changes of its hour that it was made at.
    counts: HashMap<(Scope, u64), (Version, u64)>,
}

type Version = (u64, u64);

impl Remembered {
    fn version(&self, hour: u64) -> Version {
        (self.age, self.changes.get(&hour).copied().unwrap_or(0))
    }

    fn forget(&mut self) {
        *self = Self { age: self.age + 1, ..Self::default() };
    }
}

impl Counts {
    /// Something was recorded of these hours, and is seen by whoever looks.
    pub(super) fn recorded(&self, hours: impl IntoIterator<Item = u64>) {
        let mut held = self.0.lock();
        if held.changes.len() > MOST {
            held.forget();
        }
        for hour in hours {
            *held.changes.entry(hour).or_default() += 1;
        }
    }

    /// Places were taken away.
    pub(super) fn forget(&self) {
        self.0.lock().forget();
    }

    /// The count of a scope in an hour, remembered or counted.
    pub(super) fn get<E>(&self, scope: &Scope, hour: u64, count: impl FnOnce() -> Result<u64, E>) -> Result<u64, E> {
        let key = (scope.clone(), hour);
        let version = {
            let held = self.0.lock();
            let version = held.version(hour);
            if let Some((_, count)) = held.counts.get(&key).filter(|(of, _)| *of == version) {
                return Ok(*count);
            }
            version
        };
        // What is recorded meanwhile changes the version: the count is not remembered for it then.
        let counted = count()?;
        let mut held = self.0.lock();
        if held.counts.len() >= MOST {
            held.counts.clear();
        }
        held.counts.insert(key, (version, counted));
        Ok(counted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mynah_types::Uid;

    const ANN: Scope = Scope::User(Uid(1));

    fn get(counts: &Counts, hour: u64, now: u64) -> u64 {
        counts.get(&ANN, hour, || Ok::<_, ()>(now)).unwrap()
    }

    #[test]
    fn a_count_is_remembered_until_its_hour_changes() {
        let counts = Counts::default();
        assert_eq!((get(&counts, 7, 3), get(&counts, 7, 4)), (3, 3));
        counts.recorded([8]);
        assert_eq!(get(&counts, 7, 5), 3);
        counts.recorded([7]);
        assert_eq!((get(&counts, 7, 6), get(&counts, 7, 7)), (6, 6));
    }

    #[test]
    fn what_is_recorded_while_one_counts_is_not_missed_later() {
        let counts = Counts::default();
        let before = counts.get(&ANN, 7, || {
            counts.recorded([7]);
            Ok::<_, ()>(1)
        });
        assert_eq!((before, get(&counts, 7, 2)), (Ok(1), 2));
    }

    #[test]
    fn a_count_of_before_all_was_forgotten_does_not_come_back() {
        let counts = Counts::default();
        counts.recorded([7]);
        assert_eq!(get(&counts, 7, 1), 1);
        // Enough hours that all is forgotten; then as many changes of the hour as before.
        counts.recorded(100..=100 + MOST as u64);
        counts.recorded([7]);
        assert_eq!(get(&counts, 7, 2), 2);
    }
}

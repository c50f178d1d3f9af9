//! The numbers of apps, by which places name them: each is given once, for ever.

use std::collections::HashMap;

use fjall::Keyspace;
use mynah_ports::report_index::Error;
use mynah_types::AppKey;
use parking_lot::Mutex;

use super::{keys, number, unavailable};

/// Numbers that a batch gives, until it is committed.
pub(super) type Given = HashMap<AppKey, u64>;

/// The numbers that are stored, as far as somebody asked for them.
#[derive(Default)]
pub(super) struct Apps(Mutex<HashMap<AppKey, u64>>);

impl Apps {
    /// The number of an app; none if it has none yet.
    pub(super) fn get(&self, rows: &Keyspace, app: &AppKey) -> Result<Option<u64>, Error> {
        if let Some(number) = self.0.lock().get(app) {
            return Ok(Some(*number));
        }
        let stored = rows.get(keys::app_number(app)).map_err(unavailable)?;
        let Some(number) = stored.map(|value| number(&value)).transpose()? else { return Ok(None) };
        self.0.lock().insert(app.clone(), number);
        Ok(Some(number))
    }

    /// The same; an app that has no number gets the next one, by the batch that stores what is given. One caller at a time.
    pub(super) fn get_or_give(&self, rows: &Keyspace, app: &AppKey, given: &mut Given) -> Result<u64, Error> {
        if let Some(number) = given.get(app) {
            return Ok(*number);
        }
        if let Some(number) = self.get(rows, app)? {
            return Ok(number);
        }
        let mut stored = rows.prefix(keys::APPS).map(|row| row.key().map_err(unavailable));
        let number = stored.try_fold(given.len() as u64, |sum, row| row.map(|_| sum + 1))?;
        given.insert(app.clone(), number);
        Ok(number)
    }

    /// What was given is stored. A number is not remembered before: one whose batch failed would be given to another app after a
    /// restart, and the places of one would be the other's.
    pub(super) fn stored(&self, given: Given) {
        self.0.lock().extend(given);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::report::Store;

    fn app(letter: char) -> AppKey {
        AppKey::parse(&letter.to_string().repeat(24)).unwrap()
    }

    #[test]
    fn a_number_counts_once_it_is_stored() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), 0).unwrap();
        let mut given = Given::new();
        let mut give = |letter| store.apps.get_or_give(&store.rows, &app(letter), &mut given).unwrap();
        assert_eq!((give('a'), give('b'), give('a')), (0, 1, 0));
        // That batch failed: the numbers are as free as they will be after a restart.
        let mut given = Given::new();
        assert_eq!(store.apps.get(&store.rows, &app('a')).unwrap(), None);
        assert_eq!(store.apps.get_or_give(&store.rows, &app('b'), &mut given).unwrap(), 0);
        store.rows.insert(keys::app_number(&app('b')), 0_u64.to_be_bytes()).unwrap();
        store.apps.stored(given);
        assert_eq!(store.apps.get_or_give(&store.rows, &app('a'), &mut Given::new()).unwrap(), 1);
    }
}

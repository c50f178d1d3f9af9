//! One call at a time per group, chatroom or user.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use mynah_proto::Failure;
use mynah_types::Reason;
use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;

/// Locks that may be held or waited for. Full: refused as overloaded.
const MOST: usize = 100_000;

/// What is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    /// Changes of a group or chatroom and their hand-over, by its id.
    Roster(u64),
    /// Changes of a user's blacklist and the word to the router, by his uid.
    Relations(u64),
    /// Hand-overs to a user's feed, by his uid.
    Feed(u64),
    /// Changes of a user's shields and the word to the router, by his uid.
    Shields(u64),
}

type Table = Mutex<HashMap<Key, Arc<tokio::sync::Mutex<()>>>>;

/// The locks in use: one that nobody holds or waits for is forgotten.
#[derive(Default)]
pub(crate) struct Locks(Arc<Table>);

/// Held until dropped.
pub(crate) struct Guard {
    table: Arc<Table>,
    key: Key,
    held: Option<OwnedMutexGuard<()>>,
}

impl Locks {
    /// Waits for the lock, at most so long.
    pub(crate) async fn lock(&self, key: Key, patience: Duration) -> Result<Guard, Failure> {
        let lock = {
            let mut table = self.0.lock();
            if table.len() >= MOST && !table.contains_key(&key) {
                return Err(Failure::new(Reason::Overloaded, "too many changes at one time"));
            }
            Arc::clone(table.entry(key).or_default())
        };
        // Made before the wait: whoever gives up cleans up too.
        let mut guard = Guard { table: Arc::clone(&self.0), key, held: None };
        match tokio::time::timeout(patience, lock.lock_owned()).await {
            Ok(held) => guard.held = Some(held),
            Err(_) => return Err(Failure::new(Reason::Timeout, "another change is still under way")),
        }
        Ok(guard)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.held = None;
        let mut table = self.table.lock();
        // Whoever takes or waits holds a clone, taken under the table's lock.
        if table.get(&self.key).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            table.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_holds_it_the_other_gives_up_and_nothing_is_left() {
        let locks = Locks::default();
        let held = locks.lock(Key::Roster(1), Duration::from_secs(1)).await.unwrap();
        let late = locks.lock(Key::Roster(1), Duration::from_millis(1)).await;
        assert_eq!(late.err().unwrap().why(), Reason::Timeout);
        assert!(locks.lock(Key::Roster(2), Duration::from_millis(1)).await.is_ok());
        drop(held);
        assert!(locks.lock(Key::Roster(1), Duration::from_millis(1)).await.is_ok());
        assert!(locks.0.lock().is_empty());
    }
}

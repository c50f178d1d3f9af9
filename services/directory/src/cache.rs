//! A bounded cache that never brings an old value back after it was invalidated.

use std::collections::HashMap;
use std::hash::Hash;

use parking_lot::Mutex;

/// Two halves: new and used values live in `hot`; when that is full it becomes `cold`, and what was cold is forgotten.
/// It knows what this process invalidates, not what another one changes: with a capacity of 0 it keeps nothing.
pub(crate) struct Cache<K, V> {
    half: usize,
    state: Mutex<State<K, V>>,
}

struct State<K, V> {
    hot: HashMap<K, V>,
    cold: HashMap<K, V>,
    invalidations: u64,
}

/// Taken before a value is read from the store.
#[derive(Clone, Copy)]
pub(crate) struct Ticket(u64);

impl<K: Eq + Hash + Clone, V: Clone> Cache<K, V> {
    pub(crate) fn new(capacity: usize) -> Self {
        let state = State { hot: HashMap::new(), cold: HashMap::new(), invalidations: 0 };
        Self { half: capacity.div_ceil(2), state: Mutex::new(state) }
    }

    pub(crate) fn get(&self, key: &K) -> Option<V> {
        let mut state = self.state.lock();
        if let Some(value) = state.hot.get(key) {
            return Some(value.clone());
        }
        let value = state.cold.remove(key)?;
        state.put(self.half, key.clone(), value.clone());
        Some(value)
    }

    pub(crate) fn ticket(&self) -> Ticket {
        Ticket(self.state.lock().invalidations)
    }

    /// Keeps a value that was read after `ticket` was taken, unless something was invalidated since: the value may be older.
    pub(crate) fn insert(&self, ticket: Ticket, key: K, value: V) {
        let mut state = self.state.lock();
        if state.invalidations == ticket.0 {
            state.put(self.half, key, value);
        }
    }

    pub(crate) fn invalidate(&self, key: &K) {
        let mut state = self.state.lock();
        state.invalidations += 1;
        state.hot.remove(key);
        state.cold.remove(key);
    }
}

impl<K: Eq + Hash, V> State<K, V> {
    fn put(&mut self, half: usize, key: K, value: V) {
        if half == 0 {
            return;
        }
        if self.hot.len() >= half {
            self.cold = std::mem::take(&mut self.hot);
        }
        self.hot.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_read_before_an_invalidation_is_not_kept() {
        let cache = Cache::new(8);
        let ticket = cache.ticket();
        cache.invalidate(&1);
        cache.insert(ticket, 1, "old");
        assert_eq!(cache.get(&1), None);
        cache.insert(cache.ticket(), 1, "new");
        assert_eq!(cache.get(&1), Some("new"));
    }

    #[test]
    fn with_no_capacity_it_keeps_nothing() {
        let cache = Cache::new(0);
        cache.insert(cache.ticket(), 1, "old");
        assert_eq!(cache.get(&1), None);
    }

    #[test]
    fn it_keeps_what_is_used_and_stays_bounded() {
        let cache = Cache::new(8);
        for key in 0..1000 {
            cache.insert(cache.ticket(), key, key);
            assert_eq!(cache.get(&0), Some(0));
        }
        let state = cache.state.lock();
        assert!(state.hot.len() + state.cold.len() <= 9);
    }
}

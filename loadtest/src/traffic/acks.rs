//! How long answers took.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};

/// Notes how long each answer took, and to which conversation.
#[derive(Debug, Clone, Default)]
pub struct Acks(Arc<Mutex<Vec<(String, u64)>>>);

impl Acks {
    pub(super) fn note(&self, conv_id: String, took: Duration) {
        self.0.lock().push((conv_id, u64::try_from(took.as_millis()).unwrap_or(u64::MAX)));
    }

    /// What was noted since the last time.
    pub fn take(&self) -> Took {
        Took(std::mem::take(&mut *self.0.lock()))
    }
}

/// Answers, each with its conversation and its milliseconds.
#[derive(Debug, Clone, Default)]
pub struct Took(Vec<(String, u64)>);

impl Took {
    /// Those to conversations of which something holds, and the others.
    #[must_use]
    pub fn split(self, holds: impl Fn(&str) -> bool) -> (Self, Self) {
        let (these, others) = self.0.into_iter().partition(|(conv_id, _)| holds(conv_id));
        (Self(these), Self(others))
    }

    /// There was none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The longest, in milliseconds; 0 if there was none.
    #[must_use]
    pub fn longest(&self) -> u64 {
        self.0.iter().map(|(_, took)| *took).max().unwrap_or(0)
    }

    /// Count, median, 99th in a hundred, longest; in milliseconds.
    #[must_use]
    pub fn figures(&self) -> Value {
        let mut took: Vec<u64> = self.0.iter().map(|(_, took)| *took).collect();
        took.sort_unstable();
        let at = |part: usize| took.get((took.len() * part / 100).min(took.len().saturating_sub(1))).copied().unwrap_or(0);
        json!({"count": took.len(), "p50": at(50), "p99": at(99), "max": at(100)})
    }
}

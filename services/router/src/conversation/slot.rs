//! The place of one conversation in the registry: no second actor comes in while an append of the first is unresolved.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Counts a conversation's unresolved appends.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    in_flight: AtomicUsize,
    drained: Notify,
}

impl Slot {
    /// Waits until no append is unresolved.
    pub(crate) async fn drained(&self) {
        loop {
            let notified = self.drained.notified();
            if self.in_flight.load(Ordering::SeqCst) == 0 {
                return;
            }
            notified.await;
        }
    }
}

/// Held by an append from its request until its outcome, wherever it travels.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<Slot>);

impl InFlight {
    pub(crate) fn new(slot: &Arc<Slot>) -> Self {
        slot.in_flight.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(slot))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.0.in_flight.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.drained.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_slot_is_free_only_when_its_last_append_resolved() {
        let slot = Arc::new(Slot::default());
        let (first, second) = (InFlight::new(&slot), InFlight::new(&slot));
        drop(first);
        let waiter = tokio::spawn({
            let slot = Arc::clone(&slot);
            async move { slot.drained().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiter.is_finished());
        drop(second);
        waiter.await.unwrap();
    }
}

//! Change events inside one process: one reader.

use async_trait::async_trait;
use mynah_ports::Changes;
use mynah_ports::changes::{Change, Error, Heard, Unheard};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Never makes a publisher wait.
pub struct MemoryChanges {
    unheard: Mutex<Unheard>,
    filled: Notify,
    taking: tokio::sync::Mutex<()>,
}

impl MemoryChanges {
    /// Room for `bound` changes that are not heard yet.
    #[must_use]
    pub fn new(bound: usize) -> Self {
        let mut unheard = Unheard::new(bound);
        unheard.add_everything();
        Self { unheard: Mutex::new(unheard), filled: Notify::new(), taking: tokio::sync::Mutex::new(()) }
    }
}

#[async_trait]
impl Changes for MemoryChanges {
    async fn publish(&self, change: Change) -> Result<(), Error> {
        self.unheard.lock().add(change);
        self.filled.notify_one();
        Ok(())
    }

    async fn next(&self, max: usize) -> Option<Heard> {
        let _one_at_a_time = self.taking.lock().await;
        loop {
            let heard = self.unheard.lock().take(max);
            if heard.is_some() {
                return heard;
            }
            self.filled.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh() -> MemoryChanges {
        MemoryChanges::new(16)
    }

    mynah_ports::changes_contract!(fresh);
}

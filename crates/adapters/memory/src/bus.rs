//! The bus as a bounded queue. Its records die with the process; the log has their entries.

use async_trait::async_trait;
use mynah_ports::Bus;
use mynah_ports::bus::{Error, FanoutRecord, Receipt};
use tokio::sync::{Mutex, mpsc};

/// One queue, one order. Full: the publisher waits.
pub struct MemoryBus {
    sender: mpsc::Sender<FanoutRecord>,
    receiver: Mutex<mpsc::Receiver<FanoutRecord>>,
}

impl MemoryBus {
    /// A bus that holds up to `capacity` records.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let (sender, receiver) = mpsc::channel(capacity.max(1));
        Self { sender, receiver: Mutex::new(receiver) }
    }
}

#[async_trait]
impl Bus for MemoryBus {
    async fn publish(&self, record: FanoutRecord) -> Result<(), Error> {
        self.sender.send(record).await.map_err(|_| Error::Unavailable("the bus is closed".into()))
    }

    fn keeps(&self) -> bool {
        false
    }

    fn hold(&self) -> Receipt {
        Receipt::none()
    }

    async fn next(&self, max: usize) -> Option<Vec<FanoutRecord>> {
        let mut records = Vec::new();
        let taken = self.receiver.lock().await.recv_many(&mut records, max.max(1)).await;
        (taken > 0).then_some(records)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mynah_ports::contract::bus::record;

    fn fresh() -> MemoryBus {
        MemoryBus::new(8)
    }

    mynah_ports::bus_contract!(fresh);

    #[tokio::test]
    async fn a_full_bus_makes_the_publisher_wait() {
        let bus = MemoryBus::new(1);
        bus.publish(record(1, 1)).await.unwrap();
        let second = bus.publish(record(1, 2));
        tokio::pin!(second);
        assert!(futures_util::poll!(second.as_mut()).is_pending());
        assert_eq!(bus.next(8).await.unwrap().len(), 1);
        second.await.unwrap();
    }
}

//! The bus as a bounded queue. Its records die with the process; the log has their entries.

use async_trait::async_trait;
use mynah_ports::Bus;
use mynah_ports::bus::{Error, FanoutRecord};
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

    async fn next(&self, max: usize) -> Option<Vec<FanoutRecord>> {
        let mut records = Vec::new();
        let taken = self.receiver.lock().await.recv_many(&mut records, max.max(1)).await;
        (taken > 0).then_some(records)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mynah_types::{ConversationKey, Entry, EntryKind, MemberChange, MsgId, Uid};

    fn record(seq: u64) -> FanoutRecord {
        let entry = Entry {
            seq,
            msg_id: MsgId(seq),
            ctime: 1,
            sender: Uid(1),
            cmid: None,
            content_hash: 0,
            member_version: 1,
            cum_unread: 0,
            kind: EntryKind::Event,
            payload: Default::default(),
        };
        FanoutRecord { key: ConversationKey::Group(1), entry, change: MemberChange::default(), origin_conn: 0 }
    }

    #[tokio::test]
    async fn records_keep_their_order_and_a_full_bus_makes_the_publisher_wait() {
        let bus = MemoryBus::new(2);
        bus.publish(record(1)).await.unwrap();
        bus.publish(record(2)).await.unwrap();
        let third = bus.publish(record(3));
        tokio::pin!(third);
        let waits = std::future::poll_fn(|cx| std::task::Poll::Ready(third.as_mut().poll(cx).is_pending())).await;
        assert!(waits);
        let taken = bus.next(8).await.unwrap();
        assert_eq!(taken.iter().map(|r| r.entry.seq).collect::<Vec<_>>(), [1, 2]);
        third.await.unwrap();
        assert_eq!(bus.next(8).await.unwrap().len(), 1);
    }
}

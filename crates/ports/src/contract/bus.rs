//! What every [`Bus`] must do. An adapter's test names a function that makes an empty one that holds at least 8 records:
//!
//! ```ignore
//! mynah_ports::bus_contract!(fresh);
//! ```

#![allow(clippy::unwrap_used, missing_docs, reason = "a test suite: the cases are named for what they hold")]

use std::collections::BTreeMap;

use mynah_types::{ConversationKey, Entry, EntryKind, MemberChange, MsgId, Seq, Uid};

use crate::Bus;
use crate::bus::FanoutRecord;

/// Makes one `#[tokio::test]` of each case of the suite.
#[macro_export]
macro_rules! bus_contract {
    ($fresh:path) => {
        $crate::bus_contract!(@cases $fresh;
            a_record_arrives_as_it_was, records_of_a_conversation_keep_their_order, a_page_is_bounded, publishers_may_race
        );
    };
    (@cases $fresh:path; $($case:ident),+) => {
        $(
            #[tokio::test]
            async fn $case() {
                $crate::contract::bus::$case(&$fresh()).await;
            }
        )+
    };
}

/// A record of a group.
#[must_use]
pub fn record(group: u64, seq: Seq) -> FanoutRecord {
    let entry = Entry {
        seq,
        msg_id: MsgId(seq * 256),
        ctime: 1,
        sender: Uid(1),
        cmid: None,
        content_hash: 3,
        member_version: 4,
        cum_unread: 5,
        kind: EntryKind::Event,
        payload: bytes::Bytes::from_static(b"hello"),
    };
    let change = MemberChange { added: vec![Uid(1)], removed: vec![Uid(2)], outside: vec![Uid(3)], dissolved: true };
    let traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into());
    FanoutRecord { key: ConversationKey::Group(group), entry, change, origin_conn: 6, traceparent }
}

async fn take(bus: &impl Bus, count: usize) -> Vec<FanoutRecord> {
    let mut taken = Vec::new();
    while taken.len() < count {
        taken.extend(bus.next(count - taken.len()).await.unwrap());
    }
    taken
}

pub async fn a_record_arrives_as_it_was(bus: &impl Bus) {
    bus.publish(record(1, 1)).await.unwrap();
    let arrived = take(bus, 1).await.remove(0);
    let sent = record(1, 1);
    assert_eq!((arrived.key, arrived.entry, arrived.change), (sent.key, sent.entry, sent.change));
    assert_eq!((arrived.origin_conn, arrived.traceparent), (sent.origin_conn, sent.traceparent));
}

pub async fn records_of_a_conversation_keep_their_order(bus: &impl Bus) {
    for seq in 1..=4 {
        bus.publish(record(1, seq)).await.unwrap();
        bus.publish(record(2, seq)).await.unwrap();
    }
    let mut seen: BTreeMap<ConversationKey, Vec<Seq>> = BTreeMap::new();
    for record in take(bus, 8).await {
        seen.entry(record.key).or_default().push(record.entry.seq);
    }
    assert!(seen.len() == 2 && seen.values().all(|seqs| seqs == &[1, 2, 3, 4]), "{seen:?}");
}

pub async fn a_page_is_bounded(bus: &impl Bus) {
    for seq in 1..=3 {
        bus.publish(record(1, seq)).await.unwrap();
    }
    assert!(bus.next(2).await.unwrap().len() <= 2);
}

pub async fn publishers_may_race(bus: &impl Bus) {
    let publishing = (1..=100).map(|seq| bus.publish(record(seq, 1)));
    let (published, taken) = futures_util::future::join(futures_util::future::join_all(publishing), take(bus, 100)).await;
    assert!(published.iter().all(Result::is_ok));
    assert_eq!(taken.len(), 100);
}

//! Workers of one group: at least once, in order, through every change of who has which partition.

use std::collections::BTreeSet;
use std::time::Duration;

use mynah_kafka::{KafkaBus, Settings};
use mynah_ports::Bus;
use mynah_ports::contract::bus::record;
use mynah_types::{ConversationKey, Seq};

use crate::support::{Arrived, PATIENCE, count, in_order, next, note, on_new_topic, shared, take_different};

const CONVERSATIONS: u64 = 16;

async fn publish(bus: &KafkaBus, seqs: std::ops::RangeInclusive<Seq>) {
    for seq in seqs {
        let all = (1..=CONVERSATIONS).map(|group| bus.publish(record(group, seq)));
        futures_util::future::try_join_all(all).await.unwrap();
    }
}

/// Two workers that have both had records.
async fn two_sharing(settings: &Settings) -> (KafkaBus, KafkaBus, Arrived, Seq) {
    let (first, second) = (KafkaBus::start(settings).unwrap(), KafkaBus::start(settings).unwrap());
    let mut arrived = Arrived::new();
    let (mut of_first, mut of_second) = (false, false);
    let mut seq = 0;
    while !(of_first && of_second) {
        seq += 1;
        publish(&first, seq..=seq).await;
        let wanted = usize::try_from(CONVERSATIONS * seq).unwrap();
        while count(&arrived) < wanted {
            tokio::select! {
                records = next(&first, 8) => { of_first = true; note(&mut arrived, records) }
                records = next(&second, 8) => { of_second = true; note(&mut arrived, records) }
            }
        }
    }
    (first, second, arrived, seq)
}

#[tokio::test]
async fn records_in_hand_of_a_dropped_worker_go_to_another() {
    let settings = on_new_topic(&shared(), 2);
    let bus = KafkaBus::start(&settings).unwrap();
    publish(&bus, 1..=2).await;
    let handled = next(&bus, 8).await;
    let in_hand = next(&bus, 8).await;
    drop(bus);
    let heir = KafkaBus::start(&settings).unwrap();
    let total = usize::try_from(2 * CONVERSATIONS).unwrap();
    let mut seen = BTreeSet::new();
    while seen.len() < total - handled.len() {
        seen.extend(next(&heir, 64).await.iter().map(|record| (record.key, record.entry.seq)));
    }
    assert!(in_hand.iter().all(|record| seen.contains(&(record.key, record.entry.seq))));
    assert!(!handled.iter().any(|record| seen.contains(&(record.key, record.entry.seq))), "handled records came again");
}

#[tokio::test]
async fn a_conversation_keeps_its_order_when_workers_come_and_go() {
    let settings = on_new_topic(&shared(), 4);
    let (first, second, mut arrived, seq) = two_sharing(&settings).await;
    publish(&first, seq + 1..=seq + 4).await;
    // In hand and never handled.
    let lost = tokio::select! {
        records = next(&second, 64) => records,
        () = async { loop { note(&mut arrived, next(&first, 8).await) } } => unreachable!(),
    };
    assert!(!lost.is_empty());
    drop(second);
    let wanted = usize::try_from(CONVERSATIONS * (seq + 4)).unwrap();
    while count(&arrived) < wanted {
        note(&mut arrived, next(&first, 8).await);
    }
    assert!(in_order(&arrived), "{arrived:?}");
}

#[tokio::test]
async fn a_partition_waits_for_what_is_in_hand_before_it_goes() {
    let settings = Settings { hands_over_within: PATIENCE, ..on_new_topic(&shared(), 1) };
    let first = KafkaBus::start(&settings).unwrap();
    publish(&first, 1..=1).await;
    let in_hand = next(&first, 1).await;
    // The group gives the only partition to one of both; the first has it until it leaves.
    let closing = first.close();
    closing.await;
    assert!(first.next(1).await.is_none());
    let second = KafkaBus::start(&settings).unwrap();
    let again = next(&second, 1).await;
    assert_eq!((again[0].key, again[0].entry.seq), (in_hand[0].key, in_hand[0].entry.seq));
}

#[tokio::test]
async fn a_slow_worker_is_not_put_out() {
    let second = Duration::from_secs(1);
    let settings = Settings { session: 2 * second, polls_within: 2 * second, read_ahead: 4, ..on_new_topic(&shared(), 1) };
    let (slow, other) = (KafkaBus::start(&settings).unwrap(), KafkaBus::start(&settings).unwrap());
    publish(&slow, 1..=2).await;
    let mut seen = next(&slow, 1).await;
    // The only partition is taken: the other one gets something only if the slow one is put out.
    let stolen = tokio::time::timeout(6 * second, other.next(64)).await;
    assert!(stolen.is_err(), "another worker got {stolen:?}");
    while seen.len() < usize::try_from(2 * CONVERSATIONS).unwrap() {
        seen.extend(next(&slow, 64).await);
    }
    let different: BTreeSet<_> = seen.iter().map(|record| (record.key, record.entry.seq)).collect();
    assert_eq!(different.len(), seen.len(), "records came twice");
}

#[tokio::test]
async fn what_waits_is_bounded_and_all_of_it_arrives() {
    let settings = Settings { read_ahead: 4, ..on_new_topic(&shared(), 2) };
    let bus = KafkaBus::start(&settings).unwrap();
    publish(&bus, 1..=20).await;
    let arrived = take_different(&bus, 320).await;
    assert!(in_order(&arrived) && arrived.len() == 16, "{arrived:?}");
    assert_eq!(arrived.get(&ConversationKey::Group(1)).map(Vec::len), Some(20));
}

#[tokio::test]
async fn a_full_queue_makes_the_publishers_wait() {
    let settings = Settings { in_flight_kib: 1, ..on_new_topic(&shared(), 1) };
    let bus = KafkaBus::start(&settings).unwrap();
    publish(&bus, 1..=10).await;
    assert!(in_order(&take_different(&bus, 160).await));
}

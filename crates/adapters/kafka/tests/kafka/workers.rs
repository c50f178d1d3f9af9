//! Workers of one group: at least once, in order, through every change of who has which partition.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use mynah_kafka::{KafkaBus, Settings};
use mynah_ports::Bus;
use mynah_ports::bus::FanoutRecord;
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

fn names(records: &[FanoutRecord]) -> BTreeSet<(ConversationKey, Seq)> {
    records.iter().map(|record| (record.key, record.entry.seq)).collect()
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
async fn a_closed_worker_leaves_what_is_in_hand_to_another() {
    let settings = on_new_topic(&shared(), 1);
    let first = KafkaBus::start(&settings).unwrap();
    publish(&first, 1..=1).await;
    let in_hand = next(&first, 1).await;
    first.close().await;
    assert!(first.next(1).await.is_none());
    let second = KafkaBus::start(&settings).unwrap();
    assert_eq!(names(&next(&second, 1).await), names(&in_hand));
}

#[tokio::test]
async fn a_partition_waits_for_what_is_in_hand_before_it_goes() {
    let settings = Settings { hands_over_within: PATIENCE, ..on_new_topic(&shared(), 2) };
    let (first, second) = (KafkaBus::start(&settings).unwrap(), KafkaBus::start(&settings).unwrap());
    publish(&first, 1..=1).await;
    let one_round = usize::try_from(CONVERSATIONS).unwrap();
    take_different(&first, one_round).await;
    publish(&first, 2..=2).await;
    // All of both partitions at once: whichever goes, some of it is in hand.
    let all_wait = async {
        while first.waiting().0 < one_round {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, all_wait).await.unwrap();
    let in_hand = names(&next(&first, 64).await);
    assert_eq!(in_hand.len(), one_round);
    // The time in which it would have its records by far, if the first one did not hold them.
    let early = tokio::time::timeout(Duration::from_secs(4), second.next(64)).await;
    assert!(early.is_err(), "{early:?} is in the hand of another");
    let mut after = BTreeSet::new();
    // Handled now: the partition goes, and the second one has what comes from here on.
    let mut seq = 2;
    let mut of_second = BTreeSet::new();
    while of_second.is_empty() {
        seq += 1;
        publish(&first, seq..=seq).await;
        let wanted = after.len() + usize::try_from(CONVERSATIONS).unwrap();
        while after.len() < wanted {
            let records = tokio::select! {
                records = next(&first, 64) => names(&records),
                records = next(&second, 64) => {
                    of_second.extend(names(&records));
                    names(&records)
                }
            };
            for name in records {
                assert!(!in_hand.contains(&name) && after.insert(name), "{name:?} came twice");
            }
        }
    }
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
    publish(&bus, 1..=10).await;
    let mut arrived = Arrived::new();
    while count(&arrived) < 160 {
        note(&mut arrived, next(&bus, 1).await);
        assert!(bus.waiting().0 <= 4);
    }
    assert!(in_order(&arrived) && arrived.len() == 16, "{arrived:?}");
}

#[tokio::test]
async fn large_records_that_wait_are_bounded_by_their_bytes() {
    const LARGE: usize = 100 * 1024;
    let settings = Settings { read_ahead_kib: 250, ..on_new_topic(&shared(), 2) };
    let bus = KafkaBus::start(&settings).unwrap();
    for seq in 1..=20 {
        let mut large = record(seq % 4 + 1, seq);
        large.entry.payload = vec![7; LARGE].into();
        bus.publish(large).await.unwrap();
    }
    let mut arrived = Arrived::new();
    while count(&arrived) < 20 {
        note(&mut arrived, next(&bus, 1).await);
        assert!(bus.waiting().1 < 250 * 1024 + LARGE + 1024, "{:?}", bus.waiting());
    }
    assert!(in_order(&arrived), "{arrived:?}");
}

#[tokio::test]
async fn a_full_queue_makes_the_publishers_wait() {
    let settings = Settings { in_flight_kib: 1, ..on_new_topic(&shared(), 1) };
    let bus = KafkaBus::start(&settings).unwrap();
    publish(&bus, 1..=10).await;
    assert!(in_order(&take_different(&bus, 160).await));
}

/// What a worker of the next test is: another process, that takes records and never comes back for more.
#[tokio::test]
#[ignore = "run by another test, in a process of its own"]
async fn a_worker_that_hangs() {
    let [brokers, topic] = ["MYNAH_TEST_BROKERS", "MYNAH_TEST_TOPIC"].map(|name| std::env::var(name).unwrap());
    let bus = KafkaBus::start(&short_session(Settings::new(brokers, topic.clone(), topic))).unwrap();
    println!("\ntaken {}", next(&bus, 64).await.len());
    std::future::pending().await
}

fn short_session(settings: Settings) -> Settings {
    Settings { session: Duration::from_secs(2), ..settings }
}

#[tokio::test]
async fn records_in_hand_of_a_killed_process_go_to_another() {
    let settings = short_session(on_new_topic(&shared(), 1));
    let bus = KafkaBus::start(&settings).unwrap();
    publish(&bus, 1..=1).await;
    let mut worker = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "workers::a_worker_that_hangs", "--ignored", "--nocapture"])
        .envs([("MYNAH_TEST_BROKERS", &settings.brokers), ("MYNAH_TEST_TOPIC", &settings.topic)])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(worker.stdout.take().unwrap()).lines();
    let taken = lines.find(|line| line.as_ref().unwrap().starts_with("taken"));
    worker.kill().unwrap();
    worker.wait().unwrap();
    assert!(taken.is_some(), "it had no record");
    let arrived = take_different(&bus, usize::try_from(CONVERSATIONS).unwrap()).await;
    assert!(arrived.len() == 16 && in_order(&arrived), "{arrived:?}");
}

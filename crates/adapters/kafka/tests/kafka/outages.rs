//! Brokers that hang, die and are not there yet.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mynah_engines::Kafka;
use mynah_kafka::{KafkaBus, Settings};
use mynah_ports::Bus;
use mynah_ports::bus::Error;
use mynah_ports::contract::bus::record;
use mynah_types::{ConversationKey, Seq};

use crate::support::{Arrived, PATIENCE, breakable, count, in_order, next, note, on_new_topic, take_different};

const SECOND: Duration = Duration::from_secs(1);

/// Publishes until the bus takes it, as the owner of a conversation does from its log.
async fn until_taken(bus: &KafkaBus, group: u64, seq: Seq) {
    let taken = async {
        while bus.publish(record(group, seq)).await.is_err() {
            tokio::time::sleep(SECOND / 50).await;
        }
    };
    tokio::time::timeout(PATIENCE, taken).await.expect("the bus takes records again by itself");
}

fn quick(brokers: &str) -> Settings {
    Settings { acknowledged_within: SECOND, ..on_new_topic(brokers, 2) }
}

#[tokio::test]
async fn a_broker_that_hangs_costs_one_bounded_wait_and_nothing_is_lost() {
    let kafka = breakable().await;
    let bus = KafkaBus::start(&quick(&kafka.brokers())).unwrap();
    for seq in 1..=3 {
        until_taken(&bus, 1, seq).await;
    }
    kafka.pause();
    let began = Instant::now();
    let Err(Error::Unavailable(_)) = bus.publish(record(1, 4)).await else { panic!("nobody confirmed it") };
    assert!(began.elapsed() < 3 * SECOND, "{:?}", began.elapsed());
    // The next ones do not wait for what is known.
    let began = Instant::now();
    for seq in 5..=20 {
        assert!(bus.publish(record(1, seq)).await.is_err());
    }
    assert!(began.elapsed() < SECOND, "{:?}", began.elapsed());
    kafka.resume();
    for seq in 5..=20 {
        until_taken(&bus, 1, seq).await;
    }
    // The fourth was kept: it arrives, late and in its place.
    let arrived = take_different(&bus, 20).await;
    assert_eq!(arrived.get(&ConversationKey::Group(1)), Some(&(1..=20).collect()));
}

#[tokio::test]
async fn what_is_in_flight_is_bounded() {
    let kafka = breakable().await;
    let bus = KafkaBus::start(&Settings { in_flight_kib: 4, ..quick(&kafka.brokers()) }).unwrap();
    until_taken(&bus, 1, 1).await;
    kafka.pause();
    let began = Instant::now();
    let outcomes = futures_util::future::join_all((2..=21).map(|seq| bus.publish(record(1, seq)))).await;
    assert!(outcomes.iter().all(Result::is_err) && began.elapsed() < 3 * SECOND, "{outcomes:?} {:?}", began.elapsed());
    kafka.resume();
    until_taken(&bus, 1, 30).await;
    // Four had a place and were kept; the others waited for one in vain.
    let arrived = take_different(&bus, 6).await;
    assert_eq!(arrived.get(&ConversationKey::Group(1)), Some(&vec![1, 2, 3, 4, 5, 30]));
}

#[tokio::test]
async fn a_broker_killed_under_load_loses_nothing_and_keeps_the_order() {
    const CONVERSATIONS: u64 = 4;
    const SEQS: Seq = 150;
    let mut kafka = breakable().await;
    let bus = Arc::new(KafkaBus::start(&quick(&kafka.brokers())).unwrap());
    let publishers: Vec<_> = (1..=CONVERSATIONS)
        .map(|group| {
            let bus = Arc::clone(&bus);
            tokio::spawn(async move {
                for seq in 1..=SEQS {
                    until_taken(&bus, group, seq).await;
                }
            })
        })
        .collect();
    let mut arrived = Arrived::new();
    while count(&arrived) < 40 {
        note(&mut arrived, next(&bus, 8).await);
    }
    kafka.kill();
    assert!(publishers.iter().any(|publisher| !publisher.is_finished()), "it was killed too late to mean anything");
    kafka.restart().unwrap();
    while count(&arrived) < usize::try_from(CONVERSATIONS * SEQS).unwrap() {
        note(&mut arrived, next(&bus, 8).await);
    }
    for publisher in publishers {
        publisher.await.unwrap();
    }
    assert!(in_order(&arrived), "{arrived:?}");
}

#[tokio::test]
async fn a_bus_starts_without_brokers_and_works_when_they_come() {
    let mut kafka = breakable().await;
    let settings = quick(&kafka.brokers());
    kafka.kill();
    let bus = KafkaBus::start(&settings).unwrap();
    let began = Instant::now();
    assert!(bus.publish(record(1, 1)).await.is_err());
    assert!(began.elapsed() < 3 * SECOND, "{:?}", began.elapsed());
    kafka.restart().unwrap();
    until_taken(&bus, 1, 2).await;
    let arrived = take_different(&bus, 2).await;
    assert_eq!(arrived.get(&ConversationKey::Group(1)), Some(&vec![1, 2]));
}

#[tokio::test]
async fn what_was_handled_during_an_outage_does_not_come_again() {
    let mut kafka = breakable().await;
    // Longer than the outage: whoever is away for longer loses his partitions, and begins after what was committed.
    let settings = Settings { session: PATIENCE / 2, ..quick(&kafka.brokers()) };
    let bus = KafkaBus::start(&settings).unwrap();
    for seq in 1..=8 {
        until_taken(&bus, 1, seq).await;
    }
    let first = next(&bus, 4).await;
    kafka.kill();
    // Handled while nobody takes positions.
    let taken = first.len() + next(&bus, 8).await.len();
    kafka.restart().unwrap();
    until_taken(&bus, 1, 9).await;
    let last = Seq::try_from(taken).unwrap();
    let arrived = take_different(&bus, 9 - taken).await;
    assert_eq!(arrived.get(&ConversationKey::Group(1)), Some(&(last + 1..=9).collect()));
    // Handled as well, when it closes; the ninth may come twice, because it was published until it was taken.
    while tokio::time::timeout(SECOND, bus.next(8)).await.is_ok() {}
    bus.close().await;
    let heir = KafkaBus::start(&settings).unwrap();
    until_taken(&heir, 1, 10).await;
    let arrived = take_different(&heir, 1).await;
    assert_eq!(arrived.get(&ConversationKey::Group(1)), Some(&vec![10]));
}

#[tokio::test]
async fn a_bus_closes_without_brokers() {
    let mut kafka = breakable().await;
    // It bounds how long the brokers are waited for.
    let session = 3 * SECOND;
    let bus = KafkaBus::start(&Settings { session, ..quick(&kafka.brokers()) }).unwrap();
    for seq in 1..=4 {
        until_taken(&bus, 1, seq).await;
    }
    assert!(!next(&bus, 2).await.is_empty());
    kafka.kill();
    assert!(!next(&bus, 2).await.is_empty());
    let began = Instant::now();
    bus.close().await;
    let took = began.elapsed();
    kafka.restart().unwrap();
    assert!(took < 2 * session, "{took:?}");
}

#[tokio::test]
async fn a_partition_without_a_leader_is_no_outage_of_the_others() {
    const GROUPS: u64 = 16;
    const ROUNDS: Seq = 100;
    let first = Kafka::start().unwrap();
    let mut second = first.start_beside().unwrap();
    // Both serve when a topic may have two copies.
    let both = KafkaBus::start(&Settings { replicas: 2, ..quick(&first.brokers()) }).unwrap();
    until_taken(&both, 1, 1).await;
    let bus = KafkaBus::start(&Settings { partitions: 8, ..quick(&first.brokers()) }).unwrap();
    for group in 1..=GROUPS {
        until_taken(&bus, group, 1).await;
    }
    second.kill();
    let began = Instant::now();
    let publishing = (1..=GROUPS).map(|group| {
        let bus = &bus;
        async move {
            let mut taken = 0;
            for seq in 2..2 + ROUNDS {
                taken += u64::from(bus.publish(record(group, seq)).await.is_ok());
                tokio::time::sleep(SECOND / 20).await;
            }
            taken
        }
    });
    let taken = futures_util::future::join_all(publishing).await;
    assert!(began.elapsed() < 15 * SECOND, "{:?}", began.elapsed());
    let served = taken.iter().filter(|count| **count > ROUNDS * 2 / 3).count();
    assert!(served > 0 && taken.contains(&0), "{taken:?}");
    assert_eq!(served + taken.iter().filter(|count| **count == 0).count(), taken.len(), "{taken:?}");
    second.restart().unwrap();
    for group in 1..=GROUPS {
        until_taken(&bus, group, 2 + ROUNDS).await;
    }
}

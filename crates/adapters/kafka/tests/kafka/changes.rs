//! Change events: every reader hears all, or is told that it has to read again.

use std::time::{Duration, Instant};

use mynah_kafka::{KafkaChanges, Settings};
use mynah_ports::Changes;
use mynah_ports::changes::{Heard, Subject};
use mynah_ports::contract::changes::change;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;

use crate::support::{PATIENCE, breakable, on_new_topic, shared};

const SECOND: Duration = Duration::from_secs(1);

fn fresh() -> KafkaChanges {
    KafkaChanges::start(&Settings { read_ahead: 16, ..on_new_topic(&shared(), 2) }).unwrap()
}

mynah_ports::changes_contract!(fresh);

async fn heard(reader: &KafkaChanges) -> Heard {
    tokio::time::timeout(PATIENCE, reader.next(64)).await.expect("nothing is heard").expect("the reader is open")
}

/// The versions of the group that are heard, up to one of them.
async fn versions(reader: &KafkaChanges, up_to: u64) -> Vec<u64> {
    let mut versions = Vec::new();
    while versions.last().is_none_or(|last| *last < up_to) {
        let Heard::Changes(changes) = heard(reader).await else { panic!("nothing was missed") };
        assert!(changes.iter().all(|change| change.subject == Subject::Group(1)));
        versions.extend(changes.iter().map(|change| change.version));
    }
    versions
}

async fn until_taken(changes: &KafkaChanges, version: u64) {
    let began = Instant::now();
    while changes.publish(change(1, version)).await.is_err() {
        assert!(began.elapsed() < PATIENCE, "the topic takes changes again by itself");
        tokio::time::sleep(SECOND / 50).await;
    }
}

#[tokio::test]
async fn every_reader_hears_all() {
    let settings = on_new_topic(&shared(), 2);
    let readers = [KafkaChanges::start(&settings).unwrap(), KafkaChanges::start(&settings).unwrap()];
    for reader in &readers {
        assert_eq!(heard(reader).await, Heard::Everything);
    }
    for version in 1..=10 {
        until_taken(&readers[0], version).await;
    }
    for reader in &readers {
        assert_eq!(versions(reader, 10).await, (1..=10).collect::<Vec<_>>());
    }
    // Whoever comes later hears what comes later.
    let late = KafkaChanges::start(&settings).unwrap();
    assert_eq!(heard(&late).await, Heard::Everything);
    until_taken(&readers[0], 11).await;
    assert_eq!(versions(&late, 11).await, [11]);
    late.close();
    assert_eq!(late.next(1).await, None);
}

#[tokio::test]
async fn readers_and_publishers_outlive_a_killed_broker() {
    let mut kafka = breakable().await;
    let settings = Settings { acknowledged_within: SECOND, ..on_new_topic(&kafka.brokers(), 2) };
    let changes = KafkaChanges::start(&settings).unwrap();
    assert_eq!(heard(&changes).await, Heard::Everything);
    until_taken(&changes, 1).await;
    kafka.kill();
    let began = Instant::now();
    assert!(changes.publish(change(2, 1)).await.is_err() && began.elapsed() < 3 * SECOND, "{:?}", began.elapsed());
    kafka.restart().unwrap();
    until_taken(&changes, 2).await;
    // Each in its place, or a word that something may be missed.
    let mut known = Vec::new();
    while !known.contains(&2) {
        match heard(&changes).await {
            Heard::Everything => return,
            Heard::Changes(page) => {
                known.extend(page.iter().filter(|heard| heard.subject == Subject::Group(1)).map(|heard| heard.version));
            }
        }
    }
    assert_eq!(known, [1, 2]);
}

#[tokio::test]
async fn a_reader_that_starts_without_brokers_begins_when_they_come() {
    let mut kafka = breakable().await;
    kafka.kill();
    let settings = Settings { acknowledged_within: SECOND, ..on_new_topic(&kafka.brokers(), 2) };
    let changes = KafkaChanges::start(&settings).unwrap();
    assert!(changes.publish(change(9, 1)).await.is_err());
    kafka.restart().unwrap();
    assert_eq!(heard(&changes).await, Heard::Everything);
    until_taken(&changes, 1).await;
    loop {
        let Heard::Changes(page) = heard(&changes).await else { panic!("it begins once") };
        if page.iter().any(|heard| heard.subject == Subject::Group(1)) {
            return;
        }
    }
}

#[tokio::test]
async fn a_reader_that_lost_its_place_is_told() {
    let settings = on_new_topic(&shared(), 2);
    let reader = KafkaChanges::start(&settings).unwrap();
    assert_eq!(heard(&reader).await, Heard::Everything);
    until_taken(&reader, 1).await;
    assert_eq!(versions(&reader, 1).await, [1]);
    let mut config = ClientConfig::new();
    let admin: AdminClient<DefaultClientContext> = config.set("bootstrap.servers", &settings.brokers).create().unwrap();
    admin.delete_topics(&[&settings.topic], &AdminOptions::new()).await.unwrap().remove(0).unwrap();
    // It makes the topic again: another one, with other places.
    let other = KafkaChanges::start(&settings).unwrap();
    assert_eq!(heard(&other).await, Heard::Everything);
    assert_eq!(heard(&reader).await, Heard::Everything);
    until_taken(&other, 2).await;
    assert_eq!(versions(&reader, 2).await, [2]);
}

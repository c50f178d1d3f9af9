//! A broker for all tests of a binary, and a topic for each.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use mynah_engines::Kafka;
use mynah_kafka::{KafkaBus, Settings};
use mynah_ports::Bus;
use mynah_ports::bus::FanoutRecord;
use mynah_types::{ConversationKey, Seq};
use tokio::sync::{Mutex, MutexGuard};

/// Longer than any step may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What arrived, by conversation, in order.
pub type Arrived = BTreeMap<ConversationKey, Vec<Seq>>;

/// The broker of this binary. It ends with the process.
pub fn shared() -> String {
    static KAFKA: OnceLock<Kafka> = OnceLock::new();
    KAFKA.get_or_init(|| Kafka::start().unwrap()).brokers()
}

/// Another one, to be paused and killed by one test at a time. It is left serving.
pub async fn breakable() -> MutexGuard<'static, Kafka> {
    static KAFKA: OnceLock<Mutex<Kafka>> = OnceLock::new();
    KAFKA.get_or_init(|| Mutex::new(Kafka::start().unwrap())).lock().await
}

/// Settings on a topic of the test's own, which the bus creates.
pub fn on_new_topic(brokers: &str, partitions: u16) -> Settings {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let settings = Settings { partitions, replicas: 1, ..Settings::new(brokers, name.clone(), name) };
    // The tests share a busy machine: what is within a second elsewhere may take longer here.
    Settings { acknowledged_within: Duration::from_secs(20), ..settings }
}

/// The next records; a bus that gives none fails the test.
pub async fn next(bus: &KafkaBus, max: usize) -> Vec<FanoutRecord> {
    tokio::time::timeout(PATIENCE, bus.next(max)).await.expect("no record came").expect("the bus is open")
}

/// Takes until so many different records are there; again and again delivered ones are passed over, as receivers do.
pub async fn take_different(bus: &KafkaBus, count: usize) -> Arrived {
    let mut arrived = Arrived::new();
    while self::count(&arrived) < count {
        note(&mut arrived, next(bus, 64).await);
    }
    arrived
}

/// Adds records that are not there yet.
pub fn note(arrived: &mut Arrived, records: Vec<FanoutRecord>) {
    for record in records {
        let seqs = arrived.entry(record.key).or_default();
        if !seqs.contains(&record.entry.seq) {
            seqs.push(record.entry.seq);
        }
    }
}

/// Whether each conversation arrived in order.
pub fn in_order(arrived: &Arrived) -> bool {
    arrived.values().all(|seqs| seqs.is_sorted())
}

/// How many records are there.
pub fn count(arrived: &Arrived) -> usize {
    arrived.values().map(Vec::len).sum()
}

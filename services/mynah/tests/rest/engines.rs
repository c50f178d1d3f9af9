//! The engines of the distributed shape: real ones, each test in databases, topics and keys of its own.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use mynah_engines::{Kafka, PostgreSql, Redis};
use mynah_kafka::KafkaBus;
use mynah_ports::presence::Audience;
use mynah_ports::{Bus as _, Presence as _};
use mynah_postgres_directory::PostgresDirectory;
use mynah_postgres_log::{Options, PostgresLog};
use mynah_redis::{RedisPresence, Servers};
use mynah_types::{ConversationKey, GatewayId};

/// One of each for all tests of this binary. They end with the process.
struct Running {
    postgresql: PostgreSql,
    kafka: Kafka,
    redis: Redis,
}

/// Engines that nobody else uses.
pub struct Own {
    pub name: String,
    pub store: PostgresDirectory,
    pub log: PostgresLog,
    pub bus: KafkaBus,
    pub presence: RedisPresence,
}

fn running() -> &'static Running {
    static RUNNING: OnceLock<Running> = OnceLock::new();
    RUNNING.get_or_init(|| Running {
        postgresql: PostgreSql::start().unwrap(),
        kafka: Kafka::start().unwrap(),
        redis: Redis::start().unwrap(),
    })
}

/// Made for one test, whose gateway this is.
pub async fn own(gateway: GatewayId) -> Own {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let name = format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let running = tokio::task::block_in_place(running);
    let (directory, log) = (format!("{name}_directory"), format!("{name}_log"));
    tokio::task::block_in_place(|| {
        running.postgresql.create_database(&directory).unwrap();
        running.postgresql.create_database(&log).unwrap();
    });
    let store = PostgresDirectory::open(&running.postgresql.url(&directory), 8).await.unwrap();
    let log = PostgresLog::open(&running.postgresql.url(&log), &Options::default()).await.unwrap();
    let bus = mynah_kafka::Settings::new(running.kafka.brokers(), name.clone(), name.clone());
    let bus = KafkaBus::start(&mynah_kafka::Settings { replicas: 1, partitions: 4, ..bus }).unwrap();
    assert!(bus.keeps());
    let usual = mynah_redis::Settings::new(Servers::Single(running.redis.url()), Some(gateway));
    let presence = RedisPresence::start(mynah_redis::Settings { prefix: name.clone(), ..usual }).unwrap();
    // Until then every gateway hears of everything, which is right and not what is to be shown.
    while !matches!(presence.audience(ConversationKey::Group(1)).await, Ok(Audience::Known(_))) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Own { name, store, log, bus, presence }
}

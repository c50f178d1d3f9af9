//! The same services on the engines of the distributed shape: real ones, each test in databases, topics and keys of its own.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use mynah::embedded::{Engines, GATEWAY};
use mynah_engines::{Kafka, PostgreSql, Redis, S3};
use mynah_kafka::KafkaBus;
use mynah_ports::presence::Audience;
use mynah_ports::{Bus as _, Presence as _};
use mynah_postgres_directory::PostgresDirectory;
use mynah_postgres_log::{Options, PostgresLog};
use mynah_redis::{RedisPresence, Servers};
use mynah_s3::S3Media;
use mynah_types::ConversationKey;

const BUCKET: &str = "mynah";

/// One of each for all tests of this binary. They end with the process.
struct Running {
    postgresql: PostgreSql,
    kafka: Kafka,
    redis: Redis,
    s3: S3,
}

fn running() -> &'static Running {
    static RUNNING: OnceLock<Running> = OnceLock::new();
    RUNNING.get_or_init(|| {
        let s3 = S3::start().unwrap();
        s3.make_bucket(BUCKET).unwrap();
        Running { postgresql: PostgreSql::start().unwrap(), kafka: Kafka::start().unwrap(), redis: Redis::start().unwrap(), s3 }
    })
}

/// Engines that nobody else uses.
pub async fn own() -> Engines {
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
    let usual = mynah_redis::Settings::new(Servers::Single(running.redis.url()), Some(GATEWAY));
    let presence = RedisPresence::start(mynah_redis::Settings { prefix: name.clone(), ..usual }).unwrap();
    // Until then every gateway hears of everything, which is right and not what is to be shown.
    while !matches!(presence.audience(ConversationKey::Group(1)).await, Ok(Audience::Known(_))) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let bucket = mynah_s3::Settings::new(running.s3.url(), BUCKET, "key", "secret");
    let media = S3Media::new(&mynah_s3::Settings { prefix: name, ..bucket }).unwrap();
    Engines {
        store: Arc::new(store),
        log: Arc::new(log),
        bus: Arc::new(bus),
        presence: Arc::new(presence),
        media: Arc::new(media),
    }
}

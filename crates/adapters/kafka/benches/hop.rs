//! A record from its publisher to the worker that handles it, against a bare producer and consumer with the same acknowledgements.

#![allow(missing_docs, reason = "a program")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use mynah_engines::Kafka;
use mynah_kafka::{KafkaBus, Settings};
use mynah_measure::{Bench, Failed, each};
use mynah_ports::Bus as _;
use mynah_ports::bus::FanoutRecord;
use mynah_types::{Cmid, ConversationKey, Entry, EntryKind, MemberChange, MsgId, Uid};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use rdkafka::message::Message as _;
use rdkafka::producer::{FutureProducer, FutureRecord};
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// Records of a round.
const RECORDS: u64 = 10_000;
const PARTITIONS: u16 = 4;
/// A record that is not there by then will not come.
const PATIENCE: Duration = Duration::from_secs(60);

fn record(number: u64, conversations: u64) -> Result<FanoutRecord, Failed> {
    let entry = Entry {
        seq: number / conversations + 1,
        msg_id: MsgId(number + 1),
        ctime: 1_795_600_000_000 + number,
        sender: Uid(1),
        cmid: Some(Cmid::parse(&format!("m{number}")).map_err(|e| e.why)?),
        content_hash: number,
        member_version: 1,
        cum_unread: number,
        kind: EntryKind::Message { unread_delta: 1, no_offline: false },
        payload: Bytes::from(vec![7; 130]),
    };
    let key = ConversationKey::Group(10_000_000 + number % conversations);
    Ok(FanoutRecord { key, entry, change: MemberChange::default(), origin_conn: 7, traceparent: None })
}

/// Waits until so many were handled.
async fn arrived(handled: &mut watch::Receiver<u64>, count: u64) -> Result<(), Failed> {
    tokio::time::timeout(PATIENCE, handled.wait_for(|handled| *handled >= count)).await??;
    Ok(())
}

/// The bus with a worker that counts.
struct Own {
    bus: Arc<KafkaBus>,
    handled: watch::Receiver<u64>,
    published: u64,
}

impl Own {
    fn start(runtime: &Runtime, brokers: &str) -> Result<Self, Failed> {
        let within = Duration::from_secs(20);
        let usual = Settings::new(brokers, "own", "own");
        let settings = Settings { partitions: PARTITIONS, replicas: 1, acknowledged_within: within, ..usual };
        let bus = Arc::new(runtime.block_on(async { KafkaBus::start(&settings) })?);
        let (count, handled) = watch::channel(0);
        let worker = Arc::clone(&bus);
        runtime.spawn(async move {
            while let Some(records) = worker.next(256).await {
                count.send_modify(|count| *count += records.len() as u64);
            }
        });
        Ok(Self { bus, handled, published: 0 })
    }

    /// Publishes `count` records, `together` of them at one time and each of another conversation, and waits until they are handled.
    async fn round(&mut self, count: u64, together: u64) -> Result<(), Failed> {
        for _ in 0..count / together {
            let records = (self.published..self.published + together).map(|number| record(number, together));
            let records = records.collect::<Result<Vec<_>, _>>()?;
            self.published += together;
            for published in join_all(records.into_iter().map(|record| self.bus.publish(record))).await {
                published?;
            }
            if together == 1 {
                arrived(&mut self.handled, self.published).await?;
            }
        }
        arrived(&mut self.handled, self.published).await
    }
}

/// A producer and a consumer as the client library has them.
struct Bare {
    producer: FutureProducer,
    handled: watch::Receiver<u64>,
    published: u64,
    payload: Vec<u8>,
}

impl Bare {
    fn start(runtime: &Runtime, brokers: &str, bytes: usize) -> Result<Self, Failed> {
        let producer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("linger.ms", "0")
            .create()?;
        let _guard = runtime.enter();
        let consumer: StreamConsumer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("group.id", "bare")
            .set("auto.offset.reset", "earliest")
            .create()?;
        consumer.subscribe(&["bare"])?;
        let (count, handled) = watch::channel(0);
        runtime.spawn(async move {
            while let Ok(message) = consumer.recv().await {
                if message.payload().is_some() {
                    count.send_modify(|count| *count += 1);
                }
            }
        });
        Ok(Self { producer, handled, published: 0, payload: vec![7; bytes] })
    }

    async fn round(&mut self, count: u64, together: u64) -> Result<(), Failed> {
        for _ in 0..count / together {
            let keys: Vec<String> = (0..together).map(|key| key.to_string()).collect();
            self.published += together;
            let send = |key| self.producer.send(FutureRecord::to("bare").key(key).payload(&self.payload), PATIENCE);
            for sent in join_all(keys.iter().map(send)).await {
                sent.map_err(|(error, _)| error)?;
            }
            if together == 1 {
                arrived(&mut self.handled, self.published).await?;
            }
        }
        arrived(&mut self.handled, self.published).await
    }
}

async fn make_topic(brokers: &str) -> Result<(), Failed> {
    use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
    let admin: AdminClient<_> = ClientConfig::new().set("bootstrap.servers", brokers).create()?;
    let topic = NewTopic::new("bare", i32::from(PARTITIONS), TopicReplication::Fixed(1));
    for made in admin.create_topics(&[topic], &AdminOptions::new()).await? {
        made.map_err(|(name, error)| format!("{name}: {error}"))?;
    }
    Ok(())
}

fn main() -> Result<(), Failed> {
    let mut bench = Bench::from_args("kafka hop")?;
    let server = Kafka::start()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(make_topic(&server.brokers()))?;
    let mut own = Own::start(&runtime, &server.brokers())?;
    // A record's key, numbers and payload, as the bus writes them.
    let mut bare = Bare::start(&runtime, &server.brokers(), 190)?;
    for (case, together) in [("publish to handler, one at a time", 1), ("a record, 64 published at one time", 64)] {
        let count = (bench.count(if together == 1 { RECORDS / 20 } else { RECORDS }) / together * together).max(together);
        bench.case(case, "a bare producer and consumer, same acks", || {
            let (mut of_own, mut of_bare) = (Ok(()), Ok(()));
            let took = each(count, || of_own = runtime.block_on(own.round(count, together)));
            let floor = each(count, || of_bare = runtime.block_on(bare.round(count, together)));
            of_own.and(of_bare).map(|()| (took, floor))
        })?;
    }
    runtime.block_on(own.bus.close());
    bench.print();
    Ok(())
}

//! The receiving side: a thread that polls without pause, and the hand that `next` takes from.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mynah_ports::bus::{FanoutRecord, Receipt};
use parking_lot::{Condvar, Mutex};
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::statistics::Statistics;
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use tokio::sync::{Notify, watch};

use crate::counts::Counts;
use crate::hand::{Hand, Partition, Read};
use crate::record::{decode, header};
use crate::{Settings, client, log};

/// One look at what else there is to do than to read.
const POLL: Duration = Duration::from_millis(20);
/// Commits are gathered for so long.
const COMMIT_EVERY: Duration = Duration::from_millis(100);
/// How often it looks at what the brokers know.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Reads the partitions of this worker. It joins its group at the first [`Worker::next`].
pub(crate) struct Worker {
    shared: Arc<Shared>,
    taking: tokio::sync::Mutex<()>,
    ended: watch::Receiver<bool>,
}

struct Shared {
    topic: String,
    hands_over_within: Duration,
    read_ahead: usize,
    read_ahead_bytes: usize,
    counts: Counts,
    state: Mutex<State>,
    /// The worker asked for more, or the bus closes.
    asked: Condvar,
    /// There are records, or there will be none any more.
    filled: Notify,
}

#[derive(Default)]
struct State {
    hand: Hand,
    wanted: bool,
    closed: bool,
    /// The brokers have answered to the wish that the topic be there.
    asked_for_topic: bool,
    assigned: BTreeSet<Partition>,
    /// Partitions came that were not told to pause.
    assigned_anew: bool,
}

impl Worker {
    pub(crate) fn start(settings: &Settings) -> Result<Self, crate::StartError> {
        let shared = Arc::new(Shared {
            topic: settings.topic.clone(),
            hands_over_within: settings.hands_over_within,
            read_ahead: settings.read_ahead.max(1),
            read_ahead_bytes: settings.read_ahead_kib.max(1) * 1024,
            counts: Counts::new(&settings.topic),
            state: Mutex::default(),
            asked: Condvar::new(),
            filled: Notify::new(),
        });
        let consumer: BaseConsumer<Context> = config(settings).create_with_context(Context(Arc::clone(&shared)))?;
        let (ending, ended) = watch::channel(false);
        let polling = Arc::clone(&shared);
        std::thread::Builder::new().name("mynah-kafka-poll".into()).spawn(move || {
            polling.run(&consumer);
            // Leaves the group, so that others take over at once.
            drop(consumer);
            polling.counts.lag.set(0.0);
            ending.send_replace(true);
        })?;
        Ok(Self { shared, taking: tokio::sync::Mutex::new(()), ended })
    }

    pub(crate) async fn next(&self, max: usize) -> Option<Vec<FanoutRecord>> {
        let _one_at_a_time = self.taking.lock().await;
        {
            let mut state = self.shared.state.lock();
            state.wanted = true;
            state.hand.asked();
            self.shared.asked.notify_all();
        }
        loop {
            let filled = self.shared.filled.notified();
            {
                let mut state = self.shared.state.lock();
                if state.closed {
                    return None;
                }
                let records = state.hand.take(max.max(1));
                if !records.is_empty() {
                    return Some(records);
                }
            }
            filled.await;
        }
    }

    /// What was taken last counts as handled when the receipt says so.
    pub(crate) fn hold(&self) -> Receipt {
        let number = self.shared.state.lock().hand.hold();
        let shared = Arc::downgrade(&self.shared);
        Receipt::new(move || {
            if let Some(shared) = shared.upgrade() {
                shared.state.lock().hand.handled(number);
            }
        })
    }

    /// To be called when the topic is there or will not be by us.
    pub(crate) fn topic_watch(&self) -> impl Fn() + Send + Sync + 'static {
        let shared = Arc::clone(&self.shared);
        move || {
            shared.state.lock().asked_for_topic = true;
            shared.asked.notify_all();
        }
    }

    pub(crate) fn waiting(&self) -> (usize, usize) {
        self.shared.state.lock().hand.waiting()
    }

    /// Ends the reading, commits what is handled and leaves the group.
    pub(crate) async fn close(&self) {
        self.shared.close();
        // An error means that the thread is gone, which is what is waited for.
        _ = self.ended.clone().wait_for(|ended| *ended).await;
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl Shared {
    fn close(&self) {
        self.state.lock().closed = true;
        self.asked.notify_all();
        self.filled.notify_one();
    }

    fn run(&self, consumer: &BaseConsumer<Context>) {
        if !self.is_wanted() {
            return;
        }
        if let Err(error) = consumer.subscribe(&[&self.topic]) {
            tracing::error!(%error, "the bus cannot be read");
            self.close();
            return;
        }
        let mut committed = Instant::now();
        let mut paused = false;
        while !self.state.lock().closed {
            match consumer.poll(POLL) {
                Some(Ok(message)) => self.read(&message),
                Some(Err(error)) => tracing::warn!(%error, "the bus is not read now"),
                None => {}
            }
            if committed.elapsed() >= COMMIT_EVERY {
                self.commit(consumer, CommitMode::Async);
                committed = Instant::now();
            }
            paused = self.hold_back(consumer, paused);
        }
    }

    /// Waits for the first `next` and for the topic: a topic that is not there is looked for only every few seconds. False if the bus
    /// closes instead.
    fn is_wanted(&self) -> bool {
        let mut state = self.state.lock();
        self.asked.wait_while(&mut state, |state| !(state.wanted && state.asked_for_topic || state.closed));
        !state.closed
    }

    fn read(&self, message: &BorrowedMessage<'_>) {
        let (partition, offset) = (message.partition(), message.offset());
        let value = message.payload().unwrap_or_default();
        self.counts.read.increment(1);
        let Some(record) = decode(value, header(message)) else {
            tracing::error!(partition, offset, "passed over what is no record");
            return;
        };
        self.state.lock().hand.read(Read { partition, offset, bytes: value.len(), record });
        self.filled.notify_one();
    }

    /// Stops fetching while enough waits, and goes on when half of it is gone; polling goes on all the time.
    fn hold_back(&self, consumer: &BaseConsumer<Context>, paused: bool) -> bool {
        let ((records, bytes), anew) = {
            let mut state = self.state.lock();
            (state.hand.waiting(), std::mem::take(&mut state.assigned_anew))
        };
        let share = |bound: usize| if paused { bound / 2 + 1 } else { bound };
        let full = records >= share(self.read_ahead) || bytes >= share(self.read_ahead_bytes);
        let told = match (full, paused) {
            (true, true) if !anew => Ok(()),
            (true, _) => consumer.assignment().and_then(|all| consumer.pause(&all)),
            (false, true) => consumer.assignment().and_then(|all| consumer.resume(&all)),
            (false, false) => Ok(()),
        };
        if let Err(error) = told {
            tracing::warn!(%error, "a partition cannot be paused or resumed");
        }
        full
    }

    fn commit(&self, consumer: &BaseConsumer<Context>, mode: CommitMode) {
        let Some(positions) = self.state.lock().hand.take_positions().filter(|positions| !positions.is_empty()) else { return };
        let done = list(&self.topic, &positions).and_then(|list| consumer.commit(&list, mode));
        match done {
            Ok(()) => self.counts.commits.increment(1),
            Err(error) => self.commit_failed(&error),
        }
    }

    /// It is tried again with the next commit. Until then others would get these records once more, which is harmless.
    fn commit_failed(&self, error: &KafkaError) {
        tracing::warn!(%error, "positions in the bus are not committed yet");
        self.counts.commit_failures.increment(1);
        self.state.lock().hand.commit_failed();
    }

    /// Partitions go to another worker. He begins after what is committed, so what is in hand gets its time to be handled: then no
    /// record is under way here and there at once.
    fn hand_over(&self, consumer: &BaseConsumer<Context>, partitions: &[Partition]) {
        {
            let mut state = self.state.lock();
            state.hand.withdraw(partitions);
            let until = Instant::now() + self.hands_over_within;
            let still = |state: &mut State| state.hand.holds(partitions) && !state.closed;
            if !consumer.assignment_lost() && self.asked.wait_while_until(&mut state, still, until).timed_out() {
                tracing::warn!("a worker is slow: records that it has in hand are delivered by another as well");
            }
        }
        if !consumer.assignment_lost() {
            self.commit(consumer, CommitMode::Sync);
        }
        let mut state = self.state.lock();
        state.hand.forget(partitions);
        state.assigned.retain(|partition| !partitions.contains(partition));
    }

    /// Tells the lag: records of our partitions that are not committed; a partition without a position is read from its begin. What
    /// became of a commit that did not wait is told by nobody, so positions that the brokers do not know after a while go again.
    fn look(&self, statistics: &Statistics) {
        let Some(topic) = statistics.topics.get(&self.topic) else { return };
        let mut state = self.state.lock();
        let of = |partition: &Partition| {
            let known = topic.partitions.get(partition)?;
            Some((known.hi_offset - known.committed_offset.max(known.lo_offset).max(0)).max(0))
        };
        let lag: i64 = state.assigned.iter().filter_map(of).sum();
        self.counts.lag.set(f64::from(u32::try_from(lag).unwrap_or(u32::MAX)));
        let known = |partition| topic.partitions.get(&partition).map_or(0, |known| known.committed_offset);
        if state.hand.is_behind(known) {
            tracing::warn!(topic = self.topic, "positions in the bus were not committed: once more");
            self.counts.commit_failures.increment(1);
        }
    }
}

fn list(topic: &str, positions: &BTreeMap<Partition, i64>) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::with_capacity(positions.len());
    for (partition, offset) in positions {
        list.add_partition_offset(topic, *partition, Offset::Offset(*offset))?;
    }
    Ok(list)
}

struct Context(Arc<Shared>);

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log::library(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        log::error(&error, reason);
    }

    fn stats(&self, statistics: Statistics) {
        self.0.look(&statistics);
    }
}

impl ConsumerContext for Context {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Revoke(list) = rebalance {
            let partitions: Vec<Partition> = list.elements().iter().map(|element| element.partition()).collect();
            self.0.hand_over(consumer, &partitions);
        }
    }

    fn post_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Assign(list) = rebalance {
            let mut state = self.0.state.lock();
            state.assigned.extend(list.elements().iter().map(|element| element.partition()));
            state.assigned_anew = true;
        }
    }
}

fn config(settings: &Settings) -> ClientConfig {
    let millis = |duration: Duration| duration.as_millis().max(1).to_string();
    let mut config = client::config(settings);
    config
        .set("group.id", &settings.group)
        // Only partitions that move stop, the others flow on.
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        // Records that came before the first worker are for it.
        .set("auto.offset.reset", "earliest")
        .set("session.timeout.ms", millis(settings.session))
        .set("heartbeat.interval.ms", millis(settings.session / 5))
        .set("max.poll.interval.ms", millis(settings.polls_within.max(settings.session)))
        .set("statistics.interval.ms", millis(LOOK_EVERY))
        // What the library reads ahead of us, in KiB.
        .set("queued.max.messages.kbytes", "4096")
        .set("topic.metadata.refresh.interval.ms", "10000");
    config
}

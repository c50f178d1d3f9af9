//! Group commit: what many actors want to append becomes one durable batch.
//!
//! Whatever gathered while the last commit ran, and in a rest after it if there is one, is the next batch. Each database of the log has a
//! writer of its own, so that none waits for another's commit; of each one commit is in flight at a time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mynah_domain::writer::{Batch, Composer};
use mynah_ports::MessageLog;
use mynah_types::{Appended, Claim, ConversationAppend, MsgId, ShardAppend, ShardId, ShardRange};
use tokio::sync::{mpsc, oneshot};

use crate::Settings;
use crate::conversation::InFlight;
use crate::delivery::{Delivery, Progress};
use crate::ownership::Claimer;

/// What an entry takes beside its payload, about.
const ENTRY: usize = 200;

/// How an append ended, for its actor.
#[derive(Debug)]
pub(crate) enum Written {
    /// Durable; the ids of its entries in order.
    Done(Vec<MsgId>),
    /// Not written: load and decide again.
    HeadMoved,
    /// Perhaps written; the shard was claimed again since: load and decide again.
    Unknown,
    /// Not written: the shard is another's now.
    NotOwner,
}

pub(crate) struct Request {
    append: ConversationAppend,
    /// When it was decided.
    since: Instant,
    done: oneshot::Sender<Written>,
    /// Holds the conversation's slot until the append has an outcome, even if the actor is gone.
    _in_flight: InFlight,
}

/// What the owner of the shards tells the writer, and that it was heard.
enum Change {
    Claimed(Vec<Claim>, oneshot::Sender<()>),
    Released(ShardId, oneshot::Sender<()>),
    Lost(ShardRange, oneshot::Sender<()>),
}

/// Hands appends to the writers. A full queue makes the actor wait.
#[derive(Clone)]
pub(crate) struct LogWriter {
    lanes: Arc<Vec<Lane>>,
}

/// The way to the writer of one database.
struct Lane {
    range: ShardRange,
    requests: mpsc::Sender<Request>,
    changes: mpsc::Sender<Change>,
}

impl LogWriter {
    /// A writer for each database, by its shards and how they are claimed.
    pub(crate) fn start(
        log: &Arc<dyn MessageLog>,
        claimers: Vec<(ShardRange, Claimer)>,
        delivery: &Delivery,
        progress: &Arc<Progress>,
        settings: &Settings,
    ) -> Self {
        let lane = |(range, claimer): (ShardRange, Claimer)| {
            let (requests, received) = mpsc::channel(settings.writer_queue);
            let (changes, changed) = mpsc::channel(1);
            let (log, progress) = (Arc::clone(log), Arc::clone(progress));
            let writer = Writer {
                log,
                claimer,
                composer: Composer::default(),
                delivery: delivery.clone(),
                progress,
                most: (settings.commit_entries, settings.commit_bytes),
                begins_within: settings.commit_begins_within,
                most_rest: settings.commit_rest,
                waiting: metrics::gauge!("mynah_log_writer_waiting", "range" => range.to_string()),
            };
            tokio::spawn(writer.run(received, changed));
            Lane { range, requests, changes }
        };
        Self { lanes: Arc::new(claimers.into_iter().map(lane).collect()) }
    }

    /// These shards, of one database, are owned from now on.
    pub(crate) async fn claimed(&self, claims: Vec<Claim>) {
        if let Some(lane) = claims.first().and_then(|claim| self.lane(claim.shard)) {
            lane.change(|heard| Change::Claimed(claims, heard)).await;
        }
    }

    /// The shard is not owned any more. Its position of delivery is stored first, if that can be done.
    pub(crate) async fn released(&self, shard: ShardId) {
        if let Some(lane) = self.lane(shard) {
            lane.change(|heard| Change::Released(shard, heard)).await;
        }
    }

    /// No shard of a database is owned any more. Nothing is stored: that may be fenced, and take as long as the database does not answer.
    pub(crate) async fn lost(&self, range: ShardRange) {
        if let Some(lane) = self.lanes.iter().find(|lane| lane.range == range) {
            lane.change(|heard| Change::Lost(range, heard)).await;
        }
    }

    fn lane(&self, shard: ShardId) -> Option<&Lane> {
        self.lanes.iter().find(|lane| lane.range.contains(shard))
    }

    /// Appends, however long it takes. `Unknown` if the writer is gone.
    pub(crate) async fn append(&self, append: ConversationAppend, in_flight: InFlight) -> Written {
        let (done, outcome) = oneshot::channel();
        let Some(lane) = self.lane(append.key.shard()) else { return Written::NotOwner };
        let request = Request { append, since: Instant::now(), done, _in_flight: in_flight };
        if lane.requests.send(request).await.is_err() {
            return Written::NotOwner;
        }
        outcome.await.unwrap_or(Written::Unknown)
    }
}

impl Request {
    /// What it takes of a batch, about.
    fn bytes(&self) -> usize {
        self.append.entries.iter().map(|entry| entry.payload.len() + ENTRY).sum()
    }
}

impl Lane {
    async fn change(&self, change: impl FnOnce(oneshot::Sender<()>) -> Change) {
        let (heard, done) = oneshot::channel();
        // A writer that is gone owns nothing.
        if self.changes.send(change(heard)).await.is_ok() {
            _ = done.await;
        }
    }
}

struct Writer {
    log: Arc<dyn MessageLog>,
    claimer: Claimer,
    composer: Composer,
    delivery: Delivery,
    progress: Arc<Progress>,
    /// Appends and bytes of a batch.
    most: (usize, usize),
    begins_within: Duration,
    most_rest: Duration,
    waiting: metrics::Gauge,
}

impl Writer {
    async fn run(mut self, mut requests: mpsc::Receiver<Request>, mut changes: mpsc::Receiver<Change>) {
        let (mut gathered, mut open) = (Vec::new(), true);
        while open || !gathered.is_empty() {
            tokio::select! {
                biased;
                Some(change) = changes.recv() => {
                    self.change(change).await;
                    continue;
                }
                // One entry a request is the common case; a request of many makes a batch a little larger than the setting.
                count = requests.recv_many(&mut gathered, self.most.0), if gathered.is_empty() => open = count > 0,
                // What the last batch had no room for.
                () = std::future::ready(()), if !gathered.is_empty() => {}
            }
            if gathered.is_empty() {
                continue;
            }
            let began = Instant::now();
            let count = fitting(gathered.iter().map(Request::bytes), self.most.1);
            self.commit(gathered.drain(..count).collect()).await;
            self.waiting.set(u32::try_from(gathered.len() + requests.len()).unwrap_or(u32::MAX));
            let rest = rest(began.elapsed(), self.most_rest);
            // A sleep of no time lasts until the timer's next millisecond.
            if !rest.is_zero() {
                tokio::time::sleep(rest).await;
            }
        }
    }

    async fn change(&mut self, change: Change) {
        let heard = match change {
            Change::Claimed(claims, heard) => {
                self.composer.claimed(&claims);
                heard
            }
            Change::Released(shard, heard) => {
                if let Some((token, progress)) = self.composer.token(shard).zip(self.progress.last(shard)) {
                    let last = ShardAppend { shard, token, conversations: Vec::new(), progress: Some(progress) };
                    self.log.append(vec![last]).await;
                }
                self.composer.released(shard);
                heard
            }
            Change::Lost(range, heard) => {
                range.shards().for_each(|shard| self.composer.released(shard));
                heard
            }
        };
        // Nobody waits any more.
        _ = heard.send(());
    }

    async fn commit(&mut self, requests: Vec<Request>) {
        let (requests, late): (Vec<_>, Vec<_>) = requests.into_iter().partition(|r| r.since.elapsed() <= self.begins_within);
        for request in late {
            // Not written: decided again, it gets a new time.
            drop(request._in_flight);
            answer(request.done, Written::HeadMoved);
        }
        let progress = Arc::clone(&self.progress);
        let split = requests.into_iter().map(|r| (r.append, (r.done, r._in_flight)));
        let Batch { shards, tickets, not_owned } = self.composer.compose(split, |shard| progress.to_store(shard));
        for (done, _) in not_owned {
            answer(done, Written::NotOwner);
        }
        if shards.is_empty() {
            return;
        }
        let entries: usize = shards.iter().flat_map(|s| &s.conversations).map(|c| c.entries.len()).sum();
        metrics::histogram!("mynah_log_batch_entries").record(u32::try_from(entries).unwrap_or(u32::MAX));
        let ids: Vec<ShardId> = shards.iter().map(|s| s.shard).collect();
        let started = Instant::now();
        let outcomes = self.log.append(shards).await;
        metrics::histogram!("mynah_log_commit_seconds").record(started.elapsed().as_secs_f64());
        let lost: Vec<ShardId> = ids
            .into_iter()
            .zip(&outcomes)
            .filter(|(_, of_shard)| of_shard.contains(&Appended::Unknown))
            .map(|(shard, _)| shard)
            .collect();
        if !lost.is_empty() {
            self.progress.doubt(&lost);
            self.claim_again(&lost).await;
        }
        let mut orphaned = Vec::new();
        for ((done, in_flight), ids, outcome) in tickets
            .into_iter()
            .zip(outcomes)
            .flat_map(|(tickets, outcomes)| tickets.into_iter().zip(outcomes))
            .map(|((ticket, ids), outcome)| (ticket, ids, outcome))
        {
            let written = match outcome {
                // An actor that died meanwhile hands nothing on: its entries are delivered from the log.
                Appended::Done if done.is_closed() => {
                    orphaned.extend(ids.first().map(|id| id.shard()));
                    // No position passes them until then.
                    self.progress.issued(&ids);
                    ids.iter().for_each(|id| self.progress.gave_up(*id));
                    Written::Done(ids)
                }
                Appended::Done => {
                    // Before any actor hears of it: completions of a shard must find every earlier id issued.
                    self.progress.issued(&ids);
                    Written::Done(ids)
                }
                Appended::HeadMoved => Written::HeadMoved,
                Appended::Fenced => Written::NotOwner,
                Appended::Unknown => Written::Unknown,
            };
            drop(in_flight);
            answer(done, written);
        }
        if !orphaned.is_empty() {
            self.deliver_found(&orphaned).await;
        }
    }

    /// Waits the old append out by taking the shards anew: what it wrote is visible to the loads that follow.
    async fn claim_again(&mut self, shards: &[ShardId]) {
        metrics::counter!("mynah_log_unknown_appends_total").increment(1);
        let claims = self.claimer.claim(shards).await.unwrap_or_else(|error| {
            tracing::error!(%error, "the log cannot be claimed again after an append of unknown outcome");
            Vec::new()
        });
        let had: Vec<ShardId> = claims.iter().map(|claim| claim.shard).collect();
        let lost: Vec<ShardId> = shards.iter().filter(|shard| !had.contains(shard)).copied().collect();
        for shard in &lost {
            self.composer.released(*shard);
            self.progress.released(*shard);
        }
        self.claimer.lost(&lost);
        self.composer.claimed(&claims);
        // Whoever looked before the claim waited that append out may have found it, or not.
        self.progress.doubt(&had);
        self.deliver_found(&had).await;
    }

    /// What was written all the same has no actor that would hand it on: it is delivered from the log, before anything newer.
    async fn deliver_found(&self, shards: &[ShardId]) {
        for shard in shards {
            if let Err(error) = self.delivery.redeliver(&*self.log, *shard).await {
                self.progress.look_again(*shard);
                tracing::warn!(%error, %shard, "entries of unknown outcome are not delivered yet");
            }
        }
    }
}

/// How many from the front go together: those that fit, and at least one.
fn fitting(sizes: impl Iterator<Item = usize>, most: usize) -> usize {
    let mut sum = 0;
    let fit = sizes.take_while(|bytes| {
        sum += bytes;
        sum <= most
    });
    fit.count().max(1)
}

/// How long more gathers before the next commit, after one that took so long.
fn rest(took: Duration, most: Duration) -> Duration {
    let half = (took / 2).min(most);
    // The timer knows no less than a millisecond, and a store that is so quick needs no rest.
    if half < Duration::from_millis(1) { Duration::ZERO } else { half }
}

fn answer(done: oneshot::Sender<Written>, written: Written) {
    // An actor that is gone asked for it; its successor loads what was written.
    _ = done.send(written);
}

#[cfg(test)]
mod tests;

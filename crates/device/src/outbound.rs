//! What waits for one device: a bounded queue, and the mark that more exists than is pushed.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mynah_proto::device::{Head, Heads, ReadChanged, ServerFrame, Skipped, server_frame};
use mynah_telemetry::TraceContext;
use mynah_types::{AppId, ConversationKey, Seq, Uid};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::codec::{Codec, Shared, Wire};
use crate::errors::Close;
use crate::traced::Waiting;

/// Conversations that a lagging connection remembers; beyond it the device is told to look at all.
const MOST_BEHIND: usize = 1024;
/// How often a lagging connection hears where its conversations stand.
const HEADS_EVERY: Duration = Duration::from_secs(1);

/// Who a connection is, once it logged in.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) app: AppId,
    pub(crate) uid: Uid,
    pub(crate) session_id: u64,
    pub(crate) device_id: String,
    pub(crate) platform: String,
}

/// One connection as the rest of the gateway sees it.
#[derive(Debug)]
pub(crate) struct Outbound {
    pub(crate) conn: u64,
    pub(crate) codec: Codec,
    who: Mutex<Option<Arc<Identity>>>,
    queue: Mutex<Queue>,
    wake: Notify,
    closing: AtomicBool,
    leaving: AtomicBool,
}

#[derive(Debug)]
struct Queue {
    frames: VecDeque<Wire>,
    /// Those of them whose trace is sampled.
    traced: Vec<Waiting>,
    bytes: usize,
    window: Window,
    /// Entries that were pushed and are not acknowledged, oldest first. Rooms need no acknowledgement: what their connection cannot
    /// take is left out and told, and 15,000 of them would cost as much as what they acknowledge.
    unacked: VecDeque<Unacked>,
    unacked_bytes: usize,
    lagging: bool,
    /// Conversations that moved while lagging, and to where.
    behind: BTreeMap<ConversationKey, Seq>,
    /// What rooms said while the queue was full: from and to.
    skipped: BTreeMap<ConversationKey, (Seq, Seq)>,
    /// Read marks that changed on other devices: the newest of each conversation.
    reads: BTreeMap<ConversationKey, ReadChanged>,
    overflown: bool,
    heads_at: Option<Instant>,
    close: Option<Close>,
}

#[derive(Debug, Clone, Copy)]
struct Unacked {
    key: ConversationKey,
    seq: Seq,
    bytes: usize,
}

/// What a connection hears of a conversation.
pub(crate) enum Heard<'a> {
    /// An entry.
    Entry { frame: &'a Shared, seq: Seq, trace: Option<TraceContext> },
    /// A room left entries out, from and to.
    Skipped { frame: &'a Shared, range: (Seq, Seq) },
}

/// How much may be pushed to a device without its acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) frames: usize,
    pub(crate) bytes: usize,
}

/// What the connection's task takes to write.
pub(crate) struct Taken {
    pub(crate) frames: Vec<Wire>,
    pub(crate) traced: Vec<Waiting>,
    pub(crate) close: Option<Close>,
    /// When there will be something again, without anybody's call.
    pub(crate) again_at: Option<Instant>,
}

impl Outbound {
    pub(crate) fn new(conn: u64, codec: Codec, window: Window) -> Self {
        let queue = Queue {
            frames: VecDeque::new(),
            traced: Vec::new(),
            bytes: 0,
            window,
            unacked: VecDeque::new(),
            unacked_bytes: 0,
            lagging: false,
            behind: BTreeMap::new(),
            skipped: BTreeMap::new(),
            reads: BTreeMap::new(),
            overflown: false,
            heads_at: None,
            close: None,
        };
        let (closing, leaving) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { conn, codec, who: Mutex::default(), queue: Mutex::new(queue), wake: Notify::new(), closing, leaving }
    }

    /// It is logging out, or not any more.
    pub(crate) fn set_leaving(&self, leaving: bool) {
        self.leaving.store(leaving, Ordering::Release);
    }

    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Acquire)
    }

    pub(crate) fn identity(&self) -> Option<Arc<Identity>> {
        self.who.lock().clone()
    }

    pub(crate) fn identify(&self, who: Option<Arc<Identity>>) {
        *self.who.lock() = who;
    }

    /// Narrows the window to what the device asks for; zero leaves a bound as it is.
    pub(crate) fn narrow(&self, frames: usize, bytes: usize) {
        let mut queue = self.queue.lock();
        if frames > 0 {
            queue.window.frames = queue.window.frames.min(frames);
        }
        if bytes > 0 {
            queue.window.bytes = queue.window.bytes.min(bytes);
        }
    }

    /// Pushes an entry's frame. Beyond the window the connection lags: from then on it only remembers what moved.
    pub(crate) fn push(&self, frame: &Shared, key: ConversationKey, seq: Seq, trace: Option<TraceContext>) {
        self.push_all(key, [Heard::Entry { frame, seq, trace }]);
    }

    /// Pushes what a conversation says, in order, as one: it wakes the connection once.
    pub(crate) fn push_all<'a>(&self, key: ConversationKey, heard: impl IntoIterator<Item = Heard<'a>>) {
        let mut queue = self.queue.lock();
        let mut wake = false;
        for one in heard {
            wake |= match one {
                Heard::Entry { frame, seq, trace } => queue.entry(frame.by(self.codec), key, seq, trace),
                Heard::Skipped { frame, range } => queue.gap(frame.by(self.codec), key, range),
            };
        }
        drop(queue);
        if wake {
            self.wake.notify_one();
        }
    }

    /// An entry exists that is not pushed: the device hears where the conversation stands.
    pub(crate) fn missed(&self, key: ConversationKey, seq: Seq) {
        let mut queue = self.queue.lock();
        queue.lag("link");
        queue.remember(key, seq);
        drop(queue);
        self.wake.notify_one();
    }

    /// Nobody knows what was not pushed: the device is to look at everything.
    pub(crate) fn missed_much(&self) {
        let mut queue = self.queue.lock();
        queue.lag("link");
        queue.overflown = true;
        drop(queue);
        self.wake.notify_one();
    }

    /// Takes the device's acknowledgements, each for all of its conversation up to a seq; what they free ends the lag.
    pub(crate) fn ack(&self, acked: &HashMap<ConversationKey, Seq>) {
        let mut queue = self.queue.lock();
        queue.unacked.retain(|u| acked.get(&u.key).is_none_or(|seq| u.seq > *seq));
        queue.unacked_bytes = queue.unacked.iter().map(|u| u.bytes).sum();
        if queue.unacked.is_empty() {
            // An idle connection keeps no room for what it once had.
            queue.unacked.shrink_to_fit();
        }
        let wake = queue.lagging;
        drop(queue);
        if wake {
            self.wake.notify_one();
        }
    }

    /// Tells that a read mark changed elsewhere: only the newest of a conversation waits.
    pub(crate) fn read_changed(&self, key: ConversationKey, changed: ReadChanged) {
        let mut queue = self.queue.lock();
        // Beyond the bound it is found in the conversation list.
        if queue.reads.len() < MOST_BEHIND || queue.reads.contains_key(&key) {
            queue.reads.insert(key, changed);
        }
        drop(queue);
        self.wake.notify_one();
    }

    /// Pushes a frame that is no delivery: it has room beside them.
    pub(crate) fn push_beside(&self, frame: &Shared) {
        let Some(frame) = frame.by(self.codec) else { return };
        let mut queue = self.queue.lock();
        queue.bytes += frame.len();
        queue.frames.push_back(frame);
        drop(queue);
        self.wake.notify_one();
    }

    /// Ends the connection after what waits was written.
    pub(crate) fn close(&self, close: Close) {
        self.queue.lock().close.get_or_insert(close);
        self.closing.store(true, Ordering::SeqCst);
        self.wake.notify_one();
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    /// Waits until there may be something to take.
    pub(crate) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Takes all that waits.
    pub(crate) fn take(&self, now: Instant) -> Taken {
        let mut queue = self.queue.lock();
        // The queue keeps no room: an idle connection costs what it needs.
        let mut frames: Vec<Wire> = std::mem::take(&mut queue.frames).into();
        queue.bytes = 0;
        let reads = std::mem::take(&mut queue.reads);
        frames.extend(reads.into_values().filter_map(|read| self.codec.encode(&push(server_frame::Body::ReadChanged(read)))));
        queue.tell_skipped(self.codec, &mut frames);
        let again_at = queue.catch_up(now, self.codec, &mut frames);
        Taken { frames, traced: std::mem::take(&mut queue.traced), close: queue.close, again_at }
    }
}

impl Queue {
    /// From here on it only remembers what moved.
    fn lag(&mut self, reason: &'static str) {
        if !std::mem::replace(&mut self.lagging, true) {
            metrics::counter!("mynah_device_lags_total", "reason" => reason).increment(1);
            metrics::gauge!("mynah_device_lagging").increment(1.0);
        }
    }

    fn keeps_up(&mut self) {
        if std::mem::take(&mut self.lagging) {
            metrics::gauge!("mynah_device_lagging").decrement(1.0);
        }
    }

    /// More is pushed than the device acknowledged, by the window.
    fn is_behind(&self, more: usize) -> bool {
        self.unacked.len() >= self.window.frames || (self.unacked_bytes + more > self.window.bytes && !self.unacked.is_empty())
    }

    /// The queue is full. A device that acknowledges what it has not got does not lift this bound.
    fn is_full(&self, more: usize) -> bool {
        self.frames.len() >= self.window.frames || (self.bytes + more > self.window.bytes && !self.frames.is_empty())
    }

    /// Takes an entry's frame, or remembers that there is one; true if the connection's task has to know.
    fn entry(&mut self, frame: Option<Wire>, key: ConversationKey, seq: Seq, trace: Option<TraceContext>) -> bool {
        let Some(frame) = frame else { return false };
        if matches!(key, ConversationKey::Room(_)) {
            if self.is_full(frame.len()) || self.skipped.contains_key(&key) {
                return self.remember(key, seq);
            }
        } else {
            if self.is_behind(frame.len()) {
                self.lag("unacknowledged");
            } else if self.is_full(frame.len()) {
                self.lag("queue");
            }
            if self.lagging {
                return self.remember(key, seq);
            }
            self.unacked.push_back(Unacked { key, seq, bytes: frame.len() });
            self.unacked_bytes += frame.len();
        }
        self.bytes += frame.len();
        self.frames.push_back(frame);
        self.traced.extend(trace.map(Waiting::new));
        true
    }

    /// The same for what a room leaves out: told in its place, or with what its connection cannot take.
    fn gap(&mut self, frame: Option<Wire>, key: ConversationKey, (from, to): (Seq, Seq)) -> bool {
        let Some(frame) = frame else { return false };
        if !self.is_full(frame.len()) && !self.skipped.contains_key(&key) {
            self.bytes += frame.len();
            self.frames.push_back(frame);
            return true;
        }
        let news = self.remember(key, from);
        self.remember(key, to);
        news
    }

    /// Remembers that a conversation moved; true if that is news to the connection's task.
    fn remember(&mut self, key: ConversationKey, seq: Seq) -> bool {
        let news = self.behind.is_empty() && self.skipped.is_empty() && !self.overflown;
        if matches!(key, ConversationKey::Room(_)) {
            let range = self.skipped.entry(key).or_insert((seq, seq));
            range.1 = seq.max(range.1);
        } else if self.behind.len() < MOST_BEHIND || self.behind.contains_key(&key) {
            let head = self.behind.entry(key).or_default();
            *head = seq.max(*head);
        } else {
            self.overflown = true;
        }
        news
    }

    /// Tells what rooms said while the queue was full. What waited before it is taken: it comes in its place.
    fn tell_skipped(&mut self, codec: Codec, frames: &mut Vec<Wire>) {
        for (key, (from_seq, to_seq)) in std::mem::take(&mut self.skipped) {
            let skipped = Skipped { conv_id: key.to_string(), from_seq, to_seq };
            frames.extend(codec.encode(&push(server_frame::Body::Skipped(skipped))));
        }
    }

    /// While lagging: tells where conversations stand, at most once a second; ends the lag when half of the window is free.
    fn catch_up(&mut self, now: Instant, codec: Codec, frames: &mut Vec<Wire>) -> Option<Instant> {
        if !self.lagging {
            return None;
        }
        if self.unacked.len() <= self.window.frames / 2 && self.unacked_bytes <= self.window.bytes / 2 {
            self.keeps_up();
        } else if let Some(due) = self.heads_at.map(|at| at + HEADS_EVERY).filter(|due| *due > now) {
            return Some(due);
        }
        let behind = std::mem::take(&mut self.behind);
        if !behind.is_empty() || self.overflown {
            let items = behind.into_iter().map(|(key, head_seq)| Head { conv_id: key.to_string(), head_seq }).collect();
            let heads = Heads { items, resync_all: std::mem::take(&mut self.overflown) };
            frames.extend(codec.encode(&push(server_frame::Body::Heads(heads))));
            self.heads_at = Some(now);
        }
        None
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.keeps_up();
    }
}

/// A frame that answers no request.
pub(crate) fn push(body: server_frame::Body) -> ServerFrame {
    ServerFrame { id: 0, error: None, body: Some(body) }
}

#[cfg(test)]
mod tests;

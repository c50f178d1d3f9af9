//! What waits for one device: a bounded queue, and the mark that more exists than is pushed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mynah_proto::device::{Head, Heads, ServerFrame, server_frame};
use mynah_proto::json;
use mynah_types::{AppId, Seq, Uid};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::errors::Close;

/// Conversations that a lagging connection remembers; beyond it the device is told to look at all.
const MOST_BEHIND: usize = 1024;

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
    who: Mutex<Option<Arc<Identity>>>,
    queue: Mutex<Queue>,
    wake: Notify,
    closing: AtomicBool,
}

#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<Arc<str>>,
    bytes: usize,
    lagging: bool,
    /// Conversations that moved while lagging, and to where.
    behind: BTreeMap<String, Seq>,
    overflown: bool,
    close: Option<Close>,
}

/// What the connection's task takes to write.
pub(crate) struct Taken {
    pub(crate) frames: Vec<Arc<str>>,
    pub(crate) close: Option<Close>,
}

impl Outbound {
    pub(crate) fn new(conn: u64) -> Self {
        Self { conn, who: Mutex::default(), queue: Mutex::default(), wake: Notify::new(), closing: AtomicBool::new(false) }
    }

    pub(crate) fn identity(&self) -> Option<Arc<Identity>> {
        self.who.lock().clone()
    }

    pub(crate) fn identify(&self, who: Option<Arc<Identity>>) {
        *self.who.lock() = who;
    }

    /// Pushes an entry's frame. A full queue makes the connection lag: from then on it only remembers what moved.
    pub(crate) fn push(&self, frame: &Arc<str>, conv_id: &str, seq: Seq, most_frames: usize, most_bytes: usize) {
        let mut queue = self.queue.lock();
        let full = queue.frames.len() >= most_frames || queue.bytes + frame.len() > most_bytes;
        if full && !queue.lagging {
            queue.lagging = true;
            metrics::counter!("mynah_device_lags_total").increment(1);
        }
        if queue.lagging {
            if queue.behind.len() < MOST_BEHIND || queue.behind.contains_key(conv_id) {
                let head = queue.behind.entry(conv_id.to_owned()).or_default();
                *head = seq.max(*head);
            } else {
                queue.overflown = true;
            }
        } else {
            queue.bytes += frame.len();
            queue.frames.push_back(Arc::clone(frame));
        }
        drop(queue);
        self.wake.notify_one();
    }

    /// Pushes a small frame that is no entry: it has room beside the deliveries.
    pub(crate) fn push_always(&self, frame: Arc<str>) {
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

    /// Takes all that waits. A queue that ran empty ends the lag: one `heads` frame tells what moved meanwhile.
    pub(crate) fn take(&self) -> Taken {
        let mut queue = self.queue.lock();
        let mut frames: Vec<Arc<str>> = queue.frames.drain(..).collect();
        queue.bytes = 0;
        if std::mem::take(&mut queue.lagging) {
            let behind = std::mem::take(&mut queue.behind);
            let items = behind.into_iter().map(|(conv_id, head_seq)| Head { conv_id, head_seq }).collect();
            let heads = Heads { items, resync_all: std::mem::take(&mut queue.overflown) };
            frames.extend(encode(&push(server_frame::Body::Heads(heads))));
        }
        Taken { frames, close: queue.close }
    }
}

/// A frame that answers no request.
pub(crate) fn push(body: server_frame::Body) -> ServerFrame {
    ServerFrame { id: 0, error: None, body: Some(body) }
}

/// The frame's text; none, with a log line, if a byte field does not hold JSON.
pub(crate) fn encode(frame: &ServerFrame) -> Option<Arc<str>> {
    match json::encode_server(frame) {
        Ok(text) => Some(text.into()),
        Err(error) => {
            tracing::error!(%error, "a frame does not encode");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_lags_and_one_heads_frame_tells_the_rest() {
        let outbound = Outbound::new(1);
        let frame: Arc<str> = "{}".into();
        for seq in 1..=5 {
            outbound.push(&frame, "g.10000001", seq, 2, 1000);
        }
        let taken = outbound.take();
        assert_eq!(taken.frames.len(), 3);
        let heads = json::decode_server(&taken.frames[2]).unwrap();
        let Some(server_frame::Body::Heads(heads)) = heads.body else { panic!("no heads") };
        assert_eq!(heads.items[0].head_seq, 5);
        outbound.push(&frame, "g.10000001", 6, 2, 1000);
        assert_eq!(outbound.take().frames.len(), 1);
    }
}

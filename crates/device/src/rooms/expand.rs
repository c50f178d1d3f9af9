//! A room's messages to its connections: in a task of the room's own, a few connections at a time, so that a hot room holds up nobody
//! else of its gateway.

use std::sync::Arc;

use axum::extract::ws::Utf8Bytes;
use mynah_proto::device::{Skipped, server_frame};
use mynah_telemetry::TraceContext;
use mynah_types::{ConversationKey, Seq};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::backlog::{Backlog, Bounds, Next, Range, Said};
use super::inside::Inside;
use crate::outbound::{Outbound, encode, push};
use crate::traced;

/// A message on its way to a room's connections.
#[derive(Debug)]
pub(crate) struct Message {
    /// The frame, the same for all.
    pub(crate) frame: Utf8Bytes,
    /// The sender's connection, which has its answer.
    pub(crate) origin_conn: u64,
    /// The trace that it is of.
    pub(crate) trace: Option<TraceContext>,
}

/// A room as its connections here have it.
#[derive(Debug)]
pub(crate) struct Room {
    key: ConversationKey,
    pub(crate) inside: Mutex<Inside>,
    work: Mutex<Work>,
}

#[derive(Debug)]
struct Work {
    backlog: Backlog<Message>,
    /// There is a task that works it off.
    under_way: bool,
}

impl Room {
    pub(crate) fn new(key: ConversationKey, bounds: Bounds) -> Self {
        let work = Work { backlog: Backlog::new(bounds), under_way: false };
        Self { key, inside: Mutex::default(), work: Mutex::new(work) }
    }

    /// Takes a message; it never waits.
    pub(crate) fn say(self: &Arc<Self>, said: Said<Message>) {
        self.add(|backlog| backlog.say(said));
    }

    /// Messages of these places exist that do not come: the room's connections are told.
    pub(crate) fn missed(self: &Arc<Self>, range: Range) {
        self.add(|backlog| backlog.missed(range));
    }

    fn add(self: &Arc<Self>, change: impl FnOnce(&mut Backlog<Message>)) {
        let mut work = self.work.lock();
        change(&mut work.backlog);
        let begins = !std::mem::replace(&mut work.under_way, true);
        drop(work);
        if begins {
            tokio::spawn(Arc::clone(self).work_off());
        }
    }

    async fn work_off(self: Arc<Self>) {
        while let Some(next) = self.next() {
            match next {
                Next::At(at) => tokio::time::sleep_until(at).await,
                Next::Push(skipped, said) => self.push(skipped, said).await,
                Next::Nothing => return,
            }
        }
    }

    /// None when the work is done: whoever adds to it then starts a task anew.
    fn next(&self) -> Option<Next<Message>> {
        let inside = self.inside.lock().count();
        let mut work = self.work.lock();
        let next = work.backlog.next(Instant::now(), inside);
        let shed = work.backlog.take_shed();
        work.under_way = !matches!(next, Next::Nothing);
        let goes_on = work.under_way;
        drop(work);
        if shed > 0 {
            metrics::counter!("mynah_device_room_shed_total").increment(shed);
        }
        goes_on.then_some(next)
    }

    async fn push(&self, skipped: Option<Range>, said: Option<Said<Message>>) {
        let gap = skipped.and_then(|range| Some((range, told(self.key, range)?)));
        if let Some(said) = &said {
            metrics::histogram!("mynah_device_room_wait_seconds").record(said.since.elapsed().as_secs_f64());
        }
        let (chunks, mut pushed) = (self.inside.lock().chunks(), 0);
        for chunk in chunks {
            for (from, out) in chunk.iter() {
                if let Some((range, frame)) = &gap {
                    tell(out, self.key, *from, *range, frame);
                }
                if let Some(said) = said.as_ref().filter(|said| *from <= said.seq && out.conn != said.what.origin_conn) {
                    let trace = said.what.trace.filter(|_| pushed < traced::MOST_WRITES);
                    out.push(&said.what.frame, self.key, said.seq, trace);
                    pushed += 1;
                }
            }
            // Everybody else has a turn before the next few.
            tokio::task::yield_now().await;
        }
        metrics::counter!("mynah_device_deliveries_total").increment(pushed as u64);
    }
}

/// Tells a connection what was left out of what is for it.
fn tell(out: &Outbound, key: ConversationKey, from: Seq, range: Range, frame: &Utf8Bytes) {
    if from <= range.0 {
        out.skipped(frame.clone(), key, range);
    } else if from <= range.1
        && let Some(frame) = told(key, (from, range.1))
    {
        out.skipped(frame, key, (from, range.1));
    }
}

fn told(key: ConversationKey, (from_seq, to_seq): Range) -> Option<Utf8Bytes> {
    encode(&push(server_frame::Body::Skipped(Skipped { conv_id: key.to_string(), from_seq, to_seq })))
}

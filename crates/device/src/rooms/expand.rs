//! A room's messages to its connections: in a task of the room's own, a few connections at a time, so that a hot room holds up nobody
//! else of its gateway.

use std::sync::Arc;

use mynah_proto::device::{Skipped, server_frame};
use mynah_telemetry::TraceContext;
use mynah_types::{ConversationKey, Seq};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::backlog::{Backlog, Bounds, Next, Range, Said, Step};
use super::inside::Inside;
use super::turns::Turns;
use crate::codec::Shared;
use crate::outbound::{Heard, push};
use crate::traced;

/// A message on its way to a room's connections.
#[derive(Debug)]
pub(crate) struct Message {
    /// The frame, the same for all.
    pub(crate) frame: Shared,
    /// The sender's connection, which has its answer.
    pub(crate) origin_conn: u64,
    /// The trace that it is of.
    pub(crate) trace: Option<TraceContext>,
}

/// A room as its connections here have it.
#[derive(Debug)]
pub(crate) struct Room {
    key: ConversationKey,
    turns: Turns,
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
    pub(crate) fn new(key: ConversationKey, bounds: Bounds, turns: Turns) -> Self {
        let work = Work { backlog: Backlog::new(bounds), under_way: false };
        Self { key, turns, inside: Mutex::default(), work: Mutex::new(work) }
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
                Next::Push(steps) => self.push(steps).await,
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
        for (reason, count) in [("full", shed.full), ("late", shed.late)] {
            if count > 0 {
                metrics::counter!("mynah_device_room_shed_total", "reason" => reason).increment(count);
            }
        }
        goes_on.then_some(next)
    }

    async fn push(&self, steps: Vec<Step<Message>>) {
        let gaps: Vec<Option<Shared>> = steps.iter().map(|step| self.gap(step)).collect();
        for step in &steps {
            if let Step::Said(said) = step {
                metrics::histogram!("mynah_device_room_wait_seconds").record(said.since.elapsed().as_secs_f64());
            }
        }
        let mut turn = self.turns.begin().await;
        let (chunks, mut pushed) = (self.inside.lock().chunks(), 0);
        for chunk in chunks {
            for (from, out) in chunk.iter() {
                let traced = pushed < traced::MOST_WRITES;
                let heard = steps.iter().zip(&gaps).filter_map(|(step, gap)| heard(step, gap.as_ref(), *from, out.conn, traced));
                out.push_all(self.key, heard.inspect(|heard| pushed += usize::from(matches!(heard, Heard::Entry { .. }))));
            }
            turn.go_on().await;
        }
        metrics::counter!("mynah_device_deliveries_total").increment(pushed as u64);
    }

    /// The frame that tells what was left out.
    fn gap(&self, step: &Step<Message>) -> Option<Shared> {
        let Step::Skipped((from_seq, to_seq)) = *step else { return None };
        Some(Shared::new(push(server_frame::Body::Skipped(Skipped { conv_id: self.key.to_string(), from_seq, to_seq }))))
    }
}

/// What a connection hears of a step. Who came in the midst of what was left out hears of all of it: he drops what he has by seq.
fn heard<'a>(step: &'a Step<Message>, gap: Option<&'a Shared>, from: Seq, conn: u64, traced: bool) -> Option<Heard<'a>> {
    match step {
        Step::Said(said) if from <= said.seq && conn != said.what.origin_conn => {
            Some(Heard::Entry { frame: &said.what.frame, seq: said.seq, trace: said.what.trace.filter(|_| traced) })
        }
        Step::Said(_) => None,
        Step::Skipped(range) => gap.filter(|_| from <= range.1).map(|frame| Heard::Skipped { frame, range: *range }),
    }
}

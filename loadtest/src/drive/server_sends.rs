//! What the app's server sends by the REST API while the devices' load is on.

mod answers;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hdrhistogram::Histogram;
use http::Method;
use mynah_oracle::Dice;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use answers::Answers;

use super::clock::{Clock, us};
use super::places::{ADMIN, Place, World};
use super::stats::{Curve, KindPart, histogram};
use crate::Failed;
use crate::client::frames::username;
use crate::client::text::{Own, SERVER};
use crate::rest::{Kept, Rest};
use crate::scenario::Scenario;

/// What is not answered so long after the window is given up.
const ANSWER_WITHIN_S: f64 = 15.0;

/// What came of it.
#[derive(Default)]
pub(crate) struct Sent {
    /// By the number of the flow.
    pub(crate) flows: BTreeMap<usize, KindPart>,
    pub(crate) errors: BTreeMap<String, u64>,
    /// The generator's own delays.
    pub(crate) lag: Vec<Curve>,
    /// Messages that were due and not answered at the window's end.
    pub(crate) behind: u64,
    pub(crate) answers: Answers,
}

struct Notes {
    window: (u64, u64),
    ack: Histogram<u64>,
    lag: Histogram<u64>,
    sends: u64,
    /// Answers before the window's end, of whatever kind.
    in_time: u64,
    errors: BTreeMap<String, u64>,
    answers: Answers,
}

/// What is counted meanwhile, for the progress.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    pub(crate) offered: AtomicU64,
    pub(crate) sends: AtomicU64,
    pub(crate) errors: AtomicU64,
}

/// Sends from `begin_us` until the window's end; returns when all is answered.
///
/// # Errors
/// When the server is not reached at all.
pub(crate) async fn run(
    scenario: &Scenario,
    world: Arc<World>,
    targets: &[SocketAddr],
    credentials: (&str, &str),
    begin_us: u64,
    progress: Arc<Progress>,
) -> Result<Sent, Failed> {
    let mut all = Sent::default();
    let window = begin_us + us(scenario.warm_up_s);
    let window = (window, window + us(scenario.window_s));
    let mut flows = tokio::task::JoinSet::new();
    for (nth, flow) in world.flows.iter().enumerate() {
        let Some(connections) = flow.by_server else { continue };
        let notes = Notes {
            window,
            ack: histogram(3)?,
            lag: histogram(3)?,
            sends: 0,
            in_time: 0,
            errors: BTreeMap::new(),
            answers: Answers::default(),
        };
        let notes = Arc::new(Mutex::new(notes));
        let rests: Vec<Rest> = targets.iter().map(|target| Rest::new(*target, credentials.0, credentials.1)).collect();
        let (world, progress) = (Arc::clone(&world), Arc::clone(&progress));
        let seed = scenario.seed.wrapping_add(nth as u64);
        let load = Load { begin_us, seed, bytes: scenario.text_bytes, in_flight: scenario.in_flight };
        flows.spawn(async move {
            let due = flow_of(&world, nth, rests, connections, &notes, load, &progress).await;
            (nth, due, notes)
        });
    }
    while let Some(done) = flows.join_next().await {
        let (nth, due, notes) = done?;
        let Due { all: due, offered } = due?;
        let mut notes = notes.lock();
        all.lag.push(Curve::of(&notes.lag));
        all.behind += due - notes.in_time;
        let part = KindPart { offered, sends: notes.sends, ack: Curve::of(&notes.ack), ..KindPart::default() };
        all.flows.insert(nth, part);
        for (what, count) in &notes.errors {
            *all.errors.entry(what.clone()).or_default() += count;
        }
        all.answers.extend(std::mem::take(&mut notes.answers));
    }
    Ok(all)
}

/// Messages that were due: until the window's end, and in the window.
struct Due {
    all: u64,
    offered: u64,
}

/// When a flow begins, and what the scenario says of it.
struct Load {
    begin_us: u64,
    seed: u64,
    bytes: usize,
    in_flight: usize,
}

async fn flow_of(
    world: &Arc<World>,
    nth: usize,
    rests: Vec<Rest>,
    connections: u32,
    notes: &Arc<Mutex<Notes>>,
    Load { begin_us, seed, bytes, in_flight }: Load,
    progress: &Arc<Progress>,
) -> Result<Due, Failed> {
    let flow = world.flows.get(nth).ok_or("no such flow")?;
    // What waits for a connection is under way; what is due beyond waits in the schedule.
    let (due, waiting) = mpsc::channel::<Own>(in_flight.max(1));
    let waiting = Arc::new(tokio::sync::Mutex::new(waiting));
    let mut senders = tokio::task::JoinSet::new();
    for n in 0..connections.max(1) {
        let rest = rests.get(n as usize % rests.len().max(1)).ok_or("no gateway")?.clone();
        let (waiting, world, notes, progress) =
            (Arc::clone(&waiting), Arc::clone(world), Arc::clone(notes), Arc::clone(progress));
        senders.spawn(async move {
            let (mut kept, clock) = (None, Clock::new());
            let mut idle_since_us = 0;
            loop {
                let next = waiting.lock().await.recv().await;
                let Some(own) = next else { return };
                // What waited for a connection that was busy is late by the server.
                if idle_since_us < own.due_us {
                    notes.lock().lags(&own, clock.now_us());
                }
                let answer = one(&rest, &mut kept, &world, &own, bytes, &notes).await;
                idle_since_us = clock.now_us();
                notes.lock().answered(&own, answer, idle_since_us, &progress);
            }
        });
    }
    let (clock, mut dice, mut ordinals) = (Clock::new(), Dice::new(seed), BTreeMap::<u32, u32>::new());
    let (mut at_us, mut count) = (begin_us as f64, Due { all: 0, offered: 0 });
    let window = notes.lock().window;
    loop {
        let part = (dice.below(1 << 52) + 1) as f64 / (1_u64 << 52) as f64;
        at_us += -part.ln() * 1e6 / flow.rate.max(1e-6);
        let due_us = at_us as u64;
        if due_us >= window.1 {
            break;
        }
        tokio::time::sleep(Duration::from_micros(due_us.saturating_sub(clock.now_us()))).await;
        let conv = *dice.one_of(&flow.places).ok_or("nobody to send to")?;
        let ordinal = ordinals.entry(conv).or_default();
        *ordinal += 1;
        count.all += 1;
        count.offered += u64::from(due_us >= window.0);
        progress.offered.fetch_add(1, Ordering::Relaxed);
        due.send(Own { conv, sender: SERVER, ordinal: *ordinal, due_us }).await.map_err(|_| "nobody sends any more")?;
    }
    drop(due);
    while senders.join_next().await.is_some() {}
    Ok(count)
}

/// One message, unless it is too late for it.
async fn one(
    rest: &Rest,
    kept: &mut Option<Kept>,
    world: &World,
    own: &Own,
    bytes: usize,
    notes: &Mutex<Notes>,
) -> Result<(u16, Value), Failed> {
    let mut text = Vec::new();
    own.write(world.run, bytes, &mut text);
    let (kind, id) = match world.places.get(own.conv as usize) {
        Some(Place::Server(user)) => ("single", username(&world.prefix, *user)),
        Some(Place::Group(gid, _)) => ("group", gid.to_string()),
        _ => return Err("no place of the server's".into()),
    };
    let body = json!({
        "version": 1, "target_type": kind, "target_id": id, "from_type": "admin", "from_id": ADMIN,
        "msg_type": "text", "msg_body": {"text": String::from_utf8_lossy(&text)},
    });
    let until_us = notes.lock().window.1.saturating_add(us(ANSWER_WITHIN_S));
    let left = Duration::from_micros(until_us.saturating_sub(Clock::new().now_us()));
    if left.is_zero() {
        return Err("too late".into());
    }
    tokio::time::timeout(left, call(rest, kept, &body)).await?
}

impl Notes {
    /// A message is sent now by a connection that waited for it.
    fn lags(&mut self, own: &Own, now_us: u64) {
        if self.window.0 <= own.due_us {
            self.lag.saturating_record(now_us.saturating_sub(own.due_us));
        }
    }

    fn answered(&mut self, own: &Own, answer: Result<(u16, Value), Failed>, now_us: u64, progress: &Progress) {
        let (from_us, until_us) = self.window;
        self.in_time += u64::from(now_us < until_us);
        match answer {
            Ok((201, body)) => {
                progress.sends.fetch_add(1, Ordering::Relaxed);
                self.sends += u64::from(from_us <= now_us && now_us < until_us);
                if from_us <= own.due_us {
                    self.ack.saturating_record(now_us.saturating_sub(own.due_us));
                }
                let msg_id = body.get("msg_id").and_then(Value::as_u64).unwrap_or(0);
                self.answers.acked(own.conv, own.ordinal, msg_id);
            }
            Ok((status, body)) => {
                progress.errors.fetch_add(1, Ordering::Relaxed);
                let code = body.pointer("/error/code").and_then(Value::as_u64).unwrap_or_else(|| u64::from(status));
                *self.errors.entry(code.to_string()).or_default() += 1;
                if status < 500 {
                    self.answers.refused(own.conv, own.ordinal);
                } else {
                    self.answers.unknown(own.conv, own.ordinal);
                }
            }
            Err(_) => {
                progress.errors.fetch_add(1, Ordering::Relaxed);
                *self.errors.entry("no answer".into()).or_default() += 1;
                self.answers.unknown(own.conv, own.ordinal);
                // It took at least so long.
                if from_us <= own.due_us {
                    self.ack.saturating_record(now_us.saturating_sub(own.due_us));
                }
            }
        }
    }
}

async fn call(rest: &Rest, kept: &mut Option<Kept>, body: &Value) -> Result<(u16, Value), Failed> {
    let mut connection = match kept.take() {
        Some(connection) => connection,
        None => rest.keep().await?,
    };
    let (status, answer) = connection.call(Method::POST, "/v1/messages", body).await?;
    *kept = Some(connection);
    Ok((status, serde_json::from_slice(&answer)?))
}

//! What the app's server sends by the REST API while the devices' load is on.

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

use super::clock::{Clock, us};
use super::places::{ADMIN, Place, World};
use super::stats::{Curve, KindPart, histogram};
use crate::Failed;
use crate::client::frames::username;
use crate::client::text::{Own, SERVER};
use crate::judge::Summary;
use crate::rest::{Kept, Rest};
use crate::scenario::Scenario;

/// Messages that wait for a connection; what is due beyond waits in the schedule.
const WAITING: usize = 4096;

/// What came of it.
pub(crate) struct Sent {
    /// By the number of the flow.
    pub(crate) flows: BTreeMap<usize, KindPart>,
    pub(crate) errors: BTreeMap<String, u64>,
    /// By conversation: what was acknowledged, rising.
    acked: BTreeMap<u32, Vec<u32>>,
    refused: BTreeMap<u32, Vec<u32>>,
}

struct Notes {
    window: (u64, u64),
    ack: Histogram<u64>,
    sends: u64,
    errors: BTreeMap<String, u64>,
    acked: BTreeMap<u32, Vec<u32>>,
    refused: BTreeMap<u32, Vec<u32>>,
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
    let mut all = Sent { flows: BTreeMap::new(), errors: BTreeMap::new(), acked: BTreeMap::new(), refused: BTreeMap::new() };
    let window = begin_us + us(scenario.warm_up_s);
    let window = (window, window + us(scenario.window_s));
    let mut flows = tokio::task::JoinSet::new();
    for (nth, flow) in world.flows.iter().enumerate() {
        let Some(connections) = flow.by_server else { continue };
        let notes = Notes {
            window,
            ack: histogram(3)?,
            sends: 0,
            errors: BTreeMap::new(),
            acked: BTreeMap::new(),
            refused: BTreeMap::new(),
        };
        let notes = Arc::new(Mutex::new(notes));
        let rests: Vec<Rest> = targets.iter().map(|target| Rest::new(*target, credentials.0, credentials.1)).collect();
        let (world, progress) = (Arc::clone(&world), Arc::clone(&progress));
        let (seed, bytes) = (scenario.seed.wrapping_add(nth as u64), scenario.text_bytes);
        flows.spawn(async move {
            let offered = flow_of(&world, nth, rests, connections, &notes, (begin_us, seed, bytes), &progress).await;
            (nth, offered, notes)
        });
    }
    while let Some(done) = flows.join_next().await {
        let (nth, offered, notes) = done?;
        let offered = offered?;
        let notes = notes.lock();
        let part = KindPart { offered, sends: notes.sends, ack: Curve::of(&notes.ack), ..KindPart::default() };
        all.flows.insert(nth, part);
        for (what, count) in &notes.errors {
            *all.errors.entry(what.clone()).or_default() += count;
        }
        all.acked.extend(notes.acked.clone());
        all.refused.extend(notes.refused.clone());
    }
    Ok(all)
}

async fn flow_of(
    world: &Arc<World>,
    nth: usize,
    rests: Vec<Rest>,
    connections: u32,
    notes: &Arc<Mutex<Notes>>,
    (begin_us, seed, bytes): (u64, u64, usize),
    progress: &Arc<Progress>,
) -> Result<u64, Failed> {
    let flow = world.flows.get(nth).ok_or("no such flow")?;
    let (due, waiting) = mpsc::channel::<Own>(WAITING);
    let waiting = Arc::new(tokio::sync::Mutex::new(waiting));
    let mut senders = tokio::task::JoinSet::new();
    for n in 0..connections.max(1) {
        let rest = rests.get(n as usize % rests.len().max(1)).ok_or("no gateway")?.clone();
        let (waiting, world, notes, progress) =
            (Arc::clone(&waiting), Arc::clone(world), Arc::clone(notes), Arc::clone(progress));
        senders.spawn(async move {
            let mut kept = None;
            loop {
                let next = waiting.lock().await.recv().await;
                let Some(own) = next else { return };
                one(&rest, &mut kept, &world, &own, bytes, &notes, &progress).await;
            }
        });
    }
    let (clock, mut dice, mut ordinals) = (Clock::new(), Dice::new(seed), BTreeMap::<u32, u32>::new());
    let (mut at_us, mut offered) = (begin_us as f64, 0);
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
        offered += u64::from(due_us >= window.0);
        progress.offered.fetch_add(1, Ordering::Relaxed);
        due.send(Own { conv, sender: SERVER, ordinal: *ordinal, due_us }).await.map_err(|_| "nobody sends any more")?;
    }
    drop(due);
    while senders.join_next().await.is_some() {}
    Ok(offered)
}

async fn one(
    rest: &Rest,
    kept: &mut Option<Kept>,
    world: &World,
    own: &Own,
    bytes: usize,
    notes: &Mutex<Notes>,
    progress: &Progress,
) {
    let mut text = Vec::new();
    own.write(world.run, bytes, &mut text);
    let (kind, id) = match world.places.get(own.conv as usize) {
        Some(Place::Server(user)) => ("single", username(&world.prefix, *user)),
        Some(Place::Group(gid, _)) => ("group", gid.to_string()),
        _ => return,
    };
    let body = json!({
        "version": 1, "target_type": kind, "target_id": id, "from_type": "admin", "from_id": ADMIN,
        "msg_type": "text", "msg_body": {"text": String::from_utf8_lossy(&text)},
    });
    let answer = call(rest, kept, &body).await;
    let now_us = Clock::new().now_us();
    let mut notes = notes.lock();
    match answer {
        Ok((201, _)) => {
            progress.sends.fetch_add(1, Ordering::Relaxed);
            let (window, took) = (notes.window, now_us.saturating_sub(own.due_us));
            notes.sends += u64::from(window.0 <= now_us && now_us < window.1);
            if window.0 <= own.due_us {
                notes.ack.saturating_record(took);
            }
            notes.acked.entry(own.conv).or_default().push(own.ordinal);
        }
        Ok((status, body)) => {
            progress.errors.fetch_add(1, Ordering::Relaxed);
            let code = body.pointer("/error/code").and_then(Value::as_u64).unwrap_or_else(|| u64::from(status));
            *notes.errors.entry(code.to_string()).or_default() += 1;
            if status < 500 {
                notes.refused.entry(own.conv).or_default().push(own.ordinal);
            }
        }
        Err(_) => {
            progress.errors.fetch_add(1, Ordering::Relaxed);
            *notes.errors.entry("no answer".into()).or_default() += 1;
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

impl Sent {
    /// Compares what was answered with what devices saw.
    pub(crate) fn judge(&self, seen: &mut Summary) {
        for (conv, acked) in &self.acked {
            let of = seen.server.iter().find(|(of, ..)| of == conv);
            let missing = |ordinal: &&u32| of.is_none_or(|(_, last, gaps)| *ordinal > last || gaps.contains(ordinal));
            for ordinal in acked.iter().filter(missing) {
                seen.findings.lost += 1;
                seen.findings.told.push(format!("message {ordinal} of the server is not in conversation {conv}"));
            }
        }
        for (conv, refused) in &self.refused {
            let of = seen.server.iter().find(|(of, ..)| of == conv);
            let there = |ordinal: &&u32| of.is_some_and(|(_, last, gaps)| *ordinal <= last && !gaps.contains(ordinal));
            for ordinal in refused.iter().filter(there) {
                seen.findings.doubled += 1;
                seen.findings.told.push(format!("message {ordinal} of the server was refused, and is in conversation {conv}"));
            }
        }
        seen.findings.told.truncate(100);
    }
}

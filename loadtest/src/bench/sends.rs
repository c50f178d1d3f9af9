//! Acknowledged sends over many connections, against the log alone.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mynah_measure::case;
use mynah_measure::process::{cpu_seconds, threads};
use mynah_oracle::Oracle;
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::{Plan, ratio, server};
use crate::Failed;
use crate::device::{Account, Counts, Device, Notes, Target, single};
use crate::rest::Rest;
use crate::server::Server;
use crate::traffic::settle;
use crate::world::{self, PASSWORD};

/// Devices that send.
const SENDERS: usize = 200;
/// Sends of one device that wait for their answers.
const OUTSTANDING: u64 = 32;
/// Sends before anything is measured.
const WARM_UP: Duration = Duration::from_secs(2);

pub(super) fn account(server: &Server, name: &str) -> Account {
    Account {
        addresses: vec![server.http],
        appkey: server.appkey.clone(),
        username: name.into(),
        password: PASSWORD.into(),
        platform: "a",
        device_id: name.into(),
        whole_rooms: false,
    }
}

/// Keeps a number of sends to one target under way, and counts those that were answered.
fn keep_sending(device: &Device, target: &Target, acked: &Arc<AtomicU64>) -> tokio::task::JoinHandle<()> {
    let (sender, target, acked) = (device.sender(), target.clone(), Arc::clone(acked));
    tokio::spawn(async move {
        let mut waiting = std::collections::VecDeque::new();
        for number in 0_u64.. {
            waiting.push_back(sender.send(target.clone(), format!("m{number}")).await);
            if number >= OUTSTANDING
                && let Some(answer) = waiting.pop_front()
                && answer.await.is_ok_and(|answer| answer.is_ok())
            {
                acked.fetch_add(1, Ordering::Relaxed);
            }
        }
    })
}

pub(super) async fn many_connections(plan: &Plan) -> Result<Value, Failed> {
    let folder = tempfile::tempdir()?;
    let floor = Command::new(&plan.append_floor).arg(folder.path().join("floor")).arg(plan.seconds.to_string()).output()?;
    let floor: Value = serde_json::from_slice(&floor.stdout)?;
    let floor = floor.get("entries_per_s").and_then(Value::as_f64).ok_or("no floor")?;
    let server = server(plan, folder.path()).await?;
    let rest = Rest::new(server.http, &server.appkey, &server.master_secret);
    let names = world::users(&rest, SENDERS).await?;
    let notes: Notes = Arc::new(Mutex::new(Oracle::new()));
    let counts = Arc::new(Counts::default());
    let start = |name: &String| Device::start(account(&server, name), Arc::clone(&notes), Arc::clone(&counts));
    let devices: Vec<Device> = names.iter().map(start).collect();
    let acked = Arc::new(AtomicU64::new(0));
    let mut sending = Vec::new();
    for (pair, devices) in names.chunks(2).zip(devices.chunks(2)) {
        if let ([a, b], [device, _]) = (pair, devices) {
            for viewer in [a, b] {
                notes.lock().must_see(&single(a, b), viewer, 1, u64::MAX);
            }
            sending.push(keep_sending(device, &Target::User(b.clone()), &acked));
        }
    }
    tokio::time::sleep(WARM_UP).await;
    let pid = server.pid().ok_or("the server is gone")?;
    let (began, from, cpu, by_thread) = (Instant::now(), acked.load(Ordering::Relaxed), cpu_seconds(pid)?, threads(pid)?);
    let mut rounds = Vec::new();
    for _ in 0..plan.rounds {
        let (began, from) = (Instant::now(), acked.load(Ordering::Relaxed));
        tokio::time::sleep(Duration::from_secs(plan.seconds) / u32::try_from(plan.rounds)?).await;
        let sent = (acked.load(Ordering::Relaxed) - from) as f64;
        rounds.push(began.elapsed().as_secs_f64() * 1e6 / sent.max(1.0));
    }
    let (took, sent, cpu) = (began.elapsed(), acked.load(Ordering::Relaxed) - from, cpu_seconds(pid)? - cpu);
    let mut cores_of = threads(pid)?;
    for (name, used) in &mut cores_of {
        *used = ratio(*used - by_thread.get(name).copied().unwrap_or(0.0), took.as_secs_f64());
    }
    sending.iter().for_each(tokio::task::JoinHandle::abort);
    for device in &devices {
        device.idle().await;
    }
    let verdict = settle(&notes).await.to_string();
    let rate = sent as f64 / took.as_secs_f64();
    let case = case("an acknowledged send", "us", &rounds, "an append to the log alone, batches of 128", &[1e6 / floor.max(1.0)]);
    Ok(json!({
        "cases": [case], "acknowledged_per_s": rate.round(), "floor_per_s": floor, "ratio": ratio(rate, floor),
        "per_server_core_second": (sent as f64 / cpu.max(0.01)).round(), "server_cores": ratio(cpu, took.as_secs_f64()), "cores_of_threads": cores_of,
        "batch_entries": batches(&server).await?, "verdict": verdict,
    }))
}

/// How large the log's batches were, by the server's own word.
async fn batches(server: &Server) -> Result<Value, Failed> {
    let rest = Rest::new(server.ops, "", "");
    let (_, text) = rest.raw(http::Method::GET, "/metrics", &Value::Null).await?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let value = |line: &str| line.rsplit_once(' ').and_then(|(_, n)| n.parse::<f64>().ok());
    let of_batches = |part: &'static str| text.lines().filter(move |l| l.starts_with(&format!("mynah_log_batch_entries_{part}")));
    let first = |part: &'static str| of_batches(part).next().and_then(value);
    let mean = first("sum").zip(first("count")).map(|(sum, count)| (sum / count.max(1.0)).round());
    // How many batches were that large at most.
    let up_to: serde_json::Map<String, Value> =
        of_batches("bucket").filter_map(|line| Some((line.split('"').nth(1)?.to_owned(), value(line)?.into()))).collect();
    Ok(json!({"mean": mean, "up_to": up_to}))
}

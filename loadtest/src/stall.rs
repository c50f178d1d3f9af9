//! One device stops reading while its group is busy: it costs little, the others notice nothing, and it finds all of it again.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mynah_measure::process::resident;
use mynah_oracle::{Oracle, Verdict};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::Failed;
use crate::device::{Account, Counts, Device, Notes, Target};
use crate::rest::Rest;
use crate::server::{QUICK, Server};
use crate::traffic::{SETTLE_WITHIN, logged_in};
use crate::wire::Wire;
use crate::world::{self, PASSWORD};

/// Members of the group; the last one stalls.
const MEMBERS: usize = 20;
/// Bytes of a message's text.
const TEXT: usize = 3500;
/// Messages that are sent before anybody stalls.
const WARM_UP: u64 = 500;
/// Most rounds that may pass before one costs little.
const MOST_ROUNDS: u64 = 8;
/// What a stored message takes of the server's memory until the log writes it out, in bytes: text, log and index.
const STORED: u64 = TEXT as u64 + 2500;
/// Messages after which the sender waits until the others have them: what is shown is that they lose nothing, not how fast they are.
/// Twice as many fit into a device's window, since it acknowledges a moment later.
const BREATH: u64 = 30;

/// What a run is.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The server's binary.
    pub binary: PathBuf,
    /// Messages of a round, sent while the device does not read.
    pub messages: u64,
}

/// Does it: the verdict, and figures.
///
/// # Errors
/// When the server does not start, or does not keep a promise.
pub async fn run(plan: &Plan) -> Result<(Verdict, Value), Failed> {
    let folder = tempfile::tempdir()?;
    let server = Server::start(&plan.binary, &folder.path().join("data"), QUICK).await?;
    let rest = Rest::new(server.http, &server.appkey, &server.master_secret);
    let names = world::users(&rest, MEMBERS).await?;
    let gid = world::group(&rest, &names).await?;
    let notes: Notes = Arc::new(Mutex::new(Oracle::new()));
    let (last, others) = names.split_last().ok_or("no users")?;
    for name in others {
        notes.lock().must_see(&Target::Group(gid).conversation(""), name, 1, u64::MAX);
    }
    let counts = Arc::new(Counts::default());
    let account = |name: &String| Account {
        addresses: vec![server.http],
        appkey: server.appkey.clone(),
        username: name.clone(),
        password: PASSWORD.into(),
        platform: "a",
        device_id: name.clone(),
        whole_rooms: false,
    };
    let devices: Vec<Device> =
        others.iter().map(|name| Device::start(account(name), Arc::clone(&notes), Arc::clone(&counts))).collect();
    // Who comes later finds by sync what the sender waits for to be pushed.
    logged_in(&counts, devices.len() as u64).await?;
    // What a start takes is over before anybody stalls.
    talk(&devices, &counts, gid, 1..=WARM_UP).await?;
    let pid = server.pid().ok_or("the server is gone")?;
    let mut stalled = Wire::log_in(&server, last).await?;
    let (began, mut sent, mut grew) = (std::time::Instant::now(), WARM_UP, Vec::new());
    // A queue without a bound would hold each text once more, in every round.
    let cheap = loop {
        let before = resident(pid)?;
        talk(&devices, &counts, gid, sent + 1..=sent + plan.messages).await?;
        sent += plan.messages;
        let grown = resident(pid)?.saturating_sub(before);
        grew.push(grown);
        if grown < plan.messages * STORED {
            break true;
        }
        if grew.len() as u64 >= MOST_ROUNDS {
            break false;
        }
    };
    let stalled_s = began.elapsed().as_secs();
    let (heads, covered, entries) = stalled.recover(&format!("g.{gid}")).await?;
    for device in &devices {
        device.idle().await;
    }
    let verdict = notes.lock().judge();
    let figures = json!({
        "messages": sent, "text_bytes": TEXT, "stalled_s": stalled_s, "server_grew_bytes": grew,
        "heads": heads, "recovered_to": covered, "recovered_entries": entries,
    });
    // The group's making is its first entry.
    if !heads || covered != sent + 1 || entries != covered {
        return Err(format!("the stalled device did not find everything: {figures}").into());
    }
    if !cheap {
        return Err(format!("a stalled reader costs too much: {figures}").into());
    }
    let lagged = counts.heads.load(std::sync::atomic::Ordering::Relaxed);
    if lagged > 0 {
        return Err(format!("{lagged} others lagged: {figures}").into());
    }
    Ok((verdict, figures))
}

async fn talk(devices: &[Device], counts: &Counts, gid: u64, numbers: std::ops::RangeInclusive<u64>) -> Result<(), Failed> {
    let sender = devices.first().ok_or("no device")?.sender();
    for number in numbers {
        let text = format!("m{number}-{}", "x".repeat(TEXT));
        let answer = sender.send_text(Target::Group(gid), format!("m{number}"), text).await;
        answer.await?.map_err(|code| format!("refused with {code}"))?;
        if number % BREATH == 0 {
            // The sender has the answer instead. Who lags is told so, and gets no push.
            let all = number * (devices.len() as u64 - 1);
            let had = |counter: &std::sync::atomic::AtomicU64| counter.load(std::sync::atomic::Ordering::Relaxed);
            let until = Instant::now() + SETTLE_WITHIN;
            while had(&counts.pushed) < all && had(&counts.heads) == 0 {
                if Instant::now() > until {
                    return Err(format!("{} of {all} were pushed in time", had(&counts.pushed)).into());
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
    }
    Ok(())
}

//! One device stops reading while its group is busy: it costs little, the others notice nothing, and it finds all of it again.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mynah_oracle::{Oracle, Verdict};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::Failed;
use crate::bench::resident;
use crate::device::{Account, Counts, Device, Notes, Target};
use crate::rest::Rest;
use crate::server::Server;
use crate::wire::Wire;
use crate::world::{self, PASSWORD};

/// Members of the group; the last one stalls.
const MEMBERS: usize = 20;
/// Bytes of a message's text.
const TEXT: usize = 3500;
/// A pause between two messages.
const PAUSE: Duration = Duration::from_millis(1);
/// What one stalled reader may cost the server, in bytes.
const MOST: u64 = 512 << 10;

/// What a run is.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The server's binary.
    pub binary: PathBuf,
    /// Seconds for which the device does not read.
    pub seconds: u64,
}

/// Does it: the verdict, and figures.
///
/// # Errors
/// When the server does not start, or does not keep a promise.
pub async fn run(plan: &Plan) -> Result<(Verdict, Value), Failed> {
    let folder = tempfile::tempdir()?;
    let flags = ["--argon2-memory-kib", "8", "--argon2-iterations", "1", "--sends-per-minute", "0", "--syncs-per-minute", "0"];
    let server = Server::start(&plan.binary, &folder.path().join("data"), &flags).await?;
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
        address: server.http,
        appkey: server.appkey.clone(),
        username: name.clone(),
        password: PASSWORD.into(),
        platform: "a",
        device_id: name.clone(),
        whole_rooms: false,
    };
    let devices: Vec<Device> =
        others.iter().map(|name| Device::start(account(name), Arc::clone(&notes), Arc::clone(&counts))).collect();
    let sender = devices.first().ok_or("no device")?.sender();
    // What the traffic itself costs is known before anybody stalls: first what a start takes, then what each message takes.
    let warm = talk(&sender, gid, 0, plan.seconds / 4 + 1).await?;
    let pid = server.pid().ok_or("the server is gone")?;
    let begin = resident(pid)?;
    let mut sent = talk(&sender, gid, warm, plan.seconds / 2 + 1).await?;
    let each = resident(pid)?.saturating_sub(begin) / (sent - warm).max(1);
    let healthy = sent;
    let mut stalled = Wire::log_in(&server, last).await?;
    let before = resident(pid)?;
    sent = talk(&sender, gid, sent, plan.seconds).await?;
    let after = resident(pid)?;
    let (heads, covered, entries) = stalled.recover(&format!("g.{gid}")).await?;
    for device in &devices {
        device.idle().await;
    }
    let verdict = notes.lock().judge();
    let grown = after.saturating_sub(before);
    let figures = json!({
        "messages": sent, "text_bytes": TEXT, "stalled_s": plan.seconds, "server_grew_bytes": grown,
        "bytes_each_before": each,
        "heads": heads, "recovered_to": covered, "recovered_entries": entries,
    });
    // The group's making is its first entry.
    if !heads || covered != sent + 1 || entries != covered {
        return Err(format!("the stalled device did not find everything: {figures}").into());
    }
    // A queue without a bound would hold each frame once more, and what it takes beside its text.
    let stalled_for = sent - healthy;
    let traffic = stalled_for * each.max(TEXT as u64 + 300) * 5 / 4;
    if grown > traffic + stalled_for * TEXT as u64 / 2 + MOST {
        return Err(format!("a stalled reader costs too much: {figures}").into());
    }
    let lagged = counts.heads.load(std::sync::atomic::Ordering::Relaxed);
    if lagged > 0 {
        return Err(format!("{lagged} others lagged: {figures}").into());
    }
    Ok((verdict, figures))
}

async fn talk(sender: &crate::device::Sender, gid: u64, from: u64, seconds: u64) -> Result<u64, Failed> {
    let began = std::time::Instant::now();
    let mut number = from;
    while began.elapsed() < Duration::from_secs(seconds) {
        number += 1;
        let text = format!("m{number}-{}", "x".repeat(TEXT));
        let cmid = format!("m{number}");
        sender.send_text(Target::Group(gid), cmid, text).await.await?.map_err(|code| format!("refused with {code}"))?;
        tokio::time::sleep(PAUSE).await;
    }
    Ok(number)
}

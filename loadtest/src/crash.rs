//! Kills the server again and again while everybody sends, and lets the oracle judge.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mynah_oracle::{Dice, Oracle, Verdict};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::Failed;
use crate::device::{Account, Counts, Device, Notes, Target, single};
use crate::rest::Rest;
use crate::server::Server;
use crate::world::{self, PASSWORD};

/// After the last kill, everything is answered and delivered in this time.
const SETTLE_WITHIN: Duration = Duration::from_secs(60);

/// The platform of the devices that read everything at the end: of another class than the others', whom they do not put out.
const FRESH: &str = "w";

/// What a run is.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The server's binary.
    pub binary: PathBuf,
    /// Kills.
    pub kills: u32,
    /// Users, one device each.
    pub users: usize,
    /// Decides the rest.
    pub seed: u64,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// The judgement.
    pub verdict: Verdict,
    /// Figures, for people and programs.
    pub figures: Value,
}

struct Run {
    devices: Vec<Device>,
    notes: Notes,
    counts: Arc<Counts>,
    groups: Vec<(u64, Vec<String>)>,
    rooms: Vec<u64>,
}

/// Does it.
///
/// # Errors
/// When the server does not start, or something cannot be made.
pub async fn run(plan: &Plan) -> Result<Outcome, Failed> {
    let folder = tempfile::tempdir()?;
    let flags = ["--argon2-memory-kib", "8", "--argon2-iterations", "1", "--sends-per-minute", "0", "--syncs-per-minute", "0"];
    let mut server = Server::start(&plan.binary, &folder.path().join("data"), &flags).await?;
    let mut dice = Dice::new(plan.seed);
    let rest = Rest::new(server.http, &server.appkey, &server.master_secret);
    let mut run = prepare(plan, &rest, &server).await?;
    let stop = Arc::new(AtomicBool::new(false));
    let senders = start_senders(&run, &mut dice, &stop);
    let mut starts = Vec::new();
    for round in 0..plan.kills {
        tokio::time::sleep(Duration::from_millis(200 + dice.below(1000))).await;
        if round % 5 == 4 {
            // An upgrade in between: devices are told to go, and come back.
            server.stop().await?;
        }
        server.kill()?;
        tokio::time::sleep(Duration::from_millis(dice.below(100))).await;
        starts.push(server.restart().await?);
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    stop.store(true, Ordering::SeqCst);
    let (run_senders, settled) = (senders, Instant::now());
    let answered = tokio::time::timeout(SETTLE_WITHIN, async {
        for sender in run_senders {
            sender.await?;
        }
        Ok::<_, Failed>(())
    });
    answered.await.map_err(|_| "sends were not answered in time")??;
    let live = settle(&run.notes).await;
    let live_ms = settled.elapsed().as_millis();
    run.devices.clear();
    prove(&run, plan, &server, &rest).await?;
    let verdict = run.notes.lock().judge();
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    let slowest = starts.iter().max().map_or(0, Duration::as_millis);
    let figures = json!({
        "kills": plan.kills, "users": plan.users, "seed": plan.seed,
        "acknowledged": run.notes.lock().acknowledged(),
        "logins": count(&run.counts.logins), "pushed": count(&run.counts.pushed), "heads": count(&run.counts.heads),
        "room_pages": count(&run.counts.room_pages), "resent": count(&run.counts.resent), "duplicates": count(&run.counts.duplicates),
        "delivered_live": live.is_clean(), "settled_ms": u64::try_from(live_ms).unwrap_or(u64::MAX),
        "slowest_start_ms": u64::try_from(slowest).unwrap_or(u64::MAX),
    });
    // What had to be pushed and was only found by asking again counts as lost.
    let verdict = if live.is_clean() { verdict } else { live };
    Ok(Outcome { verdict, figures })
}

/// Users, groups of ten, two rooms; a device for each user, every third of them in a room.
async fn prepare(plan: &Plan, rest: &Rest, server: &Server) -> Result<Run, Failed> {
    let names = world::users(rest, plan.users).await?;
    let notes: Notes = Arc::new(Mutex::new(Oracle::new()));
    let mut groups = Vec::new();
    for members in names.chunks(10).filter(|members| members.len() > 1) {
        let gid = world::group(rest, members).await?;
        for member in members {
            notes.lock().must_see(&Target::Group(gid).conversation(""), member, 1, u64::MAX);
        }
        groups.push((gid, members.to_vec()));
    }
    let owner = names.first().ok_or("a run needs users")?;
    let rooms = vec![world::room(rest, owner).await?, world::room(rest, owner).await?];
    for room in &rooms {
        notes.lock().open_to_all(&Target::Room(*room).conversation(""));
    }
    for pair in names.chunks(2) {
        if let [a, b] = pair {
            for viewer in [a, b] {
                notes.lock().must_see(&single(a, b), viewer, 1, u64::MAX);
            }
        }
    }
    let counts = Arc::new(Counts::default());
    let devices: Vec<Device> =
        names.iter().map(|name| Device::start(account(server, name, "a"), Arc::clone(&notes), Arc::clone(&counts))).collect();
    for (device, room) in devices.iter().step_by(3).zip(rooms.iter().cycle()) {
        device.enter(*room).await;
    }
    Ok(Run { devices, notes, counts, groups, rooms })
}

fn account(server: &Server, name: &str, platform: &'static str) -> Account {
    Account {
        address: server.http,
        appkey: server.appkey.clone(),
        username: name.to_owned(),
        password: PASSWORD.to_owned(),
        platform,
        device_id: format!("{platform}-{name}"),
        whole_rooms: platform == FRESH,
    }
}

/// Every user sends one message after the other to his neighbour, his group, or his room, until it is time to stop.
fn start_senders(run: &Run, dice: &mut Dice, stop: &Arc<AtomicBool>) -> Vec<tokio::task::JoinHandle<()>> {
    let mut senders = Vec::new();
    for (n, device) in run.devices.iter().enumerate() {
        let peer = run.devices.get(n ^ 1).map(|peer| Target::User(peer.username.clone()));
        let group = run.groups.iter().find(|(_, members)| members.contains(&device.username)).map(|(gid, _)| Target::Group(*gid));
        let room = run.rooms.get((n / 3) % run.rooms.len().max(1)).filter(|_| n % 3 == 0).map(|room| Target::Room(*room));
        let targets: Vec<Target> = [peer, group, room].into_iter().flatten().collect();
        let (mut dice, stop) = (Dice::new(dice.bits()), Arc::clone(stop));
        let sender = device.sender();
        senders.push(tokio::spawn(async move {
            let mut number = 0_u64;
            while !stop.load(Ordering::SeqCst) {
                let Some(target) = dice.one_of(&targets) else { return };
                let mut answers = Vec::new();
                for _ in 0..=dice.below(3) {
                    number += 1;
                    answers.push(sender.send(target.clone(), format!("m{number}")).await);
                }
                for answer in answers {
                    // A room that was not entered yet refuses; the next message is another one.
                    _ = answer.await;
                }
                tokio::time::sleep(Duration::from_millis(dice.below(50))).await;
            }
        }));
    }
    senders
}

/// Waits until what was acknowledged was pushed to everybody, or it is clear that it will not be.
async fn settle(notes: &Notes) -> Verdict {
    let started = Instant::now();
    loop {
        let verdict = notes.lock().judge();
        if verdict.is_clean() || started.elapsed() > SETTLE_WITHIN {
            return verdict;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Another device of each user reads everything from its beginning: it is told where it holds all, and must.
async fn prove(run: &Run, plan: &Plan, server: &Server, rest: &Rest) -> Result<(), Failed> {
    let names: Vec<String> = (0..plan.users).map(|n| format!("user{n:05}")).collect();
    let before = run.counts.logins.load(Ordering::Relaxed);
    let fresh: Vec<Device> = names
        .iter()
        .map(|name| Device::start(account(server, name, FRESH), Arc::clone(&run.notes), Arc::clone(&run.counts)))
        .collect();
    let expected = before + u64::try_from(fresh.len())?;
    let started = Instant::now();
    while run.counts.logins.load(Ordering::Relaxed) < expected {
        if started.elapsed() > SETTLE_WITHIN {
            return Err("not every fresh device logged in".into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for (device, room) in fresh.iter().zip(&run.rooms) {
        device.enter(*room).await;
    }
    for device in &fresh {
        device.idle().await;
    }
    // The server still works as before.
    let body = json!([{"username": "after", "password": PASSWORD}]);
    rest.post("/v1/users/", &body).await.map(|_| ())
}

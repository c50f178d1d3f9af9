//! The traffic of a run with faults, and its judgement: users who write to a neighbour, to a group and to a room, each by a device.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mynah_oracle::{Dice, Oracle, Verdict};
use parking_lot::Mutex;
use serde_json::json;

use crate::Failed;
use crate::device::{Account, Counts, Device, Notes, Target, single};
use crate::rest::Rest;
use crate::world::{self, PASSWORD};

/// After the last fault, everything is answered and delivered in this time.
pub const SETTLE_WITHIN: Duration = Duration::from_secs(60);
/// The platform of the devices that read everything at the end: of another class than the others', whom they do not put out.
const FRESH: &str = "w";

/// Where a deployment is, and the app that the run works in.
#[derive(Debug, Clone)]
pub struct Place {
    /// Public addresses of its gateways.
    pub gateways: Vec<SocketAddr>,
    /// The app's key.
    pub appkey: String,
    /// Its secret.
    pub master_secret: String,
}

impl Place {
    /// The app's hand on the first gateway.
    ///
    /// # Errors
    /// When there is no gateway.
    pub fn rest(&self) -> Result<Rest, Failed> {
        let first = self.gateways.first().ok_or("no gateway")?;
        Ok(Rest::new(*first, &self.appkey, &self.master_secret))
    }

    fn account(&self, nth: usize, name: &str, platform: &'static str) -> Account {
        let mut addresses = self.gateways.clone();
        let turn = nth % addresses.len().max(1);
        addresses.rotate_left(turn);
        Account {
            addresses,
            appkey: self.appkey.clone(),
            username: name.to_owned(),
            password: PASSWORD.to_owned(),
            platform,
            device_id: format!("{platform}-{name}"),
            whole_rooms: platform == FRESH,
        }
    }
}

/// The devices of a run and what they note.
pub struct Run {
    /// A device for each user.
    pub devices: Vec<Device>,
    /// What they saw.
    pub notes: Notes,
    /// What they counted.
    pub counts: Arc<Counts>,
    /// How long each answer took, in milliseconds, since this was looked at last.
    pub acks: Acks,
    place: Place,
    names: Vec<String>,
    groups: Vec<(u64, Vec<String>)>,
    rooms: Vec<u64>,
}

/// How long answers took.
#[derive(Debug, Clone, Default)]
pub struct Acks(Arc<Mutex<Vec<u64>>>);

impl Acks {
    fn note(&self, took: Duration) {
        self.0.lock().push(u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
    }

    /// Figures of what was noted since the last time: count, median, 99th in a hundred, longest; in milliseconds.
    pub fn take(&self) -> serde_json::Value {
        let mut took = std::mem::take(&mut *self.0.lock());
        took.sort_unstable();
        let at = |part: usize| took.get((took.len() * part / 100).min(took.len().saturating_sub(1))).copied().unwrap_or(0);
        json!({"count": took.len(), "p50": at(50), "p99": at(99), "max": at(100)})
    }
}

/// Senders under way.
pub struct Senders {
    stop: Arc<AtomicBool>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Senders {
    /// Ends the sending; returns when everything was answered.
    ///
    /// # Errors
    /// When something is not answered in time.
    pub async fn stop(self) -> Result<(), Failed> {
        self.stop.store(true, Ordering::SeqCst);
        let answered = tokio::time::timeout(SETTLE_WITHIN, async {
            for task in self.tasks {
                task.await?;
            }
            Ok::<_, Failed>(())
        });
        answered.await.map_err(|_| "sends were not answered in time")?
    }
}

/// Users, groups of ten, two rooms; a device for each user, every third of them in a room.
///
/// # Errors
/// When the server refuses.
pub async fn prepare(place: &Place, users: usize) -> Result<Run, Failed> {
    let rest = place.rest()?;
    let names = world::users(&rest, users).await?;
    let notes: Notes = Arc::new(Mutex::new(Oracle::new()));
    let mut groups = Vec::new();
    for members in names.chunks(10).filter(|members| members.len() > 1) {
        let gid = world::group(&rest, members).await?;
        for member in members {
            notes.lock().must_see(&Target::Group(gid).conversation(""), member, 1, u64::MAX);
        }
        groups.push((gid, members.to_vec()));
    }
    let owner = names.first().ok_or("a run needs users")?;
    let rooms = vec![world::room(&rest, owner).await?, world::room(&rest, owner).await?];
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
    let start =
        |(nth, name): (usize, &String)| Device::start(place.account(nth, name, "a"), Arc::clone(&notes), Arc::clone(&counts));
    let devices: Vec<Device> = names.iter().enumerate().map(start).collect();
    for (device, room) in devices.iter().step_by(3).zip(rooms.iter().cycle()) {
        device.enter(*room).await;
    }
    Ok(Run { devices, notes, counts, acks: Acks::default(), place: place.clone(), names, groups, rooms })
}

/// Every user sends one message after the other to his neighbour, his group, or his room, until it is time to stop.
///
/// `pause_ms` bounds the pause of each user between two messages.
#[must_use]
pub fn start_senders(run: &Run, dice: &mut Dice, pause_ms: u64) -> Senders {
    let stop = Arc::new(AtomicBool::new(false));
    let mut tasks = Vec::new();
    for (n, device) in run.devices.iter().enumerate() {
        let peer = run.devices.get(n ^ 1).map(|peer| Target::User(peer.username.clone()));
        let group = run.groups.iter().find(|(_, members)| members.contains(&device.username)).map(|(gid, _)| Target::Group(*gid));
        let room = run.rooms.get((n / 3) % run.rooms.len().max(1)).filter(|_| n % 3 == 0).map(|room| Target::Room(*room));
        let targets: Vec<Target> = [peer, group, room].into_iter().flatten().collect();
        let (mut dice, stop) = (Dice::new(dice.bits()), Arc::clone(&stop));
        let (sender, acks) = (device.sender(), run.acks.clone());
        tasks.push(tokio::spawn(async move {
            let mut number = 0_u64;
            while !stop.load(Ordering::SeqCst) {
                let Some(target) = dice.one_of(&targets) else { return };
                let mut answers = Vec::new();
                for _ in 0..=dice.below(3) {
                    number += 1;
                    answers.push((Instant::now(), sender.send(target.clone(), format!("m{number}")).await));
                }
                for (sent, answer) in answers {
                    // What was refused is counted by the device. The next message is another one.
                    if let Ok(Ok(_)) = answer.await {
                        acks.note(sent.elapsed());
                    }
                }
                tokio::time::sleep(Duration::from_millis(dice.below(pause_ms))).await;
            }
        }));
    }
    Senders { stop, tasks }
}

/// Waits until what was acknowledged was pushed to everybody, or it is clear that it will not be.
pub async fn settle(notes: &Notes) -> Verdict {
    let started = Instant::now();
    loop {
        let verdict = notes.lock().judge();
        if verdict.is_clean() || started.elapsed() > SETTLE_WITHIN {
            return verdict;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Waits until so many logins were counted.
pub(crate) async fn logged_in(counts: &Counts, expected: u64) -> Result<(), Failed> {
    let started = Instant::now();
    while counts.logins.load(Ordering::Relaxed) < expected {
        if started.elapsed() > SETTLE_WITHIN {
            return Err("not every device logged in".into());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// Another device of each user reads everything from its beginning: it is told where it holds all, and must.
///
/// # Errors
/// When devices do not log in, or the deployment does not work.
pub async fn prove(run: &Run) -> Result<(), Failed> {
    let before = run.counts.logins.load(Ordering::Relaxed);
    let start = |(nth, name): (usize, &String)| {
        Device::start(run.place.account(nth, name, FRESH), Arc::clone(&run.notes), Arc::clone(&run.counts))
    };
    let fresh: Vec<Device> = run.names.iter().enumerate().map(start).collect();
    let expected = before + u64::try_from(fresh.len())?;
    logged_in(&run.counts, expected).await?;
    for (device, room) in fresh.iter().zip(&run.rooms) {
        device.enter(*room).await;
    }
    for device in &fresh {
        device.idle().await;
    }
    // The server still works as before.
    let body = json!([{"username": "after", "password": PASSWORD}]);
    run.place.rest()?.post("/v1/users/", &body).await.map(|_| ())
}

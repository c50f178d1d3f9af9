//! The traffic of a run with faults, and its judgement: users who write to a neighbour, to a group and to a room, each by a device; at each
//! gateway an app's server that calls the REST API; guests who are taken into groups and put out of them.
//!
//! Reading order: [`prepare`], [`start_senders`], `server`, `guests`, [`settle`], [`prove`], [`Run::compare_history`].

mod acks;
mod guests;
mod history;
mod server;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use mynah_oracle::{Dice, Oracle, Verdict};
use parking_lot::Mutex;
use serde_json::{Value, json};

use self::guests::Guest;
use self::server::{Hand, Server};
use crate::Failed;
use crate::device::{Account, Counts, Device, Notes, Sender, Target, single};
use crate::rest::Rest;
use crate::world::{self, PASSWORD};

pub use self::acks::{Acks, Took};

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
        Ok(self.rest_at(*first))
    }

    fn rest_at(&self, gateway: SocketAddr) -> Rest {
        Rest::new(gateway, &self.appkey, &self.master_secret)
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
    /// A device for each user, then for each guest.
    pub devices: Vec<Device>,
    /// What they saw.
    pub notes: Notes,
    /// What they counted.
    pub counts: Arc<Counts>,
    /// How long each answer to a device took, since this was looked at last.
    pub acks: Acks,
    /// The same for the app's servers and the guests.
    pub call_acks: Acks,
    place: Place,
    names: Vec<String>,
    groups: Vec<(u64, Vec<String>)>,
    guests: Vec<(String, u64)>,
    rooms: Vec<u64>,
    began: SystemTime,
}

impl Run {
    /// Everything that was counted, for a report.
    #[must_use]
    pub fn figures(&self) -> Value {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Counts {
            pushed,
            heads,
            room_pages,
            resent,
            duplicates,
            refused,
            calls,
            calls_failed,
            calls_broken,
            changes,
            changes_failed,
            ..
        } = &*self.counts;
        json!({
            "acknowledged": self.notes.lock().acknowledged(), "logins": self.counts.logins(), "pushed": count(pushed), "heads": count(heads),
            "room_pages": count(room_pages), "resent": count(resent), "duplicates": count(duplicates), "refused": count(refused),
            "calls": count(calls), "calls_failed": count(calls_failed), "calls_broken": count(calls_broken),
            "changes": count(changes), "changes_failed": count(changes_failed),
        })
    }

    /// A hand on each gateway.
    fn hands(&self) -> Vec<Hand> {
        self.place.gateways.iter().map(|gateway| Hand::new(self.place.rest_at(*gateway))).collect()
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

/// Users, groups of ten with a guest each, two rooms; a device for each user and guest, every third user in a room.
///
/// # Errors
/// When the server refuses.
pub async fn prepare(place: &Place, users: usize) -> Result<Run, Failed> {
    let (rest, began) = (place.rest()?, SystemTime::now());
    let names = world::users(&rest, users).await?;
    let notes: Notes = Arc::new(Mutex::new(Oracle::new()));
    let (mut groups, mut guests) = (Vec::new(), Vec::new());
    for members in names.chunks(10).filter(|members| members.len() > 1) {
        let gid = world::group(&rest, members).await?;
        for member in members {
            notes.lock().must_see(&Target::Group(gid).conversation(""), member, 1, u64::MAX);
        }
        guests.push((format!("guest{:05}", groups.len()), gid));
        groups.push((gid, members.to_vec()));
    }
    let named: Vec<String> = guests.iter().map(|(name, _)| name.clone()).collect();
    world::register(&rest, &named).await?;
    server::register(&rest, place.gateways.len()).await?;
    let owner = names.first().ok_or("a run needs users")?;
    let rooms = vec![world::room(&rest, owner).await?, world::room(&rest, owner).await?];
    for room in &rooms {
        notes.lock().open_to_all(&Target::Room(*room).conversation(""));
    }
    let pairs = names.chunks(2).filter_map(|pair| Some((pair.first()?, pair.get(1)?)));
    for (a, b) in pairs {
        for viewer in [a, b] {
            notes.lock().must_see(&single(a, b), viewer, 1, u64::MAX);
        }
    }
    for (name, server) in names.iter().flat_map(|name| (0..place.gateways.len()).map(move |nth| (name, server::name(nth)))) {
        notes.lock().must_see(&single(name, &server), name, 1, u64::MAX);
    }
    let counts = Arc::new(Counts::default());
    let start =
        |(nth, name): (usize, &String)| Device::start(place.account(nth, name, "a"), Arc::clone(&notes), Arc::clone(&counts));
    let devices: Vec<Device> = names.iter().chain(&named).enumerate().map(start).collect();
    for (device, room) in devices.iter().take(names.len()).step_by(3).zip(rooms.iter().cycle()) {
        device.enter(*room).await;
    }
    let (acks, call_acks, place) = (Acks::default(), Acks::default(), place.clone());
    Ok(Run { devices, notes, counts, acks, call_acks, place, names, groups, guests, rooms, began })
}

/// Every user sends one message after the other to his neighbour, his group, or his room, until it is time to stop; so does the app's server
/// at each gateway, to users and groups; each group's guest comes and goes.
///
/// `pause_ms` bounds the pause of each between two messages.
#[must_use]
pub fn start_senders(run: &Run, dice: &mut Dice, pause_ms: u64) -> Senders {
    let stop = Arc::new(AtomicBool::new(false));
    let mut tasks = Vec::new();
    for (n, device) in run.devices.iter().take(run.names.len()).enumerate() {
        let peer = run.names.get(n ^ 1).map(|peer| Target::User(peer.clone()));
        let group = run.groups.iter().find(|(_, members)| members.contains(&device.username)).map(|(gid, _)| Target::Group(*gid));
        let room = run.rooms.get((n / 3) % run.rooms.len().max(1)).filter(|_| n % 3 == 0).map(|room| Target::Room(*room));
        let targets = [peer, group, room].into_iter().flatten().collect();
        let (dice, stop) = (Dice::new(dice.bits()), Arc::clone(&stop));
        tasks.push(tokio::spawn(user(device.sender(), run.acks.clone(), targets, dice, pause_ms, stop)));
    }
    let users: Vec<Target> = run.names.iter().cloned().map(Target::User).collect();
    let groups: Vec<Target> = run.groups.iter().map(|(gid, _)| Target::Group(*gid)).collect();
    for (nth, hand) in run.hands().into_iter().enumerate() {
        let server = Server::new(run, nth, hand);
        let targets = [users.clone(), groups.clone()];
        tasks.push(tokio::spawn(server.talk(targets, Dice::new(dice.bits()), pause_ms, Arc::clone(&stop))));
    }
    for (nth, (name, gid)) in run.guests.iter().enumerate() {
        let guest = Guest::new(run, nth, name, *gid);
        tasks.push(tokio::spawn(guest.come_and_go(Dice::new(dice.bits()), pause_ms, Arc::clone(&stop))));
    }
    Senders { stop, tasks }
}

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    /// The judgement.
    pub verdict: Verdict,
    /// Figures, for people and programs.
    pub figures: Value,
}

/// How a run stood when nothing was on its way any more.
pub struct Settled {
    live: Verdict,
    ms: u64,
}

impl Run {
    /// Ends the sending, waits for what is on its way, and ends the devices.
    ///
    /// # Errors
    /// When something is not answered in time.
    pub async fn end(&mut self, senders: Senders) -> Result<Settled, Failed> {
        let began = Instant::now();
        senders.stop().await?;
        let live = settle(&self.notes).await;
        let ms = u64::try_from(began.elapsed().as_millis())?;
        self.devices.clear();
        Ok(Settled { live, ms })
    }

    /// Lets fresh devices read everything, and judges; what else is told of this run stands among the figures that every run has.
    ///
    /// # Errors
    /// When devices do not log in, or the deployment does not work.
    pub async fn judge(&self, settled: Settled, more: Value) -> Result<Outcome, Failed> {
        prove(self).await?;
        let Settled { live, ms } = settled;
        let mut figures = self.figures();
        for more in [json!({"users": self.names.len(), "delivered_live": live.is_clean(), "settled_ms": ms}), more] {
            if let (Value::Object(figures), Value::Object(more)) = (&mut figures, more) {
                figures.extend(more);
            }
        }
        // What had to be pushed and was only found by asking again counts as lost.
        let verdict = if live.is_clean() { self.notes.lock().judge() } else { live };
        Ok(Outcome { verdict, figures })
    }
}

/// One user: a few messages together, their answers, a pause.
async fn user(sender: Sender, acks: Acks, targets: Vec<Target>, mut dice: Dice, pause_ms: u64, stop: Arc<AtomicBool>) {
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
            if let Ok(Ok(conv_id)) = answer.await {
                acks.note(conv_id, sent.elapsed());
            }
        }
        tokio::time::sleep(Duration::from_millis(dice.below(pause_ms))).await;
    }
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
    let all = tokio::time::timeout(SETTLE_WITHIN, counts.until_logged_in(expected)).await;
    all.map_err(|_| "not every device logged in".into())
}

/// Another device of each user reads everything from its beginning: it is told where it holds all, and must.
async fn prove(run: &Run) -> Result<(), Failed> {
    let before = run.counts.logins();
    let start = |(nth, name): (usize, &String)| {
        Device::start(run.place.account(nth, name, FRESH), Arc::clone(&run.notes), Arc::clone(&run.counts))
    };
    let fresh: Vec<Device> = run.names.iter().chain(run.guests.iter().map(|(name, _)| name)).enumerate().map(start).collect();
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

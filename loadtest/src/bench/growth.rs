//! What a send costs as its conversation, the log and the app grow: processor time of the server, beside what it was when all was small.

use std::sync::Arc;

use mynah_measure::case;
use mynah_measure::process::cpu_seconds;
use mynah_oracle::Oracle;
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::sends::account;
use super::sizes::write_users;
use super::{Plan, server};
use crate::Failed;
use crate::device::{Counts, Device, Notes, Target, single};
use crate::rest::Rest;
use crate::server::Server;
use crate::traffic::settle;
use crate::world;

/// Sends that wait for their answers.
const OUTSTANDING: u64 = 64;
/// Entries of a conversation that ends before it grows.
const FEW: u64 = 10;
/// Entries that small conversations grow to.
const MANY: u64 = 10_000;
/// Conversations of a point of small ones.
const SMALL: usize = 20;
/// Users who are paired.
const PAIRED: usize = 1000;

struct Grown {
    server: Server,
    notes: Notes,
    counts: Arc<Counts>,
    devices: Vec<Device>,
    rounds: usize,
    /// Sends of a round.
    sends: u64,
    /// Each point's rounds, in microseconds of the server's processor time a send.
    points: Vec<(String, Vec<f64>)>,
    /// Messages so far: each has a client message id of its own.
    number: u64,
}

/// How many users have so many conversations, everybody with everybody.
fn circle_of(conversations: u64) -> usize {
    (2_usize..).find(|users| (users * (users - 1) / 2) as u64 >= conversations).unwrap_or(usize::MAX)
}

/// Pairs of users: some to warm up, a circle whose conversations stay small, some for small conversations, and one that grows.
pub(super) async fn measure(plan: &Plan) -> Result<Value, Failed> {
    let folder = tempfile::tempdir()?;
    let server = server(plan, folder.path()).await?;
    let rest = Rest::new(server.http, &server.appkey, &server.master_secret);
    let (rounds, sends) = (plan.rounds, plan.grow_sends);
    let wanted = circle_of(rounds as u64 * sends.div_ceil(FEW));
    let names = world::users(&rest, PAIRED + wanted).await?;
    let (circle, names) = names.split_at(wanted);
    let notes: Notes = Arc::new(Mutex::new(Oracle::new()));
    let mut grown =
        Grown { server, notes, counts: Arc::default(), devices: Vec::new(), rounds, sends, points: Vec::new(), number: 0 };
    let circle = grown.circle(circle);
    let mut pairs = names.chunks_exact(2);
    let mut new = |grown: &mut Grown| -> Result<Vec<(usize, Target)>, Failed> {
        pairs.by_ref().take(SMALL).map(|pair| grown.pair(pair)).collect()
    };
    let (warm_up, first, grows) = (new(&mut grown)?, new(&mut grown)?, new(&mut grown)?);
    let [grows, ..] = grows.as_slice() else { return Err("no user".into()) };
    grown.send(&warm_up, sends).await?;
    grown.point(&first, "new conversations").await?;
    grown.few(&circle, "begun").await?;
    grown.few(&circle, "gone on with").await?;
    let many = plan.grow_to.min(MANY);
    grown.grow(&first, many).await?;
    grown.few(&vec![first; rounds].concat(), &format!("of {many}")).await?;
    grown.grow(std::slice::from_ref(grows), plan.grow_to).await?;
    let beside = new(&mut grown)?;
    grown.point(&beside, "new conversations beside it").await?;
    let file = folder.path().join("users.jsonl");
    write_users(&file, plan.users)?;
    grown.server.app_command(&["import-users", &grown.server.appkey, &file.display().to_string()])?;
    let later = new(&mut grown)?;
    grown.send(&later, sends).await?;
    grown.point(&later, "new conversations in an app of the imported users").await?;
    grown.point(std::slice::from_ref(grows), "the grown conversation in that app").await?;
    for device in &grown.devices {
        device.idle().await;
    }
    let verdict = settle(&grown.notes).await.to_string();
    let first = grown.points.first().map(|(_, rounds)| rounds.clone()).unwrap_or_default();
    let cases = grown.points.iter().map(|(what, rounds)| case(what, "us of a core", rounds, "new conversations", &first));
    let cases: Vec<Value> = cases.collect();
    Ok(json!({"sends_of_a_round": sends, "cases": cases, "users_imported": plan.users, "verdict": verdict}))
}

impl Grown {
    fn connect(&mut self, name: &str) {
        let device = Device::start(account(&self.server, name), Arc::clone(&self.notes), Arc::clone(&self.counts));
        self.devices.push(device);
    }

    /// Two users are to have all of their conversation.
    fn meet(&self, a: &str, b: &str) {
        [a, b].iter().for_each(|name| self.notes.lock().must_see(&single(a, b), name, 1, u64::MAX));
    }

    /// Connects two users; answers who sends, and to whom.
    fn pair(&mut self, pair: &[String]) -> Result<(usize, Target), Failed> {
        let [a, b] = pair else { return Err("no pair".into()) };
        self.meet(a, b);
        [a, b].iter().for_each(|name| self.connect(name));
        Ok((self.devices.len() - 2, Target::User(b.clone())))
    }

    /// Connects everybody of a circle; answers who sends to whom, so that each two have one conversation.
    fn circle(&mut self, names: &[String]) -> Vec<(usize, Target)> {
        let mut conversations = Vec::new();
        for (nth, name) in names.iter().enumerate() {
            self.connect(name);
            for other in names.iter().skip(nth + 1) {
                self.meet(name, other);
                conversations.push((self.devices.len() - 1, Target::User(other.clone())));
            }
        }
        conversations
    }

    /// What a send costs where every conversation gets a few entries and is left: by rounds that share the conversations among them.
    async fn few(&mut self, conversations: &[(usize, Target)], which: &str) -> Result<(), Failed> {
        let of_a_round = conversations.len().div_ceil(self.rounds);
        let mut rounds = Vec::new();
        for round in conversations.chunks(of_a_round) {
            rounds.push(self.send_by(round, self.sends, FEW).await?);
        }
        self.points.push((format!("{FEW} entries, conversations {which}"), rounds));
        Ok(())
    }

    /// Sends until each conversation has so many entries; then comes a point.
    async fn grow(&mut self, conversations: &[(usize, Target)], to: u64) -> Result<(), Failed> {
        self.send(conversations, to.saturating_mul(conversations.len() as u64)).await?;
        self.point(conversations, &format!("conversations of {to}")).await
    }

    /// What a send costs here, round by round.
    async fn point(&mut self, conversations: &[(usize, Target)], what: &str) -> Result<(), Failed> {
        let mut rounds = Vec::new();
        for _ in 0..self.rounds {
            rounds.push(self.send(conversations, self.sends).await?);
        }
        self.points.push((what.to_owned(), rounds));
        Ok(())
    }

    /// Sends so many, to each conversation as many as to the others; answers what one cost.
    async fn send(&mut self, to: &[(usize, Target)], count: u64) -> Result<f64, Failed> {
        self.send_by(to, count, OUTSTANDING).await
    }

    /// The same, `at_once` to a conversation before the next one has its turn.
    async fn send_by(&mut self, to: &[(usize, Target)], count: u64, at_once: u64) -> Result<f64, Failed> {
        let pid = self.server.pid().ok_or("the server is gone")?;
        let (cpu, mut sent) = (cpu_seconds(pid)?, 0);
        // As many wait for their answers, whatever the conversations.
        let together = usize::try_from(OUTSTANDING / at_once)?.max(1);
        for some in to.chunks(together).cycle() {
            if sent >= count {
                break;
            }
            let mut answers = Vec::new();
            for (device, target) in some {
                let sender = self.devices.get(*device).ok_or("no device")?.sender();
                for _ in 0..at_once {
                    self.number += 1;
                    answers.push(sender.send(target.clone(), format!("m{}", self.number)).await);
                }
            }
            sent += answers.len() as u64;
            for answer in answers {
                answer.await?.map_err(|code| format!("refused with {code}"))?;
            }
        }
        Ok((cpu_seconds(pid)? - cpu) / sent as f64 * 1e6)
    }
}

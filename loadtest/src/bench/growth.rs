//! What a send costs as its conversation, the log and the app grow: processor time of the server, beside what it was when all was small.

use std::sync::Arc;
use std::time::Instant;

use mynah_oracle::Oracle;
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::process::cpu_seconds;
use super::sends::{account, settled};
use super::sizes::write_users;
use super::{Plan, server};
use crate::Failed;
use crate::device::{Counts, Device, Notes, Target, single};
use crate::rest::Rest;
use crate::server::Server;
use crate::world;

/// Sends that wait for their answers.
const OUTSTANDING: u64 = 64;
/// Sends of a point: the kernel counts processor time in hundredths of a second.
const OF_A_POINT: u64 = 12_800;
/// Conversations that are new at each point.
const NEW: usize = 20;

struct Grown {
    server: Server,
    notes: Notes,
    counts: Arc<Counts>,
    devices: Vec<Device>,
    points: Vec<Value>,
    /// Messages so far: each has a client message id of its own.
    number: u64,
}

/// Two users of the growing conversation, then pairs for the new ones.
pub(super) async fn measure(plan: &Plan) -> Result<Value, Failed> {
    let folder = tempfile::tempdir()?;
    let server = server(plan, folder.path()).await?;
    let rest = Rest::new(server.http, &server.appkey, &server.master_secret);
    let names = world::users(&rest, 1000).await?;
    let notes: Notes = Arc::new(Mutex::new(Oracle::new()));
    let mut grown = Grown { server, notes, counts: Arc::default(), devices: Vec::new(), points: Vec::new(), number: 0 };
    let mut pairs = names.chunks_exact(2);
    let mut new = |grown: &mut Grown| -> Result<Vec<(usize, Target)>, Failed> {
        pairs.by_ref().take(NEW).map(|pair| grown.pair(pair)).collect()
    };
    let (warm_up, first, grows) = (new(&mut grown)?, new(&mut grown)?, new(&mut grown)?);
    let [grows, ..] = grows.as_slice() else { return Err("no user".into()) };
    grown.send(&warm_up, OF_A_POINT, None).await?;
    grown.send(&first, OF_A_POINT, Some("new conversations")).await?;
    grown.grow(grows, 10_000).await?;
    grown.grow(grows, plan.grow_to).await?;
    let beside = new(&mut grown)?;
    grown.send(&beside, OF_A_POINT, Some("new conversations beside it")).await?;
    let file = folder.path().join("users.jsonl");
    write_users(&file, plan.users)?;
    grown.server.app_command(&["import-users", &grown.server.appkey, &file.display().to_string()])?;
    let later = new(&mut grown)?;
    grown.send(&later, OF_A_POINT, None).await?;
    grown.send(&later, OF_A_POINT, Some("the same in an app of the imported users")).await?;
    grown.send(std::slice::from_ref(grows), OF_A_POINT, Some("the grown one in that app")).await?;
    for device in &grown.devices {
        device.idle().await;
    }
    let verdict = settled(&grown.notes).await;
    Ok(json!({"points": grown.points, "users_imported": plan.users, "verdict": verdict}))
}

impl Grown {
    /// Connects two users; answers who sends, and to whom.
    fn pair(&mut self, pair: &[String]) -> Result<(usize, Target), Failed> {
        let [a, b] = pair else { return Err("no pair".into()) };
        for name in [a, b] {
            self.notes.lock().must_see(&single(a, b), name, 1, u64::MAX);
            let device = Device::start(account(&self.server, name), Arc::clone(&self.notes), Arc::clone(&self.counts));
            self.devices.push(device);
        }
        Ok((self.devices.len() - 2, Target::User(b.clone())))
    }

    /// Sends until the conversation has so many entries; the last of them are a point.
    async fn grow(&mut self, conversation: &(usize, Target), to: u64) -> Result<(), Failed> {
        let one = std::slice::from_ref(conversation);
        self.send(one, to.saturating_sub(OF_A_POINT).max(OUTSTANDING), None).await?;
        self.send(one, OF_A_POINT, Some(&format!("a conversation of {to}"))).await
    }

    /// Sends so many, to each conversation as many as to the others, and notes what one cost.
    async fn send(&mut self, to: &[(usize, Target)], count: u64, point: Option<&str>) -> Result<(), Failed> {
        let pid = self.server.pid().ok_or("the server is gone")?;
        let (began, cpu, mut sent) = (Instant::now(), cpu_seconds(pid)?, 0);
        for (device, target) in to.iter().cycle() {
            if sent >= count {
                break;
            }
            let sender = self.devices.get(*device).ok_or("no device")?.sender();
            let mut answers = Vec::new();
            for _ in 0..OUTSTANDING {
                self.number += 1;
                answers.push(sender.send(target.clone(), format!("m{}", self.number)).await);
            }
            for answer in answers {
                answer.await?.map_err(|code| format!("refused with {code}"))?;
            }
            sent += OUTSTANDING;
        }
        if let Some(what) = point {
            let us = ((cpu_seconds(pid)? - cpu) / sent as f64 * 1e6).round();
            let per_s = (sent as f64 / began.elapsed().as_secs_f64()).round();
            self.points.push(json!({"what": what, "sends": sent, "server_us_per_send": us, "per_s": per_s}));
        }
        Ok(())
    }
}

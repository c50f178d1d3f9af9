//! A distributed deployment of its own under load, while its parts are killed, stopped, emptied and restarted; clients judge.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use mynah_local_cluster::{Cluster, Kind, Plan as Parts};
use mynah_oracle::Dice;
use serde_json::{Value, json};

use crate::Failed;
use crate::traffic::{self, Outcome, Place};

/// Longer than the lease of a router or a gateway, so that another one has taken over when it goes on.
const PAUSED: Duration = Duration::from_secs(6);
/// The same for a directory: longer than its turn at the outbox lasts.
const DIRECTORY_PAUSED: Duration = Duration::from_secs(33);
/// How long half of the message log is away.
const AWAY: Duration = Duration::from_secs(6);
/// A round begins when the last one is over for so long, at least.
const CALM_MS: u64 = 1500;
/// After the faults, every part says that it works in this time.
const WHOLE_WITHIN: Duration = Duration::from_secs(60);

/// What a run is.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where the binaries are.
    pub binaries: PathBuf,
    /// Binaries of another version, for the second process of each kind.
    pub skewed: Option<PathBuf>,
    /// Databases of the message log; the fault of one of them needs two.
    pub log_databases: usize,
    /// Faults.
    pub rounds: u32,
    /// Only faults of this kind; all if empty.
    pub only: Option<String>,
    /// How long the bus is away.
    pub away: Duration,
    /// Users, one device each.
    pub users: usize,
    /// The longest pause of a user between two messages, in milliseconds.
    pub pause_ms: u64,
    /// Decides the rest.
    pub seed: u64,
}

/// What is done to a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A process of a kind is killed and started again.
    Kill(Kind),
    /// It is asked to end, and started again: an upgrade.
    Restart(Kind),
    /// It stands still for longer than its lease, and goes on.
    Pause(Kind),
    /// A router is cut off from its database for longer than its lease.
    Partition,
    /// Redis is emptied.
    EmptyRedis,
    /// Redis is killed and started again, empty.
    KillRedis,
    /// The bus is killed, away for a while, and started again.
    KillKafka,
    /// The server of the directory's database, and of half of the message log, is killed and started again.
    KillPostgres,
    /// The server of the other half of the message log is killed, away for a while, and started again.
    KillLogDatabase,
}

impl Fault {
    const ALL: [(&str, Self); 17] = [
        ("kill-router", Self::Kill(Kind::Router)),
        ("kill-gateway", Self::Kill(Kind::Gateway)),
        ("kill-directory", Self::Kill(Kind::Directory)),
        ("kill-report", Self::Kill(Kind::Report)),
        ("restart-router", Self::Restart(Kind::Router)),
        ("restart-gateway", Self::Restart(Kind::Gateway)),
        ("restart-directory", Self::Restart(Kind::Directory)),
        ("restart-report", Self::Restart(Kind::Report)),
        ("pause-router", Self::Pause(Kind::Router)),
        ("pause-gateway", Self::Pause(Kind::Gateway)),
        ("pause-directory", Self::Pause(Kind::Directory)),
        ("partition-router", Self::Partition),
        ("empty-redis", Self::EmptyRedis),
        ("kill-redis", Self::KillRedis),
        ("kill-kafka", Self::KillKafka),
        ("kill-postgresql", Self::KillPostgres),
        ("kill-log-database", Self::KillLogDatabase),
    ];

    /// The names of all.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::ALL.iter().map(|(name, _)| *name)
    }
}

/// Does it.
///
/// # Errors
/// When the deployment does not start, does not become whole again, or something cannot be made.
pub async fn run(plan: &Plan) -> Result<Outcome, Failed> {
    let folder = tempfile::tempdir()?;
    let settings = [("argon2_memory_kib", "8"), ("argon2_iterations", "1"), ("sends_per_minute", "0"), ("syncs_per_minute", "0")];
    let parts = Parts {
        binaries: plan.binaries.clone(),
        skewed: plan.skewed.clone(),
        folder: folder.path().into(),
        gateways: 2,
        directories: 2,
        routers: 3,
        over_tls: false,
        log_databases: plan.log_databases,
        settings: settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
    };
    let done = drive(plan, parts).await;
    if done.is_err() || done.as_ref().is_ok_and(|outcome| !outcome.verdict.is_clean()) {
        // What the processes said is wanted then.
        eprintln!("loadtest: logs stay in {}", folder.keep().display());
    }
    done
}

async fn drive(plan: &Plan, parts: Parts) -> Result<Outcome, Failed> {
    let mut cluster = blocking(|| Cluster::start(parts))?;
    let place = place(&cluster)?;
    let mut dice = Dice::new(plan.seed);
    let mut run = traffic::prepare(&place, plan.users).await?;
    let senders = traffic::start_senders(&run, &mut dice, plan.pause_ms);
    tokio::time::sleep(Duration::from_millis(CALM_MS)).await;
    let wanted = |name: &str| plan.only.as_deref().is_none_or(|only| only == name);
    let possible = |fault: Fault| fault != Fault::KillLogDatabase || plan.log_databases > 1;
    let faults: Vec<_> = Fault::ALL.iter().filter(|(name, fault)| wanted(name) && possible(*fault)).collect();
    let mut done = Vec::new();
    for round in 0..plan.rounds {
        // Each once, then at random.
        let nth = usize::try_from(round)?;
        let Some((name, fault)) = faults.get(nth).or_else(|| dice.one_of(&faults)).copied() else {
            return Err("no such fault".into());
        };
        let (began, before) = (Instant::now(), run.notes.lock().acknowledged());
        run.acks.take();
        run.call_acks.take();
        inject(&mut cluster, *fault, plan.away, &mut dice)?;
        tokio::time::sleep(Duration::from_millis(CALM_MS + dice.below(1500))).await;
        let acknowledged = run.notes.lock().acknowledged() - before;
        eprintln!("loadtest: {name}: {acknowledged} acknowledged in {:.1} s", began.elapsed().as_secs_f64());
        let ms = u64::try_from(began.elapsed().as_millis())?;
        let (ack_ms, call_ms) = (run.acks.take().figures(), run.call_acks.take().figures());
        done.push(json!({"fault": name, "acknowledged": acknowledged, "ms": ms, "ack_ms": ack_ms, "call_ms": call_ms}));
    }
    let settled = run.end(senders).await?;
    whole(&cluster).await?;
    let mut outcome = run.judge(settled, json!({"faults": done, "seed": plan.seed})).await?;
    let listed = run.compare_history(&mut outcome.verdict).await?;
    if let Value::Object(figures) = &mut outcome.figures {
        figures.insert("listed".into(), json!(listed));
    }
    Ok(outcome)
}

/// Where clients find a deployment.
///
/// # Errors
/// When an address does not read.
pub fn place(cluster: &Cluster) -> Result<Place, Failed> {
    let status = blocking(|| cluster.status());
    let gateways = status.gateways.iter().map(|gateway| gateway.http.parse()).collect::<Result<_, _>>()?;
    Ok(Place { gateways, appkey: status.app.appkey, master_secret: status.app.master_secret })
}

fn inject(cluster: &mut Cluster, fault: Fault, away: Duration, dice: &mut Dice) -> Result<(), Failed> {
    let mut one = |cluster: &Cluster, kind| dice.one_of(&cluster.names(kind)).cloned().ok_or("nothing of this kind runs");
    match fault {
        Fault::Kill(kind) => {
            let name = one(cluster, kind)?;
            blocking(|| cluster.kill(&name).and_then(|()| cluster.start_one(&name)))?;
        }
        Fault::Restart(kind) => {
            let name = one(cluster, kind)?;
            blocking(|| cluster.stop(&name).and_then(|()| cluster.start_one(&name)))?;
        }
        Fault::Pause(kind) => {
            let name = one(cluster, kind)?;
            cluster.pause(&name)?;
            let paused = if kind == Kind::Directory { DIRECTORY_PAUSED } else { PAUSED };
            blocking(|| std::thread::sleep(paused));
            cluster.resume(&name)?;
        }
        Fault::Partition => {
            let name = one(cluster, Kind::Router)?;
            cluster.cut(&name)?;
            blocking(|| std::thread::sleep(PAUSED));
            cluster.heal(&name)?;
        }
        Fault::EmptyRedis => cluster.flush_redis()?,
        Fault::KillRedis => blocking(|| cluster.kill("redis").and_then(|()| cluster.start_one("redis")))?,
        Fault::KillKafka => {
            cluster.kill("kafka")?;
            blocking(|| std::thread::sleep(away));
            blocking(|| cluster.start_one("kafka"))?;
        }
        Fault::KillLogDatabase => {
            cluster.kill("postgresql-2")?;
            blocking(|| std::thread::sleep(AWAY));
            blocking(|| cluster.start_one("postgresql-2"))?;
        }
        Fault::KillPostgres => blocking(|| cluster.kill("postgresql").and_then(|()| cluster.start_one("postgresql")))?,
    }
    Ok(())
}

/// Every part is up and says that it works.
async fn whole(cluster: &Cluster) -> Result<(), Failed> {
    let began = Instant::now();
    loop {
        let status = blocking(|| cluster.status());
        let shards: u32 = status.routers.iter().map(|router| router.shards).sum();
        let members = status.directories.iter().chain(&status.reports);
        let ready =
            status.gateways.iter().all(|m| m.ready) && members.clone().all(|m| m.ready) && status.routers.iter().all(|m| m.ready);
        if ready && shards == 256 {
            return Ok(());
        }
        if began.elapsed() > WHOLE_WITHIN {
            return Err(format!("the deployment is not whole again: {}", serde_json::to_string(&status)?).into());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Work that waits, beside the devices' tasks.
fn blocking<T>(work: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(work)
}

//! `cargo xtask inputs`: figures of `deploy/capacity/inputs.md` that are about the distributed shape, from one deployment on this machine.
//!
//! Each is work by processor time or by what engines count, taken between two moments of a steady load: that other things run on the machine
//! matters little. What everything costs while nobody does anything is taken off. Reading order: [`Reading`] (everything that is counted), [`Load`] (a steady load between two readings),
//! [`run`] (what follows from it).

#![allow(clippy::print_stdout, reason = "the table is what it prints")]

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mynah_local_cluster::{Cluster, Plan, get};
use mynah_measure::Failed;
use mynah_measure::process::{cpu_seconds, family_cpu_seconds};

use crate::codegen::root;
use crate::measure::SETTINGS;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const USAGE: &str = "usage: cargo xtask inputs [--seconds N] [--binaries FOLDER]";
/// PostgreSQL counts rows, and tells them within so long after a connection's last transaction.
const TOLD_WITHIN: Duration = Duration::from_secs(12);
/// A load that does not begin by then does not.
const BEGINS_WITHIN: Duration = Duration::from_secs(120);
/// Users of the load for connects, and how many of them come anew in a second.
const CONNECTS: &str = "name = \"connects\"\nabout = \"Devices that come and go\"\nusers = 400\nwindow_s = 30.0\n\
    [[traffic]]\nkind = \"single\"\nrate = 2.0\npeers = 2\n[churn]\nper_s = 60.0\naway_s = 0.5\n[gates]\nerror_ratio = 1.0\n";
/// Devices that mark each message as read.
const READS: &str = "name = \"reads\"\nabout = \"Devices that read\"\nusers = 200\nread_every = 1\nwindow_s = 30.0\n\
    [[traffic]]\nkind = \"single\"\nrate = 300.0\npeers = 2\n[gates]\nerror_ratio = 1.0\n";
/// Users whose passwords are hashed as in production.
const HASHED: f64 = 60.0;

/// Everything that is counted, by name: processor seconds of processes and databases as `cpu …`, the rest as its metric.
struct Reading(BTreeMap<String, f64>);

impl Reading {
    fn take(cluster: &Cluster) -> Outcome<Self> {
        let status = cluster.status();
        let mut found = BTreeMap::new();
        let gateways = status.gateways.iter().map(|g| ("gateway", g.pid, &g.ops));
        let directories = status.directories.iter().map(|m| ("directory", m.pid, &m.ops));
        let routers = status.routers.iter().map(|r| ("router", r.pid, &r.ops));
        let reports = status.reports.iter().map(|m| ("report", m.pid, &m.ops));
        for (kind, pid, ops) in gateways.chain(directories).chain(routers).chain(reports) {
            *found.entry(format!("cpu {kind}")).or_default() += told(cpu_seconds(pid))?;
            let port = ops.rsplit(':').next().and_then(|port| port.parse().ok()).ok_or("no port")?;
            let (_, page) = get(port, "/metrics").ok_or_else(|| format!("{kind} tells no metrics"))?;
            for line in page.lines().filter(|line| line.starts_with("mynah_")) {
                let Some((name, value)) = line.rsplit_once(' ') else { continue };
                let metric = name.split('{').next().unwrap_or(name);
                let value = value.parse::<f64>().unwrap_or(0.0);
                *found.entry(format!("{kind} {metric}")).or_default() += value;
                if name.ends_with("Router/Read\"}") {
                    *found.entry(MARKS.into()).or_default() += value;
                }
            }
        }
        for engine in &status.engines {
            // A process for each of its connections.
            let used = if engine.name.starts_with("postgresql") { family_cpu_seconds } else { cpu_seconds };
            found.insert(format!("cpu {}", engine.name), told(used(engine.pid))?);
            match engine.name.as_str() {
                "redis" => _ = found.insert("redis calls".into(), redis_calls(engine.port)?),
                "postgresql" => postgresql(engine.port, &mut found)?,
                _ => {}
            }
        }
        Ok(Self(found))
    }

    fn get(&self, name: &str) -> f64 {
        self.0.get(name).copied().unwrap_or(0.0)
    }
}

/// What this thread alone sees of a failure is enough here.
fn told<T>(outcome: Result<T, Failed>) -> Outcome<T> {
    outcome.map_err(|failed| failed as Box<dyn Error>)
}

/// Calls of scripts so far.
fn redis_calls(port: u16) -> Outcome<f64> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(b"INFO commandstats\r\nQUIT\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let calls = |line: &str| line.strip_prefix("cmdstat_eval")?.split_once("calls=")?.1.split(',').next()?.parse::<f64>().ok();
    Ok(text.lines().filter_map(calls).sum())
}

/// What the databases count, and what their connections cost: each database's own, the server's own work being the log's.
fn postgresql(port: u16, found: &mut BTreeMap<String, f64>) -> Outcome {
    let ask = |database: &str, sql: &str| -> Outcome<String> {
        let url = format!("postgres://mynah@127.0.0.1:{port}/{database}");
        let output = Command::new("psql").args(["-X", "-A", "-t", "-q", "-F", " ", &url, "-c", sql]).output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        }
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    };
    let number = |database: &str, sql: &str| -> Outcome<f64> { Ok(ask(database, sql)?.parse()?) };
    let mut of_directory = 0.0;
    for pid in
        ask("directory", "SELECT pid FROM pg_stat_activity WHERE datname = 'directory' AND pid <> pg_backend_pid()")?.lines()
    {
        // One that has just ended counts as the server's.
        of_directory += cpu_seconds(pid.parse()?).unwrap_or(0.0);
    }
    found.insert("cpu directory's database".into(), of_directory);
    let rows =
        "SELECT coalesce(sum(n_tup_ins + n_tup_upd), 0) FROM pg_stat_user_tables WHERE relname NOT IN ('shards', 'routers')";
    found.insert("log rows".into(), number("log", rows)?);
    found.insert("log entries".into(), number("log", "SELECT count(*) FROM mynah_log.entries")?);
    found.insert("log bytes".into(), number("log", "SELECT pg_database_size('log')")?);
    let done = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = 'directory'";
    found.insert("directory transactions".into(), number("directory", done)?);
    Ok(())
}

/// Differences between two moments.
struct Load(BTreeMap<String, f64>);

impl Load {
    fn between(first: &Reading, last: &Reading) -> Self {
        Self(last.0.iter().map(|(name, value)| (name.clone(), value - first.get(name))).collect())
    }

    /// What nobody's load costs in so long.
    fn idle(cluster: &Cluster, seconds: u64) -> Outcome<Self> {
        std::thread::sleep(Duration::from_secs(5));
        let first = Reading::take(cluster)?;
        std::thread::sleep(Duration::from_secs(seconds));
        Ok(Self::between(&first, &Reading::take(cluster)?))
    }

    /// Without the processor time of as long an idleness.
    fn beyond(mut self, idle: &Self) -> Self {
        for (name, value) in self.0.iter_mut().filter(|(name, _)| name.starts_with("cpu ")) {
            *value = (*value - idle.get(name)).max(0.0);
        }
        self
    }

    /// Drives a deployment for so long beside what comes before and after.
    fn drive(cluster: &Cluster, load: &mut Command, seconds: u64) -> Outcome<Self> {
        let before = Reading::take(cluster)?;
        let begins = Instant::now() + BEGINS_WITHIN;
        let mut child = Running(load.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
        // Past the logins, and the first message of most chats.
        while Reading::take(cluster)?.get(SENDS) < before.get(SENDS) + 30.0 {
            if Instant::now() > begins || child.0.try_wait()?.is_some() {
                return Err("the load did not begin".into());
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        std::thread::sleep(Duration::from_secs(5));
        let first = Reading::take(cluster)?;
        std::thread::sleep(Duration::from_secs(seconds));
        let last = Reading::take(cluster)?;
        child.0.wait()?;
        Ok(Self::between(&first, &last))
    }

    fn get(&self, name: &str) -> f64 {
        self.0.get(name).copied().unwrap_or(0.0)
    }

    fn ratio(&self, of: &str, by: &str) -> f64 {
        self.get(of) / self.get(by).max(f64::MIN_POSITIVE)
    }
}

/// The messages that devices were answered for.
const SENDS: &str = "gateway mynah_gateway_ack_seconds_count";
/// Read marks that a router was asked to take.
const MARKS: &str = "router read marks";
const CALLS: &str = "directory mynah_grpc_calls_total";
const LOGINS: &str = "directory mynah_directory_logins_total";
const PUBLISHED: &str = "router mynah_bus_published_total";
const RECORDED: &str = "report mynah_report_recorded_total";

/// A load that ends with its command.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

struct Deployed {
    cluster: Cluster,
    binaries: PathBuf,
}

impl Deployed {
    fn start(binaries: &Path, folder: &Path, settings: &[(&str, &str)]) -> Outcome<Self> {
        _ = std::fs::remove_dir_all(folder);
        std::fs::create_dir_all(folder)?;
        let cluster = Cluster::start(Plan {
            binaries: binaries.to_owned(),
            skewed: None,
            folder: folder.to_owned(),
            gateways: 1,
            directories: 1,
            routers: 1,
            over_tls: false,
            log_databases: 1,
            settings: settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        })?;
        Ok(Self { cluster, binaries: binaries.to_owned() })
    }

    /// A command of the load generator against it.
    fn load(&self, words: &[&str]) -> Command {
        let mut load = Command::new(self.binaries.join("loadtest"));
        let app = self.cluster.app();
        load.args(words).args(["--app-key", &app.appkey, "--master-secret", &app.master_secret]);
        for gateway in &self.cluster.status().gateways {
            load.args(["--target", &format!("http://{}", gateway.http)]);
        }
        load
    }
}

/// Processor seconds that the directory took from its start until some users had registered and logged in.
fn hashing(binaries: &Path, folder: &Path, settings: &[(&str, &str)]) -> Outcome<f64> {
    let deployed = Deployed::start(binaries, folder, settings)?;
    let users = format!("{HASHED:.0}");
    let done = deployed.load(&["run", "idle", "--users", &users, "--warm-up", "1", "--seconds", "2"]).output()?;
    if !done.status.success() {
        return Err(String::from_utf8_lossy(&done.stdout).into_owned().into());
    }
    Ok(Reading::take(&deployed.cluster)?.get("cpu directory"))
}

/// Measures, and prints rows of the inputs' table.
///
/// # Errors
/// A deployment does not start, or a load does not run.
pub fn run(words: &[&str]) -> Outcome {
    let (mut seconds, mut binaries) = (30_u64, root().join("target/release"));
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        let value = rest.next().ok_or(USAGE)?;
        match *word {
            "--seconds" => seconds = value.parse()?,
            "--binaries" => binaries = root().join(value),
            _ => return Err(USAGE.into()),
        }
    }
    let folder = root().join("target/inputs");
    std::fs::create_dir_all(&folder)?;
    let (connects, reads) = (folder.join("connects.toml"), folder.join("reads.toml"));
    std::fs::write(&connects, CONNECTS)?;
    std::fs::write(&reads, READS)?;
    let deployed = Deployed::start(&binaries, &folder.join("cluster"), &SETTINGS)?;
    let idle = Load::idle(&deployed.cluster, seconds)?;
    let whole = (seconds + 25).to_string();
    let drive = |words: &[&str]| -> Outcome<Load> {
        let words = [words, &["--warm-up", "0", "--seconds", &whole]].concat();
        let driven = Load::drive(&deployed.cluster, &mut deployed.load(&words), seconds)?.beyond(&idle);
        // The next load's first reading has all of this one's rows.
        std::thread::sleep(TOLD_WITHIN);
        Ok(driven)
    };
    let singles = drive(&["run", "single-uniform", "--users", "200", "--rate", "1500"])?;
    let groups = drive(&["run", "small-groups", "--users", "410", "--rate", "500"])?;
    let connects = drive(&["run", &connects.display().to_string()])?;
    let reads = drive(&["run", &reads.display().to_string()])?;
    let rests = drive(&["run", "broadcast", "--users", "200", "--rate", "300"])?;
    drop(deployed);
    let dear = hashing(&binaries, &folder.join("cluster"), &[])?;
    let cheap = hashing(&binaries, &folder.join("cluster"), &SETTINGS)?;
    // Once when a user is made, once when he logs in.
    let password = (dear - cheap) / (2.0 * HASHED) * 1e6;

    let log = |load: &Load| load.get("cpu postgresql") - load.get("cpu directory's database");
    let us = |load: &Load, of: &str, by: &str| 1e6 * load.ratio(of, by);
    println!("| figure | found |\n|---|---|");
    let rows = [
        ("gateway_send_us", us(&singles, "cpu gateway", SENDS)),
        ("router_send_us", us(&singles, "cpu router", SENDS)),
        ("password_us", password),
        ("connect_us", us(&connects, "cpu gateway", LOGINS)),
        ("directory_call_us", us(&connects, "cpu directory", CALLS)),
        ("directory_calls_per_rest_send", rests.ratio(CALLS, SENDS)),
        ("directory_calls_per_connect", connects.ratio(CALLS, LOGINS)),
        ("directory_transactions_per_call", connects.ratio("directory transactions", CALLS)),
        ("directory_transactions_per_core_second", connects.ratio("directory transactions", "cpu directory's database")),
        ("rows_per_send", singles.ratio("log rows", "log entries")),
        (
            "rows_per_read",
            (reads.get("log rows") - reads.get("log entries") * singles.ratio("log rows", "log entries")) / reads.get(MARKS),
        ),
        ("message_bytes", singles.ratio("log bytes", "log entries")),
        ("log_rows_per_core_second", singles.get("log rows") / log(&singles)),
        ("kafka_records_per_core_second", groups.ratio(PUBLISHED, "cpu kafka")),
        ("redis_operations_per_core_second", connects.ratio("redis calls", "cpu redis")),
        ("report_rows_per_core_second", singles.ratio(RECORDED, "cpu report")),
        ("for comparison: calls of the directory a single chat's message", singles.ratio(CALLS, SENDS)),
        ("… of Redis a connect", connects.ratio("redis calls", LOGINS)),
        ("… a message by REST, us: gateway", us(&rests, "cpu gateway", SENDS)),
        ("… router", us(&rests, "cpu router", SENDS)),
        ("… a message to a group of ten, us: gateway", us(&groups, "cpu gateway", SENDS)),
        ("… router", us(&groups, "cpu router", SENDS)),
        ("… PostgreSQL", us(&groups, "cpu postgresql", SENDS)),
        ("… Kafka", us(&groups, "cpu kafka", SENDS)),
        ("… a single chat's message, us: PostgreSQL", us(&singles, "cpu postgresql", SENDS)),
        ("… Redis", us(&singles, "cpu redis", SENDS)),
        ("… report", us(&singles, "cpu report", SENDS)),
    ];
    for (name, found) in rows {
        println!("| {name} | {found:.1} |");
    }
    Ok(())
}

//! `cargo xtask measure`: the figures of `docs/performance.md` that come from whole runs, each several times, server and generator on a
//! processor of its own.

#![allow(clippy::print_stdout, reason = "the table is what it prints")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

use mynah_local_cluster::{Cluster, Plan, Status};
use serde_json::Value;

use crate::codegen::root;
use crate::steps::cargo;

const USAGE: &str = "usage: cargo xtask measure [--runs N] [--seconds N] [--only CASE,…]";
/// The processors of the servers and of the generator.
const CPUS: (&str, &str) = ("0", "1");
/// Hashes are cheap and nobody's rate is bounded: what is measured is the path of a message.
const SETTINGS: [(&str, &str); 5] = [
    ("argon2_memory_kib", "8"),
    ("argon2_iterations", "1"),
    ("sends_per_minute", "0"),
    ("syncs_per_minute", "0"),
    ("calls_per_minute", "0"),
];

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// A case: its name, the command and scenario, further arguments.
struct Case {
    name: &'static str,
    command: &'static str,
    scenario: &'static str,
    further: &'static [&'static str],
    /// Routers of a distributed deployment; 0: the embedded server.
    routers: usize,
}

const fn case(name: &'static str, command: &'static str, scenario: &'static str, further: &'static [&'static str]) -> Case {
    Case { name, command, scenario, further, routers: 0 }
}

/// More than it can take is offered: what it takes tells what sharding costs.
const fn distributed(name: &'static str, routers: usize) -> Case {
    Case {
        name,
        command: "run",
        scenario: "single-uniform",
        further: &["--users", "200", "--rate", "4000", "--warm-up", "5"],
        routers,
    }
}

const CASES: &[Case] = &[
    case("single-chats", "search", "single-uniform", &["--from", "4000"]),
    case("skewed-chats", "search", "single-skewed", &["--from", "4000"]),
    case("small-groups", "search", "small-groups", &["--from", "2000"]),
    case("large-groups", "search", "large-groups", &["--from", "50"]),
    case("rest", "search", "broadcast", &["--from", "1000"]),
    case("quiet-room", "run", "quiet-room", &["--warm-up", "5"]),
    case("hot-room", "run", "hot-room", &["--warm-up", "5"]),
    case("reconnect-storm", "run", "reconnect-storm", &["--warm-up", "5"]),
    case("churn", "run", "churn", &["--warm-up", "5"]),
    distributed("distributed-1", 1),
    distributed("distributed-2", 2),
    distributed("distributed-3", 3),
];

/// Measures, and prints a table.
///
/// # Errors
/// A run cannot be done, or what clients saw is against it.
pub fn run(words: &[&str]) -> Outcome {
    let (mut runs, mut seconds, mut only) = (3, "30".to_owned(), Vec::new());
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        let value = rest.next().ok_or(USAGE)?;
        match *word {
            "--runs" => runs = value.parse()?,
            "--seconds" => (*value).clone_into(&mut seconds),
            "--only" => only = value.split(',').collect(),
            _ => return Err(USAGE.into()),
        }
    }
    cargo(&["build", "--release", "-p", "mynah", "-p", "mynah-cluster", "-p", "mynah-loadtest"])?;
    let folder = root().join("target/measure");
    std::fs::create_dir_all(&folder)?;
    println!(
        "| case | sends/s | deliveries/s | ack p50, ms | ack p99, ms | delivery p99, ms | server cores | memory, MiB | rest |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for case in CASES.iter().filter(|case| only.is_empty() || only.contains(&case.name)) {
        let mut found = Vec::new();
        for nth in 0..runs {
            let report = folder.join(format!("{}-{nth}.json", case.name));
            found.push(measured(case, &seconds, &report)?);
        }
        println!("{}", row(case, &found));
    }
    Ok(())
}

/// One run: the figures by name.
fn measured(case: &Case, seconds: &str, report: &Path) -> Outcome<Vec<(String, f64)>> {
    let mut load = Command::new(root().join("target/release/loadtest"));
    load.args([case.command, case.scenario, "--json", "--generator-cpu", CPUS.1, "--seconds", seconds]).args(case.further);
    load.arg("--out").arg(report);
    let cluster = match case.routers {
        0 => {
            load.arg("--own").arg(root().join("target/release/mynah")).args(["--server-cpu", CPUS.0]);
            None
        }
        routers => Some(deployment(routers, &mut load)?),
    };
    let output = load.output()?;
    drop(cluster);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let line: Value = serde_json::from_str(said.lines().last().unwrap_or_default())
        .map_err(|_| format!("{}: {}", case.name, String::from_utf8_lossy(&output.stderr)))?;
    if ["lost", "doubled", "reordered", "leaked"].iter().any(|count| line.get(count).and_then(Value::as_u64) != Some(0)) {
        return Err(format!("{}: {line}", case.name).into());
    }
    let number = |path: &str| line.pointer(path).and_then(Value::as_f64).unwrap_or(f64::NAN);
    let report: Value = serde_json::from_slice(&std::fs::read(report)?)?;
    let mut figures: Vec<(String, f64)> = [
        ("sends", "/sends_per_s"),
        ("deliveries", "/deliveries_per_s"),
        ("ack p50", "/ack_ms/p50"),
        ("ack p99", "/ack_ms/p99"),
        ("delivery p99", "/delivery_ms/p99"),
    ]
    .map(|(name, path)| (name.to_owned(), number(path)))
    .into();
    figures.push(("cores".into(), of_servers(&report, "cpu_cores", |values| values.iter().sum::<f64>() / values.len() as f64)));
    let most = |values: &[f64]| values.iter().copied().fold(0.0, f64::max) / 1_048_576.0;
    figures.push(("memory".into(), of_servers(&report, "resident_bytes", most)));
    for (name, path) in [("ack p50 at half", "/ack_ms_at_half/p50"), ("ack p99 at half", "/ack_ms_at_half/p99")] {
        figures.extend(line.pointer(path).and_then(Value::as_f64).map(|value| (name.to_owned(), value)));
    }
    for (name, kind) in [("single p99", "single"), ("room deliveries", "room")] {
        let path =
            if kind == "single" { format!("/kinds/{kind}/delivery_ms/p99") } else { format!("/kinds/{kind}/deliveries_per_s") };
        figures.extend(report.pointer(&path).and_then(Value::as_f64).map(|value| (name.to_owned(), value)));
    }
    figures.extend(median_second(&report).map(|value| ("ack p99 of the median second".to_owned(), value)));
    for name in ["back_s", "caught_up_s", "skipped"] {
        figures.extend(report.pointer(&format!("/figures/{name}")).and_then(Value::as_f64).map(|value| (name.to_owned(), value)));
    }
    Ok(figures)
}

/// The 99th percentile of acknowledgements in each second of the window, the median of these: what a machine's own stalls of some
/// milliseconds do not touch, which fall into one second of three here.
fn median_second(report: &Value) -> Option<f64> {
    let number = |name: &str| report.get(name).and_then(Value::as_f64).unwrap_or(0.0);
    let window = number("warm_up_s")..=number("warm_up_s") + number("window_s");
    let seconds = report.get("seconds").and_then(Value::as_array).into_iter().flatten();
    let in_window = seconds.filter(|second| second.get("at_s").and_then(Value::as_f64).is_some_and(|at| window.contains(&at)));
    let mut found: Vec<f64> = in_window.filter_map(|second| second.pointer("/ack_ms/p99").and_then(Value::as_f64)).collect();
    found.sort_by(f64::total_cmp);
    found.get(found.len() / 2).copied()
}

/// The sum over servers of what a series comes to in the window.
fn of_servers(report: &Value, name: &str, sum_up: impl Fn(&[f64]) -> f64) -> f64 {
    let number = |value: &Value, name: &str| value.get(name).and_then(Value::as_f64).unwrap_or(0.0);
    let (from, until) = (number(report, "warm_up_s"), number(report, "warm_up_s") + number(report, "window_s"));
    let all = report.get("series").and_then(Value::as_array).into_iter().flatten();
    let text = |series: &Value, name: &str| series.get(name).and_then(Value::as_str).map(str::to_owned);
    let mine = all.filter(|series| {
        text(series, "name").as_deref() == Some(name) && text(series, "source").is_some_and(|source| source != "generator")
    });
    mine.map(|series| {
        let points = series.get("points").and_then(Value::as_array).into_iter().flatten();
        let values: Vec<f64> = points
            .filter(|point| point.get(0).and_then(Value::as_f64).is_some_and(|at| (from..=until).contains(&at)))
            .filter_map(|point| point.get(1).and_then(Value::as_f64))
            .collect();
        if values.is_empty() { 0.0 } else { sum_up(&values) }
    })
    .sum()
}

/// A deployment on the servers' processor, its engines included.
fn deployment(routers: usize, load: &mut Command) -> Outcome<(Cluster, PathBuf)> {
    let folder = root().join("target/measure/cluster");
    _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder)?;
    // What is started from here on stays there, and with it this process.
    let pinned = Command::new("taskset")
        .args(["--all-tasks", "--cpu-list", "--pid", CPUS.0])
        .arg(std::process::id().to_string())
        .output()?;
    if !pinned.status.success() {
        return Err(String::from_utf8_lossy(&pinned.stderr).into_owned().into());
    }
    let settings = SETTINGS.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let plan = Plan {
        binaries: root().join("target/release"),
        folder: folder.clone(),
        gateways: 1,
        directories: 1,
        routers,
        over_tls: false,
        log_databases: 1,
        settings: settings.collect(),
    };
    let cluster = Cluster::start(plan)?;
    let Status { gateways, directories, routers, app, .. } = cluster.status();
    load.args(["--app-key", &app.appkey, "--master-secret", &app.master_secret]);
    for gateway in &gateways {
        load.args([
            "--target",
            &format!("http://{}", gateway.http),
            "--scrape",
            &format!("{}=pid:{}", gateway.name, gateway.pid),
        ]);
    }
    for member in &directories {
        load.args(["--scrape", &format!("{}=pid:{}", member.name, member.pid)]);
    }
    for router in &routers {
        load.args(["--scrape", &format!("{}=pid:{}", router.name, router.pid)]);
    }
    Ok((cluster, folder))
}

/// A row of the table: medians, with the least and the most of the rate.
fn row(case: &Case, found: &[Vec<(String, f64)>]) -> String {
    let values = |name: &str| {
        let mut all: Vec<f64> = found.iter().flatten().filter(|(of, _)| of == name).map(|(_, value)| *value).collect();
        all.sort_by(f64::total_cmp);
        all
    };
    let median = |name: &str| values(name).get(found.len() / 2).copied().unwrap_or(f64::NAN);
    let sends = values("sends");
    let spread = format!("{:.0}–{:.0}", sends.first().unwrap_or(&f64::NAN), sends.last().unwrap_or(&f64::NAN));
    let shown = ["sends", "deliveries", "ack p50", "ack p99", "delivery p99", "cores", "memory"];
    let others: Vec<&String> =
        found.iter().flatten().map(|(name, _)| name).filter(|name| !shown.contains(&name.as_str())).collect();
    let mut rest: Vec<String> = Vec::new();
    for name in others {
        let text = format!("{name} {:.1}", median(name));
        if !rest.contains(&text) {
            rest.push(text);
        }
    }
    format!(
        "| {} | {:.0} ({spread}) | {:.0} | {:.1} | {:.1} | {:.1} | {:.2} | {:.0} | {} |",
        case.name,
        median("sends"),
        median("deliveries"),
        median("ack p50"),
        median("ack p99"),
        median("delivery p99"),
        median("cores"),
        median("memory"),
        rest.join(", ")
    )
}

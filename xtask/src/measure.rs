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

const USAGE: &str = "usage: cargo xtask measure [--runs N] [--seconds N] [--only CASE,…] [--binaries FOLDER]";
/// The processors of the servers and of the generator.
const CPUS: (&str, &str) = ("0", "1");
/// Hashes are cheap and nobody's rate is bounded: what is measured is the path of a message.
pub const SETTINGS: [(&str, &str); 5] = [
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
    /// Gateways and routers of a distributed deployment; none: the embedded server.
    parts: Option<(usize, usize)>,
}

const fn case(name: &'static str, command: &'static str, scenario: &'static str, further: &'static [&'static str]) -> Case {
    Case { name, command, scenario, further, parts: None }
}

const fn distributed(
    name: &'static str,
    parts: (usize, usize),
    scenario: &'static str,
    further: &'static [&'static str],
) -> Case {
    Case { name, command: "run", scenario, further, parts: Some(parts) }
}

/// More than a core takes: what it takes tells what sharding costs.
const FEW: &[&str] = &["--users", "200", "--rate", "8000"];

/// More than a core takes is offered where the rate is the figure; `search` finds the highest that is stable, for as many times as long.
const CASES: &[Case] = &[
    case("single-chats", "run", "single-uniform", &["--rate", "16000"]),
    case("single-chats-half", "run", "single-uniform", &["--rate", "6000"]),
    case("skewed-chats", "run", "single-skewed", &["--rate", "16000"]),
    case("small-groups", "run", "small-groups", &["--rate", "8000"]),
    case("large-groups", "run", "large-groups", &["--rate", "250"]),
    case("quiet-room", "run", "quiet-room", &[]),
    case("hot-room", "run", "hot-room", &[]),
    case("reconnect-storm", "run", "reconnect-storm", &[]),
    case("churn", "run", "churn", &[]),
    case("catch-up", "run", "catch-up", &[]),
    case("mixed-day", "run", "mixed-day", &[]),
    distributed("distributed-1", (1, 1), "single-uniform", FEW),
    distributed("distributed-2", (1, 2), "single-uniform", FEW),
    distributed("distributed-3", (1, 3), "single-uniform", FEW),
    distributed("distributed-half", (1, 1), "single-uniform", &["--users", "200", "--rate", "1000"]),
    distributed("distributed-gateways", (2, 2), "single-uniform", FEW),
    distributed("distributed-groups", (2, 2), "small-groups", &["--users", "410", "--rate", "1000"]),
    distributed("distributed-quiet-room", (2, 2), "quiet-room", &["--users", "3100", "--rate", "120"]),
    distributed("distributed-hot-room", (2, 2), "hot-room", &["--users", "3100", "--rate", "120"]),
    distributed("distributed-storm", (2, 2), "reconnect-storm", &["--users", "3000"]),
    case("search-single-chats", "search", "single-uniform", &["--from", "4000"]),
    case("search-small-groups", "search", "small-groups", &["--from", "2000"]),
    case("search-rest", "search", "broadcast", &["--from", "1000"]),
];

/// Columns: the figure's key, its head, what it is divided by, its digits.
const SHOWN: [(&str, &str, f64, usize); 8] = [
    ("sends_per_s", "sends/s", 1.0, 0),
    ("deliveries_per_s", "deliveries/s", 1.0, 0),
    ("server.sends_per_core_s", "sends a core second", 1.0, 0),
    ("ack_ms.p50", "ack p50, ms", 1.0, 1),
    ("ack_ms.p99", "ack p99, ms", 1.0, 1),
    ("delivery_ms.p99", "delivery p99, ms", 1.0, 1),
    ("server.cpu_cores", "server cores", 1.0, 2),
    ("server.resident_bytes", "memory, MiB", 1_048_576.0, 0),
];

/// What only some cases have, in words.
const REST: [(&str, &str); 11] = [
    ("stable rate", "highest stable rate"),
    ("ack p50 at half", "ack p50 at half"),
    ("ack p99 at half", "ack p99 at half"),
    ("ack_ms.median_second_p99", "ack p99 of the median second"),
    ("single.ack_ms.p99", "single chats' ack p99"),
    ("single.delivery_ms.p99", "single chats' delivery p99"),
    ("room.deliveries_per_s", "room deliveries/s"),
    ("figures.back_s", "back after, s"),
    ("figures.caught_up_s", "caught up after, s"),
    ("figures.skipped", "skipped"),
    ("figures.generator_lag_p99_ms", "generator's lag p99, ms"),
];

/// Measures, and prints a table.
///
/// # Errors
/// A run cannot be done, or what clients saw is against it.
pub fn run(words: &[&str]) -> Outcome {
    let (mut runs, mut seconds, mut only, mut given) = (3, "30".to_owned(), Vec::new(), None);
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        let value = rest.next().ok_or(USAGE)?;
        match *word {
            "--runs" => runs = value.parse()?,
            "--seconds" => (*value).clone_into(&mut seconds),
            "--only" => only = value.split(',').collect(),
            // Those of another version, to be measured by this one's harness.
            "--binaries" => given = Some(root().join(value)),
            _ => return Err(USAGE.into()),
        }
    }
    let binaries = match given {
        Some(folder) => folder,
        None => {
            cargo(&["build", "--release", "-p", "mynah", "-p", "mynah-cluster", "-p", "mynah-loadtest"])?;
            root().join("target/release")
        }
    };
    let folder = root().join("target/measure");
    std::fs::create_dir_all(&folder)?;
    let heads = SHOWN.map(|(_, words, _, _)| words);
    println!("| case | {} | rest |\n|---|{}---|", heads.join(" | "), "---|".repeat(heads.len()));
    for case in CASES.iter().filter(|case| only.is_empty() || only.contains(&case.name)) {
        let mut found = Vec::new();
        for nth in 0..runs {
            let report = folder.join(format!("{}-{nth}.json", case.name));
            let figures = measured(case, &binaries, &seconds, &report)?;
            // A run that is cut short leaves what there is.
            println!("<!-- {} -->", row(case, std::slice::from_ref(&figures)));
            found.push(figures);
        }
        println!("{}", row(case, &found));
    }
    Ok(())
}

/// One run: the figures by name.
fn measured(case: &Case, binaries: &Path, seconds: &str, report: &Path) -> Outcome<Vec<(String, f64)>> {
    let mut load = Command::new(binaries.join("loadtest"));
    load.args([case.command, case.scenario, "--json", "--generator-cpu", CPUS.1, "--warm-up", "10", "--seconds", seconds]);
    load.args(case.further);
    load.arg("--out").arg(report);
    let cluster = match case.parts {
        None => {
            load.arg("--own").arg(binaries.join("mynah")).args(["--server-cpu", CPUS.0]);
            None
        }
        Some(parts) => Some(deployment(parts, binaries, &mut load)?),
    };
    let output = load.output()?;
    drop(cluster);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let line: Value = serde_json::from_str(said.lines().last().unwrap_or_default())
        .map_err(|_| format!("{}: {}", case.name, String::from_utf8_lossy(&output.stderr)))?;
    if !is_sound(&line) {
        return Err(format!("{}: {line}", case.name).into());
    }
    let number = |path: &str| line.pointer(path).and_then(Value::as_f64);
    let figures = line.get("figures").and_then(Value::as_object).into_iter().flatten();
    let mut found: Vec<(String, f64)> = figures.filter_map(|(name, value)| Some((name.clone(), value.as_f64()?))).collect();
    let of_search =
        [("stable rate", "/stable_rate"), ("ack p50 at half", "/ack_ms_at_half/p50"), ("ack p99 at half", "/ack_ms_at_half/p99")];
    for (name, path) in of_search {
        found.extend(number(path).map(|value| (name.to_owned(), value)));
    }
    Ok(found)
}

/// Nothing is wrong with what clients saw, and all of it was looked at. A latency beyond a gate is a figure like any other.
fn is_sound(line: &Value) -> bool {
    let clean = ["lost", "doubled", "reordered", "leaked", "unread"]
        .iter()
        .all(|count| line.get(count).and_then(Value::as_u64) == Some(0));
    let broken = line.get("broken").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    clean && !broken.into_iter().any(|gate| matches!(gate, "unannounced" | "unproved" | "uncompared"))
}

/// A deployment on the servers' processor, its engines included.
fn deployment((gateways, routers): (usize, usize), binaries: &Path, load: &mut Command) -> Outcome<(Cluster, PathBuf)> {
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
        binaries: binaries.to_owned(),
        skewed: None,
        folder: folder.clone(),
        gateways,
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

/// A row of the table: medians, and the least and the most of each.
fn row(case: &Case, found: &[Vec<(String, f64)>]) -> String {
    let values = |name: &str| {
        let mut all: Vec<f64> = found.iter().flatten().filter(|(of, _)| of == name).map(|(_, value)| *value).collect();
        all.sort_by(f64::total_cmp);
        all
    };
    let cell = |name: &str, by: f64, digits: usize| {
        let values = values(name);
        let (Some(least), Some(median), Some(most)) = (values.first(), values.get(values.len() / 2), values.last()) else {
            return "–".to_owned();
        };
        format!("{:.digits$} ({:.digits$} – {:.digits$})", median / by, least / by, most / by)
    };
    let shown = SHOWN.map(|(name, _, by, digits)| cell(name, by, digits));
    let rest = REST.iter().filter(|(name, _)| !values(name).is_empty());
    let rest: Vec<String> = rest.map(|(name, words)| format!("{words} {}", cell(name, 1.0, 1))).collect();
    format!("| {} | {} | {} |", case.name, shown.join(" | "), rest.join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_run_that_is_wrong_or_was_not_looked_at_gives_no_figure() {
        let line = |unread: u64, broken: &[&str]| json!({"lost": 0, "doubled": 0, "reordered": 0, "leaked": 0, "unread": unread, "broken": broken});
        assert!(is_sound(&line(0, &["ack_p99_ms"])));
        assert!(!is_sound(&line(1, &[])));
        assert!(!is_sound(&line(0, &["unproved"])));
        assert!(!is_sound(&json!({})));
    }
}

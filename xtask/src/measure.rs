//! `cargo xtask measure`: the figures of `docs/performance.md` that come from whole runs, each several times, server and generator on a
//! processor of its own.

#![allow(clippy::print_stdout, reason = "the table is what it prints")]

mod cases;
mod deployment;
mod profile;

use std::error::Error;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::codegen::root;
use crate::steps::cargo;
use cases::{CASES, Case, On};
use profile::Profile;

const USAGE: &str = "usage: cargo xtask measure [--runs N] [--seconds N] [--only CASE,…] [--binaries FOLDER] [--profiles FOLDER]";
/// When a profile begins: after the warm-up.
const PROFILED_AFTER_S: f64 = 13.0;
/// The processors of the servers and of the generator.
const CPUS: (usize, usize) = (0, 1);
/// Hashes are cheap and nobody's rate is bounded: what is measured is the path of a message.
pub const SETTINGS: [(&str, &str); 5] = [
    ("argon2_memory_kib", "8"),
    ("argon2_iterations", "1"),
    ("sends_per_minute", "0"),
    ("syncs_per_minute", "0"),
    ("calls_per_minute", "0"),
];

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Columns: the figure's key, its head, what it is divided by, its digits.
const SHOWN: [(&str, &str, f64, usize); 9] = [
    ("sends_per_s", "sends/s", 1.0, 0),
    ("deliveries_per_s", "deliveries/s", 1.0, 0),
    ("server.sends_per_core_s", "sends a core second", 1.0, 0),
    ("ack_ms.p50", "ack p50, ms", 1.0, 1),
    ("ack_ms.p99", "ack p99, ms", 1.0, 1),
    ("delivery_ms.p99", "delivery p99, ms", 1.0, 1),
    ("server.cpu_cores", "server cores", 1.0, 2),
    ("server.resident_bytes", "memory, MiB", 1_048_576.0, 0),
    // Beyond a few hundredths a run says little.
    ("machine.stolen_cores", "cores taken by the host", 1.0, 2),
];

/// What only some cases have, in words.
const REST: [(&str, &str); 12] = [
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
    ("errors_total", "errors"),
    ("figures.generator_lag_p99_ms", "generator's lag p99, ms"),
];

/// Measures, and prints a table.
///
/// # Errors
/// A run cannot be done, or what clients saw is against it.
pub fn run(words: &[&str]) -> Outcome {
    let (mut runs, mut seconds, mut only, mut given, mut profiles) = (3, "30".to_owned(), Vec::new(), None, None);
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        let value = rest.next().ok_or(USAGE)?;
        match *word {
            "--runs" => runs = value.parse()?,
            "--seconds" => (*value).clone_into(&mut seconds),
            "--only" => only = value.split(',').collect(),
            // Those of another version, to be measured by this one's harness.
            "--binaries" => given = Some(root().join(value)),
            // Flame graphs of the first run of each case; its figures are those of a run that was disturbed.
            "--profiles" => profiles = Some(root().join(value)),
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
    profiles.as_ref().map_or(Ok(()), std::fs::create_dir_all)?;
    let heads = SHOWN.map(|(_, words, _, _)| words);
    println!("| case | {} | rest |\n|---|{}---|", heads.join(" | "), "---|".repeat(heads.len()));
    for case in CASES.iter().filter(|case| only.is_empty() || only.contains(&case.name)) {
        let mut found = Vec::new();
        for nth in 0..runs {
            let report = folder.join(format!("{}-{nth}.json", case.name));
            let profile = profiles.as_ref().filter(|_| nth == 0).map(|folder| folder.join(format!("{}.svg", case.name)));
            let figures = measured(case, &binaries, &seconds, &report, profile.as_deref())?;
            // A run that is cut short leaves what there is.
            println!("<!-- {} -->", row(case, std::slice::from_ref(&figures)));
            found.push(figures);
        }
        println!("{}", row(case, &found));
    }
    Ok(())
}

/// One run: the figures by name.
fn measured(case: &Case, binaries: &Path, seconds: &str, report: &Path, profile: Option<&Path>) -> Outcome<Vec<(String, f64)>> {
    let mut load = Command::new(binaries.join("loadtest"));
    load.args([
        case.command,
        case.scenario,
        "--json",
        "--generator-cpu",
        &CPUS.1.to_string(),
        "--warm-up",
        "10",
        "--seconds",
        seconds,
    ]);
    load.args(case.further);
    load.arg("--out").arg(report);
    let cluster = match case.on {
        On::Embedded => {
            load.arg("--own").arg(binaries.join("mynah")).args(["--server-cpu", &CPUS.0.to_string()]);
            None
        }
        On::Distributed(parts) => Some(deployment::start(parts, binaries, &mut load)?),
    };
    let (said, taken) = driven(&mut load, profile.map(|_| case.name))?;
    drop(cluster);
    let line: Value = serde_json::from_str(said.lines().last().unwrap_or_default())
        .map_err(|_| format!("{}: no verdict; see above", case.name))?;
    if let (Some(taken), Some(to)) = (taken, profile) {
        taken.draw(&format!("{}: the servers' processor", case.name), to)?;
    }
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

/// Runs the generator: what it said at the end, and a profile of the middle of its window, if one is wanted.
fn driven(load: &mut Command, profiled: Option<&str>) -> Outcome<(String, Option<Profile>)> {
    let mut running = load.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (stdout, stderr) = (running.stdout.take().ok_or("no output")?, running.stderr.take().ok_or("no progress")?);
    let said = std::thread::spawn(move || {
        let mut said = String::new();
        BufReader::new(stdout).read_to_string(&mut said).map(|_| said)
    });
    let mut taken = None;
    for line in BufReader::new(stderr).lines() {
        let line = line?;
        let step: Option<Value> = serde_json::from_str(&line).ok();
        if step.is_none() {
            eprintln!("{line}");
        }
        let at_s = step.and_then(|step| step.get("at_s").and_then(Value::as_f64)).unwrap_or(0.0);
        if taken.is_none() && at_s >= PROFILED_AFTER_S {
            taken = profiled.map(Profile::begin).transpose()?;
        }
    }
    running.wait()?;
    let said = said.join().map_err(|_| "its output cannot be read")??;
    Ok((said, taken))
}

/// Nothing is wrong with what clients saw, and all of it was looked at. A latency beyond a gate is a figure like any other.
fn is_sound(line: &Value) -> bool {
    let clean = ["lost", "doubled", "reordered", "leaked", "unread"]
        .iter()
        .all(|count| line.get(count).and_then(Value::as_u64) == Some(0))
        && line.get("overflown") == Some(&Value::Bool(false));
    let broken = line.get("broken").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    clean && !broken.into_iter().any(|gate| matches!(gate, "unannounced" | "unproved" | "uncompared"))
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
        let line = |unread: u64, broken: &[&str]| json!({"lost": 0, "doubled": 0, "reordered": 0, "leaked": 0, "unread": unread, "overflown": false, "broken": broken});
        assert!(is_sound(&line(0, &["ack_p99_ms"])));
        assert!(!is_sound(&line(1, &[])));
        assert!(!is_sound(&line(0, &["unproved"])));
        let mut forgetful = line(0, &[]);
        forgetful["overflown"] = json!(true);
        assert!(!is_sound(&forgetful));
        assert!(!is_sound(&json!({})));
    }
}

//! `cargo xtask bench`: every part beside its floor, one after the other, as one JSON file and one table.

use std::error::Error;
use std::fmt::Write as _;
use std::process::{Command, Stdio};

use clap::Parser;
use mynah_measure::Machine;
use serde_json::{Value, json};

use crate::codegen::root;

/// Benches of the crates: the name here, the package, its bench.
const PARTS: [(&str, &str, &str); 7] = [
    ("domain", "mynah-domain", "domain"),
    ("codec", "mynah-proto", "codec"),
    ("fjall", "mynah-fjall", "append"),
    ("postgres", "mynah-postgres-log", "append"),
    ("redis", "mynah-redis", "presence"),
    ("kafka", "mynah-kafka", "hop"),
    ("rpc", "mynah-rpc", "call"),
];
/// What `loadtest bench` measures from outside.
const OUTSIDE: [&str; 8] = ["sends", "growth", "fanout", "idle", "rest", "login", "sync", "sizes"];
/// Sizes of a run that only shows that everything works.
const SMALL: [&str; 18] = [
    "--seconds",
    "2",
    "--rounds",
    "1",
    "--idle",
    "100",
    "--members",
    "50,100",
    "--logins",
    "100",
    "--entries",
    "500",
    "--grow-to",
    "500",
    "--grow-sends",
    "1280",
    "--users",
    "2000",
];

/// What is wanted.
#[derive(Parser)]
#[command(name = "cargo xtask bench", about = "Measures each part beside its floor, in release")]
struct Arguments {
    /// Only these, separated by commas; names are those of the list that a wrong one is answered with
    #[arg(long, value_delimiter = ',', value_parser = clap::builder::PossibleValuesParser::new(names()))]
    only: Vec<String>,
    /// Small sizes: everything is tried, and no figure means anything
    #[arg(long)]
    small: bool,
    /// Where the JSON goes
    #[arg(long, default_value = "target/bench.json")]
    out: std::path::PathBuf,
}

fn names() -> Vec<&'static str> {
    PARTS.iter().map(|(name, _, _)| *name).chain(OUTSIDE).collect()
}

/// Runs what is wanted, and prints a table of it.
#[allow(clippy::print_stdout, reason = "the table is the answer")]
pub fn run(words: &[&str]) -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::try_parse_from([&["cargo xtask bench"], words].concat())?;
    let wanted = |name: &str| arguments.only.is_empty() || arguments.only.iter().any(|only| only == name);
    let mut results = serde_json::Map::new();
    for (name, package, bench) in PARTS.into_iter().filter(|(name, _, _)| wanted(name)) {
        results.insert(name.into(), part(package, bench, arguments.small)?);
    }
    let outside: Vec<&str> = OUTSIDE.into_iter().filter(|name| wanted(name)).collect();
    if !outside.is_empty() {
        crate::steps::cargo(&["build", "--release", "-p", "mynah", "-p", "mynah-loadtest"])?;
        crate::steps::cargo(&["build", "--release", "-p", "mynah-fjall", "--example", "append_floor"])?;
    }
    for name in outside {
        let measured = from_outside(name, arguments.small)?;
        results.insert(name.into(), measured.get(name).cloned().unwrap_or_default());
    }
    let report = json!({"machine": Machine::this(), "commit": commit()?, "small": arguments.small, "results": results});
    std::fs::write(root().join(&arguments.out), format!("{report:#}\n"))?;
    println!("{}", table(&report)?);
    Ok(())
}

fn part(package: &str, bench: &str, small: bool) -> Result<Value, Box<dyn Error>> {
    let small = if small { &["--small", "--rounds", "1"][..] } else { &[] };
    let mut command = Command::new(env!("CARGO"));
    command.args(["bench", "-p", package, "--bench", bench, "--"]).args(small);
    last_object(&output(command)?)
}

fn from_outside(name: &str, small: bool) -> Result<Value, Box<dyn Error>> {
    let mut command = Command::new("target/release/loadtest");
    command.args(["bench", "--binary", "target/release/mynah", "--append-floor", "target/release/examples/append_floor"]);
    command.args(["--only", name]).args(if small { &SMALL[..] } else { &[] });
    Ok(serde_json::from_str(&output(command)?)?)
}

/// What a command that works says; its errors are seen as they come.
fn output(mut command: Command) -> Result<String, Box<dyn Error>> {
    eprintln!("== {command:?}");
    let output = command.current_dir(root()).stderr(Stdio::inherit()).output()?;
    if output.status.success() { Ok(String::from_utf8(output.stdout)?) } else { Err(format!("{command:?} failed").into()) }
}

/// The last line that is an object: cargo may say something before it.
fn last_object(text: &str) -> Result<Value, Box<dyn Error>> {
    let line = text.lines().rev().find(|line| line.starts_with('{')).ok_or("the bench printed nothing")?;
    Ok(serde_json::from_str(line)?)
}

/// The commit, and whether the tree is another one.
fn commit() -> Result<String, Box<dyn Error>> {
    let mut command = Command::new("git");
    command.args(["describe", "--always", "--dirty", "--exclude", "*"]);
    Ok(output(command)?.trim().to_owned())
}

/// All cases, a line each. What is no case stands in the JSON only.
fn table(report: &Value) -> Result<String, Box<dyn Error>> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let machine = |name: &str| report.pointer(&format!("/machine/{name}")).map(text).unwrap_or_default();
    let mut table = format!(
        "Commit {}; {}, {} cores, {} MiB, {}{}.\n\n",
        report.get("commit").map(text).unwrap_or_default(),
        machine("processor"),
        machine("cores"),
        report.pointer("/machine/memory").and_then(Value::as_u64).unwrap_or(0) >> 20,
        machine("system"),
        if report.get("small") == Some(&Value::Bool(true)) { "; **small sizes: the figures mean nothing**" } else { "" },
    );
    writeln!(
        table,
        "| part | case | unit | median (spread) | floor | of it (spread) | ratio (spread) |\n|---|---|---|---|---|---|---|"
    )?;
    let spread = |case: &Value, name: &str| {
        let part = |part: &str| case.pointer(&format!("/{name}/{part}")).map(text).unwrap_or_default();
        format!("{} ({} – {})", part("median"), part("least"), part("most"))
    };
    for (name, result) in report.get("results").and_then(Value::as_object).into_iter().flatten() {
        for case in result.get("cases").and_then(Value::as_array).into_iter().flatten() {
            let word = |name: &str| case.get(name).map(text).unwrap_or_default();
            writeln!(
                table,
                "| {name} | {} | {} | {} | {} | {} | {} |",
                word("case"),
                word("unit"),
                spread(case, "figure"),
                word("floor"),
                spread(case, "floor_figure"),
                spread(case, "ratio"),
            )?;
        }
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_a_line_for_each_case_and_says_when_it_means_nothing() {
        let spread = json!({"median": 2.0, "least": 1.5, "most": 3.0});
        let case = json!({"case": "c", "unit": "ns", "figure": spread, "floor": "f", "floor_figure": spread, "ratio": spread});
        let report = json!({"commit": "abc", "machine": {"cores": 2, "memory": 3 << 20}, "small": true, "results": {"codec": {"cases": [case]}, "sizes": {}}});
        let table = table(&report).unwrap_or_default();
        assert!(table.contains("| codec | c | ns | 2.0 (1.5 – 3.0) | f | 2.0 (1.5 – 3.0) | 2.0 (1.5 – 3.0) |"), "{table}");
        assert!(
            table.starts_with("Commit abc; , 2 cores, 3 MiB, ") && table.contains("mean nothing") && !table.contains("| sizes"),
            "{table}"
        );
    }

    #[test]
    fn names_are_those_of_the_benches() {
        assert!(Arguments::try_parse_from(["bench", "--only", "domain,fanout"]).is_ok());
        assert!(Arguments::try_parse_from(["bench", "--only", "nothing"]).is_err());
        assert_eq!(last_object("Running\n{\"a\":1}\n").ok(), Some(json!({"a": 1})));
    }
}

//! The program itself: what it prints, what it writes, and its exit status.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use mynah_loadtest::report::model::Report;

#[test]
fn the_program_ends_with_one_line_of_json_and_the_verdicts_status() {
    let folder = tempfile::tempdir().unwrap();
    let (scenario, out) = (folder.path().join("few.toml"), folder.path().join("few.json"));
    // Without a gate for latencies: this machine may be busy with other tests.
    let text = "name='few'\nusers=10\n[[traffic]]\nkind='single'\nrate=50.0\npeers=1\n[gates]\ngenerator_lag_ms=1e4";
    std::fs::write(&scenario, text).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_loadtest"))
        .args(["run", scenario.to_str().unwrap(), "--seconds", "3", "--warm-up", "0", "--json"])
        .args(["--own", crate::binary().to_str().unwrap(), "--out", out.to_str().unwrap()])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!((&line["verdict"], &line["lost"], text.lines().count()), (&"pass".into(), &0.into(), 1), "{line}");
    let progress: Vec<serde_json::Value> =
        String::from_utf8(output.stderr).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let steps: Vec<&str> = progress.iter().map(|line| line["step"].as_str().unwrap()).collect();
    assert!(steps.contains(&"connecting") && steps.contains(&"load"), "{steps:?}");
    let second = progress.iter().find(|line| line["step"] == "load").unwrap();
    assert_eq!((&second["at_s"], &second["of_s"]), (&1.0.into(), &3.0.into()), "{second}");
    assert!(second["sends"].as_u64().unwrap() > 20 && second["ack_ms"]["p99"].as_f64().unwrap() > 0.0, "{second}");
    let held = line["broken"].as_array().unwrap().is_empty();
    assert_eq!(output.status.success(), held, "{line}");
    let report: Report = serde_json::from_slice(&std::fs::read(&out).unwrap()).unwrap();
    assert!(report.series.iter().any(|series| series.name == "resident_bytes" && series.source == "mynah"));
    let metric = |name: &str| report.series.iter().find(|series| series.source == "mynah metrics" && series.name == name);
    let batches = metric("mynah_log_batch_entries_mean").unwrap();
    assert!(batches.unit.is_empty() && batches.points.iter().all(|(_, entries)| *entries >= 1.0), "{batches:?}");
    assert!(metric("mynah_log_batch_entries_count").is_some() && metric("mynah_log_batch_entries_sum").is_none());
    let commit = commit();
    assert_eq!(report.commit, commit, "the program was built from this source");
    assert_eq!(line["commit"], serde_json::json!(commit));
}

/// The source as the repository names it; none outside of one.
fn commit() -> Option<String> {
    let output = Command::new("git").args(["rev-parse", "HEAD"]).current_dir(env!("CARGO_MANIFEST_DIR")).output().ok()?;
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

#[test]
fn a_soak_of_seconds_tells_how_memory_grows_and_keeps_its_gates() {
    let folder = tempfile::tempdir().unwrap();
    let (scenario, out) = (folder.path().join("soak.toml"), folder.path().join("soak.json"));
    // Seconds say nothing of hours: the gates are wide.
    let text = "name='short'\nusers=10\nwarm_up_s=0.5\n[[traffic]]\nkind='single'\nrate=50.0\n[[traffic]]\nkind='rest'\nrate=20.0\n\
                [churn]\nper_s=1.0\naway_s=0.2\n[gates]\ngenerator_growth_mib=1e9\ngenerator_lag_ms=1e4";
    std::fs::write(&scenario, text).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_loadtest"))
        .args(["soak", scenario.to_str().unwrap(), "--hours", "0.0028", "--growth-mib", "1e9", "--json"])
        .args(["--own", crate::binary().to_str().unwrap(), "--out", out.to_str().unwrap()])
        .output()
        .unwrap();
    let line = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{line} {}", String::from_utf8_lossy(&output.stderr));
    let report: Report = serde_json::from_slice(&std::fs::read(&out).unwrap()).unwrap();
    assert!((report.window_s - 10.08).abs() < 0.01 && report.total.sends > 500, "{:?}", report.total);
    for name in ["resident_growth_mib", "generator_growth_mib"] {
        let gate = report.gates.iter().find(|gate| gate.name == name).unwrap();
        assert!(gate.held && gate.limit == 1e9 && gate.value < 1e9, "{gate:?}");
    }
    let shown = Command::new(env!("CARGO_BIN_EXE_loadtest")).args(["report", out.to_str().unwrap()]).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    for told in ["generator bytes per hour", "mynah bytes per hour", "gate generator_growth_mib"] {
        assert!(shown.contains(told), "{told}: {shown}");
    }
}

#[test]
fn what_is_done_to_a_deployment_stands_on_the_time_line() {
    let folder = tempfile::tempdir().unwrap();
    let (marks, out) = (folder.path().join("marks"), folder.path().join("out.json"));
    let mut victim = Command::new("sleep").arg("600").spawn().unwrap();
    let mut run = Command::new(env!("CARGO_BIN_EXE_loadtest"))
        .args(["run", "single-uniform", "--users", "10", "--rate", "50", "--seconds", "4", "--warm-up", "0", "--json"])
        .args(["--own", crate::binary().to_str().unwrap(), "--out", out.to_str().unwrap()])
        .args(["--mark", "0.5=told before", "--marks-from", marks.to_str().unwrap()])
        .args(["--scrape", &format!("victim=pid:{}", victim.id())])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(run.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(said.by_ref().any(|line| line.contains("\"step\":\"load\"")), "a second of the load is over");
    victim.kill().unwrap();
    victim.wait().unwrap();
    let mut file = std::fs::OpenOptions::new().append(true).open(&marks).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    writeln!(file, "{now} victim killed\n2.5 by second\nno time").unwrap();
    assert!(said.any(|line| line.contains("no mark: no time")));
    run.wait().unwrap();
    let report: Report = serde_json::from_slice(&std::fs::read(&out).unwrap()).unwrap();
    let at = |text: &str| report.marks.iter().find(|mark| mark.text == text && mark.kind == "fault").unwrap().at_s;
    assert_eq!((at("told before"), at("by second")), (0.5, 2.5));
    let killed = at("victim killed");
    assert!((1.0..5.0).contains(&killed), "{killed}");
    assert!((killed..killed + 2.0).contains(&at("victim is gone")), "{:?}", report.marks);
    assert!(report.marks.is_sorted_by(|a, b| a.at_s <= b.at_s), "{:?}", report.marks);
}

//! The program as an operator calls it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

fn mynah(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mynah"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MYNAH_")) {
        command.env_remove(name);
    }
    command.args(arguments).env("MYNAH_DATA_DIR", folder);
    command
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    mynah(folder, arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A server that has said that it serves.
struct Serving(Child, String);

impl Serving {
    fn on(folder: &Path) -> Self {
        let flags = ["--http-listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0", "--argon2-memory-kib", "8"];
        let mut child = mynah(folder, &flags).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let ready = log.lines().map_while(Result::ok).find(|line| line.contains("serving"));
        Self(child, ready.expect("it serves"))
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn apps_are_managed_before_a_server_runs_and_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let make = || -> Value {
        let output = run(folder.path(), &["app", "create", "--json", "--name", "shop"]);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)))
    };
    let before = make();
    assert!(before["appkey"].as_str().is_some_and(|key| key.len() == 24) && before["master_secret"].is_string(), "{before}");
    let _serving = Serving::on(folder.path());
    let beside = make();
    let listed: Value = serde_json::from_slice(&run(folder.path(), &["app", "list", "--json"]).stdout).unwrap();
    let keys: Vec<_> = listed.as_array().unwrap().iter().map(|app| app["appkey"].clone()).collect();
    assert_eq!(keys, [before["appkey"].clone(), beside["appkey"].clone()], "no demo app where there is one already");
    let key = beside["appkey"].as_str().unwrap();
    let rotated: Value = serde_json::from_slice(&run(folder.path(), &["app", "rotate-secret", key, "--json"]).stdout).unwrap();
    assert_ne!(rotated["master_secret"], beside["master_secret"]);
    let other = before["appkey"].as_str().unwrap();
    let grants = || -> Value {
        let output = run(folder.path(), &["app", "grants", key, "--json"]);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)))
    };
    assert!(run(folder.path(), &["app", "grant", key, other]).status.success());
    assert_eq!(grants(), serde_json::json!([other]));
    assert!(run(folder.path(), &["app", "revoke", key, other]).status.success());
    assert_eq!(grants(), serde_json::json!([]));
    assert!(!run(folder.path(), &["app", "grant", key, "0123456789abcdef01234567"]).status.success());
    assert!(run(folder.path(), &["app", "disable", key]).status.success());
    let unknown = run(folder.path(), &["app", "disable", "0123456789abcdef01234567"]);
    assert!(!unknown.status.success() && !said(&unknown).is_empty());
}

#[test]
fn a_second_server_on_a_folder_says_so_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    let _serving = Serving::on(folder.path());
    let second = run(folder.path(), &["serve", "--http-listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"]);
    assert!(!second.status.success());
    assert!(said(&second).contains("another server runs on"), "{}", said(&second));
}

#[test]
fn bad_settings_are_refused_by_name_before_anything_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let file = folder.path().join("mynah.toml");
    std::fs::write(&file, "session_days = 0\nno_such_thing = 1\n").unwrap();
    let output = mynah(&data, &["--config", file.to_str().unwrap(), "--http-listen", "nowhere"])
        .env("MYNAH_OPS_LISTEN", "9180")
        .env("MYNAH_TYPO", "1")
        .output()
        .unwrap();
    assert!(!output.status.success());
    for name in ["session_days", "no_such_thing", "http-listen", "MYNAH_OPS_LISTEN", "MYNAH_TYPO"] {
        assert!(said(&output).contains(name), "{name} is not named:\n{}", said(&output));
    }
    assert!(!data.exists(), "the folder was made");
}

#[test]
fn a_port_that_is_taken_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run(folder.path(), &["--http-listen", &address, "--ops-listen", "127.0.0.1:0"]);
    assert!(!output.status.success() && said(&output).contains(&address), "{}", said(&output));
}

#[test]
fn a_first_start_tells_a_person_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let mut serving = Serving::on(folder.path());
    assert!(serving.1.contains("data_dir"), "{}", serving.1);
    serving.0.kill().unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut serving.0.stdout.take().unwrap(), &mut text).unwrap();
    for part in ["appKey", "masterSecret", "curl -u ", "/v1/users", "/ui/"] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
    let again = Serving::on(folder.path());
    assert!(again.1.contains("serving"));
}

#[test]
fn users_are_imported_with_their_hashes_and_what_is_wrong_is_told_by_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let made: Value = serde_json::from_slice(&run(folder.path(), &["app", "create", "--json"]).stdout).unwrap();
    let key = made["appkey"].as_str().unwrap();
    let file = folder.path().join("users.jsonl");
    let line = |name: &str| format!("{{\"username\":\"{name}\",\"password_md5\":\"5f4dcc3b5aa765d61d8327deb882cf99\"}}\n");
    let lines: String = (0..6000).map(|n| line(&format!("user{n}"))).collect();
    std::fs::write(&file, format!("{lines}\n{}", line("user7"))).unwrap();
    let output = run(folder.path(), &["app", "import-users", key, file.to_str().unwrap()]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "imported 6000, passed over 1\n", "{}", said(&output));
    assert!(said(&output).contains("line 6002: username is taken"), "{}", said(&output));
    std::fs::write(&file, format!("{}{{\"username\":\"next\"}}\n", line("last1"))).unwrap();
    let output = run(folder.path(), &["app", "import-users", key, file.to_str().unwrap()]);
    assert!(!output.status.success() && said(&output).contains("line 2: must have either"), "{}", said(&output));
    let output = run(folder.path(), &["app", "import-users", key, file.to_str().unwrap()]);
    assert!(said(&output).contains("line 1: username is taken"), "what came before was imported: {}", said(&output));
}

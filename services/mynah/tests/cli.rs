//! The program as an operator calls it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use mynah_fjall::{FjallLog, Options};
use mynah_ports::MessageLog as _;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

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
        Self::with(mynah(folder, &["--http-listen", "127.0.0.1:0"]))
    }

    /// The same by another command, which names the public address.
    fn with(mut command: Command) -> Self {
        command.args(["--ops-listen", "127.0.0.1:0", "--argon2-memory-kib", "8"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
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

/// The log of a stopped server.
fn log_epoch(folder: &Path) -> String {
    FjallLog::open(&folder.join("log"), &Options::default()).unwrap().log_epoch()
}

#[test]
fn a_log_that_is_gone_is_told_and_only_an_accepted_loss_starts_another() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--http-listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"];
    drop(Serving::on(folder.path()));
    let before = log_epoch(folder.path());
    std::fs::remove_dir_all(folder.path().join("log")).unwrap();
    // Not even a second try starts with what the first one left.
    for _ in 0..2 {
        let mut child = mynah(folder.path(), &flags).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let said: Vec<String> = lines.take_while(|line| !line.contains("serving")).collect();
        // One that serves all the same ends here, with another status.
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(1), "{said:?}");
        assert!(said.iter().any(|line| line.contains("has lost its last")), "{said:?}");
    }
    drop(Serving::with(mynah(folder.path(), &["--http-listen", "127.0.0.1:0", "--accept-log-loss", "true"])));
    assert_ne!(log_epoch(folder.path()), before, "devices drop their positions");
    drop(Serving::on(folder.path()));
}

/// A server on a small disk of its own, in a namespace of its own: needs no root. Its address, and what it prints first: its app.
fn on_a_small_disk(folder: &Path) -> (Serving, String, Value) {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let script = "mount -t tmpfs -o size=32m tmpfs \"$MYNAH_DATA_DIR\" && \"$0\" app create --json && exec \"$0\" \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, env!("CARGO_BIN_EXE_mynah"), "serve"]);
    command.args(["--http-listen", &address, "--sends-per-minute", "0"]).env("MYNAH_DATA_DIR", folder);
    let mut serving = Serving::with(command);
    let mut printed = serde_json::Deserializer::from_reader(serving.0.stdout.take().unwrap()).into_iter();
    let app = printed.next().unwrap().unwrap();
    (serving, address, app)
}

/// Leaves no room on the disk that the process sees there.
fn fill(process: u32, folder: &Path) {
    let seen = format!("/proc/{process}/root{}/filler", folder.display());
    let mut filler = std::fs::File::create(seen).unwrap();
    for size in [1 << 20, 4 << 10] {
        while std::io::Write::write_all(&mut filler, &vec![1; size]).is_ok() {}
    }
}

/// Nobody reads the server's log lines here: it must not matter.
#[tokio::test]
async fn a_log_that_takes_nothing_more_is_told_retryably_and_ends_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let (serving, address, app) = on_a_small_disk(folder.path());
    let (mut device, _) = tokio_tungstenite::connect_async(format!("ws://{address}/v1/ws")).await.unwrap();
    let hello = json!({"id": 1, "hello": {"appkey": app["appkey"], "platform": "a", "device_id": "d"}});
    let register =
        |id, name| json!({"id": id, "call": {"method": "user.register", "body": {"username": name, "password": "secret"}}});
    let login = json!({"id": 4, "login": {"username": "anna", "password": "secret"}});
    for frame in [hello, register(2, "anna"), register(3, "tommy"), login] {
        let answer = ask(&mut device, &frame).await;
        assert!(answer["error"].is_null(), "{answer}");
    }
    fill(serving.0.id(), folder.path());
    let mut acknowledged = 0;
    let refused = loop {
        let text = json!({"text": "x".repeat(3000)});
        let body = json!({"cmid": format!("m{acknowledged}"), "target_type": "single", "target_id": "tommy", "msg_type": "text", "msg_body": text});
        let answer = ask(&mut device, &json!({"id": 5, "send": body})).await;
        if answer["send_ack"].is_null() {
            break answer;
        }
        acknowledged += 1;
    };
    assert_eq!(refused["error"]["retryable"], true, "after {acknowledged}: {refused}");
    assert_eq!(ended(serving).await, Some(1));
}

/// The status of a server that ends by itself; one that does not is killed.
async fn ended(mut serving: Serving) -> Option<i32> {
    let process = serving.0.id().to_string();
    let waiting = tokio::task::spawn_blocking(move || serving.0.wait().unwrap().code());
    let Ok(code) = tokio::time::timeout(Duration::from_secs(30), waiting).await else {
        Command::new("kill").args(["-KILL", &process]).status().unwrap();
        panic!("it does not end");
    };
    code.unwrap()
}

type Socket = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

/// Sends a frame, and waits for its answer; what is pushed meanwhile is passed over.
async fn ask(device: &mut Socket, frame: &Value) -> Value {
    device.send(Message::text(frame.to_string())).await.unwrap();
    loop {
        let message = tokio::time::timeout(Duration::from_secs(30), device.next()).await.expect("an answer in time");
        let answer: Value = serde_json::from_str(message.unwrap().unwrap().to_text().unwrap()).unwrap();
        if answer["id"] == frame["id"] {
            return answer;
        }
    }
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

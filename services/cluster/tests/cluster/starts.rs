//! A process that starts before what it needs says what it waits for, and works when that is there.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};

use mynah_engines::{PostgreSql, Redis, free_port};
use parking_lot::Mutex;

use crate::support::{turn, until};

pub struct Process {
    child: Mutex<Child>,
    ops: u16,
}

impl Process {
    pub fn start(binary: &str, settings: &[(&str, String)]) -> Self {
        Self::start_telling(binary, settings, Stdio::null())
    }

    /// The same with somewhere for its log lines.
    pub fn start_telling(binary: &str, settings: &[(&str, String)], log: Stdio) -> Self {
        let ops = free_port().unwrap();
        let mut command = Command::new(binary);
        command.env("MYNAH_OPS_LISTEN", format!("127.0.0.1:{ops}")).env("MYNAH_NAME", "one");
        command.env("MYNAH_GRPC_LISTEN", format!("127.0.0.1:{}", free_port().unwrap()));
        for (name, value) in settings {
            command.env(format!("MYNAH_{}", name.to_ascii_uppercase()), value);
        }
        let child = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
        Self { child: Mutex::new(child), ops }
    }

    /// Asks it to end.
    pub fn terminate(&self) {
        let id = self.child.lock().id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    }

    /// How it ended; none while it runs.
    pub fn ended(&self) -> Option<ExitStatus> {
        self.child.lock().try_wait().unwrap()
    }

    /// What `/readyz` says: status and text.
    pub fn readiness(&self) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.ops)).ok()?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let status = answer.split(' ').nth(1)?.parse().ok()?;
        Some((status, answer.split_once("\r\n\r\n")?.1.to_owned()))
    }

    pub fn says(&self, status: u16, words: &str) -> bool {
        self.readiness().is_some_and(|(had, text)| had == status && text.contains(words))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let child = self.child.get_mut();
        _ = child.kill();
        _ = child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_router_waits_for_its_database_and_says_so() {
    let _turn = turn().await;
    let (mut postgresql, redis) = tokio::task::block_in_place(|| (PostgreSql::start().unwrap(), Redis::start().unwrap()));
    postgresql.create_database("log").unwrap();
    postgresql.kill();
    let settings = [
        ("log_database", postgresql.url("log")),
        ("redis", redis.url()),
        // Nobody listens there: a router needs neither to begin.
        ("kafka", format!("127.0.0.1:{}", free_port().unwrap())),
        ("directories", format!("127.0.0.1:{}", free_port().unwrap())),
    ];
    let router = Process::start(env!("CARGO_BIN_EXE_router"), &settings);
    until("red, and why", || router.says(503, "waiting for the message log's database")).await;
    tokio::task::block_in_place(|| postgresql.restart()).unwrap();
    until("green", || router.says(200, "ready")).await;
    postgresql.kill();
    until("red again", || router.readiness().is_some_and(|(status, _)| status == 503)).await;
    tokio::task::block_in_place(|| postgresql.restart()).unwrap();
    until("green again", || router.says(200, "ready")).await;
}

/// What is acknowledged has to be on another machine where that is asked for.
#[tokio::test(flavor = "multi_thread")]
async fn a_router_is_not_ready_without_the_replicas_that_are_asked_for() {
    let _turn = turn().await;
    let (postgresql, redis) = tokio::task::block_in_place(|| (PostgreSql::start().unwrap(), Redis::start().unwrap()));
    postgresql.create_database("log").unwrap();
    let nobody = || format!("127.0.0.1:{}", free_port().unwrap());
    let settings = [
        ("log_database", postgresql.url("log")),
        ("redis", redis.url()),
        ("kafka", nobody()),
        ("directories", nobody()),
        ("log_sync_replicas", "1".into()),
    ];
    let router = Process::start(env!("CARGO_BIN_EXE_router"), &settings);
    until("red, and why", || router.says(503, "0 synchronous replicas of 1")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_waits_for_its_database_and_says_so() {
    let _turn = turn().await;
    let mut postgresql = tokio::task::block_in_place(|| PostgreSql::start().unwrap());
    postgresql.create_database("directory").unwrap();
    postgresql.kill();
    let folder = tempfile::tempdir().unwrap();
    let nobody = || format!("127.0.0.1:{}", free_port().unwrap());
    let settings = [
        ("directory_database", postgresql.url("directory")),
        ("redis", format!("redis://{}/", nobody())),
        ("routers", nobody()),
        ("kafka", nobody()),
        ("secret_key_file", key(folder.path())),
    ];
    let directory = Process::start(env!("CARGO_BIN_EXE_directory"), &settings);
    until("red, and why", || directory.says(503, "waiting for the directory's database")).await;
    tokio::task::block_in_place(|| postgresql.restart()).unwrap();
    until("green", || directory.says(200, "ready")).await;
}

/// History is read out of the log and needs names: without either it is not ready, however long it was.
#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_ready_while_log_and_directory_answer() {
    let _turn = turn().await;
    let (mut log, names) = tokio::task::block_in_place(|| (PostgreSql::start().unwrap(), PostgreSql::start().unwrap()));
    log.create_database("log").unwrap();
    names.create_database("directory").unwrap();
    log.kill();
    let folder = tempfile::tempdir().unwrap();
    let nobody = || format!("127.0.0.1:{}", free_port().unwrap());
    let grpc = nobody();
    let report = Process::start(
        env!("CARGO_BIN_EXE_report"),
        &[("log_database", log.url("log")), ("directories", grpc.clone()), ("data_dir", folder.path().display().to_string())],
    );
    until("red, and why", || report.says(503, "waiting for the message log's database")).await;
    tokio::task::block_in_place(|| log.restart()).unwrap();
    // Nobody answers for the directory yet.
    until("still red", || report.readiness().is_some_and(|(status, text)| status == 503 && !text.contains("waiting"))).await;
    let directory = Process::start(
        env!("CARGO_BIN_EXE_directory"),
        &[
            ("directory_database", names.url("directory")),
            ("redis", format!("redis://{}/", nobody())),
            ("routers", nobody()),
            ("secret_key_file", key(folder.path())),
            ("grpc_listen", grpc),
        ],
    );
    until("green", || report.says(200, "ready")).await;
    log.kill();
    until("red again, and why", || report.says(503, "message log")).await;
    tokio::task::block_in_place(|| log.restart()).unwrap();
    until("green again", || report.says(200, "ready")).await;
    drop(directory);
    until("red without names", || report.readiness().is_some_and(|(status, _)| status == 503)).await;
}

/// A file with a key for directories.
pub fn key(folder: &std::path::Path) -> String {
    let path = folder.join("secret.key");
    std::fs::write(&path, [7; 32]).unwrap();
    path.display().to_string()
}

/// No wait would make these serve: a process ends, with the reason as its last word.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_will_never_serve_ends_the_process() {
    let _turn = turn().await;
    let postgresql = tokio::task::block_in_place(|| PostgreSql::start().unwrap());
    let client = sql(&postgresql, "postgres").await;
    client.batch_execute("CREATE DATABASE narrow ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0").await.unwrap();
    for name in ["newer", "careless", "newer_log"] {
        postgresql.create_database(name).unwrap();
    }
    client.batch_execute("ALTER DATABASE careless SET synchronous_commit = off").await.unwrap();
    let newer = "CREATE TABLE directory_schema (version BIGINT NOT NULL); INSERT INTO directory_schema VALUES (99)";
    sql(&postgresql, "newer").await.batch_execute(newer).await.unwrap();
    let newer = "CREATE SCHEMA mynah_log; CREATE TABLE mynah_log.schema_version (version integer NOT NULL);
                 INSERT INTO mynah_log.schema_version VALUES (99)";
    sql(&postgresql, "newer_log").await.batch_execute(newer).await.unwrap();

    let folder = tempfile::tempdir().unwrap();
    let nobody = || format!("127.0.0.1:{}", free_port().unwrap());
    let all = |database: &str| {
        [
            ("directory_database", postgresql.url(database)),
            ("log_database", postgresql.url(database)),
            ("secret_key_file", key(folder.path())),
            ("redis", format!("redis://{}/", nobody())),
            ("kafka", nobody()),
            ("routers", nobody()),
            ("directories", nobody()),
            ("data_dir", folder.path().display().to_string()),
        ]
    };
    let (directory, router, report) =
        (env!("CARGO_BIN_EXE_directory"), env!("CARGO_BIN_EXE_router"), env!("CARGO_BIN_EXE_report"));
    let cases = [
        (directory, "newer", "schema 99, made by a newer version"),
        (directory, "careless", "synchronous_commit is off"),
        (directory, "narrow", "must be made with encoding UTF8"),
        (router, "newer_log", "schema 99, made by a newer version"),
        (report, "newer_log", "schema 99, made by a newer version"),
    ];
    for (binary, database, why) in cases {
        let said = folder.path().join("said");
        let process = Process::start_telling(binary, &all(database), std::fs::File::create(&said).unwrap().into());
        until(why, || process.ended().is_some()).await;
        let said = std::fs::read_to_string(said).unwrap();
        let last = said.lines().last().unwrap_or_default();
        assert!(!process.ended().unwrap().success() && last.contains(why) && last.contains("_database: "), "{database}: {said}");
    }
}

/// The step before an upgrade: every database, from whatever version, with a word on each; what is away is not waited for.
#[tokio::test(flavor = "multi_thread")]
async fn the_logs_databases_are_migrated_by_a_command() {
    let _turn = turn().await;
    let mut postgresql = tokio::task::block_in_place(|| PostgreSql::start().unwrap());
    postgresql.create_database("low").unwrap();
    postgresql.create_database("log").unwrap();
    let first = include_str!("../../../../crates/adapters/postgres-log/migrations/0001_log.sql");
    let old = format!(
        "CREATE SCHEMA mynah_log; SET search_path = mynah_log; {first};
         CREATE TABLE schema_version (one boolean PRIMARY KEY DEFAULT true CHECK (one), version integer NOT NULL);
         INSERT INTO schema_version (version) VALUES (1)"
    );
    sql(&postgresql, "log").await.batch_execute(&old).await.unwrap();
    let two = format!("0-127={},128-255={}", postgresql.url("low"), postgresql.url("low").replace("/low", "/high"));
    let migrate = |databases: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_router")).arg("migrate").env("MYNAH_LOG_DATABASE", databases).output();
        let output = output.unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (done, _, said) = tokio::task::block_in_place(|| migrate(&two));
    assert!(!done && said.contains("log_database: "), "one of them is not there: {said}");
    postgresql.create_database("high").unwrap();
    let says = |databases: &str, expected: &str| {
        let (done, told, said) = tokio::task::block_in_place(|| migrate(databases));
        assert!(done, "{said}");
        assert_eq!(told, expected);
    };
    says(&two, "log_database, shards 0-127: made with schema 5\nlog_database, shards 128-255: made with schema 5\n");
    says(&two, "log_database, shards 0-127: has schema 5 already\nlog_database, shards 128-255: has schema 5 already\n");
    says(&postgresql.url("log"), "log_database, shards 0-255: brought from schema 1 to 5\n");
    postgresql.kill();
    let (done, _, said) = tokio::task::block_in_place(|| migrate(&two));
    assert!(!done && said.contains("log_database: the message log is unavailable"), "{said}");
}

/// A connection to a database, beside those of the processes.
async fn sql(server: &PostgreSql, database: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(&server.url(database), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// A gateway without anybody to talk to begins, and is not ready.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_alone_begins_and_is_not_ready() {
    let _turn = turn().await;
    let nobody = || format!("127.0.0.1:{}", free_port().unwrap());
    let settings = [
        ("http_listen", nobody()),
        ("redis", format!("redis://{}/", nobody())),
        ("routers", nobody()),
        ("directories", nobody()),
        ("reports", nobody()),
        ("kafka", nobody()),
        ("data_dir", tempfile::tempdir().unwrap().path().display().to_string()),
    ];
    let gateway = Process::start(env!("CARGO_BIN_EXE_gateway"), &settings);
    until("red", || gateway.readiness().is_some_and(|(status, _)| status == 503)).await;
}

#[test]
fn what_is_missing_is_told_by_name() {
    for (binary, missing) in [
        (env!("CARGO_BIN_EXE_gateway"), "directories, routers, reports, redis"),
        (env!("CARGO_BIN_EXE_directory"), "routers, directory_database, redis"),
        (env!("CARGO_BIN_EXE_router"), "name, directories, log_database, redis, kafka"),
        (env!("CARGO_BIN_EXE_report"), "directories, log_database"),
    ] {
        let output = Command::new(binary).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(missing), "{binary}: {said}");
    }
}

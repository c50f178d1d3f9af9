//! Nothing has to be started before anything else.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use mynah_engines::{Kafka, PostgreSql, Redis, free_port};
use mynah_loadtest::device::{Counts, Device, Notes, Target, single};
use mynah_loadtest::traffic::{self, Place};
use mynah_loadtest::world;
use mynah_local_cluster::App;
use mynah_oracle::Oracle;
use parking_lot::Mutex;

use crate::starts::{Process, key};
use crate::support::{account, turn, until};

/// As long as it takes to see that nothing turns green.
const LOOK: Duration = Duration::from_secs(3);

/// Engines that were made and are not there.
struct Engines {
    names: PostgreSql,
    log: PostgreSql,
    kafka: Kafka,
    redis: Redis,
}

impl Engines {
    fn away() -> Self {
        let mut engines = Self {
            names: PostgreSql::start().unwrap(),
            log: PostgreSql::start().unwrap(),
            kafka: Kafka::start().unwrap(),
            redis: Redis::start().unwrap(),
        };
        engines.names.create_database("directory").unwrap();
        engines.log.create_database("log").unwrap();
        engines.names.kill();
        engines.log.kill();
        engines.kafka.kill();
        engines.redis.kill();
        engines
    }
}

/// A port of each process, by what it is: the one that others call, and a gateway's public one.
fn settings(engines: &Engines, folder: &Path) -> Vec<(&'static str, String)> {
    let address = || format!("127.0.0.1:{}", free_port().unwrap());
    vec![
        ("directories", address()),
        ("routers", address()),
        ("reports", address()),
        ("http_listen", address()),
        ("directory_database", engines.names.url("directory")),
        ("log_database", engines.log.url("log")),
        ("redis", engines.redis.url()),
        ("kafka", engines.kafka.brokers()),
        ("kafka_replicas", "1".into()),
        ("kafka_partitions", "4".into()),
        ("secret_key_file", key(folder)),
        ("data_dir", folder.display().to_string()),
        ("argon2_memory_kib", "8".into()),
        ("argon2_iterations", "1".into()),
    ]
}

fn value<'a>(settings: &'a [(&str, String)], wanted: &str) -> &'a str {
    settings.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.as_str()).unwrap()
}

fn start(binary: &str, own_address: Option<&str>, settings: &[(&'static str, String)]) -> Process {
    let grpc = own_address.map(|name| ("grpc_listen", value(settings, name).to_owned()));
    Process::start(binary, &settings.iter().cloned().chain(grpc).collect::<Vec<_>>())
}

/// The processes begin in the reverse of their usual order, without any engine. Each says what it waits for, whichever engine comes
/// next, and in the end a message flows by all of them.
#[tokio::test(flavor = "multi_thread")]
async fn processes_start_in_any_order_and_before_every_engine() {
    let _turn = turn().await;
    let folder = tempfile::tempdir().unwrap();
    let mut engines = tokio::task::block_in_place(Engines::away);
    let settings = settings(&engines, folder.path());
    let gateway = start(env!("CARGO_BIN_EXE_gateway"), None, &settings);
    let report = start(env!("CARGO_BIN_EXE_report"), Some("reports"), &settings);
    let directory = start(env!("CARGO_BIN_EXE_directory"), Some("directories"), &settings);
    let router = start(env!("CARGO_BIN_EXE_router"), Some("routers"), &settings);

    let waits = [
        (&gateway, "directory"),
        (&report, "waiting for the message log's database"),
        (&directory, "waiting for the directory's database"),
        (&router, "waiting for the message log's database"),
    ];
    let all_wait = async || {
        for (process, why) in waits {
            until(why, || process.says(503, why)).await;
        }
    };
    all_wait().await;
    // Neither is waited for, and neither makes anything green by itself.
    tokio::task::block_in_place(|| engines.kafka.restart()).unwrap();
    tokio::task::block_in_place(|| engines.redis.restart()).unwrap();
    tokio::time::sleep(LOOK).await;
    all_wait().await;
    tokio::task::block_in_place(|| engines.log.restart()).unwrap();
    until("the router works", || router.says(200, "ready")).await;
    until("a report has its log, and nobody's names", || {
        report.readiness().is_some_and(|(status, text)| status == 503 && !text.contains("waiting"))
    })
    .await;
    assert!(gateway.says(503, "directory") && directory.says(503, "waiting for the directory's database"));
    tokio::task::block_in_place(|| engines.names.restart()).unwrap();
    for (what, process) in [("directory", &directory), ("report", &report), ("gateway", &gateway)] {
        until(what, || process.says(200, "ready")).await;
    }

    let app: App = {
        let mut create = Command::new(env!("CARGO_BIN_EXE_directory"));
        for (name, value) in &settings {
            create.env(format!("MYNAH_{}", name.to_ascii_uppercase()), value);
        }
        let output = create.args(["app", "create", "--name", "late", "--json"]).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let gateways = vec![value(&settings, "http_listen").parse().unwrap()];
    flows(&Place { gateways, appkey: app.appkey, master_secret: app.master_secret }).await;
}

/// A single chat, and a group by the bus; and history, which comes from the report.
async fn flows(place: &Place) {
    let rest = place.rest().unwrap();
    let names = world::users(&rest, 2).await.unwrap();
    let gid = world::group(&rest, &names).await.unwrap();
    let notes: Notes = Arc::new(Mutex::new(Oracle::new()));
    let device = |name: &String| Device::start(account(place, 0, name), Arc::clone(&notes), Arc::new(Counts::default()));
    let devices: Vec<Device> = names.iter().map(device).collect();
    for conversation in [single(&names[0], &names[1]), Target::Group(gid).conversation("")] {
        names.iter().for_each(|viewer| notes.lock().must_see(&conversation, viewer, 1, u64::MAX));
    }
    for target in [Target::User(names[1].clone()), Target::Group(gid)] {
        devices[0].sender().send(target, "late".into()).await.await.unwrap().unwrap();
    }
    let verdict = traffic::settle(&notes).await;
    assert!(verdict.is_clean(), "{verdict}");
    let history = rest.get(&format!("/v1/users/{}/messages?start=0&count=10", names[0])).await.unwrap();
    assert_eq!(history["total"], 2, "{history}");
}

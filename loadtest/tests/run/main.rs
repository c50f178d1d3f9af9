//! Scenarios against a real server: a sound one passes, and one that lies is found out, by each kind of lie.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod offered;
mod program;
mod proxy;
mod search;

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mynah_loadtest::report::model::Report;
use mynah_loadtest::run::{self, Setting, Show};
use mynah_loadtest::scenario::{BUILT_IN, Scenario, Size};
use mynah_loadtest::server::{QUICK, Server};
use proxy::Lie;

/// The server's binary lies beside ours.
fn binary() -> PathBuf {
    let binary = Path::new(env!("CARGO_BIN_EXE_loadtest")).with_file_name("mynah");
    assert!(binary.exists(), "build the server first: cargo build -p mynah");
    binary
}

async fn server() -> (Server, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&binary(), &folder.path().join("data"), QUICK).await.unwrap();
    (server, folder)
}

fn setting(server: &Server, target: SocketAddr) -> Setting {
    Setting {
        targets: vec![target],
        appkey: server.appkey.clone(),
        master_secret: server.master_secret.clone(),
        reuse: None,
        threads: 1,
        agents: Vec::new(),
        cpu: None,
        sources: Vec::new(),
        scrape_every_s: 1,
        show: Show::default(),
    }
}

/// Chats and groups of ten people.
fn small() -> Scenario {
    let text = "name='small'\nusers=10\nwarm_up_s=0.2\nwindow_s=1.5\n[[traffic]]\nkind='single'\nrate=40.0\n\
                [[traffic]]\nkind='group'\nrate=60.0\ngroups=2\nmembers=5";
    Scenario::parse(text).unwrap()
}

fn gate(report: &Report, name: &str) -> bool {
    report.gates.iter().find(|gate| gate.name == name).unwrap().held
}

#[tokio::test(flavor = "multi_thread")]
async fn every_scenario_passes_against_a_sound_server() {
    let (server, _folder) = server().await;
    for (name, _) in BUILT_IN {
        let mut scenario = Scenario::find(name).unwrap();
        let size = Size { users: Some(30), rate: Some(90.0), seconds: Some(1.5), warm_up: Some(0.2), seed: Some(5) };
        scenario.resize(&size).unwrap();
        let report = run::run(&scenario, &setting(&server, server.http)).await.unwrap();
        assert!(report.verdict.pass, "{name}: {:?}", report.verdict);
        assert!(gate(&report, "unannounced") && gate(&report, "unproved"), "{name}: {:?}", report.figures);
        assert!(gate(&report, "uncompared"), "{name}: {:?}", report.figures);
        if name != "idle" {
            assert!(report.total.sends > 50 && report.verdict.judged > 50, "{name}: {:?}", report.total);
            assert!(report.total.ack_ms.p99 > 0.0 && !report.seconds.is_empty(), "{name}");
        }
        let wanted: &[(&str, f64)] = match name {
            "reconnect-storm" => &[("back_s", 0.0)],
            "churn" => &[("churned", 20.0)],
            "catch-up" => &[("caught_up_entries", 100.0)],
            "mixed-day" => &[("read_marks", 5.0)],
            _ => &[],
        };
        let of_its_own = match name {
            "reconnect-storm" => Some("back_s"),
            "catch-up" => Some("caught_up_s"),
            _ => None,
        };
        assert!(of_its_own.is_none_or(|name| gate(&report, name)), "{name}: {:?}", report.gates);
        for (figure, least) in wanted {
            assert!(report.figures[*figure] > *least, "{name}: {:?}", report.figures);
        }
    }
}

/// A run through a proxy that lies once.
async fn lied(lie: Lie) -> Report {
    let (server, _folder) = server().await;
    let proxy = proxy::start(server.http, lie).await;
    run::run(&small(), &setting(&server, proxy)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_does_not_lie_passes() {
    let report = lied(Lie::None).await;
    assert!(report.verdict.pass && gate(&report, "unannounced"), "{:?} {:?}", report.verdict, report.figures);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_nobody_can_get_is_lost() {
    let report = lied(Lie::Lose).await;
    assert!(!report.verdict.pass && report.verdict.lost > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_has_to_be_asked_for_without_a_word_breaks_a_gate() {
    let report = lied(Lie::Drop).await;
    assert!(report.verdict.pass && !gate(&report, "unannounced"), "{:?} {:?}", report.verdict, report.figures);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_comes_twice_is_doubled() {
    let report = lied(Lie::Double).await;
    assert!(!report.verdict.pass && report.verdict.doubled > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_that_change_places_are_reordered() {
    let report = lied(Lie::Swap).await;
    assert!(!report.verdict.pass && report.verdict.reordered > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_to_a_stranger_is_leaked() {
    let report = lied(Lie::Leak).await;
    assert!(!report.verdict.pass && report.verdict.leaked > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_under_another_number_is_found() {
    let report = lied(Lie::Renumber).await;
    assert!(!report.verdict.pass && report.verdict.doubled + report.verdict.reordered + report.verdict.lost > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unread_count_that_is_not_right_is_found() {
    let report = lied(Lie::Unread).await;
    assert!(!report.verdict.pass && report.verdict.unread > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_that_no_list_names_is_found() {
    let report = lied(Lie::Unlist).await;
    assert!(!report.verdict.pass && report.verdict.unread > 0, "{:?}", report.verdict);
}

#[tokio::test(flavor = "multi_thread")]
async fn threads_and_agents_share_a_run_and_find_what_a_liar_does() {
    let (server, _folder) = server().await;
    let mut agents = Vec::new();
    for _ in 0..2 {
        let mut child = Command::new(env!("CARGO_BIN_EXE_loadtest"))
            .args(["agent", "--listen", "127.0.0.1:0", "--runs", "2"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
        agents.push((child, address.trim().to_owned()));
    }
    let addresses: Vec<String> = agents.iter().map(|(_, address)| address.clone()).collect();
    let of_agents = Setting { agents: addresses, ..setting(&server, server.http) };
    let report = run::run(&small(), &of_agents).await.unwrap();
    assert!(report.verdict.pass && report.total.sends > 80, "{:?}", report.verdict);
    let of_threads = Setting { threads: 3, ..setting(&server, server.http) };
    let alike = run::run(&small(), &of_threads).await.unwrap();
    assert!(alike.verdict.pass && alike.total.sends > 80, "{:?}", alike.verdict);
    let proxy = proxy::start(server.http, Lie::Lose).await;
    let lied = run::run(&small(), &Setting { targets: vec![proxy], ..of_agents }).await.unwrap();
    assert!(lied.verdict.lost > 0, "{:?}", lied.verdict);
    for (mut child, _) in agents {
        assert!(child.wait().unwrap().success(), "an agent ends after its runs");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_are_shared_among_the_gateways() {
    let (server, _folder) = server().await;
    let (first, of_first) = proxy::watched(server.http, Lie::None).await;
    let (second, of_second) = proxy::watched(server.http, Lie::None).await;
    let setting = Setting { targets: vec![first, second], ..setting(&server, server.http) };
    let report = run::run(&small(), &setting).await.unwrap();
    assert!(report.verdict.pass && gate(&report, "unproved") && gate(&report, "unannounced"), "{:?}", report.verdict);
    assert_eq!(report.targets, [format!("http://{first}"), format!("http://{second}")]);
    for (devices, deliveries) in [of_first.lock().unwrap().devices(), of_second.lock().unwrap().devices()] {
        assert!(devices == 5 && deliveries > 20, "{devices} {deliveries}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn second_devices_hear_everything_and_are_judged() {
    let (server, _folder) = server().await;
    let mut scenario = small();
    let alone = run::run(&scenario, &setting(&server, server.http)).await.unwrap();
    scenario.second_devices = 1.0;
    let report = run::run(&scenario, &setting(&server, server.http)).await.unwrap();
    assert!(report.verdict.pass && gate(&report, "unproved") && gate(&report, "unannounced"), "{:?}", report.verdict);
    assert_eq!((report.figures["proved"], report.seconds[0].connected), (20.0, 20));
    // A message reaches what it reached before once more, and the sender's other device.
    let each = |report: &Report| report.total.deliveries as f64 / report.total.sends as f64;
    assert!(each(&report) > each(&alone) * 2.0, "{} {}", each(&report), each(&alone));
}

//! What is due is offered, whoever is there: an outage shows in latencies and errors, not in a lower rate.

use mynah_loadtest::report::model::Report;
use mynah_loadtest::run;
use mynah_loadtest::scenario::Scenario;

use crate::proxy::{self, Lie};

/// Four people who all lose their connections, and come back within so many seconds.
fn storm(spread_s: f64, settle_s: f64) -> Scenario {
    let text = format!(
        "name='storm'\nusers=4\nwarm_up_s=0.2\nwindow_s=2.0\nsettle_s={settle_s}\narrivals='uniform'\nseed=3\n\
         [[traffic]]\nkind='single'\nrate=100.0\npeers=1\n[storm]\nat_s=0.2\nspread_s={spread_s}"
    );
    Scenario::parse(&text).unwrap()
}

/// Messages that were under way when their connections ended.
fn unanswered(report: &Report) -> u64 {
    report.figures.get("unanswered").copied().unwrap_or_default() as u64
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_lowers_no_rate_and_hides_no_latency() {
    let (server, _folder) = crate::server().await;
    let scenario = storm(1.0, 60.0);
    let report = run::run(&scenario, &crate::setting(&server, server.http)).await.unwrap();
    assert!(report.verdict.pass, "{:?}", report.verdict);
    let due = scenario.rate() * scenario.window_s;
    assert!((report.total.offered as f64 - due).abs() <= 1.0, "{} of {due}", report.total.offered);
    assert_eq!(report.total.ack_ms.count + unanswered(&report), report.total.offered, "each has its latency");
    // The last of the four is away for most of the second.
    assert!(report.total.ack_ms.max > 300.0 && report.total.ack_ms.p90 > 100.0, "{:?}", report.total.ack_ms);
    assert!(report.errors.is_empty(), "{:?}", report.errors);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_not_come_back_leaves_errors() {
    let (server, _folder) = crate::server().await;
    let scenario = storm(600.0, 2.0);
    let report = run::run(&scenario, &crate::setting(&server, server.http)).await.unwrap();
    let due = scenario.rate() * scenario.window_s;
    assert!((report.total.offered as f64 - due).abs() <= 1.0, "{} of {due}", report.total.offered);
    let nobody = report.errors["nobody_there"];
    let known = report.total.ack_ms.count + unanswered(&report) + nobody;
    assert!(nobody > 150 && known >= report.total.offered, "{:?} {:?}", report.errors, report.figures);
    assert!(!crate::gate(&report, "unproved"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_apps_server_sends_is_behind_too_and_has_a_generators_lag() {
    let (server, _folder) = crate::server().await;
    let text = "name='b'\nusers=4\nwarm_up_s=0.2\nwindow_s=1.5\nseed=3\n[[traffic]]\nkind='rest'\nrate=60.0\nconnections=8\n\
                [gates]\nbehind_s=0.5";
    let scenario = Scenario::parse(text).unwrap();
    let report = run::run(&scenario, &crate::setting(&server, server.http)).await.unwrap();
    assert!(report.verdict.pass && crate::gate(&report, "behind_s"), "{:?}", report.figures);
    let lag = report.figures["generator_lag_p99_ms"];
    assert!(lag > 0.0 && lag < report.total.ack_ms.max, "{lag} {:?}", report.total.ack_ms);
    // Eight connections, and no more than twenty answers a second.
    let slow = proxy::start(server.http, Lie::Slow).await;
    let report = run::run(&scenario, &crate::setting(&server, slow)).await.unwrap();
    assert!(report.verdict.pass && !crate::gate(&report, "behind_s"), "{:?}", report.figures);
    assert!(report.figures["behind"] > 40.0, "{:?}", report.figures);
    assert_eq!(report.total.ack_ms.count, report.total.offered, "each is sent, and late");
}

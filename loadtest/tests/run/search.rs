//! Searches: one that finds a rate, and one that finds none.

use mynah_loadtest::report::model::Report;
use mynah_loadtest::run::{self, Search};

#[tokio::test(flavor = "multi_thread")]
async fn a_search_without_a_rate_that_holds_ends_with_nothing() {
    let (server, _folder) = crate::server().await;
    let mut scenario = crate::small();
    (scenario.warm_up_s, scenario.window_s) = (0.1, 0.5);
    scenario.gates.generator_lag_ms = Some(10_000.0);
    // No acknowledgement is that fast: the search ends where it began, with nothing.
    let how = Search { from: 8.0, within: 0.5, ack_p99_ms: 0.001, behind_s: 100.0 };
    let found = run::search(&scenario, &crate::setting(&server, server.http), how).await.unwrap();
    assert!(found.rate == 0.0 && found.half.is_none() && found.steps.len() >= 2, "{:?}", found.steps);
    scenario.gates.behind_s = Some(-1.0);
    let found = run::search(&scenario, &crate::setting(&server, server.http), how).await.unwrap();
    assert!(found.steps.iter().all(|step| step.broke.contains(&"behind_s".to_owned())), "{:?}", found.steps);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_ends_at_a_rate_that_holds() {
    let (server, _folder) = crate::server().await;
    let mut scenario = crate::small();
    (scenario.warm_up_s, scenario.window_s) = (0.2, 0.8);
    scenario.gates.generator_lag_ms = Some(10_000.0);
    // One message at a time: whatever the server's speed, a few thousand messages a second cannot be answered in time.
    scenario.in_flight = 1;
    let how = Search { from: 30.0, within: 0.5, ack_p99_ms: 60_000.0, behind_s: 0.4 };
    let found = run::search(&scenario, &crate::setting(&server, server.http), how).await.unwrap();
    let told = &found.steps;
    assert!(found.rate > 0.0, "{told:?}");
    let held: Vec<f64> = told.iter().filter(|step| step.broke.is_empty()).map(|step| step.rate).collect();
    let broke: Vec<f64> = told.iter().filter(|step| !step.broke.is_empty()).map(|step| step.rate).collect();
    assert!(held.contains(&found.rate) && held.iter().all(|rate| *rate <= found.rate), "{told:?}");
    assert!(!broke.is_empty() && broke.iter().all(|rate| *rate > found.rate), "{told:?}");
    assert!(told.iter().all(|step| step.broke.is_empty() || step.broke == ["behind_s"]), "{told:?}");
    let sends = |report: &Option<Report>| report.as_ref().unwrap().total.sends_per_s;
    let (best, half) = (sends(&found.best), sends(&found.half));
    assert!(best > 0.0 && half > 0.0 && half < found.rate, "{best} {half} of {}", found.rate);
    assert!(found.best.unwrap().verdict.pass && found.half.unwrap().verdict.pass);
}

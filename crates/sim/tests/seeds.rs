//! Seeds: none finds a fault in what ships; each rule that is taken out is found to be missing.

use mynah_sim::{Broken, run};

/// Seeds of every run of the tests.
const SEEDS: u64 = 5000;
/// In so many of them a missing rule must show.
const CAUGHT_WITHIN: u64 = 500;

#[test]
fn no_seed_finds_a_fault() {
    let (mut acknowledged, mut takeovers) = (0, 0);
    for seed in 0..SEEDS {
        let report = run(seed, None);
        assert!(report.verdict.is_clean(), "seed {seed}: {}", report.verdict);
        acknowledged += report.acknowledged;
        takeovers += u64::from(report.takeovers);
    }
    // A simulation in which nothing happens proves nothing.
    assert!(acknowledged as u64 > SEEDS * 25 && takeovers > SEEDS * 3, "{acknowledged} messages, {takeovers} takeovers");
}

#[test]
fn each_missing_rule_is_found() {
    let unseen: Vec<_> = Broken::ALL
        .into_iter()
        .filter(|broken| {
            let caught = (0..CAUGHT_WITHIN).find(|seed| !run(*seed, Some(*broken)).verdict.is_clean());
            caught.is_none()
        })
        .collect();
    assert!(unseen.is_empty(), "not found in {CAUGHT_WITHIN} seeds: {unseen:?}");
}

#[test]
fn a_seed_decides_everything() {
    let twice = [run(7, None), run(7, None)].map(|report| format!("{report:?}"));
    assert_eq!(twice[0], twice[1]);
}

//! An upgrade: every process is asked to end and started again, one after another, under load.

use std::sync::atomic::{AtomicU64, Ordering};

use mynah_loadtest::{faults, traffic};
use mynah_local_cluster::Kind;
use mynah_oracle::Dice;
use serde_json::{Value, json};

use crate::support::{deployment, report};

/// No send fails, nothing is lost, doubled or reordered. How long clients waited is in `rolling.json`.
#[tokio::test(flavor = "multi_thread")]
async fn everything_restarts_under_load_and_no_send_fails() {
    let mut deployment = deployment(2, 3).await;
    let place = faults::place(&deployment.cluster).unwrap();
    let mut run = traffic::prepare(&place, 40).await.unwrap();
    let senders = traffic::start_senders(&run, &mut Dice::new(11), 200);
    let (mut steps, mut longest) = (Vec::new(), 0);
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    for kind in [Kind::Router, Kind::Directory, Kind::Report, Kind::Gateway] {
        for name in deployment.cluster.names(kind) {
            let cluster = &mut deployment.cluster;
            let restarted = tokio::task::block_in_place(|| {
                cluster.stop(&name)?;
                cluster.start_one(&name)?;
                cluster.flows()
            });
            restarted.unwrap();
            let (acks, calls) = (run.acks.take(), run.call_acks.take());
            longest = longest.max(acks.longest()).max(calls.longest());
            steps.push(json!({"restarted": name, "ack_ms": acks.figures(), "call_ms": calls.figures()}));
        }
        assert_eq!(count(&run.counts.refused), 0, "a send was refused: {}", kind.name());
        // A device that is told to go elsewhere takes along what was not answered, and who calls a gateway that is away gets no answer:
        // that is no failure, and only then.
        if kind != Kind::Gateway {
            assert_eq!(count(&run.counts.resent), 0, "a send had to be made again: {}", kind.name());
            assert_eq!(count(&run.counts.calls_broken), 0, "a call failed: {}", kind.name());
        }
    }
    report("rolling.json", &json!({"longest_gap_ms": longest, "counted": run.figures(), "steps": steps}));
    let settled = run.end(senders).await.unwrap();
    let outcome = run.judge(settled, Value::Null).await.unwrap();
    assert!(outcome.verdict.is_clean(), "{}", outcome.verdict);
}

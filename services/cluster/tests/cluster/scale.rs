//! Routers come and go under load.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mynah_loadtest::traffic::Run;
use mynah_loadtest::{faults, traffic};
use mynah_local_cluster::{Cluster, Error};
use mynah_oracle::Dice;
use mynah_proto::router::ShardMapRequest;
use mynah_proto::router::router_client::RouterClient;
use mynah_rpc::Channels;
use mynah_types::ConversationKey;
use serde_json::{Value, json};

use crate::support::{deployment, report, until};

/// The owner of each shard, as the first router sees it; empty if it does not say.
async fn owners(cluster: &Cluster) -> Vec<u32> {
    let first = cluster.settings()["routers"].split(',').next().unwrap();
    let mut router = RouterClient::new(Channels::new(None).unwrap().to(first).unwrap());
    let Ok(map) = router.shard_map(ShardMapRequest {}).await else { return Vec::new() };
    let map = map.into_inner();
    let name = |owner: u32| map.routers.get((owner as usize).wrapping_sub(1)).map_or("", |router| router.address.as_str());
    // By port: a place in the list is another router's when one has gone.
    map.owners.iter().map(|owner| name(*owner).rsplit(':').next().unwrap().parse().unwrap_or(0)).collect()
}

/// Every shard has one of so many owners, and their loads differ by one at most.
fn is_balanced(owners: &[u32], routers: usize) -> bool {
    let mut loads = BTreeMap::<u32, usize>::new();
    for owner in owners.iter().filter(|owner| **owner != 0) {
        *loads.entry(*owner).or_default() += 1;
    }
    let (least, most) = (loads.values().min(), loads.values().max());
    loads.values().sum::<usize>() == 256
        && loads.len() == routers
        && most.zip(least).is_some_and(|(most, least)| most - least <= 1)
}

/// One router more or less: returns how long answers took meanwhile, of conversations whose owner changed and of the others.
async fn step(
    cluster: &mut Cluster,
    run: &Run,
    routers: usize,
    change: impl FnOnce(&mut Cluster) -> Result<(), Error>,
) -> (Value, bool) {
    let handle = tokio::runtime::Handle::current();
    let before = owners(cluster).await;
    run.acks.take();
    run.call_acks.take();
    tokio::task::block_in_place(|| change(cluster)).unwrap();
    until("balanced", || is_balanced(&handle.block_on(owners(cluster)), routers)).await;
    // Who waited for a shard is answered.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let after = owners(cluster).await;
    let moved = |conv_id: &str| {
        let shard = usize::from(conv_id.parse::<ConversationKey>().unwrap().shard().0);
        before[shard] != after[shard]
    };
    let shards = before.iter().zip(&after).filter(|(before, after)| before != after).count();
    let (moved, unmoved) = run.acks.take().split(moved);
    let figures = json!({
        "routers": routers, "moved_shards": shards, "moved_ms": moved.figures(), "unmoved_ms": unmoved.figures(),
        "call_ms": run.call_acks.take().figures(),
    });
    (figures, !moved.is_empty() && !unmoved.is_empty())
}

/// From one router to five and back: no send fails, nothing is lost, doubled or reordered, the load is shared. How long
/// conversations waited whose owner changed, and the others beside them, is in `scale.json`.
#[tokio::test(flavor = "multi_thread")]
async fn routers_come_and_go_and_no_send_fails() {
    let mut deployment = deployment(2, 1).await;
    let place = faults::place(&deployment.cluster).unwrap();
    let mut run = traffic::prepare(&place, 40).await.unwrap();
    let senders = traffic::start_senders(&run, &mut Dice::new(7), 200);
    let (cluster, mut steps) = (&mut deployment.cluster, Vec::new());
    for number in 2..=5 {
        steps.push(step(cluster, &run, number, |cluster| cluster.start_one(&format!("router-{number}"))).await);
    }
    for number in (1..=4).rev() {
        steps.push(step(cluster, &run, number, |cluster| cluster.stop(&format!("router-{}", number + 1))).await);
    }
    let figures: Vec<&Value> = steps.iter().map(|(figures, _)| figures).collect();
    report("scale.json", &json!(figures));
    let settled = run.end(senders).await.unwrap();
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    assert_eq!(count(&run.counts.resent), 0, "a send had to be made again");
    assert_eq!(count(&run.counts.refused), 0, "a send was refused");
    assert_eq!(count(&run.counts.calls_broken), 0, "a call failed");
    assert!(steps.iter().any(|(_, both)| *both), "there was nothing to compare: {figures:?}");
    let outcome = run.judge(settled, Value::Null).await.unwrap();
    assert!(outcome.verdict.is_clean(), "{}", outcome.verdict);
}

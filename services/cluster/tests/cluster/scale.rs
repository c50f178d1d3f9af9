//! Routers come and go under load.

use std::sync::atomic::Ordering;

use mynah_loadtest::{faults, traffic};
use mynah_local_cluster::Cluster;
use mynah_oracle::Dice;

use crate::support::{deployment, until};

/// Shards of the routers that run, if all are owned.
fn loads(cluster: &Cluster) -> Option<Vec<u32>> {
    let status = cluster.status();
    let loads: Vec<u32> = status.routers.iter().filter(|router| router.pid != 0).map(|router| router.shards).collect();
    (loads.iter().sum::<u32>() == 256).then_some(loads)
}

/// Within a tenth of an even share.
fn is_balanced(cluster: &Cluster, routers: u32) -> bool {
    let even = f64::from(256 / routers);
    let close = |shards: &u32| (f64::from(*shards) - even).abs() <= even / 10.0 + 1.0;
    loads(cluster).is_some_and(|loads| loads.len() == routers as usize && loads.iter().all(close))
}

/// From one router to five and back: no send fails, nothing is lost, doubled or reordered, and the load is shared.
#[tokio::test(flavor = "multi_thread")]
async fn routers_come_and_go_and_no_send_fails() {
    let mut deployment = deployment(2, 1).await;
    let place = faults::place(&deployment.cluster).unwrap();
    let mut run = traffic::prepare(&place, 40).await.unwrap();
    let senders = traffic::start_senders(&run, &mut Dice::new(7), 200);
    for number in 2..=5 {
        let name = format!("router-{number}");
        run.acks.take();
        tokio::task::block_in_place(|| deployment.cluster.start_one(&name)).unwrap();
        until("balanced", || is_balanced(&deployment.cluster, number)).await;
        println!(
            "{number} routers: {:?}, answers in ms while they came: {}",
            loads(&deployment.cluster),
            run.acks.take().figures()
        );
    }
    for number in (1..=4).rev() {
        let name = format!("router-{}", number + 1);
        run.acks.take();
        tokio::task::block_in_place(|| deployment.cluster.stop(&name)).unwrap();
        until("balanced", || is_balanced(&deployment.cluster, number)).await;
        println!(
            "{number} routers: {:?}, answers in ms while one went: {}",
            loads(&deployment.cluster),
            run.acks.take().figures()
        );
    }
    senders.stop().await.unwrap();
    let live = traffic::settle(&run.notes).await;
    assert!(live.is_clean(), "{live}");
    assert_eq!(run.counts.resent.load(Ordering::Relaxed), 0, "a send had to be made again");
    assert_eq!(run.counts.calls_failed.load(Ordering::Relaxed), 0, "a call had no answer");
    assert_eq!(run.counts.refused.load(Ordering::Relaxed), 0, "a send was refused");
    run.devices.clear();
    traffic::prove(&run).await.unwrap();
    let verdict = run.notes.lock().judge();
    assert!(verdict.is_clean(), "{verdict}");
}

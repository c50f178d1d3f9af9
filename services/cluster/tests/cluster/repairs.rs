//! What a gateway missed while nobody heard of it.

use std::sync::Arc;
use std::time::Duration;

use mynah_loadtest::device::{Counts, Device, Notes, Target, single};
use mynah_loadtest::{faults, traffic, world};
use mynah_oracle::Oracle;
use parking_lot::Mutex;

use crate::support::{account, deployment, until};

/// Groups over the partitions of the bus.
const GROUPS: usize = 16;
/// Long enough for a worker to commit what it should not, and shorter than a gateway's lease.
const STANDS_STILL: Duration = Duration::from_secs(3);

/// A gateway stands still for longer than its lease. What is sent meanwhile goes past it, and nothing is sent later that would tell.
#[tokio::test(flavor = "multi_thread")]
async fn devices_of_a_gateway_that_stood_still_find_what_went_past_it() {
    let mut deployment = deployment(2, 1).await;
    let place = faults::place(&deployment.cluster).unwrap();
    let rest = place.rest().unwrap();
    let names = world::users(&rest, 2).await.unwrap();
    let notes: Notes = Arc::new(Mutex::new(Oracle::new()));
    let device = |nth: usize| Device::start(account(&place, nth, &names[nth]), Arc::clone(&notes), Arc::new(Counts::default()));
    let devices = [device(0), device(1)];
    let handle = tokio::runtime::Handle::current();
    let path = format!("/v1/users/{}/userstat", names[1]);
    let is_online = |online: bool| handle.block_on(rest.get(&path)).is_ok_and(|state| state["online"] == online);
    until("connected", || is_online(true)).await;
    deployment.cluster.pause("gateway-2").unwrap();
    until("nobody hears of it", || is_online(false)).await;
    for viewer in &names {
        notes.lock().must_see(&single(&names[0], &names[1]), viewer, 1, u64::MAX);
    }
    devices[0].sender().send(Target::User(names[1].clone()), "m1".into()).await.await.unwrap().unwrap();
    deployment.cluster.resume("gateway-2").unwrap();
    let verdict = traffic::settle(&notes).await;
    assert!(verdict.is_clean(), "{verdict}");
    assert_eq!(notes.lock().acknowledged(), 1);
}

/// The worker that has a gateway's records in hand is killed while the gateway stands still: whoever takes its partitions hands them on again.
#[tokio::test(flavor = "multi_thread")]
async fn records_in_hand_of_a_killed_worker_reach_a_gateway_that_stood_still() {
    let mut deployment = deployment(2, 2).await;
    let place = faults::place(&deployment.cluster).unwrap();
    let rest = place.rest().unwrap();
    let names = world::users(&rest, 2).await.unwrap();
    let (notes, counts): (Notes, _) = (Arc::new(Mutex::new(Oracle::new())), Arc::new(Counts::default()));
    // Both workers have some of them.
    let mut groups = Vec::new();
    for _ in 0..GROUPS {
        let gid = world::group(&rest, &names).await.unwrap();
        names.iter().for_each(|viewer| notes.lock().must_see(&Target::Group(gid).conversation(""), viewer, 1, u64::MAX));
        groups.push(gid);
    }
    let device = |nth: usize| Device::start(account(&place, nth, &names[nth]), Arc::clone(&notes), Arc::clone(&counts));
    let devices = [device(0), device(1)];
    until("both are there", || counts.logins() == 2).await;
    deployment.cluster.pause("gateway-2").unwrap();
    for gid in &groups {
        devices[0].sender().send(Target::Group(*gid), format!("m{gid}")).await.await.unwrap().unwrap();
    }
    tokio::time::sleep(STANDS_STILL).await;
    deployment.cluster.kill("router-1").unwrap();
    deployment.cluster.resume("gateway-2").unwrap();
    let verdict = traffic::settle(&notes).await;
    assert!(verdict.is_clean(), "{verdict}");
    assert_eq!(notes.lock().acknowledged(), groups.len());
    assert_eq!(counts.logins(), 2, "it was pushed, not found at a login");
}

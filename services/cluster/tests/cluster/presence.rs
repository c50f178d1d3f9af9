//! Who is online, by several devices at several gateways, whatever becomes of these and of Redis.

use std::sync::Arc;
use std::time::Instant;

use mynah_loadtest::device::{Account, Counts, Device, Notes, Target, single};
use mynah_loadtest::{faults, traffic, world};
use mynah_oracle::Oracle;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::support::{account, deployment, until};

/// A device class as `userstat` shows it.
fn class(platform: &str, online: bool) -> Value {
    json!({"login": true, "online": online, "platform": platform})
}

/// Redis is emptied: everybody is shown online again and reached, and nobody was disconnected. A gateway is killed: its devices are offline
/// (when is told, and held by the adapter's own test), those at the other one stay; who comes back there is online.
#[tokio::test(flavor = "multi_thread")]
async fn userstat_is_right_through_an_emptied_redis_and_a_killed_gateway() {
    let mut deployment = deployment(2, 1).await;
    let place = faults::place(&deployment.cluster).unwrap();
    let rest = place.rest().unwrap();
    let names = world::users(&rest, 2).await.unwrap();
    let (notes, counts): (Notes, _) = (Arc::new(Mutex::new(Oracle::new())), Arc::new(Counts::default()));
    let start = |gateway: usize, name: &str, platform: &'static str| {
        let account = Account { platform, device_id: platform.into(), ..account(&place, gateway, name) };
        Device::start(account, Arc::clone(&notes), Arc::clone(&counts))
    };
    let handle = tokio::runtime::Handle::current();
    let shows = |wanted: &[Value]| {
        let all = handle.block_on(rest.post("/v1/users/userstat", &json!([names[0]])));
        all.is_ok_and(|all| all[0]["devices"] == json!(wanted))
    };
    let (_phone, desktop, peer) = (start(0, &names[0], "a"), start(1, &names[0], "w"), start(0, &names[1], "a"));
    let both = [class("a", true), class("w", true)];
    until("both classes are online", || shows(&both)).await;
    until("the peer is there", || counts.logins() == 3).await;

    deployment.cluster.flush_redis().unwrap();
    until("both are shown again", || shows(&both)).await;
    names.iter().for_each(|viewer| notes.lock().must_see(&single(&names[0], &names[1]), viewer, 1, u64::MAX));
    peer.sender().send(Target::User(names[0].clone()), "m1".into()).await.await.unwrap().unwrap();
    let verdict = traffic::settle(&notes).await;
    assert!(verdict.is_clean(), "{verdict}");
    assert_eq!((notes.lock().acknowledged(), counts.logins()), (1, 3), "nobody had to come back");

    let killed = Instant::now();
    deployment.cluster.kill("gateway-2").unwrap();
    until("the killed gateway's device is offline", || shows(&[class("a", true), class("w", false)])).await;
    eprintln!("offline after {:?}", killed.elapsed());
    drop(desktop);
    let _desktop = start(0, &names[0], "w");
    until("it is back elsewhere", || shows(&both)).await;
    assert_eq!(counts.logins(), 4);
}

//! Redis is away: who is served goes on being served.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use mynah_loadtest::device::{Counts, Device, Notes, Target, single};
use mynah_loadtest::{faults, traffic, world};
use mynah_oracle::Oracle;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::support::{account, deployment, readiness, until};

/// Longer than what a gateway found out counts, and than a load balancer waits before it takes a gateway out.
const HELD: Duration = Duration::from_secs(12);

/// Each gateway says that it goes on without, and does: sends are acknowledged and pushed, from the API and from devices. Nobody comes
/// online meanwhile, and nobody is told who is. A gateway that comes meanwhile is heard of by nobody, and not ready.
#[tokio::test(flavor = "multi_thread")]
async fn gateways_stay_ready_while_redis_is_away_and_say_so() {
    let mut deployment = deployment(2, 2).await;
    let place = faults::place(&deployment.cluster).unwrap();
    let rest = place.rest().unwrap();
    let names = world::users(&rest, 4).await.unwrap();
    let gid = world::group(&rest, &names[..2]).await.unwrap();
    rest.post("/v1/admins/", &json!({"username": "server", "password": "secret"})).await.unwrap();
    let (notes, counts): (Notes, _) = (Arc::new(Mutex::new(Oracle::new())), Arc::new(Counts::default()));
    for conversation in [single(&names[0], &names[1]), Target::Group(gid).conversation("")] {
        names[..2].iter().for_each(|viewer| notes.lock().must_see(&conversation, viewer, 1, u64::MAX));
    }
    let start = |nth: usize| Device::start(account(&place, nth, &names[nth]), Arc::clone(&notes), Arc::clone(&counts));
    let devices = [start(0), start(1)];
    until("both are there", || counts.logins() == 2).await;
    let userstat = format!("/v1/users/{}/userstat", names[1]);
    assert_eq!(rest.get(&userstat).await.unwrap()["online"], true);

    deployment.cluster.kill("redis").unwrap();
    tokio::task::block_in_place(|| deployment.cluster.start_one("gateway-3")).unwrap();
    let says = |gateway: &str, status: u16, words: &str| {
        readiness(&deployment.cluster, gateway).is_some_and(|(had, text)| had == status && text.contains(words))
    };
    for gateway in ["gateway-1", "gateway-2"] {
        until("ready, and what is wrong", || says(gateway, 200, "nobody can log in: presence unavailable")).await;
        let away = deployment.cluster.metric(gateway, "mynah_device_presence_away");
        assert_eq!(away, Some(1.0), "{gateway}");
    }
    let late = start(2);
    let began = std::time::Instant::now();
    let mut sent = 0;
    while began.elapsed() < HELD {
        let message = json!({"version": 1, "target_type": "single", "from_type": "admin", "msg_type": "text",
            "target_id": names[3], "from_id": "server", "msg_body": {"text": format!("rest-{sent}")}});
        let answer = rest.post("/v1/messages", &message).await.unwrap();
        assert!(answer["msg_id"].is_u64(), "{answer}");
        for target in [Target::User(names[1].clone()), Target::Group(gid)] {
            let cmid = format!("m{sent}-{}", target.conversation(&names[0]));
            devices[0].sender().send(target, cmid).await.await.unwrap().unwrap();
        }
        sent += 1;
        for gateway in ["gateway-1", "gateway-2"] {
            assert!(says(gateway, 200, "ready, but"), "{gateway}: {:?}", readiness(&deployment.cluster, gateway));
        }
        assert!(says("gateway-3", 503, "presence unavailable"), "{:?}", readiness(&deployment.cluster, "gateway-3"));
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let verdict = traffic::settle(&notes).await;
    assert!(verdict.is_clean(), "{verdict}");
    assert_eq!(notes.lock().acknowledged(), sent * 2);
    let (status, body) = rest.call(Method::GET, &userstat, &Value::Null).await.unwrap();
    assert_eq!(status, 503, "{body}");
    assert_eq!(counts.logins(), 2, "nobody comes online without presence");

    tokio::task::block_in_place(|| deployment.cluster.start_one("redis")).unwrap();
    until("who waited is there", || counts.logins() == 3).await;
    for gateway in ["gateway-1", "gateway-2", "gateway-3"] {
        until("as before", || readiness(&deployment.cluster, gateway) == Some((200, "ready\n".into()))).await;
        assert_eq!(deployment.cluster.metric(gateway, "mynah_device_presence_away"), Some(0.0), "{gateway}");
    }
    drop(late);
}

//! A router stands still while what it decides by changes.

use std::sync::Arc;

use http::Method;
use mynah_loadtest::device::{Answer, Device, Notes, Target};
use mynah_loadtest::rest::Rest;
use mynah_loadtest::{faults, world};
use mynah_oracle::Oracle;
use mynah_proto::router::ShardMapRequest;
use mynah_proto::router::router_client::RouterClient;
use mynah_rpc::Channels;
use mynah_types::ConversationKey;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::oneshot::Receiver;
use tokio::time::{Instant, sleep, timeout};

use crate::support::{Deployment, PATIENCE, account, all_but_refusals_is_clean, deployment};

/// Who is no member is told so.
const NOT_MEMBER: u64 = 803_005;
/// Sends of each kind.
const SENDS: usize = 20;

/// The router that has a group's shard, by the word of this one.
async fn owner(deployment: &Deployment, told_by: usize, gid: u64) -> String {
    let routers: Vec<_> = deployment.cluster.settings()["routers"].split(',').collect();
    let channel = Channels::new(None).unwrap().to(routers[told_by - 1]).unwrap();
    let map = RouterClient::new(channel).shard_map(ShardMapRequest {}).await.unwrap().into_inner();
    let place = map.owners[usize::from(ConversationKey::Group(gid).shard().0)] as usize;
    let address = &map.routers[place.checked_sub(1).unwrap()].address;
    format!("router-{}", 1 + routers.iter().position(|router| router == address).unwrap())
}

/// Makes a call until it is taken: while nobody has the shard it is refused, to be made again.
async fn change(rest: &Rest, path: &str, body: &Value) {
    let (until, mut asked) = (Instant::now() + PATIENCE, false);
    loop {
        let (status, answer) = rest.call(Method::POST, path, body).await.unwrap();
        // What was answered with 503 is committed; handed over in the meantime, it cannot be asked for again.
        if status == 204 || (status == 400 && asked) {
            return;
        }
        asked = true;
        assert!(status == 503 && Instant::now() < until, "{path}: {status} {answer}");
        sleep(std::time::Duration::from_millis(100)).await;
    }
}

async fn send(device: &Device, group: &Target, what: &str) -> Vec<Receiver<Answer>> {
    let mut answers = Vec::new();
    for n in 0..SENDS {
        answers.push(device.sender().send(group.clone(), format!("{what}-{n}")).await);
    }
    answers
}

async fn answers(asked: Vec<Receiver<Answer>>) -> Vec<Result<(), u64>> {
    let mut answers = Vec::new();
    for answer in asked {
        answers.push(timeout(PATIENCE, answer).await.expect("an answer in time").unwrap().map(drop));
    }
    answers
}

/// The owner of a group stands still for longer than its lease, with sends of a member in hand. Another one takes over; the member is removed,
/// somebody else is added; then the old owner goes on. What the one sends after the removal is refused by both, what the other sends is taken.
#[tokio::test(flavor = "multi_thread")]
async fn a_removed_members_sends_are_refused_whoever_had_them_in_hand() {
    let mut deployment = deployment(2, 2).await;
    let place = faults::place(&deployment.cluster).unwrap();
    let rest = place.rest().unwrap();
    let names = world::users(&rest, 3).await.unwrap();
    let [keeper, removed, added] = &names[..] else { panic!("three users") };
    let gid = world::group(&rest, &names[..2]).await.unwrap();
    let group = Target::Group(gid);
    let notes: Notes = Arc::new(Mutex::new(Oracle::new()));
    let conversation = group.conversation("");
    notes.lock().must_see(&conversation, keeper, 1, u64::MAX);
    for viewer in [removed, added] {
        notes.lock().may_see(&conversation, viewer, 1, u64::MAX);
    }
    let start = |nth: usize, name: &String| Device::start(account(&place, nth, name), Arc::clone(&notes), Arc::default());
    let (_keeps, leaves, comes) = (start(0, keeper), start(1, removed), start(1, added));
    let start = answers(send(&leaves, &group, "before").await).await;
    assert_eq!(start, [Ok(()); SENDS]);

    let router = owner(&deployment, 1, gid).await;
    let other = if router == "router-1" { 2 } else { 1 };
    deployment.cluster.pause(&router).unwrap();
    let in_hand = send(&leaves, &group, "in-hand").await;
    let path = format!("/v1/groups/{gid}/members");
    change(&rest, &path, &json!({"remove": [removed]})).await;
    change(&rest, &path, &json!({"add": [added]})).await;
    assert_ne!(owner(&deployment, other, gid).await, router, "another one took over");
    let after = send(&leaves, &group, "after").await;
    let new = send(&comes, &group, "new").await;
    deployment.cluster.resume(&router).unwrap();
    let later = send(&leaves, &group, "later").await;
    let newer = send(&comes, &group, "newer").await;

    let in_hand = answers(in_hand).await;
    let first_refused = in_hand.iter().position(Result::is_err).unwrap_or(SENDS);
    assert!(in_hand[first_refused..].iter().all(|answer| *answer == Err(NOT_MEMBER)), "{in_hand:?}");
    for answers in [answers(after).await, answers(later).await] {
        assert_eq!(answers, [Err(NOT_MEMBER); SENDS]);
    }
    for answers in [answers(new).await, answers(newer).await] {
        assert_eq!(answers, [Ok(()); SENDS]);
    }
    all_but_refusals_is_clean(&notes).await;
    assert_eq!(notes.lock().acknowledged(), 3 * SENDS + first_refused);
}

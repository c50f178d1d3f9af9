//! Kafka is away for longer than it is waited for.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use http::Method;
use mynah_loadtest::device::{Counts, Device, Notes, Target, single};
use mynah_loadtest::{faults, traffic, world};
use mynah_local_cluster::{Cluster, Kind};
use mynah_oracle::Oracle;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::support::{Deployment, account, all_but_refusals_is_clean, deployment, until};

/// Longer than an unconfirmed record is kept (60 s).
const AWAY: Duration = Duration::from_secs(65);
/// When a router is killed.
const KILL_AT: Duration = Duration::from_secs(20);
/// From the sends of a round to the last push of them: a lease (3 s), a claim, and a try of the dead bus (1 s) are in it.
const PROMPT: Duration = Duration::from_secs(15);
/// Groups, beside a room. Each is said something in a round.
const GROUPS: usize = 9;
/// Pushes that may come again after Kafka's return: what a router tried the dead bus with waits in its client and goes when Kafka is back, if it is
/// not too old; of a conversation one record at a time.
const REPEATS: u64 = 2 * (GROUPS as u64 + 1);

/// A sender on the first gateway, a hearer on the second; both in the groups and in the room.
struct Pair {
    sender: Device,
    _hearer: Device,
    notes: Notes,
    heard: Arc<Counts>,
    targets: Vec<Target>,
    sent: usize,
}

impl Pair {
    async fn new(deployment: &Deployment) -> Self {
        let place = faults::place(&deployment.cluster).unwrap();
        let rest = place.rest().unwrap();
        let names = world::users(&rest, 2).await.unwrap();
        let room = world::room(&rest, &names[0]).await.unwrap();
        let mut targets = vec![Target::Room(room)];
        for _ in 0..GROUPS {
            targets.push(Target::Group(world::group(&rest, &names).await.unwrap()));
        }
        let notes: Notes = Arc::new(Mutex::new(Oracle::new()));
        let heard = Arc::new(Counts::default());
        let start = |nth: usize, counts: &Arc<Counts>| {
            Device::start(account(&place, nth, &names[nth]), Arc::clone(&notes), Arc::clone(counts))
        };
        let (sender, hearer) = (start(0, &Arc::default()), start(1, &heard));
        for device in [&sender, &hearer] {
            device.enter(room).await;
            device.idle().await;
        }
        for target in &targets {
            names.iter().for_each(|viewer| notes.lock().must_see(&target.conversation(""), viewer, 1, u64::MAX));
        }
        Self { sender, _hearer: hearer, notes, heard, targets, sent: 0 }
    }

    /// Sends some messages; each is acknowledged and pushed in time.
    async fn round(&mut self) {
        let began = Instant::now();
        let mut answers = Vec::new();
        for target in &self.targets {
            answers.push(self.sender.sender().send(target.clone(), format!("m{}", self.sent)).await);
            self.sent += 1;
        }
        for answer in answers {
            let answer = tokio::time::timeout(PROMPT, answer).await.expect("an answer in time");
            assert!(matches!(answer, Ok(Ok(_))), "{answer:?}");
        }
        loop {
            let verdict = self.notes.lock().judge();
            if verdict.is_clean() {
                break;
            }
            assert!(began.elapsed() < PROMPT, "{verdict}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn pushed(&self) -> u64 {
        self.heard.pushed.load(Ordering::Relaxed)
    }
}

/// The sum of a figure of the bus over the routers that run.
fn bus(cluster: &Cluster, figure: &str) -> f64 {
    let figure = format!("mynah_bus_{figure}{{topic=\"mynah.fanout\"}}");
    cluster.names(Kind::Router).iter().filter_map(|router| cluster.metric(router, &figure)).sum()
}

/// While it is away, and a router is killed meanwhile, everything said in groups and rooms goes to the other gateway's devices directly. When
/// it is back the bus is used again, nothing piles up in it, and what is pushed again is little, not what was said meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn groups_and_rooms_go_on_without_kafka_and_do_not_come_again_with_it() {
    let mut deployment = deployment(2, 3).await;
    let mut pair = Pair::new(&deployment).await;
    pair.round().await;
    assert!(bus(&deployment.cluster, "published_total") > 0.0, "it goes by the bus");

    deployment.cluster.kill("kafka").unwrap();
    let (began, before) = (Instant::now(), pair.sent);
    let mut all_run = true;
    while began.elapsed() < AWAY {
        if all_run && began.elapsed() > KILL_AT {
            deployment.cluster.kill("router-2").unwrap();
            all_run = false;
        }
        pair.round().await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let (said, pushed) = (pair.sent - before, pair.pushed());
    assert!(pushed >= pair.sent as u64, "each was pushed, none was only found");

    let (published, read) = (bus(&deployment.cluster, "published_total"), bus(&deployment.cluster, "read_total"));
    tokio::task::block_in_place(|| deployment.cluster.start_one("kafka")).unwrap();
    let back = pair.sent;
    let began = Instant::now();
    while bus(&deployment.cluster, "published_total") <= published {
        assert!(began.elapsed() < crate::support::PATIENCE, "the bus is not used again");
        pair.round().await;
    }
    until("what went by the bus is read and handled", || {
        bus(&deployment.cluster, "read_total") > read && bus(&deployment.cluster, "lag_records") == 0.0
    })
    .await;
    // As long as the workers look at what the brokers know, and a record that is late may take.
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(bus(&deployment.cluster, "lag_records"), 0.0);
    let repeats = pair.pushed() - pushed - (pair.sent - back) as u64;
    println!("{said} messages without Kafka; {repeats} pushes came again");
    assert!(repeats <= REPEATS, "{repeats} pushes of {said} messages came again");
    let verdict = traffic::settle(&pair.notes).await;
    assert!(verdict.is_clean(), "{verdict}");
    assert_eq!(pair.notes.lock().acknowledged(), pair.sent);
}

/// What an app's server changes by one gateway holds at the other one when the call returns, though no change event comes: who is put out, whose
/// password is another, who is not wanted, who must be silent.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_rights_holds_for_the_next_send_elsewhere_without_kafka() {
    let mut deployment = deployment(2, 2).await;
    let place = faults::place(&deployment.cluster).unwrap();
    let rest = place.rest().unwrap();
    let names = world::users(&rest, 5).await.unwrap();
    let [peer, unwanted, silent, disabled, changed] = &names[..] else { panic!("five users") };
    let gid = world::group(&rest, &names).await.unwrap();
    let notes: Notes = Arc::new(Mutex::new(Oracle::new()));
    for conversation in [single(unwanted, peer), Target::Group(gid).conversation("")] {
        names.iter().for_each(|viewer| notes.lock().may_see(&conversation, viewer, 1, u64::MAX));
    }
    // All on the second gateway; the calls go to the first.
    let start = |name: &String| Device::start(account(&place, 1, name), Arc::clone(&notes), Arc::new(Counts::default()));
    let devices: Vec<Device> = names[1..].iter().map(start).collect();
    let group = Target::Group(gid);
    let cases = [
        (unwanted, Target::User(peer.clone()), format!("/v1/users/{peer}/blacklist"), json!([unwanted]), Some(803_008)),
        (silent, group.clone(), format!("/v1/groups/messages/{gid}/silence?status=true"), json!([silent]), Some(803_012)),
        (disabled, group.clone(), format!("/v1/users/{disabled}/forbidden?disable=true"), Value::Null, None),
        (changed, group, format!("/v1/users/{changed}/password"), json!({"new_password": "another"}), None),
    ];
    let send = async |name: &str, target: &Target, cmid: &str| {
        let device = devices.iter().find(|device| device.username == name).unwrap();
        device.sender().send(target.clone(), cmid.into()).await.await
    };
    for (name, target, ..) in &cases {
        assert!(matches!(send(name, target, "before").await, Ok(Ok(_))), "{name}");
    }
    deployment.cluster.kill("kafka").unwrap();
    for (name, target, path, body, code) in cases {
        let (status, answer) = rest.call(Method::PUT, &path, &body).await.unwrap();
        assert_eq!(status, 204, "{path}: {answer}");
        let answer = send(name, &target, "after");
        match (tokio::time::timeout(Duration::from_secs(3), answer).await, code) {
            (Ok(Ok(Err(refused))), Some(code)) => assert_eq!(refused, code, "{name}"),
            // Put out, and not let in again: nobody answers.
            (Err(_), None) => {}
            (answered, _) => panic!("{name}: {answered:?}"),
        }
    }
    assert_eq!(notes.lock().acknowledged(), 4, "what was sent before, and nothing after");
    // Nor is it in the log.
    let history = rest.get(&format!("/v1/users/{disabled}/messages?start=0&count=10")).await.unwrap();
    assert_eq!(history["total"], 1, "{history}");
    all_but_refusals_is_clean(&notes).await;
}

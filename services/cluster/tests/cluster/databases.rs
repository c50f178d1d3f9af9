//! The message log in two databases, of which one is killed.

use std::sync::Arc;
use std::time::Duration;

use mynah_loadtest::device::{Answer, Counts, Device, Notes, Target, single};
use mynah_loadtest::traffic::Place;
use mynah_loadtest::{faults, traffic, world};
use mynah_oracle::Oracle;
use parking_lot::Mutex;

use crate::support::{account, deployment_with, until};

/// Less than any wait for the dead database would be: the devices' deadline, a lease, an append's.
const PROMPT: Duration = Duration::from_millis(2500);
/// So many that both databases have chats, but once in a million times.
const PAIRS: usize = 20;
/// While the database is dead, each chat of the other has so many messages.
const ROUNDS: usize = 10;

fn devices(place: &Place, names: &[String], notes: &Notes) -> Vec<Device> {
    let device =
        |(nth, name): (usize, &String)| Device::start(account(place, nth, name), Arc::clone(notes), Arc::new(Counts::default()));
    names.iter().enumerate().map(device).collect()
}

/// Says something in a chat; true if it is answered promptly. What is not is answered when it can be.
async fn promptly(pair: &[Device], cmid: &str) -> (bool, tokio::sync::oneshot::Receiver<Answer>) {
    let mut answer = pair[0].sender().send(Target::User(pair[1].username.clone()), cmid.into()).await;
    match tokio::time::timeout(PROMPT, &mut answer).await {
        Ok(answered) => {
            assert!(matches!(answered, Ok(Ok(_))), "{cmid}: {answered:?}");
            (true, answer)
        }
        Err(_) => (false, answer),
    }
}

/// The other's chats go on without a pause and are delivered, gateways and routers stay ready; those of the dead one are taken when it
/// is back, once and in order. A router that starts meanwhile serves what is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_killed_takes_down_its_own_conversations_only() {
    let mut deployment = deployment_with(2, 2, 2, |_| Vec::new()).await;
    let place = faults::place(&deployment.cluster).unwrap();
    let names = world::users(&place.rest().unwrap(), PAIRS * 2).await.unwrap();
    let notes: Notes = Arc::new(Mutex::new(Oracle::new()));
    for pair in names.chunks(2) {
        pair.iter().for_each(|viewer| notes.lock().must_see(&single(&pair[0], &pair[1]), viewer, 1, u64::MAX));
    }
    let devices = devices(&place, &names, &notes);
    let pairs: Vec<&[Device]> = devices.chunks(2).collect();
    for pair in &pairs {
        let answer = pair[0].sender().send(Target::User(pair[1].username.clone()), "before".into()).await;
        assert!(matches!(answer.await, Ok(Ok(_))));
    }

    deployment.cluster.kill("postgresql-2").unwrap();
    let first = futures_util::future::join_all(pairs.iter().map(|pair| promptly(pair, "m0"))).await;
    let (living, dead): (Vec<_>, Vec<_>) = pairs.iter().zip(first).partition(|(_, (prompt, _))| *prompt);
    assert!(!living.is_empty() && !dead.is_empty(), "{} and {} chats", living.len(), dead.len());
    let restarted = tokio::task::block_in_place(|| {
        deployment.cluster.kill("router-2")?;
        deployment.cluster.start_one("router-2")
    });
    restarted.unwrap();
    until("half of the shards are shared again", || shards(&deployment.cluster) == [64, 64]).await;
    for round in 1..=ROUNDS {
        let cmid = format!("m{round}");
        let answers = futures_util::future::join_all(living.iter().map(|(pair, _)| promptly(pair, &cmid))).await;
        assert!(answers.iter().all(|(prompt, _)| *prompt), "a chat of the other database waits in round {round}");
    }
    // What a gateway found out while the router was gone counts for some seconds.
    until("every process works", || {
        let status = deployment.cluster.status();
        status.gateways.iter().all(|gateway| gateway.ready) && status.routers.iter().all(|router| router.ready)
    })
    .await;

    tokio::task::block_in_place(|| deployment.cluster.start_one("postgresql-2")).unwrap();
    for (_, (_, answer)) in dead {
        assert!(matches!(tokio::time::timeout(Duration::from_secs(60), answer).await.unwrap(), Ok(Ok(_))));
    }
    until("all shards are shared again", || shards(&deployment.cluster) == [128, 128]).await;
    let verdict = traffic::settle(&notes).await;
    assert!(verdict.is_clean(), "{verdict}");
}

fn shards(cluster: &mynah_local_cluster::Cluster) -> Vec<u32> {
    cluster.status().routers.iter().map(|router| router.shards).collect()
}

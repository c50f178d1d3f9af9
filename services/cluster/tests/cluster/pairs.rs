//! Whoever is connected where hears whoever sends where.

use std::sync::Arc;

use mynah_loadtest::device::{Counts, Device, Notes, Target};
use mynah_loadtest::{faults, traffic, world};
use mynah_oracle::Oracle;
use parking_lot::Mutex;

use crate::engines_tls::a_gateway_that_trusts_another_authority_says_why;
use crate::metrics::are_what_documents_say;
use crate::support::{Deployment, account, deployment, deployment_over_tls};

#[tokio::test(flavor = "multi_thread")]
async fn every_pair_of_gateways_delivers() {
    let deployment = deployment(3, 2).await;
    delivers(&deployment).await;
    are_what_documents_say(&deployment);
}

/// The engines take nothing in the clear. What goes over the bus was confirmed by Kafka, to which each process logged in.
#[tokio::test(flavor = "multi_thread")]
async fn every_pair_of_gateways_delivers_with_engines_over_tls() {
    let deployment = deployment_over_tls(2, 1).await;
    delivers(&deployment).await;
    let published = deployment.cluster.metric("router-1", "mynah_bus_published_total{topic=\"mynah.fanout\"}").unwrap();
    assert!(published > 0.0, "groups and rooms went by the bus");
    a_gateway_that_trusts_another_authority_says_why(&deployment).await;
}

/// For each gateway of the sender and of the receiver: a single chat, a group, a room.
async fn delivers(deployment: &Deployment) {
    let place = faults::place(&deployment.cluster).unwrap();
    let rest = place.rest().unwrap();
    let count = place.gateways.len();
    // A sender and a receiver at each gateway.
    let names = world::users(&rest, 2 * count).await.unwrap();
    let gid = world::group(&rest, &names).await.unwrap();
    let room = world::room(&rest, &names[0]).await.unwrap();
    let notes: Notes = Arc::new(Mutex::new(Oracle::new()));
    notes.lock().open_to_all(&Target::Room(room).conversation(""));
    let device = |nth: usize| Device::start(account(&place, nth, &names[nth]), Arc::clone(&notes), Arc::new(Counts::default()));
    let devices: Vec<Device> = (0..2 * count).map(device).collect();
    for device in &devices {
        device.enter(room).await;
        device.idle().await;
    }
    for (s, sender) in devices.iter().take(count).enumerate() {
        let mut targets = vec![Target::Group(gid), Target::Room(room)];
        targets.extend(devices[count..].iter().map(|receiver| Target::User(receiver.username.clone())));
        for (t, target) in targets.into_iter().enumerate() {
            for viewer in &devices {
                let hears =
                    !matches!(&target, Target::User(peer) if *peer != viewer.username && viewer.username != sender.username);
                if hears {
                    notes.lock().must_see(&target.conversation(&sender.username), &viewer.username, 1, u64::MAX);
                }
            }
            sender.sender().send(target, format!("m{s}-{t}")).await.await.unwrap().unwrap();
        }
    }
    let verdict = traffic::settle(&notes).await;
    assert!(verdict.is_clean(), "{verdict}");
    assert_eq!(notes.lock().acknowledged(), count * (count + 2));
}

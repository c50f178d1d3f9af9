//! Shields: the conversation and the gateways decide by them before the call answers.

use std::time::{Duration, Instant};

use mynah_ports::deadline;
use mynah_proto::directory as wire;
use mynah_types::Reason;

use crate::support::{Mode, World, named, until, why};

fn shield(app: u64, add: &[u64], remove: &[u64]) -> wire::ChangeShieldRequest {
    wire::ChangeShieldRequest { app_id: app, username: "tom1".into(), add: add.to_vec(), remove: remove.to_vec() }
}

async fn shielded(world: &World, app: u64) -> Vec<u64> {
    let groups = world.api.groups_of(named(app, "tom1")).await.unwrap().groups;
    groups.iter().filter(|group| group.shielded).map(|group| group.gid).collect()
}

#[tokio::test]
async fn a_shield_is_all_or_nothing_and_told_before_it_is_answered() {
    let world = World::new();
    let app = world.app().await;
    let uids = world.users(app, &["tom1", "ann1"]).await;
    let (one, two) = (world.group(app, "tom1", &[]).await, world.group(app, "ann1", &["tom1"]).await);
    let others = world.group(app, "ann1", &[]).await;
    world.api.change_shield(shield(app, &[one, two], &[])).await.unwrap();
    let told: Vec<_> = world.router.hides.lock().iter().map(|hide| (hide.conv_id.clone(), hide.uid, hide.hidden)).collect();
    assert_eq!(told, [(format!("g.{one}"), uids[0], true), (format!("g.{two}"), uids[0], true)]);
    assert!(world.gateway.refreshes.lock().iter().all(|refresh| refresh.uids == [uids[0]]));
    for (request, expected) in [
        (shield(app, &[one], &[two]), Reason::ShieldOn),
        (shield(app, &[others], &[two]), Reason::NotInNamedGroup),
        (shield(app, &[10_009_999], &[two]), Reason::NamedGroupNotFound),
        (shield(app, &[], &[]), Reason::Invalid),
    ] {
        assert_eq!(why(world.api.change_shield(request).await), expected);
        assert_eq!(shielded(&world, app).await, [one, two]);
    }
    world.api.change_shield(shield(app, &[], &[one])).await.unwrap();
    assert_eq!(why(world.api.change_shield(shield(app, &[], &[one])).await), Reason::ShieldOff);
    assert_eq!(shielded(&world, app).await, [two]);
    // Who leaves takes his shield down, and comes back without it.
    world.remove(app, two, &["tom1"]).await.unwrap();
    world.add(app, two, &["tom1"]).await.unwrap();
    assert_eq!(shielded(&world, app).await, [0; 0]);
}

#[tokio::test]
async fn a_shield_that_could_not_be_told_is_retryable_and_told_by_the_outbox() {
    let world = World::new();
    let app = world.app().await;
    world.users(app, &["tom1"]).await;
    let gid = world.group(app, "tom1", &[]).await;
    for mode in [Mode::Fails, Mode::LosesAnswer] {
        world.router.set(mode);
        assert!(why(world.api.change_shield(shield(app, &[gid], &[])).await).is_retryable());
    }
    world.router.set(Mode::Answers);
    let mut world = world.restart();
    world.run_outbox();
    until("it is told", async || world.store.pending_shields(u64::MAX >> 1, 9).await.unwrap().is_empty()).await;
    assert_eq!(world.router.hides.lock().last().map(|hide| hide.hidden), Some(true));
    assert_eq!(why(world.api.change_shield(shield(app, &[gid], &[])).await), Reason::ShieldOn);
}

/// He may have turned it since, elsewhere: only whoever looks how it stands tells.
#[tokio::test]
async fn a_shield_of_who_waits_no_longer_is_told_by_the_outbox_alone() {
    let world = World::new();
    let app = world.app().await;
    world.users(app, &["tom1"]).await;
    let gid = world.group(app, "tom1", &[]).await;
    let past = Instant::now() - Duration::from_millis(1);
    let raised = deadline::until(Some(past), world.api.change_shield(shield(app, &[gid], &[]))).await;
    assert!(why(raised).is_retryable());
    assert!(world.router.hides.lock().is_empty());
    let mut world = world.restart();
    world.run_outbox();
    until("it is told", async || world.router.hides.lock().last().is_some_and(|hide| hide.hidden)).await;
}

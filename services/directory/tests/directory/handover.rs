//! A change between its commit and the router's confirmation: every point at which it can be cut off.

use std::time::Duration;

use futures_util::future::join_all;
use mynah_proto::directory as wire;
use mynah_types::Reason;

use crate::support::{Mode, World, members, new_group, quick, until, why};

const CONV: &str = "g.10000001";

/// A world with a group of tom1 and two users outside of it.
async fn with_group() -> (World, u64, u64, Vec<u64>) {
    let world = World::new();
    let app = world.app().await;
    let uids = world.users(app, &["tom1", "ann1", "bob1"]).await;
    let gid = world.group(app, "tom1", &[]).await;
    (world, app, gid, uids)
}

#[tokio::test]
async fn a_change_that_the_router_did_not_take_is_retryable_and_its_repeat_succeeds_once() {
    for (mode, reason) in
        [(Mode::Fails, Reason::Unavailable), (Mode::Hangs, Reason::Timeout), (Mode::LosesAnswer, Reason::Timeout)]
    {
        let (world, app, gid, uids) = with_group().await;
        world.router.set(mode);
        let outcome = world.add(app, gid, &["ann1"]).await;
        assert!(why(outcome.clone()).is_retryable());
        assert_eq!(why(outcome), reason);
        // Still not: the repeat is no other change, and no refusal.
        assert_eq!(why(world.add(app, gid, &["ann1"]).await), reason);
        world.router.set(Mode::Answers);
        world.add(app, gid, &["ann1"]).await.unwrap();
        assert_eq!(world.router.versions(CONV), [1, 2]);
        assert_eq!(world.router.members(CONV), uids[..2]);
        assert_eq!(why(world.add(app, gid, &["ann1"]).await), Reason::AlreadyMember);
        // The same for a removal.
        world.router.set(mode);
        assert_eq!(why(world.remove(app, gid, &["ann1"]).await), reason);
        world.router.set(Mode::Answers);
        world.remove(app, gid, &["ann1"]).await.unwrap();
        assert_eq!(world.router.versions(CONV), [1, 2, 3]);
        assert_eq!(why(world.remove(app, gid, &["ann1"]).await), Reason::NotMember);
    }
}

#[tokio::test]
async fn a_repeat_may_ask_for_more_than_the_first() {
    let (world, app, gid, uids) = with_group().await;
    world.router.set(Mode::Fails);
    assert_eq!(why(world.add(app, gid, &["ann1"]).await), Reason::Unavailable);
    world.router.set(Mode::Answers);
    world.add(app, gid, &["ann1", "bob1"]).await.unwrap();
    assert_eq!((world.router.versions(CONV), world.router.members(CONV)), (vec![1, 2, 3], uids));
}

#[tokio::test]
async fn changes_that_waited_are_handed_over_in_order() {
    let (world, app, gid, uids) = with_group().await;
    world.router.set(Mode::Fails);
    for round in 0..20 {
        let name = if round % 2 == 0 { "ann1" } else { "bob1" };
        let outcome =
            if (round / 2) % 2 == 0 { world.add(app, gid, &[name]).await } else { world.remove(app, gid, &[name]).await };
        assert_eq!(why(outcome), Reason::Unavailable);
    }
    world.router.set(Mode::Answers);
    // The fake refuses a version before its turn.
    let last = world.api.change_members(members(app, gid, &["ann1", "bob1"], &[])).await;
    last.unwrap();
    assert_eq!(world.router.versions(CONV), (1..=22).collect::<Vec<_>>());
    assert_eq!(world.router.members(CONV), uids);
}

#[tokio::test]
async fn a_group_whose_creation_was_not_answered_is_found_again() {
    let world = World::new();
    let app = world.app().await;
    world.users(app, &["tom1", "ann1"]).await;
    let request = || new_group(app, "tom1", &["ann1"]);
    for mode in [Mode::Fails, Mode::Hangs, Mode::LosesAnswer] {
        world.router.set(mode);
        assert!(why(world.api.create_group(request()).await).is_retryable());
    }
    // Another name, or other members, is another group.
    let other = wire::CreateGroupRequest { name: "other".into(), ..request() };
    assert!(why(world.api.create_group(other).await).is_retryable());
    world.router.set(Mode::Answers);
    assert_eq!(world.api.create_group(request()).await.unwrap().gid, 10_000_001);
    assert_eq!(world.api.create_group(new_group(app, "tom1", &[])).await.unwrap().gid, 10_000_003);
    assert_eq!(world.api.create_group(request()).await.unwrap().gid, 10_000_004, "what was answered is not repeated");
}

/// The first waits for the router when the second comes: it is no repeat as long as the first was not answered.
#[tokio::test]
async fn equal_creations_at_one_time_are_not_repeats_of_one_another() {
    let world = World::new();
    let app = world.app().await;
    world.users(app, &["tom1", "ann1"]).await;
    world.router.set(Mode::Hangs);
    let api = world.api.clone();
    let first = tokio::spawn(async move { api.create_group(new_group(app, "tom1", &["ann1"])).await });
    until("the first waits for the router", async || !world.router.calls.lock().is_empty()).await;
    world.router.set(Mode::Answers);
    assert_eq!(world.api.create_group(new_group(app, "tom1", &["ann1"])).await.unwrap().gid, 10_000_002);
    assert_eq!(why(first.await.unwrap()), Reason::Timeout);
    assert_eq!(world.api.create_group(new_group(app, "tom1", &["ann1"])).await.unwrap().gid, 10_000_001);
}

#[tokio::test]
async fn a_deletion_that_was_not_answered_may_be_repeated() {
    let (world, app, gid, _) = with_group().await;
    let request = wire::GroupRequest { app_id: app, gid, member_uid: 0 };
    world.router.set(Mode::LosesAnswer);
    assert_eq!(why(world.api.delete_group(request).await), Reason::Timeout);
    assert_eq!(why(world.api.get_group(request).await), Reason::GroupNotFound);
    world.router.set(Mode::Answers);
    world.api.delete_group(request).await.unwrap();
    assert_eq!(world.router.versions(CONV), [1, 2]);
    assert_eq!(why(world.api.delete_group(request).await), Reason::GroupNotFound);
}

#[tokio::test]
async fn the_outbox_hands_over_what_a_dead_process_left() {
    let (world, app, gid, uids) = with_group().await;
    world.router.set(Mode::Fails);
    assert_eq!(why(world.add(app, gid, &["ann1"]).await), Reason::Unavailable);
    let mut world = world.restart();
    world.run_outbox();
    // It goes on as long as the router is away.
    let tries = world.router.calls.lock().len();
    until("the outbox tries again", async || world.router.calls.lock().len() > tries + 3).await;
    world.router.set(Mode::Answers);
    until("the change is applied", async || world.router.versions(CONV) == [1, 2]).await;
    until("nothing waits", async || world.store.pending_count().await.unwrap() == 0).await;
    assert_eq!(world.router.members(CONV), uids[..2]);
    assert_eq!(why(world.add(app, gid, &["ann1"]).await), Reason::AlreadyMember);
}

#[tokio::test]
async fn a_failed_call_wakes_the_outbox() {
    let mut world = World::with(mynah_directory::Settings { outbox_poll: Duration::from_secs(3600), ..quick() });
    let app = world.app().await;
    world.users(app, &["tom1", "ann1"]).await;
    let gid = world.group(app, "tom1", &[]).await;
    world.run_outbox();
    world.router.set(Mode::Fails);
    assert_eq!(why(world.add(app, gid, &["ann1"]).await), Reason::Unavailable);
    world.router.set(Mode::Answers);
    until("the change is applied", async || world.router.versions(CONV) == [1, 2]).await;
}

/// The caller goes away while the router is slow: the write runs on by itself.
#[tokio::test]
async fn a_caller_that_leaves_does_not_cut_a_change_in_two() {
    let (mut world, app, gid, _) = with_group().await;
    world.router.set(Mode::Hangs);
    let left = tokio::time::timeout(Duration::from_millis(20), world.add(app, gid, &["ann1"])).await;
    assert!(left.is_err());
    world.router.set(Mode::Answers);
    world.run_outbox();
    until("the change is applied", async || world.router.versions(CONV) == [1, 2]).await;
    assert_eq!(world.member_names(app, gid).await, ["tom1", "ann1"]);
}

/// An actor that loads asks for the changes while the hand-over waits for it: the one must not wait for the other.
#[tokio::test]
async fn an_actor_may_read_the_changes_during_a_hand_over() {
    let (world, app, gid, _) = with_group().await;
    *world.router.loads_from.lock() = Some(world.api.clone());
    world.add(app, gid, &["ann1"]).await.unwrap();
    world.remove(app, gid, &["ann1"]).await.unwrap();
}

/// Every actor is gone. Each of a hundred groups has a change that waited and one that is new, and its actor asks for the changes while
/// they are handed over; the outbox works beside the calls. All are at the router before any is answered, with two connections to the
/// store for hand-overs and loads: who held one of them over the hand-over, or a turn, would let nobody load.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_cold_groups_load_while_their_changes_are_handed_over() {
    const GROUPS: usize = 100;
    let settings = mynah_directory::Settings { handover_deadline: Duration::from_secs(20), ..quick() };
    let mut world = World::over_connections(settings, 2).await;
    let app = world.app().await;
    let uids = world.users(app, &["tom1", "ann1", "bob1"]).await;
    let mut gids = Vec::new();
    for _ in 0..GROUPS {
        gids.push(world.group(app, "tom1", &[]).await);
    }
    world.router.set(Mode::Fails);
    for gid in &gids {
        assert_eq!(why(world.add(app, *gid, &["ann1"]).await), Reason::Unavailable);
    }
    world.router.set(Mode::Answers);
    *world.router.loads_from.lock() = Some(world.api.clone());
    *world.router.together.lock() = GROUPS;
    world.run_outbox();
    for done in join_all(gids.iter().map(|gid| world.add(app, *gid, &["bob1"]))).await {
        done.unwrap();
    }
    for gid in &gids {
        let conv_id = format!("g.{gid}");
        // The fake refuses a version before its turn.
        assert_eq!((world.router.versions(&conv_id), world.router.members(&conv_id)), (vec![1, 2, 3], uids.clone()));
    }
    until("nothing waits", async || world.store.pending_count().await.unwrap() == 0).await;
}

/// Calls on one group wait their turn, but not for ever; other groups do not wait.
#[tokio::test]
async fn a_stuck_group_is_alone() {
    let (world, app, gid, _) = with_group().await;
    world.router.set(Mode::Hangs);
    let (first, second) = tokio::join!(world.add(app, gid, &["ann1"]), world.add(app, gid, &["bob1"]));
    assert_eq!((why(first), why(second)), (Reason::Timeout, Reason::Timeout));
    world.router.set(Mode::Answers);
    world.group(app, "ann1", &["bob1"]).await;
}

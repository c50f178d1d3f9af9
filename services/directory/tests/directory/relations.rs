//! Blacklists, and that the router hears of them before the call answers.

use mynah_proto::directory as wire;
use mynah_types::Reason;

use crate::support::{Mode, World, named, new_user, strings, until, why};

fn change(app: u64, name: &str, add: &[&str], remove: &[&str]) -> wire::ChangeBlacklistRequest {
    wire::ChangeBlacklistRequest { app_id: app, username: name.into(), add: strings(add), remove: strings(remove), cross: vec![] }
}

async fn list(world: &World, app: u64) -> Vec<String> {
    let list = world.api.blacklist(named(app, "tom1")).await.unwrap();
    list.users.into_iter().map(|user| user.username).collect()
}

#[tokio::test]
async fn a_change_is_whole_and_told_to_the_router() {
    let world = World::new();
    let app = world.app().await;
    let uids = world.users(app, &["tom1", "ann1", "bob1"]).await;
    let admin = wire::RegisterRequest { app_id: app, users: vec![new_user("root")], admin: true, by_device: false };
    world.api.register(admin).await.unwrap();
    world.api.change_blacklist(change(app, "tom1", &["ann1", "ann1"], &[])).await.unwrap();
    let told = world.router.relations.lock().remove(0);
    assert_eq!((told.uid, told.peer_uids), (uids[0], vec![uids[1]]));
    for (add, remove, expected) in [
        (vec!["bob1", "tom1"], vec![], Reason::Invalid),
        (vec!["bob1", "root"], vec![], Reason::AdminBlacklisted),
        (vec!["bob1", "ann1"], vec![], Reason::AlreadyBlacklisted),
        (vec!["bob1", "gone"], vec![], Reason::NamedUserNotFound),
        (vec![], vec!["ann1", "bob1"], Reason::NotBlacklisted),
        (vec![], vec![], Reason::Invalid),
    ] {
        assert_eq!(why(world.api.change_blacklist(change(app, "tom1", &add, &remove)).await), expected);
        assert_eq!(list(&world, app).await, ["ann1"]);
    }
    assert_eq!(why(world.api.change_blacklist(change(app, "gone", &["ann1"], &[])).await), Reason::UserNotFound);
    assert!(world.router.relations.lock().is_empty());
    let rights = world.api.pair_rights(wire::PairRightsRequest { a: uids[1], b: uids[0] }).await.unwrap();
    assert_eq!((rights.a_blocks_b, rights.b_blocks_a, rights.a_exists, rights.b_exists), (false, true, true, true));
    world.api.change_blacklist(change(app, "tom1", &["bob1"], &["ann1"])).await.unwrap();
    assert_eq!(list(&world, app).await, ["bob1"]);
}

#[tokio::test]
async fn a_router_that_is_away_makes_it_retryable_and_a_repeat_answers_as_the_first() {
    let world = World::new();
    let app = world.app().await;
    world.users(app, &["tom1", "ann1"]).await;
    let block = change(app, "tom1", &["ann1"], &[]);
    for (mode, reason) in
        [(Mode::Fails, Reason::Unavailable), (Mode::Hangs, Reason::Timeout), (Mode::LosesAnswer, Reason::Timeout)]
    {
        world.router.set(mode);
        assert_eq!(why(world.api.change_blacklist(block.clone()).await), reason);
    }
    world.router.set(Mode::Answers);
    world.api.change_blacklist(block.clone()).await.unwrap();
    assert_eq!(why(world.api.change_blacklist(block).await), Reason::AlreadyBlacklisted);
}

#[tokio::test]
async fn the_outbox_tells_the_router_after_a_crash() {
    let world = World::new();
    let app = world.app().await;
    let uids = world.users(app, &["tom1", "ann1"]).await;
    world.router.set(Mode::Fails);
    let block = change(app, "tom1", &["ann1"], &[]);
    assert_eq!(why(world.api.change_blacklist(block.clone()).await), Reason::Unavailable);
    let mut world = world.restart();
    world.run_outbox();
    world.router.set(Mode::Answers);
    until("the router is told", async || !world.router.relations.lock().is_empty()).await;
    assert_eq!(world.router.relations.lock()[0].peer_uids, [uids[1]]);
    until("the note is gone", async || world.store.pending_relations(1).await.unwrap().is_empty()).await;
    assert_eq!(why(world.api.change_blacklist(block).await), Reason::AlreadyBlacklisted);
}

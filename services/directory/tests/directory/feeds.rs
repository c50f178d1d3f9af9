//! What concerns a user alone comes into his feed: in order, once, whatever happens to the router.

use mynah_proto::directory as wire;

use crate::support::{Mode, World, named, strings, until};

fn friends(app: u64, name: &str, peers: &[&str]) -> wire::FriendsRequest {
    wire::FriendsRequest { app_id: app, username: name.into(), peers: strings(peers), cross: vec![] }
}

fn told(event_type: u32, extra: u32, to: &[&str]) -> (u32, u32, Vec<String>) {
    (event_type, extra, strings(to))
}

#[tokio::test]
async fn each_change_is_told_to_those_whom_it_concerns() {
    let world = World::new();
    let app = world.app().await;
    let uids = world.users(app, &["tom1", "ann1", "bob1"]).await;
    let (api, feed) = (&world.api, |place: usize| world.router.feed(uids[place]));
    api.add_friends(friends(app, "tom1", &["ann1", "bob1"])).await.unwrap();
    assert_eq!(feed(0), [told(7, 5, &["ann1", "bob1"])]);
    assert_eq!((feed(1), feed(2)), (vec![told(7, 5, &[])], vec![told(7, 5, &[])]));
    // A change that is refused tells nobody.
    assert!(api.add_friends(friends(app, "tom1", &["ann1"])).await.is_err());
    let note = wire::FriendNote { username: "ann1".into(), note_name: Some("sis".into()), ..Default::default() };
    api.note_friends(wire::NoteFriendsRequest { app_id: app, username: "tom1".into(), notes: vec![note] }).await.unwrap();
    api.remove_friends(friends(app, "bob1", &["tom1"])).await.unwrap();
    let block =
        wire::ChangeBlacklistRequest { app_id: app, username: "tom1".into(), add: strings(&["bob1"]), ..Default::default() };
    api.change_blacklist(block).await.unwrap();
    let profile = Some(wire::Profile { nickname: Some("T".into()), ..Default::default() });
    api.update_user(wire::UpdateUserRequest { app_id: app, username: "tom1".into(), profile }).await.unwrap();
    let gid = world.group(app, "tom1", &[]).await;
    let quiet = wire::ChangeDndRequest {
        app_id: app,
        username: "tom1".into(),
        add_users: strings(&["ann1"]),
        add_groups: vec![gid],
        global: Some(true),
        ..Default::default()
    };
    api.change_dnd(quiet).await.unwrap();
    let expected = [
        told(7, 5, &["ann1", "bob1"]),
        told(7, 7, &["ann1"]),
        told(7, 6, &[]),
        told(38, 1, &["bob1"]),
        told(40, 0, &[]),
        told(37, 31, &["ann1"]),
        told(37, 33, &[]),
        told(37, 35, &[]),
    ];
    assert_eq!(feed(0), expected);
    assert_eq!((feed(1).len(), feed(2)), (1, vec![told(7, 5, &[]), told(7, 6, &["tom1"])]));
}

/// The change holds and is answered; the events come later, in the order of what they tell of.
#[tokio::test]
async fn events_outlive_a_router_that_is_away_and_a_crash() {
    let world = World::new();
    let app = world.app().await;
    let uids = world.users(app, &["tom1", "ann1", "bob1"]).await;
    for (mode, peer) in [(Mode::Fails, "ann1"), (Mode::LosesAnswer, "bob1")] {
        world.router.set(mode);
        world.api.add_friends(friends(app, "tom1", &[peer])).await.unwrap();
    }
    let mut world = world.restart();
    world.router.set(Mode::Answers);
    world.api.remove_friends(friends(app, "tom1", &["ann1"])).await.unwrap();
    world.run_outbox();
    until("nothing waits", async || world.store.pending_feeds(9).await.unwrap().is_empty()).await;
    let expected = [told(7, 5, &["ann1"]), told(7, 5, &["bob1"]), told(7, 6, &["ann1"])];
    assert_eq!(world.router.feed(uids[0]), expected);
    assert_eq!(world.router.feed(uids[1]), [told(7, 5, &[]), told(7, 6, &[])]);
}

#[tokio::test]
async fn who_is_deleted_is_missed_by_his_friends() {
    let mut world = World::new();
    let app = world.app().await;
    let uids = world.users(app, &["tom1", "ann1", "bob1"]).await;
    world.api.add_friends(friends(app, "tom1", &["ann1", "bob1"])).await.unwrap();
    let before = world.router.feed(uids[0]);
    world.run_outbox();
    let gone = wire::DeleteUsersRequest { app_id: app, usernames: strings(&["tom1"]), path_user: true };
    world.api.delete_users(gone).await.unwrap();
    for uid in &uids[1..] {
        until("a friend is told", async || world.router.feed(*uid).last() == Some(&told(7, 6, &[]))).await;
    }
    assert_eq!(world.router.feed(uids[0]), before, "he has no feed any more");
    assert!(world.api.friends(named(app, "ann1")).await.unwrap().friends.is_empty());
}

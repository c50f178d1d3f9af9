//! The end of a user: what goes at once, what passes on, and that a crash leaves nothing half done.

use std::collections::BTreeSet;
use std::time::Instant;

use mynah_ports::deadline;
use mynah_proto::directory as wire;
use mynah_types::{ConversationKey, Reason, Uid};

use crate::support::{Mode, START, World, by_password, named, strings, until, why};

fn delete(app: u64, names: &[&str]) -> wire::DeleteUsersRequest {
    wire::DeleteUsersRequest { app_id: app, usernames: strings(names), path_user: false }
}

fn conv(gid: u64) -> String {
    format!("g.{gid}")
}

#[tokio::test]
async fn a_deleted_user_leaves_everything() {
    let world = World::new();
    let app = world.app().await;
    let uids = world.users(app, &["tom1", "ann1", "bob1"]).await;
    let shared = world.group(app, "ann1", &["tom1"]).await;
    let owned = world.group(app, "tom1", &["bob1", "ann1"]).await;
    let alone = world.group(app, "tom1", &[]).await;
    let room = |owner: &str, others: &[&str]| wire::CreateRoomRequest {
        app_id: app,
        owner: owner.into(),
        name: "room".into(),
        description: String::new(),
        members: strings(others),
    };
    let own_room = world.api.create_room(room("tom1", &["ann1"])).await.unwrap().room_id;
    let other_room = world.api.create_room(room("ann1", &["tom1"])).await.unwrap().room_id;
    let phone = world.login(app, "tom1", "a", "one").await;
    world.api.delete_users(delete(app, &["tom1"])).await.unwrap();

    let kick = world.gateway.take().remove(0);
    assert_eq!((kick.uid, kick.reason.as_str(), kick.time_ms), (uids[0], "deleted", START));
    assert_eq!(why(world.login_by_session(app, &phone.session, "a").await), Reason::SessionInvalid);
    assert_eq!(why(world.api.login(by_password(app, "tom1", "a", "one")).await), Reason::UserNotFound);
    assert_eq!(why(world.api.get_user(named(app, "tom1")).await), Reason::UserNotFound);

    assert_eq!(world.router.members(&conv(shared)), [uids[1]]);
    let (_, event) = world.router.event(&conv(shared), 2);
    assert_eq!((event.event_type, event.to[0].username.as_str(), event.new_owner), (11, "tom1", None));
    // The earliest member owns it, told by the same event.
    let (_, event) = world.router.event(&conv(owned), 2);
    assert_eq!((event.event_type, event.new_owner.unwrap().username.as_str()), (11, "bob1"));
    let changed = world.router.applied.lock()[&conv(owned)][1].changed.clone();
    assert_eq!((changed[0].uid, changed[0].role), (uids[2], 2));
    let group = world.api.get_group(wire::GroupRequest { app_id: app, gid: owned, member_uid: 0 }).await.unwrap();
    assert_eq!(group.owner.unwrap().username, "bob1");
    let (_, event) = world.router.event(&conv(alone), 2);
    assert_eq!((event.event_type, event.extra), (9, 69));
    let gone = world.api.get_group(wire::GroupRequest { app_id: app, gid: alone, member_uid: 0 }).await;
    assert_eq!(why(gone), Reason::GroupNotFound);
    assert!(world.router.applied.lock()[&format!("r.{own_room}")][1].dissolved);
    assert_eq!(world.router.members(&format!("r.{other_room}")), [uids[1]]);
    assert!(world.store.pending_deletions(10).await.unwrap().is_empty());
}

#[tokio::test]
async fn owners_that_are_deleted_together_pass_to_the_living() {
    let world = World::new();
    let app = world.app().await;
    world.users(app, &["tom1", "ann1", "bob1", "zoe1"]).await;
    let mixed = world.group(app, "tom1", &["ann1", "bob1"]).await;
    let doomed = world.group(app, "ann1", &["tom1"]).await;
    world.api.delete_users(delete(app, &["tom1", "ann1"])).await.unwrap();
    assert_eq!(world.member_names(app, mixed).await, ["bob1"]);
    let group = world.api.get_group(wire::GroupRequest { app_id: app, gid: mixed, member_uid: 0 }).await.unwrap();
    assert_eq!(group.owner.unwrap().username, "bob1");
    let gone = world.api.get_group(wire::GroupRequest { app_id: app, gid: doomed, member_uid: 0 }).await;
    assert_eq!(why(gone), Reason::GroupNotFound);
}

#[tokio::test]
async fn nothing_is_deleted_if_one_is_missing() {
    let world = World::new();
    let app = world.app().await;
    world.users(app, &["tom1", "ann1"]).await;
    assert_eq!(why(world.api.delete_users(delete(app, &["tom1", "gone"])).await), Reason::NamedUserNotFound);
    assert!(world.api.get_user(named(app, "tom1")).await.is_ok());
    let path = wire::DeleteUsersRequest { path_user: true, ..delete(app, &["gone"]) };
    assert_eq!(why(world.api.delete_users(path).await), Reason::UserNotFound);
    assert_eq!(why(world.api.delete_users(delete(app, &[])).await), Reason::Invalid);
    let many: Vec<String> = (0..101).map(|i| format!("user{i}")).collect();
    let many = wire::DeleteUsersRequest { app_id: app, usernames: many, path_user: false };
    assert_eq!(why(world.api.delete_users(many).await), Reason::Invalid);
    assert!(world.gateway.take().is_empty());
}

/// The process dies right behind the commit that marked the user.
#[tokio::test]
async fn a_deletion_goes_on_after_a_crash() {
    let world = World::new();
    let app = world.app().await;
    let uids = world.users(app, &["tom1", "ann1"]).await;
    let gid = world.group(app, "tom1", &["ann1"]).await;
    world.store.delete_users(&[Uid(uids[0])], START, vec![]).await.unwrap();
    let mut world = world.restart();
    assert_eq!(world.router.versions(&conv(gid)), [1]);
    world.run_outbox();
    until("the group is left", async || world.router.versions(&conv(gid)) == [1, 2]).await;
    until("nothing is pending", async || world.store.pending_deletions(1).await.unwrap().is_empty()).await;
    let (_, event) = world.router.event(&conv(gid), 2);
    assert_eq!((event.to[0].username.as_str(), event.new_owner.unwrap().username.as_str()), ("tom1", "ann1"));
    assert_eq!(world.member_names(app, gid).await, ["ann1"]);
}

/// Nothing that is left would be done for who waits no longer.
#[tokio::test]
async fn what_a_deletion_has_no_time_for_is_left_to_the_outbox() {
    let world = World::new();
    let app = world.app().await;
    world.users(app, &["tom1", "ann1"]).await;
    let gid = world.group(app, "ann1", &["tom1"]).await;
    deadline::until(Some(Instant::now()), world.api.delete_users(delete(app, &["tom1"]))).await.unwrap();
    assert_eq!(world.router.versions(&conv(gid)), [1]);
    let mut world = world.restart();
    world.run_outbox();
    until("the group is left", async || world.router.versions(&conv(gid)) == [1, 2]).await;
}

/// The router is away: the deletion holds all the same, and its events come later.
#[tokio::test]
async fn a_deletion_does_not_wait_for_the_router_for_ever() {
    let mut world = World::new();
    let app = world.app().await;
    world.users(app, &["tom1", "ann1"]).await;
    let mut gids = Vec::new();
    for _ in 0..4 {
        gids.push(world.group(app, "ann1", &["tom1"]).await);
    }
    world.router.set(Mode::Hangs);
    world.api.delete_users(delete(app, &["tom1"])).await.unwrap();
    for gid in &gids {
        assert_eq!(world.member_names(app, *gid).await, ["ann1"]);
    }
    world.router.set(Mode::Answers);
    world.run_outbox();
    until("all groups are told", async || gids.iter().all(|gid| world.router.versions(&conv(*gid)) == [1, 2])).await;
}

/// Whoever has the name afterwards is written to elsewhere: the old chats take nothing more.
#[tokio::test]
async fn the_chats_of_a_deleted_user_are_told_at_once_or_as_soon_as_the_router_is_back() {
    for mode in [Mode::Answers, Mode::Hangs] {
        let mut world = World::new();
        let app = world.app().await;
        let uids = world.users(app, &["tom1", "ann1", "kim1"]).await;
        let chat = |peer: u64| ConversationKey::single(Uid(uids[0]), Uid(peer)).to_string();
        world.router.chats.lock().extend([chat(uids[1]), chat(uids[2])]);
        world.router.set(mode);
        world.api.delete_users(delete(app, &["tom1"])).await.unwrap();
        let told = |world: &World| {
            let relations = world.router.relations.lock();
            relations.iter().filter(|told| told.uid == uids[0]).flat_map(|told| told.peer_uids.clone()).collect::<BTreeSet<_>>()
        };
        let all = BTreeSet::from([uids[1], uids[2]]);
        if mode == Mode::Answers {
            assert_eq!(told(&world), all);
            continue;
        }
        assert!(told(&world).is_empty());
        world.router.set(Mode::Answers);
        world.run_outbox();
        until("all chats are told", async || told(&world) == all).await;
        until("nothing is pending", async || world.store.pending_deletions(1).await.unwrap().is_empty()).await;
    }
}

#[tokio::test]
async fn a_name_that_comes_back_has_nothing_of_its_predecessor() {
    let world = World::new();
    let app = world.app().await;
    let old = world.users(app, &["tom1", "ann1"]).await;
    world.group(app, "ann1", &["tom1"]).await;
    let block = |name: &str, other: &str| wire::ChangeBlacklistRequest {
        app_id: app,
        username: name.into(),
        add: vec![other.into()],
        remove: vec![],
        cross: vec![],
    };
    world.api.change_blacklist(block("tom1", "ann1")).await.unwrap();
    world.api.change_blacklist(block("ann1", "tom1")).await.unwrap();
    let phone = world.login(app, "tom1", "a", "one").await;
    world.api.delete_users(delete(app, &["tom1"])).await.unwrap();
    let new = world.users(app, &["tom1"]).await[0];
    assert!(new > old[1]);
    assert_eq!(why(world.login_by_session(app, &phone.session, "a").await), Reason::SessionInvalid);
    assert!(world.api.groups_of(named(app, "tom1")).await.unwrap().groups.is_empty());
    for name in ["tom1", "ann1"] {
        assert!(world.api.blacklist(named(app, name)).await.unwrap().users.is_empty());
    }
    let devices =
        world.api.devices(wire::DevicesRequest { app_id: app, uids: vec![new, old[0]], ..Default::default() }).await.unwrap();
    assert_eq!((devices.users.len(), devices.users[0].devices.len()), (1, 0));
    let rights = world.api.pair_rights(wire::PairRightsRequest { a: old[0], b: old[1] }).await.unwrap();
    assert!(!rights.a_exists && rights.b_exists && !rights.b_blocks_a);
    let by_uid = wire::GetUserRequest { app_id: app, username: String::new(), uid: old[0] };
    assert_eq!(why(world.api.get_user(by_uid).await), Reason::UserNotFound);
}

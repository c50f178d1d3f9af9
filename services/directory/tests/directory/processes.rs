//! Two processes of the service on one store.

use futures_util::future::join_all;
use mynah_directory::Settings;
use mynah_proto::directory as wire;
use mynah_types::Reason;

use crate::support::{World, members, named, quick, why};

/// As a process that is not alone is set.
fn two() -> (World, World) {
    let one = World::with(Settings { cached_users: 0, cached_rosters: 0, ..quick() });
    let other = one.beside();
    (one, other)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_one_group_at_one_time_are_all_made() {
    let (one, other) = two();
    let app = one.app().await;
    let names: Vec<String> = (0..24).map(|number| format!("user{number}")).collect();
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    one.users(app, &all).await;
    // The first twelve are in and go, the others come.
    let gid = one.group(app, "user0", &all[1..12]).await;
    let changes = (1..12).map(|number| {
        let world = if number % 2 == 0 { &one } else { &other };
        world.api.change_members(members(app, gid, &[all[number + 12]], &[all[number]]))
    });
    for outcome in join_all(changes).await {
        outcome.unwrap();
    }
    let mut left = other.member_names(app, gid).await;
    left.sort();
    let mut expected: Vec<String> = names[13..].to_vec();
    expected.push("user0".into());
    expected.sort();
    assert_eq!(left, expected);
    assert_eq!(one.router.versions(&format!("g.{gid}")), (1..=23).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_another_process_changed_is_seen_at_once() {
    let (one, other) = two();
    let app = one.app().await;
    let uids = one.users(app, &["tom1", "ann1"]).await;
    let gid = one.group(app, "tom1", &["ann1"]).await;
    let group = wire::GroupRequest { app_id: app, gid, member_uid: 0 };
    assert_eq!(one.api.get_user(named(app, "ann1")).await.unwrap().uid, uids[1]);
    assert_eq!(one.api.get_group(group).await.unwrap().name, "the group");
    let renamed = wire::UpdateGroupRequest { app_id: app, gid, name: Some("another".into()), ..Default::default() };
    other.api.update_group(renamed).await.unwrap();
    assert_eq!(one.api.get_group(group).await.unwrap().name, "another");
    let deleted = wire::DeleteUsersRequest { app_id: app, usernames: vec!["ann1".into()], path_user: true };
    other.api.delete_users(deleted).await.unwrap();
    assert_eq!(why(one.api.get_user(named(app, "ann1")).await), Reason::UserNotFound);
    let again = other.users(app, &["ann1"]).await;
    assert_eq!(one.api.get_user(named(app, "ann1")).await.unwrap().uid, again[0]);
    other.api.delete_group(group).await.unwrap();
    assert_eq!(why(one.api.get_group(group).await), Reason::GroupNotFound);
}

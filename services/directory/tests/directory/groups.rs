//! Groups when everything answers: rules, limits, events.

use futures_util::future::join_all;
use mynah_proto::directory as wire;
use mynah_proto::router::Member;
use mynah_types::Reason;

use crate::support::{START, World, members, named, new_group, why};

fn group(app: u64, gid: u64) -> wire::GroupRequest {
    wire::GroupRequest { app_id: app, gid, member_uid: 0 }
}

fn conv(gid: u64) -> String {
    format!("g.{gid}")
}

#[tokio::test]
async fn a_new_group_is_an_event_of_its_conversation() {
    let world = World::new();
    let app = world.app().await;
    let uids = world.users(app, &["tom1", "ann1", "bob1"]).await;
    let made = world.api.create_group(new_group(app, "tom1", &["ann1", "tom1", "bob1", "ann1"])).await.unwrap();
    assert_eq!((made.gid, made.version, made.flag, made.max_members), (10_000_001, 1, 1, 500));
    assert_eq!((made.owner.unwrap().username.as_str(), made.ctime_ms), ("tom1", START));
    let changes = world.router.applied.lock()[&conv(made.gid)].clone();
    let member = |uid, role| Member { uid, role, silenced: false };
    assert_eq!(changes[0].joined, [member(uids[0], 2), member(uids[1], 0), member(uids[2], 0)]);
    assert_eq!(changes[0].actor_uid, uids[0]);
    let (entry, event) = world.router.event(&conv(made.gid), 1);
    let (from, target) = (entry.from.unwrap(), entry.target.unwrap());
    assert_eq!((from.username.as_str(), from.r#type.as_str()), ("tom1", "user"));
    assert_eq!((target.r#type.as_str(), target.id.as_str(), target.name.as_str()), ("group", "10000001", "the group"));
    assert_eq!(target.appkey, made.appkey);
    let to: Vec<_> = event.to.iter().map(|party| party.username.as_str()).collect();
    assert_eq!((event.event_type, event.extra, to), (8, 0, vec!["ann1", "bob1"]));
    assert_eq!((event.gid.as_str(), event.group_name.as_str()), ("10000001", "the group"));
    let shown = world.api.get_group(group(app, made.gid)).await.unwrap();
    assert_eq!((shown.name.as_str(), shown.owner.unwrap().uid), ("the group", uids[0]));
    assert_eq!(world.member_names(app, made.gid).await, ["tom1", "ann1", "bob1"]);
}

#[tokio::test]
async fn a_bad_group_is_not_made() {
    let world = World::new();
    let app = world.app().await;
    world.users(app, &["tom1", "ann1"]).await;
    let base = || new_group(app, "tom1", &["ann1"]);
    for (field, request) in [
        ("name", wire::CreateGroupRequest { name: String::new(), ..base() }),
        ("name", wire::CreateGroupRequest { name: "é".repeat(33), ..base() }),
        ("desc", wire::CreateGroupRequest { desc: "x".repeat(251), ..base() }),
        ("avatar", wire::CreateGroupRequest { avatar: "x".repeat(1025), ..base() }),
        ("flag", wire::CreateGroupRequest { flag: 3, ..base() }),
        ("owner_username", wire::CreateGroupRequest { owner: "x".into(), ..base() }),
        ("members_username", wire::CreateGroupRequest { members: vec!["?".into()], ..base() }),
    ] {
        let failure = world.api.create_group(request).await.unwrap_err();
        assert_eq!((failure.why(), failure.field.as_str()), (Reason::Invalid, field));
    }
    for (owner, member) in [("gone", "ann1"), ("tom1", "gone")] {
        let failure = world.api.create_group(new_group(app, owner, &[member])).await.unwrap_err();
        assert!(failure.why() == Reason::NamedUserNotFound && failure.message.contains("gone"));
    }
    world.limit(app, 1, 500).await;
    assert_eq!(why(world.api.create_group(base()).await), Reason::GroupFull);
    let page = world.api.list_groups(wire::ListRequest { app_id: app, start: 0, count: 10 }).await.unwrap();
    assert_eq!(page.total, 0);
    assert!(world.router.calls.lock().is_empty());
}

#[tokio::test]
async fn adds_come_before_removals_and_stay() {
    let world = World::new();
    let app = world.app().await;
    let uids = world.users(app, &["tom1", "ann1", "bob1", "zoe1"]).await;
    let gid = world.group(app, "tom1", &["ann1"]).await;
    world.api.change_members(members(app, gid, &["bob1"], &["ann1"])).await.unwrap();
    assert_eq!(world.router.members(&conv(gid)), [uids[0], uids[2]]);
    let (entry, event) = world.router.event(&conv(gid), 2);
    assert_eq!((event.event_type, event.to[0].username.as_str(), event.to[0].r#type.as_str()), (10, "bob1", "user"));
    assert_eq!(entry.from.unwrap().r#type, "system");
    let (_, event) = world.router.event(&conv(gid), 3);
    assert_eq!((event.event_type, event.to[0].username.as_str()), (11, "ann1"));
    // A stranger among the removals: the add stays, and no removal is made.
    let outcome = world.api.change_members(members(app, gid, &["zoe1"], &["bob1", "ann1"])).await;
    assert_eq!(why(outcome), Reason::NotMember);
    assert_eq!(world.member_names(app, gid).await, ["tom1", "bob1", "zoe1"]);
    assert_eq!(world.router.members(&conv(gid)), [uids[0], uids[2], uids[3]]);
    for (add, remove, expected) in [
        (vec!["bob1"], vec![], Reason::AlreadyMember),
        (vec!["ann1", "gone"], vec![], Reason::NamedUserNotFound),
        (vec!["ann1"], vec!["gone"], Reason::NamedUserNotFound),
        (vec!["ann1"], vec!["tom1"], Reason::Invalid),
        (vec![], vec![], Reason::Invalid),
        (vec!["ann1", "bob1"], vec![], Reason::AlreadyMember),
    ] {
        assert_eq!(why(world.api.change_members(members(app, gid, &add, &remove)).await), expected);
        assert_eq!(world.member_names(app, gid).await.len(), 3);
    }
    assert_eq!(why(world.add(app, 77, &["ann1"]).await), Reason::GroupNotFound);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_adds_with_places_left_fill_them_exactly() {
    let world = World::new();
    let app = world.app().await;
    world.limit(app, 4, 500).await;
    let names: Vec<String> = (0..8).map(|i| format!("user{i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    world.users(app, &names).await;
    let gid = world.group(app, names[0], &[]).await;
    let outcomes = join_all(names[1..].iter().map(|name| world.api.change_members(members(app, gid, &[*name], &[])))).await;
    assert_eq!(outcomes.iter().filter(|o| o.is_ok()).count(), 3);
    assert!(outcomes.into_iter().filter(Result::is_err).all(|o| why(o) == Reason::GroupFull));
    assert_eq!(world.router.members(&conv(gid)).len(), 4);
    assert_eq!(world.router.versions(&conv(gid)), [1, 2, 3, 4]);
}

#[tokio::test]
async fn a_user_is_in_so_many_groups_and_no_more() {
    let world = World::new();
    let app = world.app().await;
    world.limit(app, 500, 2).await;
    world.users(app, &["tom1", "ann1"]).await;
    let made =
        join_all((0..4).map(|i| {
            world.api.create_group(wire::CreateGroupRequest { name: format!("group {i}"), ..new_group(app, "tom1", &[]) })
        }))
        .await;
    assert_eq!(made.iter().filter(|o| o.is_ok()).count(), 2);
    assert!(made.into_iter().filter(Result::is_err).all(|o| why(o) == Reason::TooManyGroups));
    let gid = world.group(app, "ann1", &[]).await;
    assert_eq!(why(world.add(app, gid, &["tom1"]).await), Reason::TooManyGroups);
    let of = world.api.groups_of(named(app, "tom1")).await.unwrap();
    assert_eq!(of.groups.len(), 2);
    world.api.delete_group(group(app, of.groups[0].gid)).await.unwrap();
    world.add(app, gid, &["tom1"]).await.unwrap();
    let of = world.api.groups_of(named(app, "tom1")).await.unwrap();
    let since: Vec<_> = of.groups.iter().map(|g| (g.gid == gid, g.member_since_version)).collect();
    assert_eq!(since, [(false, 1), (true, 2)]);
}

#[tokio::test]
async fn a_deleted_group_is_gone_but_not_unknown_to_the_router() {
    let world = World::new();
    let app = world.app().await;
    world.users(app, &["tom1", "ann1"]).await;
    let gid = world.group(app, "tom1", &["ann1"]).await;
    world.api.delete_group(group(app, gid)).await.unwrap();
    let (entry, event) = world.router.event(&conv(gid), 2);
    assert_eq!((event.event_type, event.extra, entry.from.unwrap().r#type.as_str()), (9, 69, "system"));
    assert!(world.router.members(&conv(gid)).is_empty());
    for outcome in [
        world.api.get_group(group(app, gid)).await.map(drop),
        world.api.members(group(app, gid)).await.map(drop),
        world.api.delete_group(group(app, gid)).await.map(drop),
        world.add(app, gid, &["ann1"]).await.map(drop),
    ] {
        assert_eq!(why(outcome), Reason::GroupNotFound);
    }
    let ask = |conv_id: String, after_version| world.api.changes(wire::ChangesRequest { conv_id, after_version });
    let all = ask(conv(gid), 0).await.unwrap();
    assert_eq!((all.version, all.changes.len(), all.changes[1].dissolved), (2, 2, true));
    let rest = ask(conv(gid), 1).await.unwrap();
    assert_eq!((rest.version, rest.changes.len()), (2, 1));
    assert_eq!(why(ask("g.77".into(), 0).await), Reason::GroupNotFound);
    assert_eq!(why(ask(format!("r.{gid}"), 0).await), Reason::RoomNotFound);
    for none in ["s.1.2", "f.1", "", "g.0"] {
        assert_eq!(why(ask(none.into(), 0).await), Reason::Invalid);
    }
}

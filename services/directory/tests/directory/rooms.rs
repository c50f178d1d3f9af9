//! Chatrooms.

use mynah_proto::directory as wire;
use mynah_types::Reason;

use crate::support::{Mode, World, members, named, strings, why};

fn new_room(app: u64, owner: &str, others: &[&str]) -> wire::CreateRoomRequest {
    wire::CreateRoomRequest {
        app_id: app,
        owner: owner.into(),
        name: "the room".into(),
        description: "for all".into(),
        members: strings(others),
    }
}

fn room_members(app: u64, room_id: u64, start: u64, count: u32) -> wire::RoomMembersRequest {
    wire::RoomMembersRequest { app_id: app, room_id, start, count }
}

#[tokio::test]
async fn a_room_has_members_and_makes_no_events() {
    let world = World::new();
    let app = world.app().await;
    let uids = world.users(app, &["tom1", "ann1", "bob1"]).await;
    let room = world.api.create_room(new_room(app, "tom1", &["ann1"])).await.unwrap();
    assert_eq!((room.room_id, room.members, room.max_members), (10_000_001, 2, 10_000));
    let conv = format!("r.{}", room.room_id);
    let change = |add: &[&str], remove: &[&str]| world.api.change_room_members(members(app, room.room_id, add, remove));
    change(&["ann1", "bob1"], &[]).await.unwrap();
    change(&["ann1"], &[]).await.unwrap();
    assert_eq!(world.router.members(&conv), uids);
    assert!(world.router.applied.lock()[&conv].iter().all(|change| change.payload.is_empty()));
    let page = world.api.room_members(room_members(app, room.room_id, 1, 1)).await.unwrap();
    assert_eq!((page.total, page.members[0].user.clone().unwrap().username.as_str()), (3, "ann1"));
    change(&[], &["ann1"]).await.unwrap();
    for (add, remove, expected) in [
        (vec![], vec!["ann1"], Reason::NotInRoom),
        (vec![], vec!["tom1"], Reason::Invalid),
        (vec!["gone"], vec![], Reason::NamedUserNotFound),
        (vec![], vec![], Reason::Invalid),
    ] {
        assert_eq!(why(change(&add, &remove).await), expected);
    }
    let of = world.api.rooms_of(named(app, "bob1")).await.unwrap();
    assert_eq!((of.rooms[0].room_id, of.rooms[0].owner.clone().unwrap().uid), (room.room_id, uids[0]));
    let many: Vec<String> = (0..3001).map(|i| format!("user{i}")).collect();
    let many = wire::ChangeMembersRequest { app_id: app, id: room.room_id, add: many, remove: vec![], cross: vec![] };
    assert_eq!(world.api.change_room_members(many).await.unwrap_err().field, "add");
}

#[tokio::test]
async fn a_room_is_full_at_its_limit() {
    let world = World::new();
    let app = world.app().await;
    world.limit(app, 2, 500).await;
    world.users(app, &["tom1", "ann1", "bob1"]).await;
    assert_eq!(why(world.api.create_room(new_room(app, "tom1", &["ann1", "bob1"])).await), Reason::GroupFull);
    let room = world.api.create_room(new_room(app, "tom1", &["ann1"])).await.unwrap();
    let outcome = world.api.change_room_members(members(app, room.room_id, &["bob1"], &[])).await;
    assert_eq!(why(outcome), Reason::GroupFull);
}

#[tokio::test]
async fn rooms_are_listed_found_and_deleted() {
    let world = World::new();
    let app = world.app().await;
    world.users(app, &["tom1"]).await;
    let gid = world.group(app, "tom1", &[]).await;
    let mut ids = Vec::new();
    for nth in 0..3 {
        let room = wire::CreateRoomRequest { name: format!("room {nth}"), ..new_room(app, "tom1", &[]) };
        ids.push(world.api.create_room(room).await.unwrap().room_id);
    }
    let page = world.api.list_rooms(wire::ListRequest { app_id: app, start: 1, count: 10 }).await.unwrap();
    assert_eq!((page.total, page.rooms.iter().map(|r| r.room_id).collect::<Vec<_>>()), (3, ids[1..].to_vec()));
    world.api.delete_room(wire::RoomRequest { app_id: app, room_id: ids[0] }).await.unwrap();
    let again = world.api.delete_room(wire::RoomRequest { app_id: app, room_id: ids[0] }).await;
    assert_eq!(why(again), Reason::RoomNotFound);
    let get = |strict| {
        let room_ids = vec![ids[2], ids[0], 77, gid, ids[1]];
        world.api.get_rooms(wire::GetRoomsRequest { app_id: app, room_ids, strict, member_uid: 0 })
    };
    let found = get(false).await.unwrap();
    assert_eq!(found.rooms.iter().map(|r| r.room_id).collect::<Vec<_>>(), [ids[2], ids[1]]);
    assert_eq!(why(get(true).await), Reason::RoomNotFound);
    let ended = world.router.applied.lock()[&format!("r.{}", ids[0])].last().unwrap().clone();
    assert!(ended.dissolved && ended.payload.is_empty());
}

#[tokio::test]
async fn repeats_of_what_the_router_has_not_confirmed_answer_as_the_first() {
    let world = World::new();
    let app = world.app().await;
    world.users(app, &["tom1", "ann1"]).await;
    world.router.set(Mode::Fails);
    assert_eq!(why(world.api.create_room(new_room(app, "tom1", &["ann1"])).await), Reason::Unavailable);
    world.router.set(Mode::Answers);
    let room = world.api.create_room(new_room(app, "tom1", &["ann1"])).await.unwrap();
    assert_eq!(room.room_id, 10_000_001, "the one made before");
    let leave = members(app, room.room_id, &[], &["ann1"]);
    world.router.set(Mode::LosesAnswer);
    assert_eq!(why(world.api.change_room_members(leave.clone()).await), Reason::Timeout);
    world.router.set(Mode::Answers);
    world.api.change_room_members(leave.clone()).await.unwrap();
    assert_eq!(why(world.api.change_room_members(leave).await), Reason::NotInRoom);
    assert_eq!(world.router.versions(&format!("r.{}", room.room_id)), [1, 2]);
}

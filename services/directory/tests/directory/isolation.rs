//! App A cannot see, guess or touch anything of app B.

use mynah_proto::{Failure, directory as wire};
use mynah_types::Reason;

use crate::support::{World, by_password, members, named, new_group, strings, why};

#[tokio::test]
async fn another_apps_things_are_not_there() {
    let world = World::new();
    let (mine, theirs) = (world.app().await, world.app().await);
    let uids = world.users(theirs, &["tom1", "ann1"]).await;
    world.users(mine, &["tom1", "eve1"]).await;
    let gid = world.group(theirs, "tom1", &["ann1"]).await;
    let room = wire::CreateRoomRequest {
        app_id: theirs,
        owner: "tom1".into(),
        name: "room".into(),
        description: String::new(),
        members: strings(&["ann1"]),
    };
    let room_id = world.api.create_room(room).await.unwrap().room_id;
    let session = world.login(theirs, "ann1", "a", "one").await;
    let api = &world.api;
    let group = wire::GroupRequest { app_id: mine, gid, member_uid: 0 };
    let uid = wire::GetUserRequest { app_id: mine, username: String::new(), uid: uids[1] };
    let logout = wire::LogoutRequest { app_id: mine, uid: uids[1], session_id: session.session_id, all_devices: true };
    let refusals: Vec<(Reason, Result<(), Failure>)> = vec![
        (Reason::UserNotFound, api.get_user(named(mine, "ann1")).await.map(drop)),
        (Reason::UserNotFound, api.get_user(uid.clone()).await.map(drop)),
        (Reason::UserNotFound, api.groups_of(uid.clone()).await.map(drop)),
        (Reason::UserNotFound, api.rooms_of(uid.clone()).await.map(drop)),
        (Reason::UserNotFound, api.blacklist(uid).await.map(drop)),
        (Reason::UserNotFound, api.login(by_password(mine, "ann1", "a", "one")).await.map(drop)),
        (Reason::SessionInvalid, world.login_by_session(mine, &session.session, "a").await.map(drop)),
        (Reason::UserNotFound, api.logout(logout).await.map(drop)),
        (Reason::GroupNotFound, api.get_group(group).await.map(drop)),
        (Reason::GroupNotFound, api.members(group).await.map(drop)),
        (Reason::GroupNotFound, api.delete_group(group).await.map(drop)),
        (Reason::GroupNotFound, api.change_members(members(mine, gid, &["eve1"], &[])).await.map(drop)),
        (Reason::NamedUserNotFound, api.create_group(new_group(mine, "tom1", &["ann1"])).await.map(drop)),
        (Reason::RoomNotFound, api.delete_room(wire::RoomRequest { app_id: mine, room_id }).await.map(drop)),
        (Reason::RoomNotFound, api.change_room_members(members(mine, room_id, &["eve1"], &[])).await.map(drop)),
        (
            Reason::RoomNotFound,
            api.room_members(wire::RoomMembersRequest { app_id: mine, room_id, start: 0, count: 9 }).await.map(drop),
        ),
        (
            Reason::NamedUserNotFound,
            api.delete_users(wire::DeleteUsersRequest { app_id: mine, usernames: strings(&["ann1"]), path_user: false })
                .await
                .map(drop),
        ),
        (
            Reason::UserNotFound,
            api.set_disabled(wire::SetDisabledRequest { app_id: mine, username: "ann1".into(), disabled: true }).await.map(drop),
        ),
    ];
    for (nth, (expected, outcome)) in refusals.into_iter().enumerate() {
        assert_eq!(why(outcome), expected, "case {nth}");
    }
    let list = wire::ListRequest { app_id: mine, start: 0, count: 100 };
    assert_eq!(api.list_users(list).await.unwrap().total, 2);
    assert_eq!(api.list_groups(list).await.unwrap().total, 0);
    assert_eq!(api.list_rooms(list).await.unwrap().total, 0);
    let rooms = wire::GetRoomsRequest { app_id: mine, room_ids: vec![room_id, gid], strict: false, member_uid: 0 };
    assert!(api.get_rooms(rooms).await.unwrap().rooms.is_empty());
    let users = wire::GetUsersRequest { app_id: mine, uids: uids.clone(), ..Default::default() };
    assert!(api.get_users(users).await.unwrap().users.is_empty());
    assert!(api.devices(wire::DevicesRequest { app_id: mine, uids, ..Default::default() }).await.unwrap().users.is_empty());
    // And nothing of theirs has moved.
    assert!(world.login_by_session(theirs, &session.session, "a").await.is_ok());
    assert_eq!(world.member_names(theirs, gid).await, ["tom1", "ann1"]);
    assert!(world.gateway.take().is_empty());
    assert_eq!(why(api.get_user(named(99, "tom1")).await), Reason::AppNotFound);
}

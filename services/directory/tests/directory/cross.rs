//! One app acts on another's users by a grant, and only by it.

use mynah_proto::{Failure, directory as wire};
use mynah_types::{AppId, Reason};

use crate::support::{World, named, strings, why};

struct Two {
    world: World,
    mine: u64,
    theirs: u64,
    key: String,
    gid: u64,
    room_id: u64,
}

/// `tom1` in an app with a group and a room, `eve1` in another one.
async fn two() -> Two {
    let world = World::new();
    let (mine, theirs) = (world.app().await, world.app().await);
    world.users(mine, &["tom1", "ann1"]).await;
    world.users(theirs, &["eve1", "zoe1"]).await;
    let key = world.store.app(AppId(theirs)).await.unwrap().unwrap().key.to_string();
    let gid = world.group(mine, "tom1", &[]).await;
    let room = wire::CreateRoomRequest { app_id: mine, owner: "tom1".into(), name: "room".into(), ..Default::default() };
    let room_id = world.api.create_room(room).await.unwrap().room_id;
    Two { world, mine, theirs, key, gid, room_id }
}

impl Two {
    fn names(&self, add: &[&str], remove: &[&str]) -> Vec<wire::CrossNames> {
        vec![wire::CrossNames { appkey: self.key.clone(), add: strings(add), remove: strings(remove) }]
    }

    fn members(&self, id: u64, add: &[&str], remove: &[&str]) -> wire::ChangeMembersRequest {
        wire::ChangeMembersRequest { app_id: self.mine, id, cross: self.names(add, remove), ..Default::default() }
    }

    async fn every_call(&self) -> Vec<Result<(), Failure>> {
        let (api, app_id, username) = (&self.world.api, self.mine, String::from("tom1"));
        let cross = self.names(&["eve1"], &[]);
        let block =
            wire::ChangeBlacklistRequest { app_id, username: username.clone(), cross: cross.clone(), ..Default::default() };
        let befriend = wire::FriendsRequest { app_id, username: username.clone(), cross: cross.clone(), ..Default::default() };
        let quiet = wire::ChangeDndRequest { app_id, username, cross_users: cross, ..Default::default() };
        vec![
            api.change_members(self.members(self.gid, &["eve1"], &[])).await.map(drop),
            api.change_room_members(self.members(self.room_id, &["eve1"], &[])).await.map(drop),
            api.change_blacklist(block).await.map(drop),
            api.add_friends(befriend).await.map(drop),
            api.change_dnd(quiet).await.map(drop),
            api.cross_app(wire::CrossAppRequest { app_id, appkey: self.key.clone() }).await.map(drop),
        ]
    }
}

#[tokio::test]
async fn without_a_grant_nothing_passes_and_the_other_direction_is_none() {
    let two = two().await;
    let operator = two.world.operator();
    let mine = two.world.store.app(AppId(two.mine)).await.unwrap().unwrap().key.to_string();
    for outcome in two.every_call().await {
        assert_eq!(why(outcome), Reason::CrossAppDenied);
    }
    operator.set_grant(&two.key, &mine, true).await.unwrap();
    for outcome in two.every_call().await {
        assert_eq!(why(outcome), Reason::CrossAppDenied);
    }
    operator.set_grant(&mine, &two.key, true).await.unwrap();
    assert!(two.every_call().await.iter().all(Result::is_ok));
    // What was made by a grant stays when it is taken back; nothing new passes.
    operator.set_grant(&mine, &two.key, false).await.unwrap();
    for outcome in two.every_call().await {
        assert_eq!(why(outcome), Reason::CrossAppDenied);
    }
    assert_eq!(two.world.api.friends(named(two.mine, "tom1")).await.unwrap().friends.len(), 1);
}

#[tokio::test]
async fn foreign_members_are_shown_under_their_own_key_and_leave_with_their_user() {
    let two = two().await;
    let mine = two.world.store.app(AppId(two.mine)).await.unwrap().unwrap().key.to_string();
    two.world.operator().set_grant(&mine, &two.key, true).await.unwrap();
    let api = &two.world.api;
    api.change_members(two.members(two.gid, &["eve1", "zoe1"], &[])).await.unwrap();
    let again = api.change_members(two.members(two.gid, &["eve1"], &[])).await;
    assert_eq!(why(again), Reason::AlreadyMember);
    let (_, event) = two.world.router.event(&format!("g.{}", two.gid), 2);
    let to: Vec<_> = event.to.iter().map(|party| (party.username.as_str(), party.appkey.as_str())).collect();
    assert_eq!(to, [("eve1", two.key.as_str()), ("zoe1", two.key.as_str())]);
    let members = api.members(wire::GroupRequest { app_id: two.mine, gid: two.gid, member_uid: 0 }).await.unwrap().members;
    let shown: Vec<_> =
        members.iter().filter_map(|m| m.user.as_ref()).map(|u| (u.username.as_str(), u.appkey.as_str())).collect();
    assert_eq!(shown, [("tom1", mine.as_str()), ("eve1", two.key.as_str()), ("zoe1", two.key.as_str())]);
    // To its foreign members the group is there, to others of their app it is not.
    let groups = api.groups_of(named(two.theirs, "eve1")).await.unwrap().groups;
    assert_eq!(groups.iter().map(|group| (group.gid, group.appkey.as_str())).collect::<Vec<_>>(), [(two.gid, mine.as_str())]);
    let eve = api.get_user(named(two.theirs, "eve1")).await.unwrap().uid;
    let see = |member_uid| api.get_group(wire::GroupRequest { app_id: two.theirs, gid: two.gid, member_uid });
    assert_eq!(see(eve).await.unwrap().owner.unwrap().username, "tom1");
    assert_eq!(why(see(0).await), Reason::GroupNotFound);
    // Ownership passes to a foreign member where he is next.
    let gone = |app_id, name: &str| wire::DeleteUsersRequest { app_id, usernames: strings(&[name]), path_user: true };
    api.delete_users(gone(two.mine, "tom1")).await.unwrap();
    let (_, event) = two.world.router.event(&format!("g.{}", two.gid), 3);
    assert_eq!(event.new_owner.unwrap().appkey, two.key);
    api.delete_users(gone(two.theirs, "eve1")).await.unwrap();
    assert_eq!(two.world.member_names(two.mine, two.gid).await, ["zoe1"]);
    api.delete_users(gone(two.theirs, "zoe1")).await.unwrap();
    assert_eq!(why(see(0).await), Reason::GroupNotFound);
}

//! Chatrooms: their lasting members. Who is inside at the moment is the gateways' knowledge.

use std::sync::Arc;

use mynah_ports::directory_store::{App, Roster, RosterKind, User};
use mynah_proto::{Failure, directory as wire};
use mynah_types::{Reason, Role, Uid};

use crate::cross::{Apps, apps_with};
use crate::groups::owner_stays;
use crate::membership::{Draft, Wanted};
use crate::{Inner, convert, validate};

const ROOM: RosterKind = RosterKind::Room;

impl Inner {
    pub(crate) async fn create_room(&self, request: wire::CreateRoomRequest) -> Result<wire::Room, Failure> {
        let app = self.app(request.app_id).await?;
        let name = validate::roster_name(request.name)?;
        let desc = validate::at_most("description", request.description, 250)?;
        let (owner, members) = self.founders(&app, &request.owner, &request.members, validate::ROOM_NAMES).await?;
        let wanted = Wanted { kind: ROOM, owner: Arc::clone(&owner), members, name, desc, avatar: String::new(), flag: 1 };
        let roster = self.make_roster(&app, wanted).await?;
        Ok(convert::room(&Apps::one(&app), &roster, Some(&owner)))
    }

    pub(crate) async fn get_rooms(&self, request: wire::GetRoomsRequest) -> Result<wire::RoomList, Failure> {
        let app = self.app(request.app_id).await?;
        let mut rosters = Vec::with_capacity(request.room_ids.len());
        for id in request.room_ids {
            let found = match self.roster(app.id, ROOM, id).await {
                Err(failure) if failure.why() == Reason::RoomNotFound && request.member_uid != 0 => {
                    self.roster_of_member(ROOM, id, Uid(request.member_uid)).await
                }
                own => own,
            };
            match found {
                Ok(roster) => rosters.push(roster),
                Err(failure) if failure.why() == Reason::RoomNotFound && !request.strict => {}
                Err(failure) => return Err(failure),
            }
        }
        let rooms = self.rooms(&rosters.iter().map(Arc::as_ref).collect::<Vec<_>>()).await?;
        Ok(wire::RoomList { rooms })
    }

    pub(crate) async fn list_rooms(&self, request: wire::ListRequest) -> Result<wire::RoomPage, Failure> {
        let app = self.app(request.app_id).await?;
        let count = validate::page_count(request.count)?;
        let page = self.store.list_rosters(app.id, ROOM, request.start, count).await;
        let (total, rosters) = page.map_err(convert::store)?;
        Ok(wire::RoomPage { total, rooms: self.rooms(&rosters.iter().collect::<Vec<_>>()).await? })
    }

    pub(crate) async fn rooms_of(&self, request: wire::GetUserRequest) -> Result<wire::RoomList, Failure> {
        let app = self.app(request.app_id).await?;
        let user = self.user_of(&app, &request).await?;
        let rosters = self.store.rosters_of(user.uid, ROOM).await.map_err(convert::store)?;
        Ok(wire::RoomList { rooms: self.rooms(&rosters.iter().map(|(roster, _)| roster).collect::<Vec<_>>()).await? })
    }

    async fn rooms(&self, rosters: &[&Roster]) -> Result<Vec<wire::Room>, Failure> {
        let (owners, apps) = self.owners(rosters).await?;
        Ok(rosters.iter().map(|r| convert::room(&apps, r, owners.get(&r.owner).map(Arc::as_ref))).collect())
    }

    pub(crate) async fn delete_room(&self, request: wire::RoomRequest) -> Result<wire::Done, Failure> {
        let app = self.app(request.app_id).await?;
        let (_guard, roster) = self.locked(app.id, ROOM, request.room_id).await?;
        if !roster.dissolved {
            self.commit(&app, &roster, Draft { dissolved: true, ..Draft::default() }).await?;
        }
        self.hand_over(roster.id).await?;
        Ok(wire::Done {})
    }

    pub(crate) async fn change_room_members(&self, request: wire::ChangeMembersRequest) -> Result<wire::Done, Failure> {
        let app = self.app(request.app_id).await?;
        self.roster(app.id, ROOM, request.id).await?;
        let (add, remove) = self.named_changes(&app, &request, validate::ROOM_NAMES).await?;
        let (_guard, mut roster) = self.locked(app.id, ROOM, request.id).await?;
        if roster.dissolved {
            return Err(convert::no_roster(ROOM));
        }
        owner_stays(&roster, &remove)?;
        let seen = self.unconfirmed(&roster).await?;
        let members = self.member_set(roster.id, &add).await?;
        // Who is in already is passed over.
        let joined: Vec<_> = add.iter().filter(|u| !members.contains(&u.uid)).map(|user| (user.uid, Role::Member)).collect();
        if !joined.is_empty() {
            roster = self.commit(&app, &roster, Draft { joined, ..Draft::default() }).await?;
        }
        let removed = self.leave_room(&app, &roster, &remove, &seen.left).await;
        self.hand_over(roster.id).await?;
        removed?;
        Ok(wire::Done {})
    }

    async fn leave_room(
        &self,
        app: &App,
        roster: &Roster,
        remove: &[Arc<User>],
        gone: &std::collections::HashSet<Uid>,
    ) -> Result<(), Failure> {
        let members = self.member_set(roster.id, remove).await?;
        if let Some(stranger) = remove.iter().find(|u| !members.contains(&u.uid) && !gone.contains(&u.uid)) {
            return Err(Failure::new(Reason::NotInRoom, format!("{} is not in the chatroom", stranger.username)));
        }
        let left: Vec<Uid> = remove.iter().map(|user| user.uid).filter(|uid| members.contains(uid)).collect();
        if left.is_empty() {
            return Ok(());
        }
        self.commit(app, roster, Draft { left, ..Draft::default() }).await.map(drop)
    }

    pub(crate) async fn room_members(&self, request: wire::RoomMembersRequest) -> Result<wire::RoomMemberPage, Failure> {
        let app = self.app(request.app_id).await?;
        let roster = self.roster(app.id, ROOM, request.room_id).await?;
        let count = validate::page_count(request.count)?;
        let rows = self.store.members(roster.id, request.start, count).await.map_err(convert::store)?;
        let members = self.with_users(rows).await?;
        let apps = self.apps_of(apps_with(members.iter().map(|(_, user)| &**user))).await?;
        let members = members.iter().map(|(member, user)| convert::room_member(&apps, member, user));
        Ok(wire::RoomMemberPage { total: u64::from(roster.members), members: members.collect() })
    }
}

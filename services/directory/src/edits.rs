//! What changes of a group or chatroom while its members stay: its name, its owner, who may send.
//!
//! A repeat of a change that was made finds nothing to do, and answers once the router has confirmed it.

use std::sync::Arc;

use mynah_ports::directory_store::{App, Details, Member, Roster, RosterKind, User};
use mynah_proto::{Failure, directory as wire};
use mynah_types::{Reason, Role, Uid};

use crate::events::Happened;
use crate::membership::Draft;
use crate::{Inner, convert, validate};

const GROUP: RosterKind = RosterKind::Group;
const ROOM: RosterKind = RosterKind::Room;

impl Inner {
    pub(crate) async fn update_group(&self, request: wire::UpdateGroupRequest) -> Result<wire::Done, Failure> {
        let app = self.app(request.app_id).await?;
        let name = request.name.map(validate::roster_name).transpose()?;
        let desc = request.desc.map(|text| validate::at_most("desc", text, 250)).transpose()?;
        let avatar = request.avatar.map(|text| validate::at_most("avatar", text, 1024)).transpose()?;
        let (_guard, roster) = self.living(&app, GROUP, request.gid).await?;
        let details = details(&roster, name, desc, avatar);
        if details != as_it_is(&roster) {
            let renamed = Roster { name: details.name.clone(), ..roster.clone() };
            let payload = self.event(&renamed, Happened::InfoChanged, Vec::new()).await?;
            self.commit(&app, &roster, Draft { details: Some(details), payload, ..Draft::default() }).await?;
        }
        self.hand_over(roster.id).await?;
        Ok(wire::Done {})
    }

    pub(crate) async fn transfer_group(&self, request: wire::TransferGroupRequest) -> Result<wire::Done, Failure> {
        let app = self.app(request.app_id).await?;
        self.roster(app.id, GROUP, request.gid).await?;
        let of = match request.appkey.as_str() {
            "" => Arc::clone(&app),
            appkey => self.other_app(&app, appkey).await?,
        };
        let heir = self.named(&of, "username", &request.username).await?;
        let (_guard, roster) = self.living(&app, GROUP, request.gid).await?;
        let rows = self.rows_of(&roster, &[Arc::clone(&heir)], Reason::NotMember).await?;
        if roster.owner != heir.uid {
            let changed = self.pass_on(&roster, &rows).await?;
            let payload = self.event_with(&roster, Happened::OwnerChanged, vec![&*heir], Some(&*heir)).await?;
            self.commit(&app, &roster, Draft { changed, payload, ..Draft::default() }).await?;
        }
        self.hand_over(roster.id).await?;
        Ok(wire::Done {})
    }

    pub(crate) async fn silence(&self, request: wire::SilenceRequest) -> Result<wire::Done, Failure> {
        let app = self.app(request.app_id).await?;
        self.roster(app.id, GROUP, request.gid).await?;
        let users = self.users_named(app.id, "body", &request.usernames, validate::NAMES).await?;
        let (_guard, roster) = self.living(&app, GROUP, request.gid).await?;
        let rows = self.rows_of(&roster, &users, Reason::NotMember).await?;
        let changed = others(&rows, request.silenced);
        if !changed.is_empty() {
            let happened = if request.silenced { Happened::Silenced } else { Happened::Unsilenced };
            let concerned = users.iter().filter(|user| changed.iter().any(|(uid, ..)| *uid == user.uid));
            let payload = self.event(&roster, happened, concerned.map(Arc::as_ref).collect()).await?;
            self.commit(&app, &roster, Draft { changed, payload, ..Draft::default() }).await?;
        }
        self.hand_over(roster.id).await?;
        Ok(wire::Done {})
    }

    pub(crate) async fn update_room(&self, request: wire::UpdateRoomRequest) -> Result<wire::Done, Failure> {
        let app = self.app(request.app_id).await?;
        self.roster(app.id, ROOM, request.room_id).await?;
        let name = request.name.map(validate::roster_name).transpose()?;
        let desc = request.description.map(|text| validate::at_most("description", text, 250)).transpose()?;
        let owner = match &request.owner {
            Some(name) => Some(self.named(&app, "owner_username", name).await?),
            None => None,
        };
        let (_guard, roster) = self.living(&app, ROOM, request.room_id).await?;
        let details = details(&roster, name, desc, None);
        let details = Some(details).filter(|details| *details != as_it_is(&roster));
        let mut changed = Vec::new();
        if let Some(owner) = owner {
            let rows = self.rows_of(&roster, &[Arc::clone(&owner)], Reason::NotInRoom).await?;
            if roster.owner != owner.uid {
                changed = self.pass_on(&roster, &rows).await?;
            }
        }
        if details.is_some() || !changed.is_empty() {
            self.commit(&app, &roster, Draft { details, changed, ..Draft::default() }).await?;
        }
        self.hand_over(roster.id).await?;
        Ok(wire::Done {})
    }

    pub(crate) async fn mute_in_room(&self, request: wire::MuteInRoomRequest) -> Result<wire::Done, Failure> {
        let app = self.app(request.app_id).await?;
        self.roster(app.id, ROOM, request.room_id).await?;
        let user = self.user_named(app.id, &request.username).await?;
        let (_guard, roster) = self.living(&app, ROOM, request.room_id).await?;
        let rows = self.rows_of(&roster, &[Arc::clone(&user)], Reason::NotInRoom).await?;
        let changed = others(&rows, request.muted);
        if !changed.is_empty() {
            let happened = if request.muted { Happened::Muted } else { Happened::Unmuted };
            let payload = self.event(&roster, happened, vec![&*user]).await?;
            self.commit(&app, &roster, Draft { changed, payload, ..Draft::default() }).await?;
        }
        self.hand_over(roster.id).await?;
        Ok(wire::Done {})
    }

    /// A user that a body names.
    async fn named(&self, app: &App, field: &str, name: &str) -> Result<Arc<User>, Failure> {
        let users = self.users_named(app.id, field, &[name.to_owned()], 1).await?;
        users.into_iter().next().ok_or_else(convert::no_user)
    }

    async fn living(&self, app: &App, kind: RosterKind, id: u64) -> Result<(crate::locks::Guard, Roster), Failure> {
        let (guard, roster) = self.locked(app.id, kind, id).await?;
        if roster.dissolved { Err(convert::no_roster(kind)) } else { Ok((guard, roster)) }
    }

    /// The member rows of users; who has none is refused.
    async fn rows_of(&self, roster: &Roster, users: &[Arc<User>], reason: Reason) -> Result<Vec<Member>, Failure> {
        let uids: Vec<Uid> = users.iter().map(|user| user.uid).collect();
        let rows = self.store.member_rows(roster.id, &uids).await.map_err(convert::store)?;
        match users.iter().find(|user| !rows.iter().any(|row| row.uid == user.uid)) {
            Some(stranger) => Err(Failure::new(reason, format!("{} is no member", stranger.username))),
            None => Ok(rows),
        }
    }

    /// The owner becomes a member, and the one of `rows` the owner; who is silenced stays so.
    async fn pass_on(&self, roster: &Roster, rows: &[Member]) -> Result<Vec<(Uid, Role, bool)>, Failure> {
        let was_silenced = self.is_silenced(roster.id, roster.owner).await?;
        let heir = rows.iter().map(|row| (row.uid, Role::Owner, row.silenced));
        Ok(std::iter::once((roster.owner, Role::Member, was_silenced)).chain(heir).collect())
    }

    pub(crate) async fn is_silenced(&self, id: u64, uid: Uid) -> Result<bool, Failure> {
        let rows = self.store.member_rows(id, &[uid]).await.map_err(convert::store)?;
        Ok(rows.first().is_some_and(|row| row.silenced))
    }
}

/// Those whose silence is not as wanted, as they are to be.
fn others(rows: &[Member], silenced: bool) -> Vec<(Uid, Role, bool)> {
    rows.iter().filter(|row| row.silenced != silenced).map(|row| (row.uid, row.role, silenced)).collect()
}

fn as_it_is(roster: &Roster) -> Details {
    Details { name: roster.name.clone(), desc: roster.desc.clone(), avatar: roster.avatar.clone() }
}

fn details(roster: &Roster, name: Option<String>, desc: Option<String>, avatar: Option<String>) -> Details {
    let now = as_it_is(roster);
    Details { name: name.unwrap_or(now.name), desc: desc.unwrap_or(now.desc), avatar: avatar.unwrap_or(now.avatar) }
}

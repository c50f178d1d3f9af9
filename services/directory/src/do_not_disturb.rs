//! Do not disturb: whom a user does not want to be called by (rest-api 2.15).

use mynah_ports::directory_store::{RosterKind, Switch};
use mynah_proto::{Failure, directory as wire};
use mynah_types::{Reason, Uid};

use crate::{Inner, convert, validate};

/// Groups in one list.
const GROUPS: usize = 500;

impl Inner {
    /// All or nothing. Switching everybody off when nobody is on is no refusal: the hosted service's own sample does it.
    pub(crate) async fn change_dnd(&self, request: wire::ChangeDndRequest) -> Result<wire::Done, Failure> {
        let app = self.app(request.app_id).await?;
        let user = self.user_named(app.id, &request.username).await?;
        let mut changes = Vec::new();
        for (field, names, on) in [("single.add", &request.add_users, true), ("single.remove", &request.remove_users, false)] {
            if !names.is_empty() {
                let users = self.users_named(app.id, field, names, validate::NAMES).await?;
                changes.extend(users.iter().map(|other| (Switch::DndUser(other.uid), on)));
            }
        }
        for (field, gids, on) in [("group.add", &request.add_groups, true), ("group.remove", &request.remove_groups, false)] {
            if gids.len() > GROUPS {
                return Err(Failure::invalid(field, "must name at most 500 groups"));
            }
            for gid in gids {
                self.member_of(app.id, user.uid, *gid).await?;
                changes.push((Switch::DndGroup(*gid), on));
            }
        }
        match request.global {
            Some(true) => changes.push((Switch::DndAll, true)),
            Some(false) if self.store.switches(user.uid).await.map_err(convert::store)?.contains(&Switch::DndAll) => {
                changes.push((Switch::DndAll, false));
            }
            Some(false) | None => {}
        }
        if !changes.is_empty() {
            self.store.change_switches(user.uid, changes).await.map_err(convert::store)?;
        }
        Ok(wire::Done {})
    }

    async fn member_of(&self, app: mynah_types::AppId, uid: Uid, gid: u64) -> Result<(), Failure> {
        let missing = |failure: Failure| match failure.why() {
            Reason::GroupNotFound => Failure::new(Reason::NamedGroupNotFound, format!("group is not exist: {gid}")),
            _ => failure,
        };
        self.roster(app, RosterKind::Group, gid).await.map_err(missing)?;
        let rows = self.store.member_rows(gid, &[uid]).await.map_err(convert::store)?;
        if rows.is_empty() { Err(Failure::new(Reason::NotInNamedGroup, format!("user is not in group {gid}"))) } else { Ok(()) }
    }

    pub(crate) async fn dnd(&self, request: wire::GetUserRequest) -> Result<wire::Dnd, Failure> {
        let app = self.app(request.app_id).await?;
        let user = self.user_of(&app, &request).await?;
        let mut dnd = wire::Dnd::default();
        for switch in self.store.switches(user.uid).await.map_err(convert::store)? {
            match switch {
                Switch::DndUser(uid) => dnd.uids.push(uid.0),
                Switch::DndGroup(gid) => dnd.gids.push(gid),
                Switch::DndAll => dnd.global = true,
            }
        }
        Ok(dnd)
    }
}

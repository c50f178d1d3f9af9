//! Do not disturb: whom a user does not want to be called by.

use std::collections::HashSet;
use std::sync::Arc;

use mynah_ports::directory_store::{RosterKind, Switch, User};
use mynah_proto::{Failure, directory as wire};
use mynah_types::{AppId, Reason, Uid};

use crate::cross::apps_with;
use crate::events::SelfEvent;
use crate::{Inner, convert, validate};

/// Groups in one list.
const GROUPS: usize = 500;

impl Inner {
    /// All or nothing. Switching everybody off when nobody is on is no refusal: the hosted service's own sample does it.
    pub(crate) async fn change_dnd(&self, request: wire::ChangeDndRequest) -> Result<wire::Done, Failure> {
        let app = self.app(request.app_id).await?;
        let user = self.user_named(app.id, &request.username).await?;
        let cross = &request.cross_users;
        let add = self.named_across(&app, "single.add", &request.add_users, cross, |one| &one.add, validate::NAMES).await?;
        let remove =
            self.named_across(&app, "single.remove", &request.remove_users, cross, |one| &one.remove, validate::NAMES).await?;
        let groups = &request.cross_groups;
        let (mut add_groups, mut remove_groups) = (request.add_groups, request.remove_groups);
        let mut wanted = vec![(app.id, [&*add_groups, &*remove_groups].concat())];
        for one in groups {
            wanted.push((self.other_app(&app, &one.appkey).await?.id, [&*one.add, &*one.remove].concat()));
        }
        self.member_of_all(user.uid, &wanted).await?;
        for one in groups {
            add_groups.extend(&one.add);
            remove_groups.extend(&one.remove);
        }
        let on = |switches: &mut Vec<_>, of: Vec<Switch>, on| switches.extend(of.into_iter().map(|switch| (switch, on)));
        let mut changes = Vec::new();
        on(&mut changes, add.iter().map(|other| Switch::DndUser(other.uid)).collect(), true);
        on(&mut changes, remove.iter().map(|other| Switch::DndUser(other.uid)).collect(), false);
        on(&mut changes, add_groups.iter().copied().map(Switch::DndGroup).collect(), true);
        on(&mut changes, remove_groups.iter().copied().map(Switch::DndGroup).collect(), false);
        changes.extend(request.global.map(|global| (Switch::DndAll, global)));
        if !changes.is_empty() {
            let [add, remove] = [&add, &remove].map(|users| users.iter().map(Arc::as_ref).collect::<Vec<&User>>());
            let apps = self.apps_of(apps_with(add.iter().chain(&remove).copied().chain([&*user]))).await?;
            let told = SelfEvent::dnd(&apps, &user, [&add, &remove], [&add_groups, &remove_groups], request.global);
            self.store.change_switches(user.uid, changes, told).await.map_err(convert::store)?;
            self.tell([user.uid]).await;
        }
        Ok(wire::Done {})
    }

    /// Refuses groups that are not there, and those that the user is not in. One read, however many there are.
    pub(crate) async fn member_of_all(&self, uid: Uid, wanted: &[(AppId, Vec<u64>)]) -> Result<(), Failure> {
        if wanted.iter().map(|(_, gids)| gids.len()).sum::<usize>() > 2 * GROUPS {
            return Err(Failure::invalid("group", "must name at most 500 groups in a list"));
        }
        if wanted.iter().all(|(_, gids)| gids.is_empty()) {
            return Ok(());
        }
        let rosters = self.store.rosters_of(uid, RosterKind::Group).await.map_err(convert::store)?;
        let mine: HashSet<(AppId, u64)> = rosters.iter().map(|(roster, _)| (roster.app, roster.id)).collect();
        for (app, gids) in wanted {
            let Some(gid) = gids.iter().find(|gid| !mine.contains(&(*app, **gid))) else { continue };
            return Err(match self.roster(*app, RosterKind::Group, *gid).await {
                Ok(_) => Failure::new(Reason::NotInNamedGroup, format!("user is not in group {gid}")),
                Err(failure) if failure.why() == Reason::GroupNotFound => {
                    Failure::new(Reason::NamedGroupNotFound, format!("group is not exist: {gid}"))
                }
                Err(failure) => failure,
            });
        }
        Ok(())
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
                Switch::Shield(_) => {}
            }
        }
        Ok(dnd)
    }
}

//! Groups.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use mynah_ports::directory_store::{App, Roster, RosterKind, Switch, User};
use mynah_proto::{Failure, directory as wire};
use mynah_types::{AppId, ConversationKey, Reason, Role, Uid};

use crate::cross::{Apps, apps_with};
use crate::events::{GroupEvent, Happened};
use crate::membership::{DECISIONS, Draft, Wanted};
use crate::{Inner, convert, validate};

const GROUP: RosterKind = RosterKind::Group;

impl Inner {
    pub(crate) async fn create_group(&self, request: wire::CreateGroupRequest) -> Result<wire::Group, Failure> {
        let app = self.app(request.app_id).await?;
        let name = validate::roster_name(request.name)?;
        let desc = validate::at_most("desc", request.desc, 250)?;
        let avatar = validate::at_most("avatar", request.avatar, 1024)?;
        let flag = validate::group_flag(request.flag)?;
        let (owner, members) = self.founders(&app, &request.owner, &request.members, validate::NAMES.max(limit(&app))).await?;
        let wanted = Wanted { kind: GROUP, owner: Arc::clone(&owner), members, name, desc, avatar, flag };
        let roster = self.make_roster(&app, wanted).await?;
        Ok(convert::group(&Apps::one(&app), &roster, Some(&owner)))
    }

    /// The owner and the other members of something new. All are named in a body.
    pub(crate) async fn founders(
        &self,
        app: &App,
        owner: &str,
        members: &[String],
        most: usize,
    ) -> Result<(Arc<User>, Vec<Arc<User>>), Failure> {
        let owner = self.users_named(app.id, "owner_username", &[owner.to_owned()], 1).await?;
        let owner = owner.into_iter().next().ok_or_else(convert::no_user)?;
        let mut others = match members {
            [] => Vec::new(),
            names => self.users_named(app.id, "members_username", names, most).await?,
        };
        others.retain(|user| user.uid != owner.uid);
        Ok((owner, others))
    }

    /// A group of the app; of whatever app, for one of its members.
    pub(crate) async fn get_group(&self, request: wire::GroupRequest) -> Result<wire::Group, Failure> {
        let app = self.app(request.app_id).await?;
        let roster = match self.roster(app.id, GROUP, request.gid).await {
            Err(failure) if failure.why() == Reason::GroupNotFound && request.member_uid != 0 => {
                self.roster_of_member(GROUP, request.gid, Uid(request.member_uid)).await?
            }
            own => own?,
        };
        let mut groups = self.shown_groups(&[&*roster]).await?;
        groups.pop().ok_or_else(|| convert::no_roster(GROUP))
    }

    /// A living roster of whatever app, for one of its members.
    pub(crate) async fn roster_of_member(&self, kind: RosterKind, id: u64, uid: Uid) -> Result<Arc<Roster>, Failure> {
        let roster = self.store.roster(id).await.map_err(convert::store)?;
        let roster = roster.filter(|roster| roster.kind == kind && !roster.dissolved).ok_or_else(|| convert::no_roster(kind))?;
        let is_member = !self.store.member_rows(id, &[uid]).await.map_err(convert::store)?.is_empty();
        if is_member { Ok(Arc::new(roster)) } else { Err(convert::no_roster(kind)) }
    }

    /// Groups as others see them, each with its owner and under its own app's key.
    async fn shown_groups(&self, rosters: &[&Roster]) -> Result<Vec<wire::Group>, Failure> {
        let (owners, apps) = self.owners(rosters).await?;
        Ok(rosters.iter().map(|r| convert::group(&apps, r, owners.get(&r.owner).map(Arc::as_ref))).collect())
    }

    /// The owners of groups or chatrooms, and the apps under whose keys all of them are shown.
    pub(crate) async fn owners(&self, rosters: &[&Roster]) -> Result<(HashMap<Uid, Arc<User>>, Apps), Failure> {
        let owners: Vec<Uid> = rosters.iter().map(|roster| roster.owner).collect();
        let owners = self.any_uids(&owners).await?;
        let mut apps = apps_with(owners.values().map(Arc::as_ref));
        apps.extend(rosters.iter().map(|roster| roster.app));
        Ok((owners, self.apps_of(apps).await?))
    }

    pub(crate) async fn list_groups(&self, request: wire::ListRequest) -> Result<wire::GroupPage, Failure> {
        let app = self.app(request.app_id).await?;
        let count = validate::page_count(request.count)?;
        let page = self.store.list_rosters(app.id, GROUP, request.start, count).await;
        let (total, rosters) = page.map_err(convert::store)?;
        Ok(wire::GroupPage { total, groups: self.shown_groups(&rosters.iter().collect::<Vec<_>>()).await? })
    }

    pub(crate) async fn delete_group(&self, request: wire::GroupRequest) -> Result<wire::Done, Failure> {
        let app = self.app(request.app_id).await?;
        let (_guard, roster) = self.locked(app.id, GROUP, request.gid).await?;
        if !roster.dissolved {
            let payload = self.event(&roster, Happened::Dissolved, Vec::new()).await?;
            self.commit(&app, &roster, Draft { dissolved: true, payload, ..Draft::default() }).await?;
        }
        self.hand_over(roster.id).await?;
        Ok(wire::Done {})
    }

    pub(crate) async fn change_members(&self, request: wire::ChangeMembersRequest) -> Result<wire::Done, Failure> {
        let app = self.app(request.app_id).await?;
        self.roster(app.id, GROUP, request.id).await?;
        let (add, remove) = self.named_changes(&app, &request, validate::NAMES).await?;
        let (_guard, mut roster) = self.locked(app.id, GROUP, request.id).await?;
        if roster.dissolved {
            return Err(convert::no_roster(GROUP));
        }
        owner_stays(&roster, &remove)?;
        let seen = self.unconfirmed(&roster).await?;
        let members = self.member_set(roster.id, &add).await?;
        // Whom a change that is not confirmed added: this is the repeat of that call.
        if let Some(already) = add.iter().find(|u| members.contains(&u.uid) && !seen.joined.contains(&u.uid)) {
            return Err(Failure::new(Reason::AlreadyMember, format!("{} is a member already", already.username)));
        }
        let fresh: Vec<&User> = add.iter().filter(|user| !members.contains(&user.uid)).map(Arc::as_ref).collect();
        if !fresh.is_empty() {
            let joined = fresh.iter().map(|user| (user.uid, Role::Member)).collect();
            let payload = self.event(&roster, Happened::Added, fresh).await?;
            roster = self.commit(&app, &roster, Draft { joined, payload, ..Draft::default() }).await?;
        }
        let removed = self.remove_members(&app, roster.clone(), &remove, &seen.left).await;
        // The adds stay, whatever became of the removals.
        self.hand_over(roster.id).await?;
        removed?;
        Ok(wire::Done {})
    }

    /// Decided again by itself when another process comes first: the adds of the same call are made by then.
    async fn remove_members(
        &self,
        app: &App,
        mut roster: Roster,
        remove: &[Arc<User>],
        left: &HashSet<Uid>,
    ) -> Result<(), Failure> {
        for _ in 0..DECISIONS {
            match self.remove_seen(app, &roster, remove, left).await {
                Err(failure) if convert::has_moved(&failure) => {}
                done => return done,
            }
            let now = self.store.roster(roster.id).await.map_err(convert::store)?;
            roster = now.filter(|roster| !roster.dissolved).ok_or_else(|| convert::no_roster(GROUP))?;
            owner_stays(&roster, remove)?;
        }
        Err(Failure::new(Reason::Unavailable, "others change the group all the time: try again"))
    }

    async fn remove_seen(&self, app: &App, roster: &Roster, remove: &[Arc<User>], left: &HashSet<Uid>) -> Result<(), Failure> {
        let members = self.member_set(roster.id, remove).await?;
        if let Some(stranger) = remove.iter().find(|u| !members.contains(&u.uid) && !left.contains(&u.uid)) {
            return Err(Failure::new(Reason::NotMember, format!("{} is no member", stranger.username)));
        }
        let going: Vec<&User> = remove.iter().filter(|user| members.contains(&user.uid)).map(Arc::as_ref).collect();
        if going.is_empty() {
            return Ok(());
        }
        let left = going.iter().map(|user| user.uid).collect();
        let payload = self.event(roster, Happened::Removed, going).await?;
        self.commit(app, roster, Draft { left, payload, ..Draft::default() }).await.map(drop)
    }

    /// The users that a change of members names, checked before anything is done.
    pub(crate) async fn named_changes(
        &self,
        app: &Arc<App>,
        request: &wire::ChangeMembersRequest,
        most: usize,
    ) -> Result<(Vec<Arc<User>>, Vec<Arc<User>>), Failure> {
        let names_nobody = |one: &wire::CrossNames| one.add.is_empty() && one.remove.is_empty();
        if request.add.is_empty() && request.remove.is_empty() && request.cross.iter().all(names_nobody) {
            return Err(Failure::invalid("add", "must name at least one user"));
        }
        let (add, remove, cross) = (&request.add, &request.remove, &request.cross);
        let add = self.named_across(app, "add", add, cross, |one| &one.add, most).await?;
        let remove = self.named_across(app, "remove", remove, cross, |one| &one.remove, most).await?;
        Ok((add, remove))
    }

    pub(crate) async fn members(&self, request: wire::GroupRequest) -> Result<wire::MemberList, Failure> {
        let app = self.app(request.app_id).await?;
        let roster = self.roster(app.id, GROUP, request.gid).await?;
        let rows = self.store.members(roster.id, 0, u32::MAX).await.map_err(convert::store)?;
        let members = self.with_users(rows).await?;
        let apps = self.apps_of(apps_with(members.iter().map(|(_, user)| &**user))).await?;
        let members = members.iter().map(|(member, user)| convert::group_member(&apps, member, user));
        Ok(wire::MemberList { members: members.collect() })
    }

    /// Groups of every app that the user is in.
    pub(crate) async fn groups_of(&self, request: wire::GetUserRequest) -> Result<wire::GroupList, Failure> {
        let app = self.app(request.app_id).await?;
        let user = self.user_of(&app, &request).await?;
        let rosters = self.store.rosters_of(user.uid, GROUP).await.map_err(convert::store)?;
        let switches = self.store.switches(user.uid).await.map_err(convert::store)?;
        let groups = self.shown_groups(&rosters.iter().map(|(roster, _)| roster).collect::<Vec<_>>()).await?;
        let groups = groups.into_iter().zip(&rosters).map(|(group, (roster, member))| wire::Group {
            member_since_version: member.since_version,
            shielded: switches.contains(&Switch::Shield(roster.id)),
            ..group
        });
        Ok(wire::GroupList { groups: groups.collect() })
    }

    /// For the router's actors. No lock is taken: an actor may load while a hand-over waits for it.
    pub(crate) async fn changes(&self, request: wire::ChangesRequest) -> Result<wire::ChangesReply, Failure> {
        let no_key = || Failure::invalid("conv_id", "must name a group or a chatroom");
        let (kind, id) = match request.conv_id.parse::<ConversationKey>() {
            Ok(ConversationKey::Group(id)) => (RosterKind::Group, id),
            Ok(ConversationKey::Room(id)) => (RosterKind::Room, id),
            Ok(ConversationKey::Single(..) | ConversationKey::Feed(_)) | Err(_) => return Err(no_key()),
        };
        let roster = self.store.roster(id).await.map_err(convert::store)?.filter(|roster| roster.kind == kind);
        let roster = roster.ok_or_else(|| convert::no_roster(kind))?;
        let all = usize::try_from(u32::MAX).unwrap_or(usize::MAX);
        let changes = self.store.changes(id, request.after_version, all).await.map_err(convert::store)?;
        // Read after the roster: a change committed in between is among them.
        let version = changes.last().map_or(roster.version, |change| change.version.max(roster.version));
        Ok(wire::ChangesReply { changes: changes.into_iter().map(convert::change).collect(), version })
    }
}

/// The owner of a group or chatroom cannot be taken out.
pub(crate) fn owner_stays(roster: &Roster, remove: &[Arc<User>]) -> Result<(), Failure> {
    if remove.iter().any(|user| user.uid == roster.owner) {
        return Err(Failure::invalid("remove", "must not name the owner"));
    }
    Ok(())
}

fn limit(app: &App) -> usize {
    usize::try_from(app.rules.max_group_members).unwrap_or(usize::MAX)
}

impl Inner {
    /// The payload of an event that the system tells.
    pub(crate) async fn event(&self, roster: &Roster, happened: Happened, to: Vec<&User>) -> Result<Bytes, Failure> {
        self.event_with(roster, happened, to, None).await
    }

    /// The same with a new owner.
    pub(crate) async fn event_with(
        &self,
        roster: &Roster,
        happened: Happened,
        to: Vec<&User>,
        new_owner: Option<&User>,
    ) -> Result<Bytes, Failure> {
        let mut apps = apps_with(to.iter().copied().chain(new_owner));
        apps.insert(roster.app);
        let apps = &self.apps_of(apps).await?;
        let (app, kind, gid, group_name) = (roster.app, roster.kind, roster.id, &*roster.name);
        Ok(GroupEvent { apps, app, kind, gid, group_name, happened, from: None, to, new_owner }.payload())
    }
}

/// The payload of a new group's first event.
pub(crate) fn created(apps: &Apps, app: AppId, gid: u64, name: &str, owner: &User, members: &[Arc<User>]) -> Bytes {
    let to = members.iter().map(Arc::as_ref).collect();
    let from = Some(owner);
    GroupEvent { apps, app, kind: GROUP, gid, group_name: name, happened: Happened::Created, from, to, new_owner: None }.payload()
}

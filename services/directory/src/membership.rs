//! Changes of groups and chatrooms: commit, hand over, answer. What both kinds share.
//!
//! A call holds its roster's lock from its first look to the router's confirmation. So whoever sees a change that is not
//! confirmed knows that the call which made it has failed or died, and takes it for his own if it is what he wants.
//!
//! The lock is this process's. A group that another one makes is taken for one's own only when its call is certainly over. Of several processes on one store each commits by the version that it saw, and decides again if
//! that has moved; a change of a living call of another process may be taken for one's own: it is what one wants, and made.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use mynah_ports::changes::Subject;
use mynah_ports::directory_store::Error as StoreError;
use mynah_ports::directory_store::{
    App, Change, ChangeLimits, Details, Member, NewRoster, Refusal, Roster, RosterChange, RosterKind, User,
};
use mynah_proto::Failure;
use mynah_proto::router::ApplyChangeRequest;
use mynah_types::{AppId, Reason, Role, Uid};
use tokio::time::error::Elapsed;

use crate::cache::Cache;
use crate::cross::Apps;
use crate::locks::{Guard, Key};
use crate::{Inner, convert};

/// Groups and chatrooms, dissolved ones too.
pub(crate) type RosterCache = Cache<u64, Arc<Roster>>;

/// Changes in one hand-over: one of a chatroom may hold 3000 names.
const CHANGES: usize = 32;

/// How often a change is decided while other processes change the same group or chatroom first. Each time one of them is done.
pub(crate) const DECISIONS: usize = 16;

/// A change that has been decided.
#[derive(Default)]
pub(crate) struct Draft {
    pub(crate) joined: Vec<(Uid, Role)>,
    pub(crate) left: Vec<Uid>,
    pub(crate) changed: Vec<(Uid, Role, bool)>,
    pub(crate) details: Option<Details>,
    pub(crate) dissolved: bool,
    pub(crate) payload: bytes::Bytes,
}

/// A roster to be made.
pub(crate) struct Wanted {
    pub(crate) kind: RosterKind,
    pub(crate) owner: Arc<User>,
    pub(crate) members: Vec<Arc<User>>,
    pub(crate) name: String,
    pub(crate) desc: String,
    pub(crate) avatar: String,
    pub(crate) flag: u8,
}

/// What the changes that the router has not confirmed did.
#[derive(Default)]
pub(crate) struct Unconfirmed {
    pub(crate) joined: HashSet<Uid>,
    pub(crate) left: HashSet<Uid>,
}

impl Inner {
    /// A living roster of the app.
    pub(crate) async fn roster(&self, app: AppId, kind: RosterKind, id: u64) -> Result<Arc<Roster>, Failure> {
        let roster = match self.rosters.get(&id) {
            Some(roster) => roster,
            None => {
                let ticket = self.rosters.ticket();
                let found = self.store.roster(id).await.map_err(convert::store)?;
                let roster = Arc::new(found.ok_or_else(|| convert::no_roster(kind))?);
                self.rosters.insert(ticket, id, Arc::clone(&roster));
                roster
            }
        };
        let is_there = roster.app == app && roster.kind == kind && !roster.dissolved;
        if is_there { Ok(roster) } else { Err(convert::no_roster(kind)) }
    }

    /// Takes the roster's lock, then reads it as it is stored: a dissolved one only if the router does not know of its end.
    pub(crate) async fn locked(&self, app: AppId, kind: RosterKind, id: u64) -> Result<(Guard, Roster), Failure> {
        let guard = self.locks.lock(Key::Roster(id), self.settings.handover_deadline).await?;
        let found = self.store.roster(id).await.map_err(convert::store)?;
        let found = found.filter(|r| r.app == app && r.kind == kind && (!r.dissolved || r.applied < r.version));
        found.map(|roster| (guard, roster)).ok_or_else(|| convert::no_roster(kind))
    }

    /// Makes a roster and hands it over. A repeat of a call that failed after its commit finds what that one made.
    pub(crate) async fn make_roster(&self, app: &Arc<App>, wanted: Wanted) -> Result<Roster, Failure> {
        if self.settings.process == 0 {
            return self.make_or_find(app, wanted).await;
        }
        // Other processes cannot see whether this call goes on, so it ends in time.
        let made = tokio::time::timeout(self.settings.answered_within(), self.make_or_find(app, wanted)).await;
        self.handed_over(made)
    }

    async fn make_or_find(&self, app: &Arc<App>, wanted: Wanted) -> Result<Roster, Failure> {
        let kind = wanted.kind;
        let (roster, _creating) = match self.made_before(&wanted).await? {
            Some(roster) => (roster, None),
            None => {
                let creating = Creating { inner: self, id: Arc::default() };
                let roster = self.store.create_roster(self.new_roster(app, wanted, &creating)).await;
                (roster.map_err(|e| roster_failure(e, kind))?, Some(creating))
            }
        };
        let _guard = self.locks.lock(Key::Roster(roster.id), self.settings.handover_deadline).await?;
        self.hand_over(roster.id).await?;
        self.announcer.tell(subject(&roster), roster.version);
        Ok(roster)
    }

    async fn made_before(&self, wanted: &Wanted) -> Result<Option<Roster>, Failure> {
        let pending = self.store.pending_of(wanted.owner.uid, wanted.kind).await.map_err(convert::store)?;
        let members: HashSet<Uid> = wanted.members.iter().chain([&wanted.owner]).map(|user| user.uid).collect();
        for roster in pending {
            let same = roster.version == 1
                && (&*roster.name, &*roster.desc, &*roster.avatar, roster.flag)
                    == (&*wanted.name, &*wanted.desc, &*wanted.avatar, wanted.flag);
            if !same || !self.is_given_up(&roster) {
                continue;
            }
            let first = self.store.changes(roster.id, 0, 1).await.map_err(convert::store)?;
            let joined: HashSet<Uid> = first.iter().flat_map(|change| &change.joined).map(|(uid, _)| *uid).collect();
            if joined == members {
                return Ok(Some(roster));
            }
        }
        Ok(None)
    }

    /// Whether the call that makes a roster is over. What waits for the router then is not answered.
    fn is_given_up(&self, roster: &Roster) -> bool {
        if roster.maker == self.settings.process {
            return !self.creating.lock().contains(&roster.id);
        }
        roster.ctime.saturating_add(self.settings.over_after_ms()) <= self.clock.now_ms()
    }

    fn new_roster(&self, app: &Arc<App>, wanted: Wanted, creating: &Creating<'_>) -> NewRoster {
        let members: Vec<Uid> = wanted.members.iter().map(|user| user.uid).collect();
        let (of, name, owner) = (Arc::clone(app), wanted.name.clone(), Arc::clone(&wanted.owner));
        let (slot, is_group) = (Arc::clone(&creating.id), wanted.kind == RosterKind::Group);
        let noted = self.creating_note();
        NewRoster {
            kind: wanted.kind,
            app: app.id,
            name: wanted.name,
            desc: wanted.desc,
            avatar: wanted.avatar,
            flag: wanted.flag,
            owner: wanted.owner.uid,
            members,
            limits: limits(app, wanted.kind),
            payload: Box::new(move |id| {
                // Before the commit: nobody else may take an unanswered call's roster for a failed one's.
                *slot.lock() = Some(id);
                noted(id);
                if is_group {
                    crate::groups::created(&Apps::one(&of), of.id, id, &name, &owner, &wanted.members)
                } else {
                    bytes::Bytes::new()
                }
            }),
            actor: wanted.owner.uid,
            maker: self.settings.process,
            now: self.clock.now_ms(),
        }
    }

    /// Commits a change of a locked roster. It is not handed over yet.
    pub(crate) async fn commit(&self, app: &App, roster: &Roster, draft: Draft) -> Result<Roster, Failure> {
        let change = Change {
            version: roster.version + 1,
            joined: draft.joined,
            left: draft.left,
            changed: draft.changed,
            dissolved: draft.dissolved,
            payload: draft.payload,
            actor: Uid(0),
        };
        let change = RosterChange {
            id: roster.id,
            seen_version: roster.version,
            change,
            details: draft.details,
            limits: limits(app, roster.kind),
            now: self.clock.now_ms(),
        };
        let done = self.store.commit_change(change).await;
        self.rosters.invalidate(&roster.id);
        let roster = done.map_err(|e| roster_failure(e, roster.kind))?;
        self.announcer.tell(subject(&roster), roster.version);
        Ok(roster)
    }

    /// Hands every change that is not confirmed to the router, in order. The caller holds the roster's lock.
    pub(crate) async fn hand_over(&self, id: u64) -> Result<(), Failure> {
        let outcome = tokio::time::timeout(self.settings.handover_deadline, self.hand_over_all(id)).await;
        let outcome = self.handed_over(outcome);
        let label = if outcome.is_ok() { "applied" } else { "waiting" };
        metrics::counter!("mynah_directory_handovers_total", "outcome" => label).increment(1);
        if let Err(failure) = &outcome {
            tracing::warn!(conversation = id, error = %failure, "a membership change waits for the router");
        }
        outcome
    }

    async fn hand_over_all(&self, id: u64) -> Result<(), Failure> {
        loop {
            let Some(roster) = self.store.roster(id).await.map_err(convert::store)? else { return Ok(()) };
            if roster.applied >= roster.version {
                return Ok(());
            }
            let changes = self.store.changes(id, roster.applied, CHANGES).await.map_err(convert::store)?;
            let wanted = changes.last().map_or(0, |change| change.version);
            let changes = changes.into_iter().map(convert::change).collect();
            let request = ApplyChangeRequest { conv_id: roster.key().to_string(), changes };
            let applied = self.router.apply_change(request).await?.applied_version.min(roster.version);
            if applied > roster.applied {
                self.store.set_applied(id, applied).await.map_err(convert::store)?;
                self.rosters.invalidate(&id);
            }
            if applied < wanted {
                return Err(Failure::new(Reason::Unavailable, "the change is not applied yet: try again"));
            }
        }
    }

    /// Folds a missed deadline into the failure, and wakes the outbox for any.
    pub(crate) fn handed_over<T>(&self, outcome: Result<Result<T, Failure>, Elapsed>) -> Result<T, Failure> {
        let outcome =
            outcome.unwrap_or_else(|_| Err(Failure::new(Reason::Timeout, "the change is kept, but not applied yet: try again")));
        if outcome.is_err() {
            self.wake.notify_one();
        }
        outcome
    }

    /// What the changes that are not confirmed did, the last word on each user.
    pub(crate) async fn unconfirmed(&self, roster: &Roster) -> Result<Unconfirmed, Failure> {
        let mut seen = Unconfirmed::default();
        if roster.applied == roster.version {
            return Ok(seen);
        }
        let limit = usize::try_from(roster.version - roster.applied).unwrap_or(usize::MAX);
        for change in self.store.changes(roster.id, roster.applied, limit).await.map_err(convert::store)? {
            for (uid, _) in change.joined {
                seen.left.remove(&uid);
                seen.joined.insert(uid);
            }
            for uid in change.left {
                seen.joined.remove(&uid);
                seen.left.insert(uid);
            }
        }
        Ok(seen)
    }

    pub(crate) async fn member_set(&self, id: u64, users: &[Arc<User>]) -> Result<HashSet<Uid>, Failure> {
        let uids: Vec<Uid> = users.iter().map(|user| user.uid).collect();
        let rows = self.store.member_rows(id, &uids).await.map_err(convert::store)?;
        Ok(rows.iter().map(|member| member.uid).collect())
    }

    /// The users of member rows, in their order. One who is deleted and about to leave is passed over.
    pub(crate) async fn with_users(&self, rows: Vec<Member>) -> Result<Vec<(Member, Arc<User>)>, Failure> {
        let uids: Vec<Uid> = rows.iter().map(|row| row.uid).collect();
        let users = self.any_uids(&uids).await?;
        Ok(rows.into_iter().filter_map(|row| Some((row, Arc::clone(users.get(&row.uid)?)))).collect())
    }

    fn creating_note(&self) -> impl FnOnce(u64) + Send + use<> {
        let creating = Arc::clone(&self.creating);
        move |id| _ = creating.lock().insert(id)
    }

    /// How long a call waits for others.
    pub(crate) fn patience(&self) -> Duration {
        self.settings.handover_deadline
    }
}

/// A roster whose creating call has not been answered yet.
struct Creating<'a> {
    inner: &'a Inner,
    id: Arc<parking_lot::Mutex<Option<u64>>>,
}

impl Drop for Creating<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id.lock().take() {
            self.inner.creating.lock().remove(&id);
        }
    }
}

fn subject(roster: &Roster) -> Subject {
    match roster.kind {
        RosterKind::Group => Subject::Group(roster.id),
        RosterKind::Room => Subject::Room(roster.id),
    }
}

fn limits(app: &App, kind: RosterKind) -> ChangeLimits {
    let max_members = match kind {
        RosterKind::Group => app.rules.max_group_members,
        RosterKind::Room => app.rules.max_room_members,
    };
    ChangeLimits { max_members, max_groups_per_user: app.rules.max_groups_per_user }
}

fn roster_failure(error: StoreError, kind: RosterKind) -> Failure {
    match error {
        StoreError::Refused(Refusal::RosterGone) => convert::no_roster(kind),
        other => convert::store(other),
    }
}

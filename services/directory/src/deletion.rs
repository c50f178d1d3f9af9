//! The end of a user: his name and sessions at once, his chats, groups and chatrooms one by one.

use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use mynah_ports::deadline;
use mynah_ports::directory_store::{Error, Refusal, Roster, RosterKind, User};
use mynah_proto::router::{RelationChangedRequest, SingleChatsRequest};
use mynah_proto::{Failure, directory as wire};
use mynah_types::{ConversationKey, Reason, Role, Uid};

use crate::cross::Apps;
use crate::events::{Happened, SelfEvent};
use crate::locks::Key;
use crate::membership::Draft;
use crate::{Inner, convert, validate};

/// Kicks under way at one time.
const KICKS: usize = 16;

/// Single chats whose actors are told in one go.
const CHATS: u32 = 200;

/// Members looked at in one go for a new owner.
const SUCCESSORS: u32 = 100;

/// Whether the router is worth another try in this call: after one failure the rest is left to the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Router {
    Answers,
    Failed,
}

impl Inner {
    pub(crate) async fn delete_users(&self, request: wire::DeleteUsersRequest) -> Result<wire::Done, Failure> {
        let app = self.app(request.app_id).await?;
        let users = if let ([name], true) = (&*request.usernames, request.path_user) {
            vec![self.user_named(app.id, name).await?]
        } else {
            self.users_named(app.id, "usernames", &request.usernames, validate::DELETIONS).await?
        };
        let uids: Vec<Uid> = users.iter().map(|user| user.uid).collect();
        let farewells = users.iter().map(|user| SelfEvent::farewell(&Apps::one(&app), user)).collect();
        let done = self.store.delete_users(&uids, self.clock.now_ms(), farewells).await;
        users.iter().for_each(|user| self.users.invalidate(user));
        done.map_err(|error| match error {
            Error::Refused(Refusal::UsersGone(_)) if request.path_user => convert::no_user(),
            other => convert::store(other),
        })?;
        stream::iter(&uids).for_each_concurrent(KICKS, |uid| self.put_out_all(*uid, "deleted")).await;
        // His friends are told by the outbox: there may be thousands.
        self.wake.notify_one();
        let mut router = Router::Answers;
        for user in &users {
            self.leave_all(user, &mut router).await;
        }
        Ok(wire::Done {})
    }

    /// Goes on with a deletion that a crash or an engine cut off. True: it is finished.
    pub(crate) async fn resume_deletion(&self, user: &User) -> bool {
        self.leave_all(user, &mut { Router::Answers }).await
    }

    /// Leaves everything that the user is in. What the router does not take waits with its roster; what the store does not
    /// take leaves the deletion pending. True: nothing is left to commit.
    async fn leave_all(&self, user: &User, router: &mut Router) -> bool {
        let mut left_all = self.end_chats(user.uid, router).await;
        for kind in [RosterKind::Group, RosterKind::Room] {
            let rosters = match self.store.rosters_of(user.uid, kind).await {
                Ok(rosters) => rosters,
                Err(error) => {
                    convert::store(error);
                    left_all = false;
                    continue;
                }
            };
            for (roster, _) in rosters {
                if !deadline::leaves(deadline::LEAST) {
                    // The outbox goes on: none of this would be done.
                    left_all = false;
                    break;
                }
                if let Err(failure) = self.leave(roster.id, user, router).await {
                    tracing::warn!(conversation = roster.id, uid = %user.uid, error = %failure, "a deleted user is still in");
                    left_all = false;
                }
            }
        }
        let finished = left_all && self.store.finish_deletion(user.uid).await.is_ok();
        if !finished {
            self.wake.notify_one();
        }
        finished
    }

    /// Tells the actors of the user's single chats, so that they take nothing more for him, and his name can be another's. True: all know.
    async fn end_chats(&self, uid: Uid, router: &mut Router) -> bool {
        if *router == Router::Failed {
            return false;
        }
        let told = self.handed_over(tokio::time::timeout(self.settings.handover_deadline, self.tell_chats(uid)).await);
        if let Err(failure) = &told {
            tracing::warn!(%uid, error = %failure, "the chats of a deleted user do not know of it: the outbox goes on");
            *router = Router::Failed;
        }
        told.is_ok()
    }

    async fn tell_chats(&self, uid: Uid) -> Result<(), Failure> {
        let mut request = SingleChatsRequest { uid: uid.0, after_conv_id: String::new(), limit: CHATS };
        loop {
            let page = self.router.single_chats(request.clone()).await?;
            let peer = |conv_id: &String| match conv_id.parse() {
                Ok(ConversationKey::Single(a, b)) => Some(if a == uid { b.0 } else { a.0 }),
                Ok(_) | Err(_) => None,
            };
            let peer_uids: Vec<u64> = page.conv_ids.iter().filter_map(peer).collect();
            if !peer_uids.is_empty() {
                self.router.relation_changed(RelationChangedRequest { uid: uid.0, peer_uids }).await?;
            }
            match page.conv_ids.into_iter().last() {
                Some(last) if page.more => request.after_conv_id = last,
                Some(_) | None => return Ok(()),
            }
        }
    }

    async fn leave(&self, id: u64, user: &User, router: &mut Router) -> Result<(), Failure> {
        let _guard = self.locks.lock(Key::Roster(id), self.patience()).await?;
        let Some(roster) = self.store.roster(id).await.map_err(convert::store)? else { return Ok(()) };
        let is_member = !self.store.member_rows(id, &[user.uid]).await.map_err(convert::store)?.is_empty();
        if roster.dissolved || !is_member {
            return Ok(());
        }
        let draft = match roster.kind {
            RosterKind::Group => self.leave_group(&roster, user).await?,
            RosterKind::Room if roster.owner == user.uid => Draft { dissolved: true, ..Draft::default() },
            RosterKind::Room => Draft { left: vec![user.uid], ..Draft::default() },
        };
        let app = self.app(roster.app.0).await?;
        self.commit(&app, &roster, draft).await?;
        if *router == Router::Answers && self.hand_over(id).await.is_err() {
            *router = Router::Failed;
        }
        Ok(())
    }

    async fn leave_group(&self, roster: &Roster, user: &User) -> Result<Draft, Failure> {
        let left = vec![user.uid];
        if roster.owner != user.uid {
            let payload = self.event(roster, Happened::Removed, vec![user]).await?;
            return Ok(Draft { left, payload, ..Draft::default() });
        }
        Ok(match self.successor(roster, user).await? {
            Some(heir) => {
                let payload = self.event_with(roster, Happened::Removed, vec![user], Some(&*heir)).await?;
                let silenced = self.is_silenced(roster.id, heir.uid).await?;
                Draft { left, changed: vec![(heir.uid, Role::Owner, silenced)], payload, ..Draft::default() }
            }
            None => {
                let payload = self.event(roster, Happened::Dissolved, vec![user]).await?;
                Draft { left, dissolved: true, payload, ..Draft::default() }
            }
        })
    }

    /// The earliest other member who is not deleted himself.
    async fn successor(&self, roster: &Roster, leaving: &User) -> Result<Option<Arc<User>>, Failure> {
        let mut start = 0;
        loop {
            let rows = self.store.members(roster.id, start, SUCCESSORS).await.map_err(convert::store)?;
            if rows.is_empty() {
                return Ok(None);
            }
            start += u64::from(SUCCESSORS);
            let others = rows.into_iter().filter(|member| member.uid != leaving.uid).collect();
            if let Some((_, heir)) = self.with_users(others).await?.into_iter().next() {
                return Ok(Some(heir));
            }
        }
    }

    /// Hands over what a roster has waiting, unless a call is at it: that call hands over everything.
    pub(crate) async fn retry_hand_over(&self, id: u64) -> bool {
        let Ok(_guard) = self.locks.lock(Key::Roster(id), self.patience()).await else { return false };
        self.hand_over(id).await.is_ok()
    }

    /// Tells the router again of pairs that changed.
    pub(crate) async fn retry_relations(&self, uid: Uid, peers: Vec<Uid>, number: u64) -> bool {
        let Ok(_guard) = self.locks.lock(Key::Relations(uid.0), self.patience()).await else { return false };
        match self.tell_relations(uid, peers, number).await {
            Ok(()) => true,
            // The chat or its users are unknown there: nobody decides by an old relation.
            Err(failure) => !failure.why().is_retryable() && failure.why() != Reason::Internal,
        }
    }
}

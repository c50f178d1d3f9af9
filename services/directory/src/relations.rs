//! Blacklists, and the word to the router that a pair changed.

use std::sync::Arc;

use mynah_ports::changes::Subject;
use mynah_ports::directory_store::User;
use mynah_proto::router::RelationChangedRequest;
use mynah_proto::{Failure, directory as wire};
use mynah_types::{Reason, Uid};

use crate::cross::apps_with;
use crate::events::SelfEvent;
use crate::locks::Key;
use crate::{Inner, convert, validate};

impl Inner {
    pub(crate) async fn change_blacklist(&self, request: wire::ChangeBlacklistRequest) -> Result<wire::Done, Failure> {
        let app = self.app(request.app_id).await?;
        let names_nobody = |one: &wire::CrossNames| one.add.is_empty() && one.remove.is_empty();
        if request.add.is_empty() && request.remove.is_empty() && request.cross.iter().all(names_nobody) {
            return Err(Failure::invalid("add", "must name at least one user"));
        }
        let user = self.user_named(app.id, &request.username).await?;
        let cross = &request.cross;
        let add = self.named_across(&app, "add", &request.add, cross, |one| &one.add, validate::NAMES).await?;
        let remove = self.named_across(&app, "remove", &request.remove, cross, |one| &one.remove, validate::NAMES).await?;
        if add.iter().any(|other| other.uid == user.uid) {
            return Err(Failure::invalid("add", "must not name the user himself"));
        }
        if let Some(admin) = add.iter().find(|other| other.admin) {
            return Err(Failure::new(Reason::AdminBlacklisted, format!("{} is an admin", admin.username)));
        }
        let told = {
            let (added, removed): (Vec<&User>, Vec<&User>) =
                (add.iter().map(Arc::as_ref).collect(), remove.iter().map(Arc::as_ref).collect());
            let concerned = added.iter().chain(&removed).copied().chain([&*user]);
            SelfEvent::blacklist(&self.apps_of(apps_with(concerned)).await?, &user, &added, &removed)
        };
        let uids = |users: Vec<Arc<User>>| users.iter().map(|user| user.uid).collect::<Vec<_>>();
        let (add, remove) = (uids(add), uids(remove));
        let _lock = self.locks.lock(Key::Relations(user.uid.0), self.settings.handover_deadline).await?;
        let changed = self.store.change_blacklist(user.uid, &add, &remove, self.clock.now_ms(), told).await;
        self.tell_relations(user.uid, [add, remove].concat(), changed.map_err(convert::store)?).await?;
        self.tell([user.uid]).await;
        self.announcer.tell(Subject::User(user.uid), 0);
        Ok(wire::Done {})
    }

    /// Tells the router that pairs changed, and forgets the notes of it up to this number: one of another process may be newer than what
    /// the router read. The caller holds the user's lock.
    pub(crate) async fn tell_relations(&self, uid: Uid, peers: Vec<Uid>, number: u64) -> Result<(), Failure> {
        let request = RelationChangedRequest { uid: uid.0, peer_uids: peers.iter().map(|peer| peer.0).collect() };
        let told = tokio::time::timeout(self.settings.handover_deadline, self.router.relation_changed(request)).await;
        if let Err(failure) = self.handed_over(told) {
            tracing::warn!(%uid, error = %failure, "the router was not told of a blacklist: the outbox goes on");
            return Err(failure);
        }
        self.store.finish_relations(uid, &peers, number).await.map_err(convert::store)
    }

    pub(crate) async fn blacklist(&self, request: wire::GetUserRequest) -> Result<wire::UserList, Failure> {
        let app = self.app(request.app_id).await?;
        let user = self.user_of(&app, &request).await?;
        let users = self.store.blacklist(user.uid).await.map_err(convert::store)?;
        Ok(wire::UserList { users: self.shown(&users).await? })
    }

    pub(crate) async fn pair_rights(&self, request: wire::PairRightsRequest) -> Result<wire::PairRightsReply, Failure> {
        let rights = self.store.pair_rights(Uid(request.a), Uid(request.b)).await.map_err(convert::store)?;
        Ok(wire::PairRightsReply {
            a_blocks_b: rights.a_blocks_b,
            b_blocks_a: rights.b_blocks_a,
            a_exists: rights.a_exists,
            b_exists: rights.b_exists,
        })
    }
}

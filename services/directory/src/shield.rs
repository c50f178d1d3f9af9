//! Shields: groups whose messages a user does not get at all.
//!
//! The router is told how a shield stands, not what changed. Of several processes one may change it while the word of another is still on
//! its way, and that one die before it can see. So the router is told once more when no earlier word can come any longer.

use std::time::Duration;

use mynah_ports::deadline;
use mynah_ports::directory_store::{ShieldNote, Switch, Told};
use mynah_proto::gateway::RefreshRequest;
use mynah_proto::router::HideRequest;
use mynah_proto::{Failure, directory as wire};
use mynah_types::{ConversationKey, Reason, Uid};

use crate::cross::Apps;
use crate::events::SelfEvent;
use crate::locks::Key;
use crate::{Inner, convert};

/// Groups in one list.
const GROUPS: usize = 500;

impl Inner {
    /// All or nothing. Answered once the conversations decide by it and the gateways hear of it.
    pub(crate) async fn change_shield(&self, request: wire::ChangeShieldRequest) -> Result<wire::Done, Failure> {
        let app = self.app(request.app_id).await?;
        let user = self.user_named(app.id, &request.username).await?;
        if request.add.len() > GROUPS || request.remove.len() > GROUPS {
            return Err(Failure::invalid("add", "and remove must name at most 500 groups"));
        }
        self.member_of_all(user.uid, &[(app.id, [&*request.add, &*request.remove].concat())]).await?;
        let up = request.add.iter().map(|gid| (*gid, true));
        let changes: Vec<(u64, bool)> = up.chain(request.remove.iter().map(|gid| (*gid, false))).collect();
        if changes.is_empty() {
            return Err(Failure::invalid("add", "or remove must name at least one group"));
        }
        let _lock = self.locks.lock(Key::Shields(user.uid.0), self.patience()).await?;
        let switches = changes.iter().map(|(gid, up)| (Switch::Shield(*gid), *up)).collect();
        let told = SelfEvent::shields(&Apps::one(&app), &user, &request.add, &request.remove);
        self.store.change_switches(user.uid, switches, told).await.map_err(convert::store)?;
        self.tell([user.uid]).await;
        for (gid, up) in changes {
            self.tell_shield(user.uid, gid, up, None).await?;
        }
        Ok(wire::Done {})
    }

    /// Tells the router and the gateways how a shield stands, and settles the note of it. The caller holds the user's lock.
    /// `again`: the number of the note, if it was told before.
    async fn tell_shield(&self, uid: Uid, gid: u64, up: bool, again: Option<u64>) -> Result<(), Failure> {
        if !deadline::leaves(Duration::ZERO) {
            // He may have turned it since, elsewhere: whoever works off what is left looks how it stands.
            return Err(Failure::new(Reason::Unavailable, "the change is kept, but not applied yet: try again"));
        }
        let request = HideRequest { conv_id: ConversationKey::Group(gid).to_string(), uid: uid.0, hidden: up };
        let told = tokio::time::timeout(self.patience(), self.router.hide(request)).await;
        match self.handed_over(told) {
            Ok(_) => {}
            // He left, or the group is gone: there is nothing to hide any more.
            Err(failure) if matches!(failure.why(), Reason::NotInNamedGroup | Reason::GroupNotFound) => {}
            Err(failure) => {
                tracing::warn!(%uid, gid, error = %failure, "the router was not told of a shield: the outbox goes on");
                return Err(failure);
            }
        }
        let refresh = RefreshRequest { uids: vec![uid.0], ..RefreshRequest::default() };
        let told = tokio::time::timeout(self.patience(), self.gateway.refresh(refresh)).await;
        self.handed_over(told)?;
        let told = match again {
            Some(number) => Told::Again(number),
            None if self.settings.process == 0 => Told::Done,
            None => Told::AgainAt(self.clock.now_ms().saturating_add(self.settings.over_after_ms())),
        };
        self.store.finish_shield(uid, gid, up, told).await.map_err(convert::store)
    }

    /// Tells again of a shield that waits. True: it was told.
    pub(crate) async fn retry_shield(&self, note: ShieldNote) -> bool {
        let ShieldNote { uid, gid, up, number, again } = note;
        let Ok(_lock) = self.locks.lock(Key::Shields(uid.0), self.patience()).await else { return false };
        self.tell_shield(uid, gid, up, again.then_some(number)).await.is_ok()
    }
}

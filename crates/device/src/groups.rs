//! What this gateway knows of its users' groups: read at login, and again when the directory says so.

use mynah_ports::presence;
use mynah_proto::device::{Head, Heads, server_frame};
use mynah_proto::router::HeadsRequest;
use mynah_proto::{Failure, directory};
use mynah_types::{ConversationKey, Reason, Uid};

use crate::codec::Shared;
use crate::devices::Inner;
use crate::outbound::push;

impl Inner {
    /// Subscribes a user who logs in to his groups.
    pub(crate) async fn join_groups(&self, app_id: u64, uid: Uid) -> Result<(), Failure> {
        // One at a time: else what was read first could be put down last.
        let _turn = self.turn(uid.0).await;
        for group in self.groups_of(app_id, uid).await? {
            let key = ConversationKey::Group(group.gid);
            let first = self.hub.join_group(key, uid, group.member_since_version);
            self.hub.shield(key, uid, group.shielded);
            if first {
                let failed = |e: presence::Error| Failure::new(Reason::Unavailable, e.to_string());
                self.align_audience(key).await.map_err(failed)?;
            }
        }
        Ok(())
    }

    /// The same for a user who is here, where changes may have been missed: he leaves the groups that he is in no more.
    pub(crate) async fn read_groups_anew(&self, app_id: u64, uid: Uid) -> Result<(), Failure> {
        let before = self.hub.memberships(uid);
        let now: Vec<_> = self.groups_of(app_id, uid).await?.iter().map(|g| ConversationKey::Group(g.gid)).collect();
        let gone = before.into_iter().filter(|(key, _)| !now.contains(key));
        let ended: Vec<_> = gone.filter(|(key, since)| self.hub.leave_group(*key, uid, *since)).map(|(key, _)| key).collect();
        self.align_audiences(ended).await;
        self.join_groups(app_id, uid).await
    }

    /// A user's shields changed. Where one is down, his devices hear where the group stands: what came meanwhile was not pushed.
    pub(crate) async fn refresh_groups(&self, uid: Uid) -> Result<(), Failure> {
        let _turn = self.turn(uid.0).await;
        let connections = self.hub.connections_of(uid);
        let Some(who) = connections.iter().find_map(|out| out.identity()) else { return Ok(()) };
        let mut lowered = Vec::new();
        for group in self.groups_of(who.app.0, uid).await? {
            let key = ConversationKey::Group(group.gid);
            if self.hub.shield(key, uid, group.shielded) {
                lowered.push(key.to_string());
            }
        }
        if lowered.is_empty() {
            return Ok(());
        }
        let heads = self.deps.router.heads(HeadsRequest { uid: uid.0, conv_ids: lowered, with_last: false }).await?.heads;
        let items = heads.into_iter().map(|head| Head { conv_id: head.conv_id, head_seq: head.head_seq }).collect();
        let frame = Shared::new(push(server_frame::Body::Heads(Heads { items, resync_all: false })));
        connections.iter().for_each(|out| out.push_beside(&frame));
        Ok(())
    }

    async fn groups_of(&self, app_id: u64, uid: Uid) -> Result<Vec<directory::Group>, Failure> {
        let request = directory::GetUserRequest { app_id, uid: uid.0, ..Default::default() };
        Ok(self.deps.directory.groups_of(request).await?.groups)
    }
}

//! A fake of the router's trait.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mynah_proto::router::router_server::Router;
use mynah_proto::{DirectoryClient, device, directory as wire, router};
use parking_lot::Mutex;
use prost::Message as _;
use tokio::sync::watch;
use tonic::{Request, Status};

use super::fake::{Answer, Mode, unexpected};

/// A router that applies changes as the real one does: each version once, in order.
#[derive(Clone, Default)]
pub struct FakeRouter(Arc<RouterState>);

#[derive(Default)]
pub struct RouterState {
    pub mode: Mutex<Mode>,
    /// Changes applied, per conversation.
    pub applied: Mutex<BTreeMap<String, Vec<router::Change>>>,
    pub relations: Mutex<Vec<router::RelationChangedRequest>>,
    /// Events posted, in the order of each feed; a repeat of an id is dropped, as the router does.
    pub posted: Mutex<Vec<(String, router::PostItem)>>,
    /// Single chats in the log, as they are paged.
    pub chats: Mutex<BTreeSet<String>>,
    pub hides: Mutex<Vec<router::HideRequest>>,
    pub calls: Mutex<Vec<String>>,
    /// Asked for the changes while one is applied, as an actor that loads does.
    pub loads_from: Mutex<Option<DirectoryClient>>,
    /// No change is applied before so many conversations are handed over at one time.
    pub together: Mutex<usize>,
    /// Conversations of which a hand-over has come.
    met: watch::Sender<BTreeSet<String>>,
}

impl std::ops::Deref for FakeRouter {
    type Target = RouterState;

    fn deref(&self) -> &RouterState {
        &self.0
    }
}

impl FakeRouter {
    pub fn set(&self, mode: Mode) {
        *self.mode.lock() = mode;
    }

    async fn meet(&self, conv_id: &str) {
        let together = *self.together.lock();
        if together > 0 {
            self.met.send_modify(|met| _ = met.insert(conv_id.into()));
            // The sender is this fake's own.
            _ = self.met.subscribe().wait_for(|met| met.len() >= together).await;
        }
    }

    pub fn versions(&self, conv_id: &str) -> Vec<u64> {
        self.applied.lock().get(conv_id).map(|all| all.iter().map(|c| c.version).collect()).unwrap_or_default()
    }

    /// The members by the changes applied.
    pub fn members(&self, conv_id: &str) -> Vec<u64> {
        let mut members = BTreeSet::new();
        for change in self.applied.lock().get(conv_id).into_iter().flatten() {
            members.extend(change.joined.iter().map(|m| m.uid));
            members.retain(|uid| !change.left.contains(uid) && !change.dissolved);
        }
        members.into_iter().collect()
    }

    /// The events of a user's feed: type, extra, and who is named.
    pub fn feed(&self, uid: u64) -> Vec<(u32, u32, Vec<String>)> {
        let posted = self.posted.lock();
        let of_feed = posted.iter().filter(|(feed, _)| *feed == format!("f.{uid}"));
        of_feed
            .map(|(_, item)| match device::Entry::decode(item.payload.clone()).unwrap().kind {
                Some(device::entry::Kind::Event(e)) => {
                    (e.event_type, e.extra, e.to.into_iter().map(|party| party.username).collect())
                }
                other => panic!("no event: {other:?}"),
            })
            .collect()
    }

    /// The event of one applied version.
    pub fn event(&self, conv_id: &str, version: u64) -> (device::Entry, device::Event) {
        let applied = self.applied.lock();
        let change = applied[conv_id].iter().find(|c| c.version == version).unwrap();
        let entry = device::Entry::decode(change.payload.clone()).unwrap();
        let Some(device::entry::Kind::Event(event)) = entry.kind.clone() else { panic!("no event: {entry:?}") };
        (entry, event)
    }
}

#[tonic::async_trait]
impl Router for FakeRouter {
    async fn apply_change(&self, request: Request<router::ApplyChangeRequest>) -> Answer<router::ApplyChangeReply> {
        let request = request.into_inner();
        self.calls.lock().push(request.conv_id.clone());
        let mode = *self.mode.lock();
        mode.before().await?;
        self.meet(&request.conv_id).await;
        let loads_from = self.loads_from.lock().clone();
        if let Some(directory) = loads_from {
            let conv_id = request.conv_id.clone();
            directory.changes(wire::ChangesRequest { conv_id, after_version: 0 }).await.map_err(Status::from)?;
        }
        let mut applied = self.applied.lock();
        let log = applied.entry(request.conv_id).or_default();
        for change in request.changes {
            let next = log.len() as u64 + 1;
            assert!(change.version <= next, "version {} was handed over before {next}", change.version);
            if change.version == next {
                log.push(change);
            }
        }
        mode.after(router::ApplyChangeReply { applied_version: log.len() as u64 })
    }

    async fn shard_map(&self, _: Request<router::ShardMapRequest>) -> Answer<router::ShardMapReply> {
        Err(Status::unimplemented("not the directory's call"))
    }

    async fn relation_changed(&self, request: Request<router::RelationChangedRequest>) -> Answer<router::RelationChangedReply> {
        let mode = *self.mode.lock();
        mode.before().await?;
        self.relations.lock().push(request.into_inner());
        mode.after(router::RelationChangedReply {})
    }

    async fn post(&self, request: Request<router::PostRequest>) -> Answer<router::PostReply> {
        let mode = *self.mode.lock();
        mode.before().await?;
        let request = request.into_inner();
        let mut posted = self.posted.lock();
        for item in request.items {
            if !posted.iter().any(|(feed, known)| *feed == request.conv_id && known.id == item.id) {
                posted.push((request.conv_id.clone(), item));
            }
        }
        mode.after(router::PostReply {})
    }

    async fn hide(&self, request: Request<router::HideRequest>) -> Answer<router::HideReply> {
        let mode = *self.mode.lock();
        mode.before().await?;
        self.hides.lock().push(request.into_inner());
        mode.after(router::HideReply {})
    }

    async fn send(&self, _: Request<router::SendRequest>) -> Answer<router::SendReply> {
        unexpected()
    }

    async fn retract(&self, _: Request<router::RetractRequest>) -> Answer<router::RetractReply> {
        unexpected()
    }

    async fn read(&self, _: Request<router::ReadRequest>) -> Answer<router::ReadReply> {
        unexpected()
    }

    async fn sync(&self, _: Request<router::SyncRequest>) -> Answer<router::SyncReply> {
        unexpected()
    }

    async fn history(&self, _: Request<router::HistoryRequest>) -> Answer<router::HistoryReply> {
        unexpected()
    }

    async fn heads(&self, _: Request<router::HeadsRequest>) -> Answer<router::HeadsReply> {
        unexpected()
    }

    /// A page holds one, whatever is asked for.
    async fn single_chats(&self, request: Request<router::SingleChatsRequest>) -> Answer<router::SingleChatsReply> {
        let mode = *self.mode.lock();
        mode.before().await?;
        let after = request.into_inner().after_conv_id;
        let mut left: Vec<String> = self.chats.lock().iter().filter(|id| **id > after).cloned().collect();
        let more = left.len() > 1;
        left.truncate(1);
        mode.after(router::SingleChatsReply { conv_ids: left, more })
    }

    async fn room_tail(&self, _: Request<router::RoomTailRequest>) -> Answer<router::RoomTailReply> {
        unexpected()
    }

    async fn locate(&self, _: Request<router::LocateRequest>) -> Answer<router::LocateReply> {
        unexpected()
    }
}

//! The owner of a conversation's shard: each call goes to the router that owns it now, and is made again while that changes.
//!
//! Every call that decides carries ids that make a repetition harmless, so that a call of unknown outcome is made again too: a client
//! sees latency, not an error.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use mynah_proto::router::router_client::RouterClient;
use mynah_proto::router::router_server::Router;
use mynah_proto::router::{
    ApplyChangeReply, ApplyChangeRequest, HeadsReply, HeadsRequest, HideReply, HideRequest, HistoryReply, HistoryRequest,
    LocateReply, LocateRequest, PostReply, PostRequest, ReadReply, ReadRequest, RelationChangedReply, RelationChangedRequest,
    RetractReply, RetractRequest, RoomTailReply, RoomTailRequest, SendReply, SendRequest, ShardMapReply, ShardMapRequest,
    SingleChatsReply, SingleChatsRequest, SyncReply, SyncRequest,
};
use mynah_proto::{Failure, broken, never_sent, traced};
use mynah_types::{ConversationKey, CorrectedClock, Reason, ShardId, Uid};
use parking_lot::RwLock;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use crate::{Channels, Names};

/// Pauses between tries.
const PAUSE: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(100));
/// A map that is younger than this is not asked for again.
const FRESH: Duration = Duration::from_millis(20);
/// How long a router may take to tell its map.
const MAP_WITHIN: Duration = Duration::from_millis(500);

type Answer<T> = Result<Response<T>, Status>;

/// How long calls may take.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// A call, all tries together.
    pub within: Duration,
    /// One try: a router that is stopped or cut off is left then for the one that took over.
    pub one_try: Duration,
    /// How often the map is asked for when nothing goes wrong.
    pub map_every: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self { within: Duration::from_secs(10), one_try: Duration::from_secs(2), map_every: Duration::from_secs(1) }
    }
}

/// Where a call goes.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// To the owner.
    Shard(ShardId),
    /// To any router: it is answered out of the log.
    Any,
}

/// The routers of a deployment as one. Clones share what they know.
#[derive(Clone)]
pub struct Routed(Arc<Inner>);

struct Inner {
    seeds: Names,
    channels: Channels,
    times: Times,
    /// Goes by the time by which entries are stamped.
    clock: Arc<CorrectedClock>,
    map: RwLock<ShardMapReply>,
    /// When the map was read; one reader at a time.
    read_at: Mutex<Option<Instant>>,
    turn: AtomicUsize,
}

impl Routed {
    /// Finds routers by `seeds`, then by what they tell of one another, and has `clock` go by theirs. Must run inside a tokio runtime.
    #[must_use]
    pub fn start(seeds: Names, channels: Channels, times: Times, clock: Arc<CorrectedClock>) -> Self {
        let (map, read_at) = (RwLock::default(), Mutex::default());
        let inner = Arc::new(Inner { seeds, channels, times, clock, map, read_at, turn: Default::default() });
        let watched = Arc::downgrade(&inner);
        tokio::spawn(async move {
            while let Some(inner) = watched.upgrade() {
                inner.read_map(None).await;
                drop(inner);
                tokio::time::sleep(times.map_every).await;
            }
        });
        Self(inner)
    }

    async fn call<Q, R, F>(&self, place: Place, request: Q, make: impl Fn(RouterClient<Channel>, Request<Q>) -> F) -> Answer<R>
    where
        Q: Clone,
        F: Future<Output = Answer<R>>,
    {
        let until = Instant::now() + self.0.times.within;
        let mut pause = PAUSE.0;
        loop {
            let address = self.0.address(place);
            let left = until.saturating_duration_since(Instant::now());
            let status = match address.as_deref().and_then(|address| self.0.channels.to(address)) {
                None => Status::from(Failure::new(Reason::Unavailable, "nobody owns the conversation now: try again")),
                Some(channel) => {
                    let one = left.min(self.0.times.one_try);
                    let mut attempt = traced(request.clone());
                    attempt.set_timeout(one);
                    match tokio::time::timeout(one, make(RouterClient::new(channel), attempt)).await {
                        Ok(Ok(reply)) => return Ok(reply),
                        Ok(Err(status)) => status,
                        Err(_) => Status::from(Failure::new(Reason::Timeout, "the router did not answer in time: try again")),
                    }
                }
            };
            if !again(&status) || left <= pause {
                return Err(status);
            }
            metrics::counter!("mynah_router_calls_repeated_total").increment(1);
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE.1);
            self.0.read_map(address.as_deref()).await;
        }
    }

    async fn by_conversation<Q, R, F>(
        &self,
        conv_id: &str,
        request: Q,
        make: impl Fn(RouterClient<Channel>, Request<Q>) -> F,
    ) -> Answer<R>
    where
        Q: Clone,
        F: Future<Output = Answer<R>>,
    {
        // What is no id is refused alike by every router.
        let place = conv_id.parse::<ConversationKey>().map_or(Place::Any, |key| Place::Shard(key.shard()));
        self.call(place, request, make).await
    }
}

impl Inner {
    fn address(&self, place: Place) -> Option<String> {
        let map = self.map.read();
        match place {
            Place::Shard(shard) => {
                let owner = *map.owners.get(usize::from(shard.0))?;
                let place = usize::try_from(owner).ok()?.checked_sub(1)?;
                map.routers.get(place).map(|router| router.address.clone())
            }
            Place::Any => {
                let turn = self.turn.fetch_add(1, Ordering::Relaxed);
                if map.routers.is_empty() {
                    let seeds = self.seeds.addresses();
                    return seeds.get(turn % seeds.len().max(1)).cloned();
                }
                map.routers.get(turn % map.routers.len()).map(|router| router.address.clone())
            }
        }
    }

    /// Asks one router after another for the map, `last` last, unless somebody did just now.
    async fn read_map(&self, last: Option<&str>) {
        let mut read_at = self.read_at.lock().await;
        if read_at.is_some_and(|at| at.elapsed() < FRESH) {
            return;
        }
        let mut addresses: Vec<String> = self.map.read().routers.iter().map(|router| router.address.clone()).collect();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let len = addresses.len().max(1);
        addresses.rotate_left(turn % len);
        addresses.extend(self.seeds.addresses());
        addresses.sort_by_key(|address| Some(address.as_str()) == last);
        for address in addresses {
            let Some(channel) = self.channels.to(&address) else { continue };
            let mut client = RouterClient::new(channel);
            let asked_ms = self.clock.own_ms();
            let asked = tokio::time::timeout(MAP_WITHIN, client.shard_map(ShardMapRequest {})).await;
            if let Ok(Ok(map)) = asked
                && !map.get_ref().routers.is_empty()
            {
                let map = map.into_inner();
                if map.now_ms > 0 {
                    self.clock.correct(asked_ms, map.now_ms);
                }
                *self.map.write() = map;
                *read_at = Some(Instant::now());
                return;
            }
        }
    }
}

/// Whether a call is made again: it did not come to a decision, or nobody knows.
fn again(status: &Status) -> bool {
    never_sent(status) || broken(status) || matches!(why(status), Reason::NotOwner | Reason::Unavailable | Reason::Timeout)
}

/// Whether nothing was done, for certain.
fn is_certain(status: &Status) -> bool {
    never_sent(status) || !(broken(status) || matches!(why(status), Reason::Unavailable | Reason::Timeout))
}

fn why(status: &Status) -> Reason {
    Failure::from(status.clone()).why()
}

#[async_trait::async_trait]
impl Router for Routed {
    async fn send(&self, request: Request<SendRequest>) -> Answer<SendReply> {
        let request = request.into_inner();
        self.by_conversation(&request.conv_id.clone(), request, |mut c, r| async move { c.send(r).await }).await
    }

    async fn retract(&self, request: Request<RetractRequest>) -> Answer<RetractReply> {
        let request = request.into_inner();
        let is_unknown = AtomicBool::new(false);
        let is_unknown = &is_unknown;
        let make = |mut router: RouterClient<Channel>, request| async move {
            // A try that is given up leaves it so.
            let was = is_unknown.swap(true, Ordering::Relaxed);
            let answer = router.retract(request).await;
            if answer.as_ref().map_or_else(is_certain, |_| true) {
                is_unknown.store(was, Ordering::Relaxed);
            }
            answer
        };
        match self.by_conversation(&request.conv_id.clone(), request, make).await {
            // Only its sender takes a message back: he did, by a try whose answer was lost or from another device.
            Err(status) if is_unknown.load(Ordering::Relaxed) && why(&status) == Reason::RetractedBefore => {
                Ok(Response::new(RetractReply::default()))
            }
            answer => answer,
        }
    }

    async fn read(&self, request: Request<ReadRequest>) -> Answer<ReadReply> {
        let request = request.into_inner();
        self.by_conversation(&request.conv_id.clone(), request, |mut c, r| async move { c.read(r).await }).await
    }

    async fn apply_change(&self, request: Request<ApplyChangeRequest>) -> Answer<ApplyChangeReply> {
        let request = request.into_inner();
        self.by_conversation(&request.conv_id.clone(), request, |mut c, r| async move { c.apply_change(r).await }).await
    }

    async fn post(&self, request: Request<PostRequest>) -> Answer<PostReply> {
        let request = request.into_inner();
        self.by_conversation(&request.conv_id.clone(), request, |mut c, r| async move { c.post(r).await }).await
    }

    async fn hide(&self, request: Request<HideRequest>) -> Answer<HideReply> {
        let request = request.into_inner();
        self.by_conversation(&request.conv_id.clone(), request, |mut c, r| async move { c.hide(r).await }).await
    }

    /// To the owner of each chat: whoever owns it when this returns has heard, or starts its actor later.
    async fn relation_changed(&self, request: Request<RelationChangedRequest>) -> Answer<RelationChangedReply> {
        let RelationChangedRequest { uid, peer_uids } = request.into_inner();
        let told = peer_uids.into_iter().map(|peer| {
            let shard = ConversationKey::single(Uid(uid), Uid(peer)).shard();
            let one = RelationChangedRequest { uid, peer_uids: vec![peer] };
            self.call(Place::Shard(shard), one, |mut c, r| async move { c.relation_changed(r).await })
        });
        for told in futures_util::future::join_all(told).await {
            told?;
        }
        Ok(Response::new(RelationChangedReply {}))
    }

    async fn sync(&self, request: Request<SyncRequest>) -> Answer<SyncReply> {
        self.call(Place::Any, request.into_inner(), |mut c, r| async move { c.sync(r).await }).await
    }

    async fn history(&self, request: Request<HistoryRequest>) -> Answer<HistoryReply> {
        self.call(Place::Any, request.into_inner(), |mut c, r| async move { c.history(r).await }).await
    }

    async fn heads(&self, request: Request<HeadsRequest>) -> Answer<HeadsReply> {
        self.call(Place::Any, request.into_inner(), |mut c, r| async move { c.heads(r).await }).await
    }

    async fn single_chats(&self, request: Request<SingleChatsRequest>) -> Answer<SingleChatsReply> {
        self.call(Place::Any, request.into_inner(), |mut c, r| async move { c.single_chats(r).await }).await
    }

    async fn room_tail(&self, request: Request<RoomTailRequest>) -> Answer<RoomTailReply> {
        self.call(Place::Any, request.into_inner(), |mut c, r| async move { c.room_tail(r).await }).await
    }

    async fn locate(&self, request: Request<LocateRequest>) -> Answer<LocateReply> {
        self.call(Place::Any, request.into_inner(), |mut c, r| async move { c.locate(r).await }).await
    }

    async fn shard_map(&self, _: Request<ShardMapRequest>) -> Answer<ShardMapReply> {
        self.0.read_map(None).await;
        Ok(Response::new(self.0.map.read().clone()))
    }
}

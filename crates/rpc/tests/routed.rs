//! A call whose answer is lost is made again as it was: with the same ids it takes effect once.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use mynah_proto::Failure;
use mynah_proto::router::router_server::{Router, RouterServer};
use mynah_proto::router::{
    ApplyChangeReply, ApplyChangeRequest, HeadsReply, HeadsRequest, HideReply, HideRequest, HistoryReply, HistoryRequest,
    LocateReply, LocateRequest, PostReply, PostRequest, ReadReply, ReadRequest, RelationChangedReply, RelationChangedRequest,
    RetractReply, RetractRequest, RoomTailReply, RoomTailRequest, RouterInfo, SendItem, SendReply, SendRequest, SendResult,
    ShardMapReply, ShardMapRequest, SingleChatsReply, SingleChatsRequest, SyncReply, SyncRequest,
};
use mynah_rpc::{Channels, Names, Routed, Times};
use mynah_types::{Clock as _, CorrectedClock, ManualClock, Reason};
use parking_lot::Mutex;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

type Answer<T> = Result<Response<T>, Status>;

/// Owns everything. It takes each send, and its first answers are lost.
#[derive(Clone)]
struct Forgetful {
    address: Arc<OnceLock<String>>,
    taken: Arc<Mutex<Vec<SendRequest>>>,
    loses: usize,
    /// What retractions are answered, one after another; then they are done.
    retractions: Arc<Mutex<VecDeque<Status>>>,
}

macro_rules! not_asked {
    ($($name:ident: $request:ty => $reply:ty),* $(,)?) => {
        #[async_trait::async_trait]
        impl Router for Forgetful {
            async fn send(&self, request: Request<SendRequest>) -> Answer<SendReply> {
                let mut taken = self.taken.lock();
                taken.push(request.into_inner());
                if taken.len() <= self.loses {
                    return Err(Status::unavailable("the connection broke"));
                }
                Ok(Response::new(SendReply { results: vec![SendResult { seq: 1, duplicate: true, ..SendResult::default() }] }))
            }

            async fn retract(&self, _: Request<RetractRequest>) -> Answer<RetractReply> {
                let refused = self.retractions.lock().pop_front();
                refused.map_or_else(|| Ok(Response::new(RetractReply { seq: 2 })), Err)
            }

            async fn shard_map(&self, _: Request<ShardMapRequest>) -> Answer<ShardMapReply> {
                let router = RouterInfo { id: 1, address: self.address.get().cloned().unwrap_or_default() };
                Ok(Response::new(ShardMapReply { routers: vec![router], owners: vec![1; 256], now_ms: 5_000_000 }))
            }

            $(async fn $name(&self, _: Request<$request>) -> Answer<$reply> {
                Err(Status::unimplemented("nobody asks for this here"))
            })*
        }
    };
}

not_asked! {
    read: ReadRequest => ReadReply,
    apply_change: ApplyChangeRequest => ApplyChangeReply,
    post: PostRequest => PostReply,
    hide: HideRequest => HideReply,
    relation_changed: RelationChangedRequest => RelationChangedReply,
    sync: SyncRequest => SyncReply,
    history: HistoryRequest => HistoryReply,
    heads: HeadsRequest => HeadsReply,
    single_chats: SingleChatsRequest => SingleChatsReply,
    room_tail: RoomTailRequest => RoomTailReply,
    locate: LocateRequest => LocateReply,
}

/// A router that loses so many answers, and the way to it.
async fn forgetful(loses: usize) -> (Forgetful, Routed, Arc<CorrectedClock>) {
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let router = Forgetful { address: Arc::default(), taken: Arc::default(), loses, retractions: Arc::default() };
    let address = incoming.local_addr().unwrap().to_string();
    router.address.set(address.clone()).unwrap();
    tokio::spawn(Server::builder().add_service(RouterServer::new(router.clone())).serve_with_incoming(incoming));
    let clock = Arc::new(CorrectedClock::new(Arc::new(ManualClock::at(1_000_000))));
    let names = Names::watch(vec![address]);
    let routed = Routed::start(names, Channels::new(None).unwrap(), Times::default(), Arc::clone(&clock));
    (router, routed, clock)
}

#[tokio::test]
async fn a_send_whose_answer_is_lost_is_made_again_with_its_own_ids() {
    let (router, routed, clock) = forgetful(2).await;
    let items = vec![SendItem { cmid: "made-once".into(), payload: b"hello".to_vec().into(), ..SendItem::default() }];
    let request = SendRequest { conv_id: "s.1.2".into(), sender_uid: 1, items, ..SendRequest::default() };
    let reply = routed.send(Request::new(request.clone())).await.unwrap().into_inner();
    assert_eq!(reply.results.first().map(|result| (result.seq, result.duplicate)), Some((1, true)));
    assert_eq!(*router.taken.lock(), [request.clone(), request.clone(), request]);
    assert_eq!(clock.now_ms(), 5_000_000, "it goes by the routers' time");
}

#[tokio::test]
async fn a_retraction_whose_answer_is_lost_was_made_and_a_second_one_is_refused() {
    let lost = || Status::unavailable("the connection broke");
    let refused = |reason| Status::from(Failure::new(reason, "refused"));
    let before = || refused(Reason::RetractedBefore);
    for (answers, expected) in [
        (vec![], Ok(2)),
        (vec![lost()], Ok(2)),
        (vec![lost(), before()], Ok(0)),
        (vec![lost(), refused(Reason::NotOwner), before()], Ok(0)),
        (vec![before()], Err(Reason::RetractedBefore)),
        // The first try certainly did nothing: it was somebody else's.
        (vec![refused(Reason::NotOwner), before()], Err(Reason::RetractedBefore)),
    ] {
        let (router, routed, _) = forgetful(0).await;
        *router.retractions.lock() = answers.into();
        let request = RetractRequest { conv_id: "s.1.2".into(), actor_uid: 1, msg_id: 5, ..RetractRequest::default() };
        let answer = routed.retract(Request::new(request)).await;
        assert_eq!(answer.map(|reply| reply.into_inner().seq).map_err(|status| Failure::from(status).why()), expected);
    }
}

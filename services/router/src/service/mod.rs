//! The `Router` service: each call checks, asks the actor or the log, and answers.

mod heads;
mod pages;
mod write;

use mynah_proto::Failure;
use mynah_proto::router::router_server::Router as RouterService;
use mynah_proto::router::{
    ApplyChangeReply, ApplyChangeRequest, HeadsReply, HeadsRequest, HideReply, HideRequest, HistoryReply, HistoryRequest,
    LocateReply, LocateRequest, PostReply, PostRequest, ReadReply, ReadRequest, RelationChangedReply, RelationChangedRequest,
    RetractReply, RetractRequest, RoomTailReply, RoomTailRequest, SendReply, SendRequest, ShardMapReply, ShardMapRequest,
    SingleChatsReply, SingleChatsRequest, SyncReply, SyncRequest,
};
use mynah_types::Reason;
use tonic::{Request, Response, Status};

use crate::start::Router;

type Answer<T> = Result<Response<T>, Status>;

fn wrap<T>(result: Result<T, Failure>) -> Answer<T> {
    result.map(Response::new).map_err(Status::from)
}

/// The log cannot be read now.
fn unreadable(error: mynah_ports::message_log::Error) -> Failure {
    metrics::counter!("mynah_router_engine_failures_total", "engine" => "log").increment(1);
    tracing::warn!(%error, "the log does not answer");
    Failure::new(Reason::Unavailable, "the message log does not answer: try again")
}

#[async_trait::async_trait]
impl RouterService for Router {
    async fn send(&self, request: Request<SendRequest>) -> Answer<SendReply> {
        wrap(write::send(self, request.into_inner()).await)
    }

    async fn retract(&self, request: Request<RetractRequest>) -> Answer<RetractReply> {
        wrap(write::retract(self, request.into_inner()).await)
    }

    async fn read(&self, request: Request<ReadRequest>) -> Answer<ReadReply> {
        wrap(write::read(self, request.into_inner()).await)
    }

    async fn sync(&self, request: Request<SyncRequest>) -> Answer<SyncReply> {
        wrap(pages::sync(self, request.into_inner()).await)
    }

    async fn history(&self, request: Request<HistoryRequest>) -> Answer<HistoryReply> {
        wrap(pages::history(self, request.into_inner()).await)
    }

    async fn heads(&self, request: Request<HeadsRequest>) -> Answer<HeadsReply> {
        wrap(heads::heads(self, request.into_inner()).await)
    }

    async fn single_chats(&self, request: Request<SingleChatsRequest>) -> Answer<SingleChatsReply> {
        wrap(heads::single_chats(self, request.into_inner()).await)
    }

    async fn room_tail(&self, request: Request<RoomTailRequest>) -> Answer<RoomTailReply> {
        wrap(pages::room_tail(self, request.into_inner()).await)
    }

    async fn locate(&self, request: Request<LocateRequest>) -> Answer<LocateReply> {
        wrap(heads::locate(self, request.into_inner()).await)
    }

    async fn apply_change(&self, request: Request<ApplyChangeRequest>) -> Answer<ApplyChangeReply> {
        wrap(write::apply_change(self, request.into_inner()).await)
    }

    async fn post(&self, request: Request<PostRequest>) -> Answer<PostReply> {
        wrap(write::post(self, request.into_inner()).await)
    }

    async fn hide(&self, request: Request<HideRequest>) -> Answer<HideReply> {
        wrap(write::hide(self, request.into_inner()).await)
    }

    async fn shard_map(&self, _: Request<ShardMapRequest>) -> Answer<ShardMapReply> {
        let clock = &self.shared.clock;
        let now_ms = if clock.is_certain() { clock.now_ms() } else { 0 };
        Ok(Response::new(ShardMapReply { now_ms, ..self.shared.shards.map() }))
    }

    async fn relation_changed(&self, request: Request<RelationChangedRequest>) -> Answer<RelationChangedReply> {
        wrap(write::relation_changed(self, request.into_inner()).await)
    }
}

//! Calls that an actor decides.

use std::time::Instant;

use mynah_domain::conversation::{Answer, Command, HideCommand, ReadCommand, RetractCommand, SendCommand};
use mynah_proto::Failure;
use mynah_proto::gateway::ReadChangedRequest;
use mynah_proto::router::{
    ApplyChangeReply, ApplyChangeRequest, HideReply, HideRequest, PostReply, PostRequest, ReadReply, ReadRequest,
    RelationChangedReply, RelationChangedRequest, RetractReply, RetractRequest, SendReply, SendRequest, SendResult,
};
use mynah_types::{ConversationKey, MsgId, Reason, Uid};

use super::heads;
use crate::convert;
use crate::start::Router;

/// Messages of one call: as many as a connection may have in flight.
const MOST_ITEMS: usize = 64;

async fn decide(router: &Router, key: ConversationKey, command: Command) -> Result<Answer, Failure> {
    router.registry.submit(key, command).await.map_err(|reason| failure(router, reason.into()))
}

fn failure(router: &Router, refusal: mynah_domain::conversation::Refusal) -> Failure {
    let failure = convert::failure(refusal);
    if refusal.reason.is_retryable() {
        let wait = router.shared.settings.retry_after.as_millis();
        return failure.retry_after(u32::try_from(wait).unwrap_or(u32::MAX));
    }
    failure
}

/// The actor answered in another command's form: a bug.
fn mixed_up() -> Failure {
    Failure::new(Reason::Internal, "the conversation gave an answer of another kind")
}

pub(super) async fn send(router: &Router, request: SendRequest) -> Result<SendReply, Failure> {
    let key = convert::key(&request.conv_id)?;
    if request.items.is_empty() || request.items.len() > MOST_ITEMS {
        return Err(Failure::invalid("items", "must be 1 to 64"));
    }
    if request.sender_uid == 0 {
        return Err(Failure::invalid("sender_uid", "is missing"));
    }
    let items = request.items.into_iter().map(convert::send_item).collect::<Result<Vec<_>, _>>()?;
    let command = Command::Send(SendCommand {
        sender: Uid(request.sender_uid),
        privileged: request.privileged,
        in_room: request.in_room,
        origin_conn: request.origin_conn,
        items,
    });
    let began = Instant::now();
    let Answer::Sent(results) = decide(router, key, command).await? else { return Err(mixed_up()) };
    metrics::histogram!("mynah_router_send_seconds").record(began.elapsed().as_secs_f64());
    // The owner is asked anew for all of them: those that it has are answered as they were.
    if results.iter().any(|result| matches!(result, Err(refusal) if refusal.reason == Reason::NotOwner)) {
        return Err(failure(router, Reason::NotOwner.into()));
    }
    let results = results
        .into_iter()
        .map(|result| match result {
            Ok(sent) => SendResult {
                msg_id: sent.msg_id.0,
                seq: sent.seq,
                ctime_ms: sent.ctime,
                duplicate: sent.duplicate,
                failure: None,
            },
            Err(refusal) => SendResult { failure: Some(failure(router, refusal)), ..SendResult::default() },
        })
        .collect();
    Ok(SendReply { results })
}

pub(super) async fn retract(router: &Router, request: RetractRequest) -> Result<RetractReply, Failure> {
    let key = convert::key(&request.conv_id)?;
    let command = Command::Retract(RetractCommand {
        actor: Uid(request.actor_uid),
        msg_id: MsgId(request.msg_id),
        payload: request.payload,
        origin_conn: request.origin_conn,
        privileged: request.privileged,
    });
    match decide(router, key, command).await? {
        Answer::Retracted(Ok(seq)) => Ok(RetractReply { seq }),
        Answer::Retracted(Err(refusal)) => Err(failure(router, refusal)),
        _ => Err(mixed_up()),
    }
}

pub(super) async fn read(router: &Router, request: ReadRequest) -> Result<ReadReply, Failure> {
    let key = convert::key(&request.conv_id)?;
    let command = Command::Read(ReadCommand { uid: Uid(request.uid), read_seq: request.read_seq });
    let done = match decide(router, key, command).await? {
        Answer::Read(Ok(done)) => done,
        Answer::Read(Err(refusal)) => return Err(failure(router, refusal)),
        _ => return Err(mixed_up()),
    };
    let unread = heads::head(router, Uid(request.uid), key, false).await?.map_or(0, |head| head.unread);
    if done.moved {
        let told = ReadChangedRequest {
            uid: request.uid,
            conv_id: request.conv_id,
            read_seq: done.read_seq,
            unread,
            origin_conn: request.origin_conn,
        };
        router.shared.delivery.read_changed(told).await;
    }
    Ok(ReadReply { read_seq: done.read_seq, unread })
}

pub(super) async fn apply_change(router: &Router, request: ApplyChangeRequest) -> Result<ApplyChangeReply, Failure> {
    let key = convert::key(&request.conv_id)?;
    let changes = request.changes.into_iter().map(convert::change).collect();
    match decide(router, key, Command::Apply(changes)).await? {
        Answer::Applied(Ok(applied_version)) => Ok(ApplyChangeReply { applied_version }),
        Answer::Applied(Err(refusal)) => Err(failure(router, refusal)),
        _ => Err(mixed_up()),
    }
}

pub(super) async fn post(router: &Router, request: PostRequest) -> Result<PostReply, Failure> {
    let key = convert::key(&request.conv_id)?;
    if request.items.is_empty() || request.items.len() > MOST_ITEMS {
        return Err(Failure::invalid("items", "must be 1 to 64"));
    }
    let items = request.items.into_iter().map(convert::post_item).collect::<Result<Vec<_>, _>>()?;
    match decide(router, key, Command::Post(items)).await? {
        Answer::Posted(Ok(())) => Ok(PostReply {}),
        Answer::Posted(Err(refusal)) => Err(failure(router, refusal)),
        _ => Err(mixed_up()),
    }
}

pub(super) async fn hide(router: &Router, request: HideRequest) -> Result<HideReply, Failure> {
    let key = convert::key(&request.conv_id)?;
    let command = Command::Hide(HideCommand { uid: Uid(request.uid), hidden: request.hidden });
    match decide(router, key, command).await? {
        Answer::Hidden(Ok(())) => Ok(HideReply {}),
        Answer::Hidden(Err(refusal)) => Err(failure(router, refusal)),
        _ => Err(mixed_up()),
    }
}

/// Chats without an actor need no word: the next one that starts reads the relations. What is confirmed here is forgotten by the directory,
/// so that only the owner may confirm it.
pub(super) async fn relation_changed(router: &Router, request: RelationChangedRequest) -> Result<RelationChangedReply, Failure> {
    for peer in request.peer_uids {
        let key = ConversationKey::single(Uid(request.uid), Uid(peer));
        if router.registry.is_live(key).map_err(|reason| failure(router, reason.into()))? {
            match decide(router, key, Command::RightsChanged).await? {
                Answer::Noted(Ok(())) => {}
                Answer::Noted(Err(refusal)) => return Err(failure(router, refusal)),
                _ => return Err(mixed_up()),
            }
        }
    }
    Ok(RelationChangedReply {})
}

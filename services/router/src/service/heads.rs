//! Where conversations stand for one viewer.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use mynah_domain::visibility::{self, View};
use mynah_ports::message_log::{Logged, Span};
use mynah_proto::Failure;
use mynah_proto::router::{HeadInfo, HeadsReply, HeadsRequest, LocateReply, LocateRequest, SingleChatsReply, SingleChatsRequest};
use mynah_types::{ConversationKey, ConversationKind, Hidden, Membership, MsgId, Reason, Seq, Tail, Uid};

use super::unreadable;
use crate::start::Router;
use crate::{convert, retention};

/// Conversations of one call.
const MOST: usize = 500;
/// Those of them that are read at one time.
const AT_ONCE: usize = 8;

pub(super) async fn heads(router: &Router, request: HeadsRequest) -> Result<HeadsReply, Failure> {
    if request.conv_ids.len() > MOST {
        return Err(Failure::invalid("conv_ids", "at most 500"));
    }
    // Ids that name nothing are left out, as those of others are.
    let keys: Vec<ConversationKey> = request.conv_ids.iter().filter_map(|id| id.parse().ok()).collect();
    let tails = router.shared.log.heads(&keys).await.map_err(unreadable)?;
    let uid = Uid(request.uid);
    let head = async |(key, tail): (ConversationKey, Tail)| of_tail(router, uid, key, &tail, request.with_last).await;
    // Each takes several reads, one after the other: of several conversations they go together.
    let heads: Vec<_> = stream::iter(keys.into_iter().zip(tails)).map(head).buffered(AT_ONCE).try_collect().await?;
    Ok(HeadsReply { heads: heads.into_iter().flatten().collect(), log_epoch: router.shared.log.log_epoch() })
}

/// One head; none if the viewer may not see the conversation.
pub(super) async fn head(router: &Router, uid: Uid, key: ConversationKey, with_last: bool) -> Result<Option<HeadInfo>, Failure> {
    let tails = router.shared.log.heads(&[key]).await.map_err(unreadable)?;
    match tails.first() {
        Some(tail) => of_tail(router, uid, key, tail, with_last).await,
        None => Ok(None),
    }
}

/// The viewer's membership row, where the kind of conversation has them.
pub(super) async fn member(router: &Router, key: ConversationKey, uid: Uid) -> Result<Option<Membership>, Failure> {
    match key.kind() {
        ConversationKind::Group | ConversationKind::Room => router.shared.log.member(key, uid).await.map_err(unreadable),
        ConversationKind::Single | ConversationKind::Feed => Ok(None),
    }
}

/// What the viewer does not want to see: groups only.
pub(super) async fn hidden(router: &Router, key: ConversationKey, uid: Uid) -> Result<Vec<Hidden>, Failure> {
    match key.kind() {
        ConversationKind::Group => router.shared.log.hidden(key, uid).await.map_err(unreadable),
        ConversationKind::Single | ConversationKind::Feed | ConversationKind::Room => Ok(Vec::new()),
    }
}

/// The first entry that is kept: feeds forget.
pub(super) async fn kept(router: &Router, key: ConversationKey, tail: Option<&Tail>) -> Result<Seq, Failure> {
    match (key.kind(), tail) {
        (ConversationKind::Feed, Some(tail)) => retention::floor(&router.shared, key, tail).await.map_err(unreadable),
        _ => Ok(1),
    }
}

async fn of_tail(
    router: &Router,
    uid: Uid,
    key: ConversationKey,
    tail: &Tail,
    with_last: bool,
) -> Result<Option<HeadInfo>, Failure> {
    let member = member(router, key, uid).await?;
    let Some(view) = visibility::view(key, uid, tail.head_seq, member.as_ref()) else { return Ok(None) };
    let view = View { from: view.from.max(kept(router, key, Some(tail)).await?), ..view };
    let hidden = hidden(router, key, uid).await?;
    let position = router.shared.log.position(key, uid).await.map_err(unreadable)?;
    let floor = visibility::read_floor(view, &position);
    let last = if with_last || view.to != tail.head_seq { entry(router, key, view.to).await? } else { None };
    let head_ms = if view.to == tail.head_seq { tail.head_ctime } else { last.as_ref().map_or(0, |l| l.entry.ctime) };
    let mentioned = position.at_me_seq.max(tail.meta.at_all_seq);
    Ok(Some(HeadInfo {
        conv_id: key.to_string(),
        head_seq: view.to,
        head_ms,
        min_seq: view.from,
        read_seq: position.read_seq.max(position.own_seq),
        unread: unread(router, key, &visibility::unread_stretches(&hidden, view, floor), tail).await?,
        at_me_seq: if mentioned > floor && mentioned <= view.to && !visibility::hides(&hidden, view, mentioned) {
            mentioned
        } else {
            0
        },
        last: last.filter(|_| with_last).map(|logged| convert::log_entry(key, logged)),
    }))
}

/// Sums at the ends of what counts, less the sums where it begins, less what was taken back in between.
async fn unread(router: &Router, key: ConversationKey, stretches: &[(Seq, Seq)], tail: &Tail) -> Result<u64, Failure> {
    let mut unread = 0;
    for (above, to) in stretches {
        let at = async |seq: Seq| match seq == tail.head_seq {
            true => Ok(tail.cum_unread),
            false => entry(router, key, seq).await.map(|logged| logged.map_or(0, |l| l.entry.cum_unread)),
        };
        let (start, end) = (at(*above).await?, at(*to).await?);
        let taken_back = router.shared.log.retracted_unread(key, *above, *to).await.map_err(unreadable)?;
        unread += end.saturating_sub(start).saturating_sub(taken_back);
    }
    Ok(unread)
}

pub(super) async fn entry(router: &Router, key: ConversationKey, seq: Seq) -> Result<Option<Logged>, Failure> {
    if seq == 0 {
        return Ok(None);
    }
    let span = Span { from: seq, to: seq, limit: 1, max_bytes: usize::MAX, newest: false };
    Ok(router.shared.log.entries(key, span).await.map_err(unreadable)?.into_iter().next())
}

pub(super) async fn single_chats(router: &Router, request: SingleChatsRequest) -> Result<SingleChatsReply, Failure> {
    let after = match request.after_conv_id.as_str() {
        "" => None,
        text => Some(convert::key(text)?),
    };
    let limit = usize::try_from(request.limit).unwrap_or(MOST).clamp(1, MOST);
    let mut keys = router.shared.log.single_chats(Uid(request.uid), after, limit + 1).await.map_err(unreadable)?;
    let more = keys.len() > limit;
    keys.truncate(limit);
    Ok(SingleChatsReply { conv_ids: keys.iter().map(ToString::to_string).collect(), more })
}

pub(super) async fn locate(router: &Router, request: LocateRequest) -> Result<LocateReply, Failure> {
    let missing = || Failure::new(Reason::RetractNotFound, "request message not exist");
    let location = router.shared.log.find_message(MsgId(request.msg_id)).await.map_err(unreadable)?.ok_or_else(missing)?;
    let logged = entry(router, location.key, location.seq).await?.ok_or_else(missing)?;
    if !matches!(logged.entry.kind, mynah_types::EntryKind::Message { .. }) {
        return Err(missing());
    }
    Ok(LocateReply {
        conv_id: location.key.to_string(),
        seq: location.seq,
        sender_uid: logged.entry.sender.0,
        ctime_ms: logged.entry.ctime,
        retracted: logged.retracted,
    })
}

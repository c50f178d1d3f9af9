//! Message history: by time, page after page with a cursor; and the older form by start and count.

use mynah_proto::Failure;
use mynah_proto::directory::{GetRoomsRequest, GetUserRequest, GroupRequest};
use mynah_proto::json::report_message;
use mynah_proto::report::{HistoryReply, HistoryRequest};
use mynah_types::{ConversationKey, Reason};
use serde_json::{Value, json};

use super::call::{Answer, Call, Outcome};
use super::cursor::Cursor;
use super::moments;
use super::refusal::Refusal;

/// Most messages of a page.
const MOST: u32 = 1000;
/// The longest stretch that may be asked for.
const SPAN_MS: u64 = 7 * 24 * 60 * 60 * 1000;
/// How far back history goes.
const KEPT_MS: u64 = 60 * 24 * 60 * 60 * 1000;

pub(crate) async fn of_app(call: Call) -> Outcome {
    let whose = whose_app(&call);
    pages(&call, whose).await
}

pub(crate) async fn of_user(call: Call) -> Outcome {
    let whose = whose_user(&call).await?;
    pages(&call, whose).await
}

pub(crate) async fn of_group(call: Call) -> Outcome {
    let gid = call.number(0, "gid")?;
    let group = call.directory().get_group(GroupRequest { app_id: call.app.app_id, gid, member_uid: 0 }).await?;
    pages(&call, conversation(ConversationKey::Group(group.gid))).await
}

pub(crate) async fn of_room(call: Call) -> Outcome {
    let room_ids = vec![call.number(0, "room_id")?];
    let request = GetRoomsRequest { app_id: call.app.app_id, room_ids, strict: true, member_uid: 0 };
    let room = call.directory().get_rooms(request).await?.rooms.into_iter().next();
    let room = room.ok_or_else(|| Failure::new(Reason::RoomNotFound, "room id no exist"))?;
    pages(&call, conversation(ConversationKey::Room(room.room_id))).await
}

pub(crate) async fn of_app_v1(call: Call) -> Outcome {
    let whose = whose_app(&call);
    by_start(&call, whose).await
}

pub(crate) async fn of_user_v1(call: Call) -> Outcome {
    let whose = whose_user(&call).await?;
    by_start(&call, whose).await
}

fn whose_app(call: &Call) -> HistoryRequest {
    HistoryRequest { appkey: call.app.appkey.clone(), ..HistoryRequest::default() }
}

async fn whose_user(call: &Call) -> Result<HistoryRequest, Refusal> {
    let request = GetUserRequest { app_id: call.app.app_id, username: call.username()?, uid: 0 };
    let user = call.directory().get_user(request).await?;
    Ok(HistoryRequest { uid: user.uid, ..HistoryRequest::default() })
}

fn conversation(key: ConversationKey) -> HistoryRequest {
    HistoryRequest { conv_id: key.to_string(), ..HistoryRequest::default() }
}

/// The first page by time, or the one that a cursor names.
async fn pages(call: &Call, whose: HistoryRequest) -> Outcome {
    let now = call.gateway.deps.clock.now_ms();
    let list = format!("{} {} {}", whose.appkey, whose.uid, whose.conv_id);
    let cursor = match call.query.text("cursor") {
        Some(text) => {
            let why = || Refusal::invalid("cursor", "is not one of this list, or is older than 120 seconds");
            Cursor::read(text, &list, now).filter(|c| c.to_ms.saturating_sub(c.from_ms) <= SPAN_MS).ok_or_else(why)?
        }
        None => first(call)?,
    };
    let request = HistoryRequest {
        from_ms: cursor.from_ms.max(now.saturating_sub(KEPT_MS)),
        to_ms: cursor.to_ms,
        after_ms: cursor.after_ms,
        after_id: cursor.after_id,
        limit: cursor.count,
        with_total: cursor.after_ms == 0,
        settled: true,
        ..whose
    };
    let page = call.gateway.deps.report.history(request).await?;
    let total = if cursor.after_ms == 0 { page.total } else { cursor.total };
    let mut body = json!({"total": total, "count": page.messages.len(), "messages": shown(&page)});
    if let (true, Some(last), Some(members)) = (page.more, page.messages.last(), body.as_object_mut()) {
        let next = Cursor { total, after_ms: last.ctime_ms, after_id: last.msg_id, ..cursor };
        members.insert("cursor".into(), next.write(&list, now).into());
    }
    Answer::ok(body)
}

fn first(call: &Call) -> Result<Cursor, Refusal> {
    let count = call.query.text("count").ok_or_else(|| Refusal::invalid("count", "is missing"))?;
    let count = count.parse().ok().filter(|count| (1..=MOST).contains(count));
    let count = count.ok_or_else(|| Refusal::invalid("count", "must be an integer from 1 to 1000"))?;
    let missing = |name| Refusal::invalid(name, "is missing");
    let from_ms = time(call, "begin_time")?.ok_or_else(|| missing("begin_time"))?;
    // The whole of the last second belongs to it.
    let to_ms = time(call, "end_time")?.ok_or_else(|| missing("end_time"))? + 999;
    if from_ms > to_ms || to_ms - from_ms > SPAN_MS + 999 {
        return Err(Refusal::invalid("end_time", "must be at most 7 days after begin_time, and not before it"));
    }
    Ok(Cursor { from_ms, to_ms: to_ms.min(from_ms + SPAN_MS), count, total: 0, after_ms: 0, after_id: 0 })
}

fn time(call: &Call, name: &str) -> Result<Option<u64>, Refusal> {
    let Some(text) = call.query.text(name) else { return Ok(None) };
    let time = moments::moment(text, call.zone());
    time.map(Some).ok_or_else(|| Refusal::invalid(name, "must be a time as yyyy-MM-dd HH:mm:ss"))
}

async fn by_start(call: &Call, whose: HistoryRequest) -> Outcome {
    let page = call.query.page(MOST)?;
    let now = call.gateway.deps.clock.now_ms();
    let from_ms = time(call, "begin_time")?.unwrap_or(0).max(now.saturating_sub(KEPT_MS));
    let to_ms = time(call, "end_time")?.map_or(now, |to| to + 999);
    let request = HistoryRequest { from_ms, to_ms, skip: page.start, limit: page.count, with_total: true, ..whose };
    let found = call.gateway.deps.report.history(request).await?;
    let count = found.messages.len();
    Answer::ok(json!({"total": found.total, "start": page.start, "count": count, "messages": shown(&found)}))
}

fn shown(page: &HistoryReply) -> Vec<Value> {
    page.messages.iter().filter_map(report_message).collect()
}

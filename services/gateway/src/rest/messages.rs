//! Sending.

use std::time::{Duration, Instant};

use mynah_proto::device::{Entry, Message, Notification, Party, Target, entry};
use mynah_proto::directory::{CrossAppRequest, GetRoomsRequest, GetUserRequest, GroupRequest, User};
use mynah_proto::router::{SendItem, SendRequest, SendResult};
use mynah_proto::{Failure, content_hash};
use mynah_types::{ConversationKey, Reason, Uid, Username};
use prost::Message as _;
use serde_json::json;

use super::call::{self, Answer, Call, Outcome};
use super::content::{self, Content};
use super::lenient::Fields;
use super::refusal::Refusal;

/// Longest display name, in bytes.
const DISPLAY_NAME: usize = 256;
/// Largest title or alert of a notification, in bytes (our choice: none is documented).
const NOTIFICATION: usize = 1024;
/// The pause between two tries, if the router names none.
const PAUSE: Duration = Duration::from_millis(50);

/// A message as a body gives it.
struct Wanted {
    target: Target,
    from_id: String,
    from_name: String,
    by_admin: bool,
    content: Content,
    no_offline: bool,
    no_notification: bool,
    notification: Option<Notification>,
}

pub(crate) async fn send(call: Call) -> Outcome {
    let began = Instant::now();
    let body = call.json()?;
    let wanted = read(&call, Fields::of("body", &body)?)?;
    let target_app = target_app(&call, &wanted.target.appkey).await?;
    let sender = sender(&call, &wanted).await?;
    call.gateway.quotas.message(call.app.app_id, sender.uid, call.gateway.deps.clock.now_ms())?;
    let key = destination(&call, target_app, &wanted, &sender).await?;
    let words = &call.gateway.deps.words;
    let word = words.find(call.app.app_id, &wanted.content.msg_type, &wanted.content.raw).await?;
    let (privileged, item) = (wanted.by_admin, item(key, wanted, &sender, cmid(&call)?));
    let item = SendItem { sensitive: word.is_some(), ..item };
    let request = SendRequest {
        conv_id: key.to_string(),
        sender_uid: sender.uid,
        privileged,
        in_room: false,
        items: vec![item],
        origin_conn: 0,
    };
    let sent = hand_over(&call, request).await.map_err(|failure| match failure.why() {
        // The target went away meanwhile: it is named by the body.
        Reason::UserNotFound => Refusal::no_named_user("target_id"),
        Reason::SensitiveWord => mynah_words::refusal(word.as_deref()).into(),
        _ => Refusal::from(failure),
    })?;
    metrics::histogram!("mynah_gateway_ack_seconds", "edge" => "rest").record(began.elapsed().as_secs_f64());
    Answer::created(json!({"msg_id": sent.msg_id, "msg_ctime": sent.ctime_ms}))
}

fn read(call: &Call, fields: Fields<'_>) -> Result<Wanted, Refusal> {
    if fields.integer("version")? != Some(1) {
        return Err(Refusal::invalid("version", "must be 1"));
    }
    let r#type = fields.required("target_type")?.to_owned();
    if !["single", "group", "chatroom"].contains(&r#type.as_str()) {
        return Err(Refusal::invalid("target_type", "must be single, group or chatroom"));
    }
    let id = fields.id("target_id")?;
    if r#type == "single" {
        Username::parse(&id).map_err(|e| Refusal::invalid("target_id", e.why))?;
    } else {
        call::number("target_id", &id)?;
    }
    let by_admin = match fields.required("from_type")? {
        "admin" => true,
        "user" => false,
        _ => return Err(Refusal::invalid("from_type", "must be admin or user")),
    };
    let from_id = fields.required("from_id")?.to_owned();
    Username::parse(&from_id).map_err(|e| Refusal::invalid("from_id", e.why))?;
    let content = content::read(fields, &call.body, call.gateway.deps.settings.msg_body)?;
    let (no_offline, no_notification) = (fields.boolean("no_offline")?, fields.boolean("no_notification")?);
    let notification = notification(fields)?;
    let (from_name, target_name) = (display_name(fields, "from_name")?, display_name(fields, "target_name")?);
    let appkey =
        fields.text("target_appkey")?.map(str::trim).filter(|key| !key.is_empty()).unwrap_or(&call.app.appkey).to_owned();
    Ok(Wanted {
        target: Target { r#type, id, appkey, name: target_name },
        from_id,
        from_name,
        by_admin,
        content,
        no_offline: no_offline.unwrap_or(false),
        no_notification: no_notification.unwrap_or(false),
        notification,
    })
}

fn notification(fields: Fields<'_>) -> Result<Option<Notification>, Refusal> {
    let Some(members) = fields.object("notification")? else { return Ok(None) };
    let members = members.into();
    let members = Fields::of("notification", &members)?;
    let text = |name| {
        let text = members.text(name)?.unwrap_or_default();
        if text.len() > NOTIFICATION {
            return Err(Refusal::invalid(&format!("notification.{name}"), &format!("must be at most {NOTIFICATION} bytes")));
        }
        Ok(text.to_owned())
    };
    Ok(Some(Notification { title: text("title")?, alert: text("alert")?, at_prefix: String::new() }))
}

fn display_name(fields: Fields<'_>, name: &str) -> Result<String, Refusal> {
    let text = fields.text(name)?.unwrap_or_default();
    if text.len() > DISPLAY_NAME {
        return Err(Refusal::invalid(name, &format!("must be at most {DISPLAY_NAME} bytes")));
    }
    Ok(text.to_owned())
}

async fn sender(call: &Call, wanted: &Wanted) -> Result<User, Refusal> {
    let request = GetUserRequest { app_id: call.app.app_id, username: wanted.from_id.clone(), uid: 0 };
    let sender = call.directory().get_user(request).await.map_err(|failure| named(failure, &wanted.from_id))?;
    if sender.disabled || (wanted.by_admin && !sender.admin) {
        return Err(Failure::new(Reason::NotAdmin, "No authority to send message").into());
    }
    Ok(sender)
}

/// A user that a body names: missing is 400, not 404.
fn named(failure: Failure, name: &str) -> Refusal {
    match failure.why() {
        Reason::UserNotFound => Refusal::no_named_user(name),
        _ => failure.into(),
    }
}

/// The app that the target is of: the calling one, or one that granted it.
async fn target_app(call: &Call, appkey: &str) -> Result<u64, Refusal> {
    if appkey == call.app.appkey {
        return Ok(call.app.app_id);
    }
    let request = CrossAppRequest { app_id: call.app.app_id, appkey: appkey.to_owned() };
    Ok(call.directory().cross_app(request).await?.app_id)
}

async fn destination(call: &Call, app_id: u64, wanted: &Wanted, sender: &User) -> Result<ConversationKey, Refusal> {
    let id = &wanted.target.id;
    match wanted.target.r#type.as_str() {
        "single" => {
            let request = GetUserRequest { app_id, username: id.clone(), uid: 0 };
            let peer = call.directory().get_user(request).await.map_err(|failure| named(failure, id))?;
            Ok(ConversationKey::single(Uid(sender.uid), Uid(peer.uid)))
        }
        "group" => {
            let gid = call::number("target_id", id)?;
            let group = call.directory().get_group(GroupRequest { app_id, gid, member_uid: 0 }).await?;
            Ok(ConversationKey::Group(group.gid))
        }
        _ => {
            let room_ids = vec![call::number("target_id", id)?];
            let rooms =
                call.directory().get_rooms(GetRoomsRequest { app_id, room_ids, strict: true, member_uid: 0 }).await?.rooms;
            let room = rooms.into_iter().next().ok_or_else(|| Failure::new(Reason::RoomNotFound, "room id no exist"))?;
            Ok(ConversationKey::Room(room.room_id))
        }
    }
}

/// The client message id: the caller's own, apart from those of the sender's devices; or one made before the first try, so that
/// however often the call is repeated inside, it is one message.
fn cmid(call: &Call) -> Result<String, Refusal> {
    let key = call.idempotency_key()?;
    Ok(key.map_or_else(|| uuid::Uuid::now_v7().simple().to_string(), |key| format!("key.{key}")))
}

fn item(key: ConversationKey, wanted: Wanted, sender: &User, cmid: String) -> SendItem {
    let unread_delta = u32::from(!matches!(key, ConversationKey::Room(_)));
    let options = format!("{} {} {:?}", wanted.no_offline, wanted.no_notification, wanted.notification);
    let hash = content_hash(&wanted.content.msg_type, &wanted.content.value, &[&options]);
    let message = Message {
        level: u32::from(wanted.target.appkey != sender.appkey),
        msg_type: wanted.content.msg_type,
        msg_body: wanted.content.raw,
        no_offline: wanted.no_offline,
        no_notification: wanted.no_notification,
        notification: wanted.notification,
        unread_delta,
        ..Message::default()
    };
    let entry = Entry {
        from: Some(party(sender, wanted.from_name, if wanted.by_admin { "admin" } else { "user" })),
        target: Some(wanted.target),
        kind: Some(entry::Kind::Message(message)),
        ..Entry::default()
    };
    SendItem {
        cmid,
        content_hash: hash,
        payload: entry.encode_to_vec().into(),
        no_offline: wanted.no_offline,
        unread_delta,
        ..SendItem::default()
    }
}

/// The sender as receivers see him; a name that the call gives wins over his nickname.
pub(crate) fn party(sender: &User, name: String, r#type: &str) -> Party {
    let nickname = || sender.profile.as_ref().and_then(|profile| profile.nickname.clone()).unwrap_or_default();
    Party {
        username: sender.username.clone(),
        appkey: sender.appkey.clone(),
        name: if name.is_empty() { nickname() } else { name },
        r#type: r#type.into(),
        platform: "api".into(),
        profile_mtime: sender.mtime_ms,
    }
}

/// Hands a message to the router, again and again under the same client message id while that may help.
async fn hand_over(call: &Call, request: SendRequest) -> Result<SendResult, Failure> {
    let until = Instant::now() + call.gateway.deps.settings.send_deadline;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let tried = tokio::time::timeout(left, call.router().send(request.clone())).await;
        let result = match tried {
            Err(_) => Err(Failure::new(Reason::Timeout, "the message was not confirmed in time")),
            Ok(Err(failure)) => Err(failure),
            Ok(Ok(reply)) => match reply.results.into_iter().next() {
                Some(SendResult { failure: Some(failure), .. }) => Err(failure),
                Some(sent) => Ok(sent),
                None => Err(Failure::new(Reason::Internal, "the router gave no answer")),
            },
        };
        match result {
            Err(failure) if failure.why().is_retryable() => {
                let pause = PAUSE.max(Duration::from_millis(u64::from(failure.retry_after_ms)));
                if Instant::now() + pause >= until {
                    return Err(failure);
                }
                metrics::counter!("mynah_rest_send_retries_total").increment(1);
                tokio::time::sleep(pause).await;
            }
            other => return other,
        }
    }
}

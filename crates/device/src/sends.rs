//! Sends: resolved, checked, handed to the router in receive order; those to one conversation that come together go together.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use mynah_proto::device::{Entry, Message, Party, Send, SendAck, ServerFrame, Target, client_frame, entry, server_frame};
use mynah_proto::router::{SendItem, SendRequest, SendResult};
use mynah_proto::{Failure, content_hash, directory};
use mynah_types::{Cmid, ConversationKey, Reason, Uid};
use prost::Message as _;
use serde_json::Value;

use crate::connection::{Session, ok};
use crate::errors;
use crate::incoming::Incoming;
use crate::rate::Kind;
use crate::targets::{Asked, Known, To};
use crate::traced;

/// Users that one message may mention.
const MOST_MENTIONS: usize = 200;
/// Sends that go to the router in one request.
const MOST_TOGETHER: usize = 64;
/// Why a send is refused whose forerunner failed.
const BEHIND: &str = "an earlier message of this conversation must be sent again first";

type Frame = mynah_proto::device::ClientFrame;

/// Type, id and appkey of a target as the device names it.
pub(crate) type TargetName = (String, String, String);

fn target_of(send: &Send) -> TargetName {
    (send.target_type.clone(), send.target_id.clone(), send.target_appkey.clone())
}

fn as_send(frame: &Frame) -> Option<&Send> {
    match &frame.body {
        Some(client_frame::Body::Send(send)) => Some(send),
        _ => None,
    }
}

fn into_send(frame: Frame) -> Option<(u32, Send)> {
    match frame.body {
        Some(client_frame::Body::Send(send)) => Some((frame.id, send)),
        _ => None,
    }
}

/// A frame with those behind it that go together with it, whatever messages they came in: sends to the same target.
pub(crate) fn run<I>(first: Frame, rest: &mut std::iter::Peekable<I>) -> Vec<Frame>
where
    I: Iterator<Item = Incoming>,
{
    let target = |f: &Frame| as_send(f).map(target_of);
    let Some(of_first) = target(&first) else { return vec![first] };
    let mut together = vec![first];
    while together.len() < MOST_TOGETHER
        && let Some((_, Ok(frame))) = rest.next_if(|(_, next)| next.as_ref().is_ok_and(|f| target(f).as_ref() == Some(&of_first)))
    {
        together.push(frame);
    }
    together
}

/// A send on its way: the frame's id, the item, the word that its app does not let through.
type Handed = (u32, SendItem, Option<String>);

/// Where a send goes.
struct Destination {
    key: ConversationKey,
    target: Arc<Target>,
    /// Whether nobody was asked for it now.
    kept: bool,
}

impl Session {
    /// Sends to one target, some of them in a trace that begins here.
    pub(crate) async fn sends(&mut self, frames: Vec<Frame>) -> Vec<ServerFrame> {
        let (began, mut span) = (Instant::now(), traced::sends(frames.len()));
        let answers = mynah_telemetry::within(span.context(), self.in_order(frames)).await;
        if answers.iter().any(|answer| answer.error.is_some()) {
            span.failed();
        }
        metrics::histogram!("mynah_gateway_ack_seconds", "edge" => "device").record(began.elapsed().as_secs_f64());
        answers
    }

    /// In order: if one fails retryably, those behind it do too, until it is sent again.
    async fn in_order(&mut self, frames: Vec<Frame>) -> Vec<ServerFrame> {
        let sends: Vec<(u32, Send)> = frames.into_iter().filter_map(into_send).collect();
        let Some((_, first)) = sends.first() else { return Vec::new() };
        let target = target_of(first);
        let answers = match self.destination(first).await {
            Ok(destination) => {
                let answers = self.answer(&sends, &destination, self.blocked.get(&target).cloned()).await;
                if destination.kept { self.confirmed(&sends, &destination, answers).await } else { answers }
            }
            Err(failure) => sends.iter().map(|(id, _)| errors::frame(*id, &failure)).collect(),
        };
        let is_retryable = |answer: &ServerFrame| answer.error.as_ref().is_some_and(|error| error.retryable);
        match answers.iter().zip(&sends).find(|(answer, (_, send))| is_retryable(answer) && !self.waits(&target, send)) {
            Some((_, (_, send))) => _ = self.blocked.insert(target, send.cmid.clone()),
            None if sends.iter().any(|(_, send)| !self.waits(&target, send)) => _ = self.blocked.remove(&target),
            None => {}
        }
        answers
    }

    /// Where the target was kept, answers that another target may give otherwise are looked into: the receiver is gone, or a message came
    /// before, and the name may have been given to somebody else since.
    async fn confirmed(&mut self, sends: &[(u32, Send)], kept: &Destination, answers: Vec<ServerFrame>) -> Vec<ServerFrame> {
        let Some((_, first)) = sends.first().filter(|_| answers.iter().any(is_doubtful)) else { return answers };
        self.inner.targets.forget(self.asked(first));
        let doubtful: Vec<_> =
            sends.iter().zip(&answers).filter(|(_, answer)| is_doubtful(answer)).map(|(send, _)| send.clone()).collect();
        let again = match self.destination(first).await {
            Ok(found) if found.key == kept.key => return answers,
            Ok(found) => self.answer(&doubtful, &found, None).await,
            Err(failure) => doubtful.iter().map(|(id, _)| errors::frame(*id, &failure)).collect(),
        };
        let mut again = again.into_iter();
        let replaced = |answer| if is_doubtful(&answer) { again.next().unwrap_or(answer) } else { answer };
        answers.into_iter().map(replaced).collect()
    }

    /// Whether a send has to wait for another one of its conversation.
    fn waits(&self, target: &TargetName, send: &Send) -> bool {
        self.blocked.get(target).is_some_and(|cmid| *cmid != send.cmid)
    }

    async fn answer(
        &mut self,
        sends: &[(u32, Send)],
        destination: &Destination,
        mut blocked: Option<String>,
    ) -> Vec<ServerFrame> {
        // By the place of the request: what is refused here is not answered before what the router stores.
        let mut answers = BTreeMap::new();
        let (mut places, mut handed) = (Vec::new(), Vec::new());
        for (place, (id, send)) in sends.iter().enumerate() {
            let admitted = match &blocked {
                Some(cmid) if *cmid != send.cmid => Err(Failure::new(Reason::NotOwner, BEHIND)),
                _ => self.admitted(send, destination).await,
            };
            match admitted {
                Ok((item, word)) => {
                    blocked = None;
                    places.push(place);
                    handed.push((*id, item, word));
                }
                Err(failure) => {
                    if failure.why().is_retryable() && blocked.is_none() {
                        blocked = Some(send.cmid.clone());
                    }
                    answers.insert(place, errors::frame(*id, &failure));
                }
            }
        }
        if !handed.is_empty() {
            answers.extend(places.into_iter().zip(self.hand_over(destination, handed).await));
        }
        answers.into_values().collect()
    }

    /// What goes to the router for a send that may go now, and the word that its app does not let through.
    async fn admitted(&mut self, send: &Send, destination: &Destination) -> Result<(SendItem, Option<String>), Failure> {
        self.admit(Kind::Send)?;
        let at_uids = self.mentioned(send).await?;
        let item = self.item(send, destination)?;
        let app_id = self.app.as_ref().map_or(0, |app| app.app_id);
        let word = self.inner.deps.words.find(app_id, &send.msg_type, &send.msg_body).await?;
        Ok((SendItem { at_uids, sensitive: word.is_some(), ..item }, word))
    }

    async fn hand_over(&self, destination: &Destination, handed: Vec<Handed>) -> Vec<ServerFrame> {
        let (asked, items): (Vec<_>, Vec<_>) = handed.into_iter().map(|(id, item, word)| ((id, word), item)).unzip();
        let conv_id = destination.key.to_string();
        let request = SendRequest {
            conv_id: conv_id.clone(),
            sender_uid: self.user.as_ref().map_or(0, |user| user.uid),
            privileged: false,
            in_room: self.rooms.contains(&destination.key),
            items,
            origin_conn: self.out.conn,
        };
        match self.inner.deps.router.send(request).await {
            Ok(reply) => {
                let acked = |((id, word), result): ((u32, Option<String>), SendResult)| ack(id, &conv_id, result, word);
                asked.into_iter().zip(reply.results).map(acked).collect()
            }
            Err(failure) => asked.into_iter().map(|(id, _)| errors::frame(id, &failure)).collect(),
        }
    }

    /// Who is mentioned; names that nobody has are nobody.
    async fn mentioned(&self, send: &Send) -> Result<Vec<u64>, Failure> {
        if send.at.is_empty() {
            return Ok(Vec::new());
        }
        if send.at.len() > MOST_MENTIONS {
            return Err(Failure::invalid("send.at", "at most 200"));
        }
        let app_id = self.app.as_ref().map_or(0, |app| app.app_id);
        let usernames = send.at.iter().map(|mention| mention.username.clone()).collect();
        let request = directory::GetUsersRequest { app_id, usernames, ..Default::default() };
        let users = self.inner.deps.directory.get_users(request).await?.users;
        Ok(users.into_iter().map(|user| user.uid).collect())
    }

    fn item(&self, send: &Send, destination: &Destination) -> Result<SendItem, Failure> {
        Cmid::parse(&send.cmid).map_err(|e| Failure::invalid("send.cmid", e.why))?;
        let body = check_body(send, self.inner.deps.settings.msg_body)?;
        if send.encoded_len() > self.inner.deps.settings.send {
            return Err(Failure { field: "send".into(), ..Failure::new(Reason::TooLong, "the message is too long, all told") });
        }
        if send.from_name.len() > 128 || send.target_name.len() > 128 {
            return Err(Failure::invalid("send.from_name", "names are at most 128 bytes"));
        }
        let room = matches!(destination.key, ConversationKey::Room(_));
        let unread_delta = if room { 0 } else { send.unread_delta.unwrap_or(1).min(1000) };
        let message = Message {
            msg_type: send.msg_type.clone(),
            msg_body: send.msg_body.clone(),
            at: send.at.clone(),
            at_all: send.at_all,
            need_receipt: send.need_receipt,
            no_offline: send.no_offline,
            no_notification: send.no_notification,
            notification: send.notification.clone(),
            unread_delta,
            level: u32::from(self.app.as_ref().is_some_and(|app| app.appkey != destination.target.appkey)),
            extras: send.extras.clone(),
        };
        let options = message_options(&message);
        let payload = Entry {
            from: Some(self.party(&send.from_name)),
            target: Some(Target { name: send.target_name.clone(), ..Target::clone(&destination.target) }),
            kind: Some(entry::Kind::Message(message)),
            ..Entry::default()
        };
        Ok(SendItem {
            cmid: send.cmid.clone(),
            content_hash: content_hash(&send.msg_type, &body, &[&options]),
            payload: payload.encode_to_vec().into(),
            no_offline: send.no_offline,
            unread_delta,
            at_uids: Vec::new(),
            at_all: send.at_all,
            sensitive: false,
        })
    }

    pub(crate) fn party(&self, name: &str) -> Party {
        let Some(user) = &self.user else { return Party::default() };
        let nickname = user.profile.as_ref().and_then(|profile| profile.nickname.as_deref()).unwrap_or_default();
        Party {
            username: user.username.clone(),
            appkey: user.appkey.clone(),
            name: if name.is_empty() { nickname } else { name }.into(),
            r#type: if user.admin { "admin" } else { "user" }.into(),
            platform: self.platform.clone(),
            profile_mtime: user.mtime_ms,
        }
    }

    fn asked<'a>(&self, send: &'a Send) -> Asked<'a> {
        let app_id = self.app.as_ref().map_or(0, |app| app.app_id);
        Asked { app_id, target_type: &send.target_type, id: &send.target_id }
    }

    /// Where a send goes; users and groups of the own app that were named before are not asked for again.
    async fn destination(&self, send: &Send) -> Result<Destination, Failure> {
        let own = self.app.as_ref().map_or("", |app| app.appkey.as_str());
        let of = Uid(self.uid());
        let through = |known: Known, kept: bool| Destination { key: known.conversation(of), target: known.target, kept };
        let is_own = send.target_appkey.is_empty() || send.target_appkey == own;
        if is_own && let Some(known) = self.inner.targets.get(self.asked(send)) {
            return Ok(through(known, true));
        }
        match send.target_type.as_str() {
            "single" | "group" => {
                let mark = self.inner.hub.kick_mark();
                let known = self.resolve(send).await?;
                // A group of another app is found by its members only.
                if is_own && known.target.appkey == own {
                    self.inner.targets.keep(self.asked(send), known.clone());
                }
                // A deletion that came while the answer was on its way had nothing to forget yet.
                if self.inner.hub.kick_mark() != mark {
                    self.inner.targets.forget(self.asked(send));
                }
                Ok(through(known, false))
            }
            "chatroom" => {
                let room = self.room(number(send)?).await?;
                let target = Arc::new(target(send, room.room_id.to_string(), room.appkey));
                Ok(Destination { key: ConversationKey::Room(room.room_id), target, kept: false })
            }
            _ => Err(Failure::invalid("send.target_type", "must be single, group or chatroom")),
        }
    }

    /// The user or group that a send names, as the directory knows it.
    async fn resolve(&self, send: &Send) -> Result<Known, Failure> {
        let directory = &self.inner.deps.directory;
        if send.target_type == "group" {
            // A group of another app is found by its members: whoever let them in had the grant.
            let app_id = self.app.as_ref().map_or(0, |app| app.app_id);
            let request = directory::GroupRequest { app_id, gid: number(send)?, member_uid: self.uid() };
            let group = directory.get_group(request).await?;
            return Ok(Known { to: To::Group(group.gid), target: Arc::new(target(send, group.gid.to_string(), group.appkey)) });
        }
        let app_id = self.target_app(&send.target_appkey).await?;
        let username = send.target_id.clone();
        let peer = directory.get_user(directory::GetUserRequest { app_id, username, uid: 0 }).await?;
        Ok(Known { to: To::User(Uid(peer.uid)), target: Arc::new(target(send, peer.username, peer.appkey)) })
    }

    /// The app of a user who is written to: one's own, or one that granted it.
    pub(crate) async fn target_app(&self, appkey: &str) -> Result<u64, Failure> {
        let app = self.app.clone().unwrap_or_default();
        if appkey.is_empty() || appkey == app.appkey {
            return Ok(app.app_id);
        }
        let request = directory::CrossAppRequest { app_id: app.app_id, appkey: appkey.into() };
        Ok(self.inner.deps.directory.cross_app(request).await?.app_id)
    }
}

fn number(send: &Send) -> Result<u64, Failure> {
    send.target_id.parse().map_err(|_| Failure::invalid("send.target_id", "must be a number"))
}

fn target(send: &Send, id: String, appkey: String) -> Target {
    Target { r#type: send.target_type.clone(), id, appkey, name: String::new() }
}

/// Whether the answer may be another one if the target's name is somebody else's by now.
fn is_doubtful(answer: &ServerFrame) -> bool {
    let is_repeat = matches!(&answer.body, Some(server_frame::Body::SendAck(ack)) if ack.duplicate);
    let reasons = [Reason::UserNotFound, Reason::GroupNotFound, Reason::CmidConflict];
    is_repeat || answer.error.as_ref().is_some_and(|error| reasons.into_iter().any(|reason| errors::is(error, reason)))
}

/// The options that make a message what it is, in one text.
fn message_options(message: &Message) -> String {
    let at: Vec<_> = message.at.iter().map(|m| (&m.username, &m.appkey)).collect();
    let notification = message.notification.as_ref().map(|n| (&n.title, &n.alert, &n.at_prefix));
    format!(
        "{at:?} {} {} {} {} {notification:?} {}",
        message.at_all, message.need_receipt, message.no_offline, message.no_notification, message.unread_delta
    )
}

/// The body is an object of bounded size; a text has its text.
fn check_body(send: &Send, most: usize) -> Result<Value, Failure> {
    if send.msg_body.len() > most {
        return Err(Failure { field: "send.msg_body".into(), ..Failure::new(Reason::TooLong, "the message is too long") });
    }
    let body: Value = mynah_proto::json::unique(&send.msg_body).map_err(|e| Failure::invalid("send.msg_body", e.to_string()))?;
    if !body.is_object() {
        return Err(Failure::invalid("send.msg_body", "must be a JSON object"));
    }
    let known = ["text", "image", "voice", "file", "location", "video", "custom"];
    if !known.contains(&send.msg_type.as_str()) {
        return Err(Failure::invalid("send.msg_type", "must be text, image, voice, file, location, video or custom"));
    }
    let has_text = body.get("text").and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    if send.msg_type == "text" && !has_text {
        return Err(Failure::invalid("send.msg_body.text", "must be a text that is not empty"));
    }
    Ok(body)
}

fn ack(id: u32, conv_id: &str, result: SendResult, word: Option<String>) -> ServerFrame {
    if let Some(failure) = result.failure {
        if failure.why() == Reason::SensitiveWord {
            return errors::frame(id, &mynah_words::refusal(word.as_deref()));
        }
        return errors::frame(id, &failure);
    }
    let ack = SendAck {
        conv_id: conv_id.into(),
        msg_id: result.msg_id,
        seq: result.seq,
        ctime_ms: result.ctime_ms,
        duplicate: result.duplicate,
        ..SendAck::default()
    };
    ok(id, server_frame::Body::SendAck(ack))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sends_to_one_target_go_together_across_messages() {
        let send = |id: u32, to: &str| {
            let send = Send { target_type: "single".into(), target_id: to.into(), ..Send::default() };
            Frame { id, body: Some(client_frame::Body::Send(send)) }
        };
        let mut rest = [(0, Ok(send(2, "tom"))), (1, Ok(send(3, "tom"))), (1, Ok(send(4, "ann")))].into_iter().peekable();
        let together = run(send(1, "tom"), &mut rest);
        assert_eq!(together.iter().map(|frame| frame.id).collect::<Vec<_>>(), [1, 2, 3]);
    }
}

//! What the page may do without a master secret, and in the demo app only: sign its connection, register people, group them.

use axum::Router as Routes;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Path, Request, State};
use axum::response::Response;
use axum::routing::{get, post};
use http::{HeaderMap, header};
use mynah_proto::Failure;
use mynah_proto::directory::{
    ChangeMembersRequest, CreateGroupRequest, CreateRoomRequest, GroupRequest, ListRequest, NewUser, RegisterRequest,
    SignDemoReply, SignDemoRequest,
};
use mynah_types::Reason;
use serde_json::{Value, json};

use crate::gateway::Gateway;
use crate::rest::{Answer, Fields, Outcome, Refusal, answer, names, parse};

/// Largest body that the page sends, in bytes.
const BODY: usize = 64 << 10;
/// Users and rooms that the page shows: the newest.
const SHOWN: u32 = 500;

pub(crate) fn routes() -> Routes<Gateway> {
    Routes::new()
        .route("/ui/api/sign", post(|demo, request| asked(demo, request, |demo, _| sign(demo))))
        .route(
            "/ui/api/users",
            get(|demo, request| asked(demo, request, |demo, _| users(demo))).post(|demo, request| asked(demo, request, register)),
        )
        .route("/ui/api/groups", post(|demo, request| asked(demo, request, create_group)))
        .route("/ui/api/groups/{gid}", get(|demo, Path(gid), request| asked(demo, request, move |demo, _| group(demo, gid))))
        .route(
            "/ui/api/groups/{gid}/members",
            post(|demo, Path(gid), request| asked(demo, request, move |demo, body| add_members(demo, gid, body))),
        )
        .route(
            "/ui/api/rooms",
            get(|demo, request| asked(demo, request, |demo, _| rooms(demo)))
                .post(|demo, request| asked(demo, request, create_room)),
        )
}

/// The demo app, signed for.
struct Demo {
    gateway: Gateway,
    signed: SignDemoReply,
}

async fn asked<F, Fut>(State(gateway): State<Gateway>, request: Request, handler: F) -> Response
where
    F: FnOnce(Demo, Bytes) -> Fut,
    Fut: Future<Output = Outcome>,
{
    answer(ask(gateway, request, handler).await)
}

async fn ask<F, Fut>(gateway: Gateway, request: Request, handler: F) -> Outcome
where
    F: FnOnce(Demo, Bytes) -> Fut,
    Fut: Future<Output = Outcome>,
{
    let (parts, body) = request.into_parts();
    if !same_origin(&parts.headers) {
        return Err(Refusal::new(403, 899_016, "only the page itself may ask"));
    }
    let Ok(_place) = gateway.0.places.try_acquire() else {
        return Err(Failure::new(Reason::Overloaded, "too much to do: try again").into());
    };
    let signed = gateway.0.deps.directory.sign_demo(SignDemoRequest {}).await.map_err(|failure| match failure.why() {
        Reason::AppNotFound => Refusal::new(404, 899_009, "there is no demo app here"),
        _ => failure.into(),
    })?;
    let body = read(body, gateway.0.deps.settings.body_within).await?;
    handler(Demo { gateway: gateway.clone(), signed }, body).await
}

async fn read(body: Body, within: std::time::Duration) -> Result<Bytes, Refusal> {
    let bytes = tokio::time::timeout(within, to_bytes(body, BODY)).await;
    bytes.ok().and_then(Result::ok).ok_or_else(|| Refusal::invalid("body", "must be at most 65536 bytes"))
}

/// A page of another site may not use its visitor's way in here.
fn same_origin(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let site = text(header::HeaderName::from_static("sec-fetch-site"));
    let own = match (text(header::ORIGIN), text(header::HOST)) {
        (None, _) => true,
        (Some(origin), Some(host)) => origin.split_once("://").is_some_and(|(_, of)| of.eq_ignore_ascii_case(host)),
        (Some(_), None) => false,
    };
    own && matches!(site, None | Some("same-origin" | "none"))
}

impl Demo {
    fn app_id(&self) -> u64 {
        self.signed.app_id
    }

    fn directory(&self) -> &mynah_proto::DirectoryClient {
        &self.gateway.0.deps.directory
    }
}

async fn sign(demo: Demo) -> Outcome {
    let SignDemoReply { appkey, random_str, timestamp, signature, .. } = demo.signed;
    Answer::ok(json!({"appkey": appkey, "random_str": random_str, "timestamp": timestamp, "signature": signature}))
}

async fn register(demo: Demo, body: Bytes) -> Outcome {
    let body = parse(&body)?;
    let fields = Fields::of("body", &body)?;
    let (username, password) = (fields.required("username")?.to_owned(), fields.required("password")?.to_owned());
    let user = NewUser { username: username.clone(), password, ..NewUser::default() };
    let request = RegisterRequest { app_id: demo.app_id(), users: vec![user], admin: false, by_device: false };
    let reply = demo.directory().register(request).await?;
    match reply.results.into_iter().next().and_then(|result| result.failure) {
        Some(failure) => Err(failure.into()),
        None => Answer::created(json!({"username": username})),
    }
}

async fn users(demo: Demo) -> Outcome {
    let page = |start, count| demo.directory().list_users(ListRequest { app_id: demo.app_id(), start, count });
    let total = page(0, 1).await?.total;
    let users = page(total.saturating_sub(u64::from(SHOWN)), SHOWN).await?.users;
    let shown = users.into_iter().rev().map(|user| {
        let nickname = user.profile.and_then(|profile| profile.nickname).unwrap_or_default();
        json!({"username": user.username, "nickname": nickname})
    });
    Answer::ok(json!({"users": shown.collect::<Vec<Value>>()}))
}

async fn create_group(demo: Demo, body: Bytes) -> Outcome {
    let body = parse(&body)?;
    let fields = Fields::of("body", &body)?;
    let request = CreateGroupRequest {
        app_id: demo.app_id(),
        owner: fields.required("owner")?.to_owned(),
        name: fields.required("name")?.to_owned(),
        flag: 1,
        members: fields.names("members", 500)?,
        ..CreateGroupRequest::default()
    };
    let group = demo.directory().create_group(request).await?;
    Answer::created(json!({"gid": group.gid, "name": group.name}))
}

async fn group(demo: Demo, gid: u64) -> Outcome {
    let request = GroupRequest { app_id: demo.app_id(), gid, member_uid: 0 };
    let group = demo.directory().get_group(request).await?;
    let members = demo.directory().members(request).await?.members;
    let members: Vec<String> = members.into_iter().filter_map(|member| Some(member.user?.username)).collect();
    let owner = group.owner.map(|owner| owner.username);
    Answer::ok(json!({"gid": gid, "name": group.name, "owner": owner, "members": members}))
}

async fn add_members(demo: Demo, gid: u64, body: Bytes) -> Outcome {
    let body = parse(&body)?;
    let add = match Fields::of("body", &body)?.get("add") {
        Some(list) => names("add", list, 500)?,
        None => return Err(Refusal::invalid("add", "is missing")),
    };
    demo.directory().change_members(ChangeMembersRequest { app_id: demo.app_id(), id: gid, add, ..Default::default() }).await?;
    Answer::done()
}

async fn create_room(demo: Demo, body: Bytes) -> Outcome {
    let body = parse(&body)?;
    let fields = Fields::of("body", &body)?;
    let (owner, name) = (fields.required("owner")?.to_owned(), fields.required("name")?.to_owned());
    let request = CreateRoomRequest { app_id: demo.app_id(), owner, name, ..CreateRoomRequest::default() };
    let room = demo.directory().create_room(request).await?;
    Answer::created(json!({"room_id": room.room_id, "name": room.name}))
}

async fn rooms(demo: Demo) -> Outcome {
    let page = |start, count| demo.directory().list_rooms(ListRequest { app_id: demo.app_id(), start, count });
    let total = page(0, 1).await?.total;
    let rooms = page(total.saturating_sub(u64::from(SHOWN)), SHOWN).await?.rooms;
    let shown = rooms.into_iter().rev().map(|room| json!({"room_id": room.room_id, "name": room.name}));
    Answer::ok(json!({"rooms": shown.collect::<Vec<Value>>()}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_sites_page_may_not_ask() {
        let headers = |pairs: &[(&'static str, &'static str)]| {
            let pairs =
                pairs.iter().map(|(name, value)| (http::HeaderName::from_static(name), http::HeaderValue::from_static(value)));
            HeaderMap::from_iter(pairs)
        };
        assert!(same_origin(&headers(&[("host", "a:1")])));
        assert!(same_origin(&headers(&[("host", "a:1"), ("origin", "http://a:1"), ("sec-fetch-site", "same-origin")])));
        assert!(!same_origin(&headers(&[("host", "a:1"), ("origin", "http://b:1")])));
        assert!(!same_origin(&headers(&[("host", "a:1"), ("sec-fetch-site", "cross-site")])));
        assert!(!same_origin(&headers(&[("origin", "null"), ("host", "a:1")])));
    }
}

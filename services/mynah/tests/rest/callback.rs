//! The message callback: every message is told, in order, again and again until it is taken.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use mynah_directory::CallbackRule;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::world::{App, Server};

/// An app's server that is told: it answers what it is set to, and passes on what it heard.
struct Receiver {
    url: String,
    status: Arc<Mutex<StatusCode>>,
    heard: mpsc::Receiver<(HeaderMap, String)>,
}

impl Receiver {
    async fn start() -> Self {
        let status = Arc::new(Mutex::new(StatusCode::OK));
        let (tell, heard) = mpsc::channel(1000);
        let answers = Arc::clone(&status);
        let hook = move |headers: HeaderMap, body: String| {
            let status = *answers.lock();
            tell.try_send((headers, body)).unwrap();
            async move { (status, [("location", "http://127.0.0.1:1/elsewhere")]) }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, Router::new().route("/hook", post(hook))).await });
        Self { url, status, heard }
    }

    fn rule(&self) -> CallbackRule {
        CallbackRule { url: self.url.clone(), with_master_secret: false, allow_private: true }
    }

    async fn call(&mut self) -> (HeaderMap, String) {
        tokio::time::timeout(Duration::from_secs(20), self.heard.recv()).await.unwrap().unwrap()
    }

    /// The texts of the next call.
    async fn texts(&mut self) -> Vec<String> {
        texts(&self.call().await.1)
    }

    /// Hears calls until a text comes, and answers all that came.
    async fn until(&mut self, last: &str) -> Vec<String> {
        let mut all = Vec::new();
        while all.last().is_none_or(|text| text != last) {
            all.extend(self.texts().await);
        }
        all
    }
}

fn texts(body: &str) -> Vec<String> {
    let body: Value = serde_json::from_str(body).unwrap();
    let messages = body["messages"].as_array().unwrap();
    assert_eq!(body["total"], messages.len());
    messages.iter().map(|m| m["msg_body"]["text"].as_str().unwrap().to_owned()).collect()
}

/// An app with an admin, a user and a callback that is in force: a first message was told.
async fn told(server: &Server, receiver: &mut Receiver, rule: CallbackRule) -> (App, String) {
    let app = server.app().await;
    app.users(&["anna"]).await;
    app.works("POST", "/v1/admins", &json!({"username": "boss", "password": "secret"})).await;
    let secret = server.operator.set_callback(&app.appkey, rule).await.unwrap();
    // Who was set just now is seen at the next look; what was said before is not told.
    while receiver.heard.is_empty() {
        app.say("boss", "single", "anna", "in force?").await;
        tokio::task::yield_now().await;
    }
    app.say("boss", "single", "anna", "begin").await;
    receiver.until("begin").await;
    (app, secret)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_message_is_told_in_order_and_signed() {
    let server = Server::start().await;
    let mut receiver = Receiver::start().await;
    let rule = receiver.rule();
    let (app, secret) = told(&server, &mut receiver, rule).await;
    for n in 0..250 {
        app.say("boss", "single", "anna", &n.to_string()).await;
    }
    let wanted: Vec<String> = (0..250).map(|n| n.to_string()).collect();
    let mut all = Vec::new();
    while all.len() < wanted.len() {
        let (headers, body) = receiver.call().await;
        let of = |name| headers.get(name).map(|value: &axum::http::HeaderValue| value.to_str().unwrap().to_owned());
        let signed = format!("{}.{body}", of("x-mynah-timestamp").unwrap());
        assert_eq!(of("x-mynah-signature"), Some(format!("v1={}", hmac_hex(&secret, &signed))));
        assert_eq!((of("x-mynah-event").as_deref(), of("authorization")), (Some("message.sent"), None));
        assert!(of("x-mynah-id").unwrap().starts_with(&app.appkey));
        all.extend(texts(&body));
    }
    assert_eq!(all, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_taken_is_told_again_and_nothing_overtakes_it() {
    let server = Server::start().await;
    let mut receiver = Receiver::start().await;
    let rule = receiver.rule();
    let (app, _) = told(&server, &mut receiver, rule).await;
    // A redirect is no success, and is not followed.
    *receiver.status.lock() = StatusCode::TEMPORARY_REDIRECT;
    app.say("boss", "single", "anna", "one").await;
    assert_eq!(receiver.texts().await, ["one"]);
    *receiver.status.lock() = StatusCode::OK;
    app.say("boss", "single", "anna", "two").await;
    assert_eq!(receiver.until("two").await, ["one", "two"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hosted_services_form_is_a_switch() {
    let server = Server::start().await;
    let mut receiver = Receiver::start().await;
    let rule = CallbackRule { with_master_secret: true, ..receiver.rule() };
    let (app, _) = told(&server, &mut receiver, rule).await;
    app.say("boss", "single", "anna", "hi").await;
    let (headers, _) = receiver.call().await;
    assert_eq!(headers.get("authorization").unwrap().to_str().unwrap(), app.authorization.as_deref().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn both_secrets_sign_while_one_takes_the_others_place() {
    let server = Server::start().await;
    let mut receiver = Receiver::start().await;
    let operator = &server.operator;
    let rule = receiver.rule();
    let (app, secret) = told(&server, &mut receiver, rule).await;
    let plain = CallbackRule { allow_private: false, ..receiver.rule() };
    operator.set_callback(&app.appkey, plain).await.unwrap_err();
    assert_eq!(operator.set_callback(&app.appkey, receiver.rule()).await.unwrap(), secret, "the secret stays");
    let new = operator.rotate_callback(&app.appkey, false).await.unwrap();
    assert_ne!(new, secret);
    let (headers, body) = loop {
        app.say("boss", "single", "anna", "signed").await;
        let (headers, body) = receiver.call().await;
        if headers["x-mynah-signature"].to_str().unwrap().contains(',') {
            break (headers, body);
        }
    };
    let signed = format!("{}.{body}", headers["x-mynah-timestamp"].to_str().unwrap());
    let both = [&new, &secret].map(|secret| format!("v1={}", hmac_hex(secret, &signed))).join(",");
    assert_eq!(headers["x-mynah-signature"].to_str().unwrap(), both);
}

fn hmac_hex(secret: &str, text: &str) -> String {
    use hmac::{Hmac, KeyInit as _, Mac as _};
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

//! How much an app may ask: refused beyond it, told in the headers that clients read, and nobody else's matter.

use mynah_settings::Product;
use serde_json::{Value, json};

use crate::world::{Answer, App, NOON, Server};

fn quota(answer: &Answer) -> [Option<u64>; 3] {
    ["limit", "remaining", "reset"].map(|name| answer.headers.get(format!("x-rate-limit-{name}"))?.to_str().ok()?.parse().ok())
}

async fn list(app: &App) -> Answer {
    app.call("GET", "/v1/users/?start=0&count=1", &Value::Null).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_asks_too_often_is_told_to_wait_and_no_other() {
    let server = Server::start_with(|settings| Product { rest_per_minute: 3, ..settings }).await;
    let (app, other) = (server.app().await, server.app().await);
    server.clock.advance(60_000 - NOON % 60_000);
    for left in [2, 1, 0] {
        let answer = list(&app).await;
        assert_eq!((answer.status, quota(&answer)), (200, [Some(3), Some(left), Some(60)]));
    }
    server.clock.advance(20_500);
    let refused = list(&app).await;
    assert_eq!((refused.status, refused.code(), quota(&refused)), (429, Some(800_017), [Some(3), Some(0), Some(40)]));
    assert_eq!(refused.headers["retry-after"], "40");
    // Refused before anything is done, whatever it is; who is nobody is not counted.
    let body = json!([{"username": "late", "password": "secret"}]);
    assert_eq!(app.call("POST", "/v1/users/", &body).await.status, 429);
    assert_eq!(list(&App { authorization: None, ..app.clone() }).await.status, 401);
    assert_eq!(list(&other).await.status, 200);
    server.clock.advance(39_500);
    let again = list(&app).await;
    assert_eq!((again.status, quota(&again)), (200, [Some(3), Some(2), Some(60)]));
    assert_eq!(again.body["total"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_sends_too_often_is_told_to_wait_and_no_other() {
    let server = Server::start_with(|settings| Product { rest_sends_per_minute: 2, ..settings }).await;
    let app = server.app().await;
    app.users(&["anna", "tommy"]).await;
    let send = |from: &'static str, to: &'static str| {
        let body = json!({
            "version": 1, "target_type": "single", "target_id": to, "from_type": "user", "from_id": from,
            "msg_type": "text", "msg_body": {"text": "hi"},
        });
        let app = app.clone();
        async move { app.call("POST", "/v1/messages", &body).await }
    };
    for expected in [201, 201, 429] {
        let answer = send("anna", "tommy").await;
        assert_eq!((answer.status, quota(&answer)), (expected, [None; 3]), "{answer:?}");
    }
    assert_eq!(send("tommy", "anna").await.status, 201);
    server.clock.advance(60_000);
    assert_eq!(send("anna", "tommy").await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_limited_unless_it_is_set() {
    let server = Server::start().await;
    let app = server.app().await;
    for _ in 0..200 {
        let answer = list(&app).await;
        assert_eq!((answer.status, quota(&answer)), (200, [None; 3]));
    }
}

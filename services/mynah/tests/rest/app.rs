//! An app's server, as it calls the API. Whatever it is answered is held against the API's description.

use axum::body::{Body, to_bytes};
use http::{Method, Request, StatusCode, header};
use mynah_directory::Operator;
use serde_json::{Value, json};

use crate::documented;
use crate::world::Way;

pub fn basic(credentials: &str) -> String {
    use base64::Engine as _;
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(credentials))
}

/// An app's server: what it sends with every request.
#[derive(Clone)]
pub struct App {
    pub appkey: String,
    pub authorization: Option<String>,
    pub content_type: Option<&'static str>,
    pub idempotency_key: Option<String>,
    pub way: Way,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
    pub bytes: Vec<u8>,
    pub headers: http::HeaderMap,
}

impl Answer {
    pub fn code(&self) -> Option<u64> {
        self.body["error"]["code"].as_u64().or_else(|| self.body.as_array()?.iter().find_map(|e| e["error"]["code"].as_u64()))
    }
}

impl App {
    pub async fn make(operator: &Operator, way: Way) -> Self {
        let made = operator.create_app("test").await.unwrap();
        let authorization = Some(basic(&format!("{}:{}", made.appkey, made.master_secret)));
        Self { appkey: made.appkey, authorization, content_type: Some("application/json"), idempotency_key: None, way }
    }

    pub async fn raw(&self, method: &str, path: &str, body: impl Into<Body>) -> Answer {
        let mut request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(path);
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        if let Some(kind) = self.content_type {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        if let Some(key) = &self.idempotency_key {
            request = request.header("Idempotency-Key", key);
        }
        let response = self.way.ask(request.body(body.into()).unwrap()).await;
        let status = response.status();
        let headers = response.headers().clone();
        let kind = headers.get(header::CONTENT_TYPE).cloned();
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec();
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap_or(Value::Null) };
        if status == StatusCode::NO_CONTENT {
            assert!(bytes.is_empty(), "204 has no body");
        } else if !bytes.is_empty() {
            assert_eq!(kind.unwrap(), "application/json; charset=utf-8");
        }
        let answer = Answer { status: status.as_u16(), body, bytes, headers };
        documented::check(method, path, &answer);
        answer
    }

    pub async fn call(&self, method: &str, path: &str, body: &Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.raw(method, path, body).await
    }

    /// A call that has to work.
    pub async fn works(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.call(method, path, body).await;
        assert!((200..300).contains(&answer.status), "{method} {path} {body}: {answer:?}");
        answer.body
    }

    pub async fn users<N: AsRef<str>>(&self, names: &[N]) {
        for names in names.chunks(500) {
            let users = names.iter().map(|name| json!({"username": name.as_ref(), "password": "secret"}));
            self.works("POST", "/v1/users/", &users.collect()).await;
        }
    }

    pub async fn group(&self, owner: &str, members: &[&str]) -> u64 {
        let body = json!({"owner_username": owner, "name": "g1", "members_username": members});
        self.works("POST", "/v1/groups/", &body).await["gid"].as_u64().unwrap()
    }

    pub async fn room(&self, owner: &str, members: &[&str]) -> u64 {
        let body = json!({"owner_username": owner, "name": "r1", "description": "d", "members_username": members});
        self.works("POST", "/v1/chatroom/", &body).await["chatroom_id"].as_u64().unwrap()
    }

    pub async fn text(&self, from: &str, to: &str) -> u64 {
        self.say(from, "single", to, "hi").await
    }

    /// What an admin says to anybody.
    pub async fn say(&self, from: &str, kind: &str, to: &str, text: &str) -> u64 {
        let body = json!({
            "version": 1, "target_type": kind, "target_id": to, "from_type": "admin", "from_id": from,
            "msg_type": "text", "msg_body": {"text": text},
        });
        self.works("POST", "/v1/messages", &body).await["msg_id"].as_u64().unwrap()
    }
}

//! A request that passed authentication and routing, as a handler sees it; and what a handler answers.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use http::HeaderValue;
use mynah_proto::directory::App;
use mynah_proto::{DirectoryClient, RouterClient};
use mynah_types::Username;
use parking_lot::Mutex;
use serde_json::Value;

use super::lenient::{self, Fields};
use super::query::Query;
use super::refusal::Refusal;
use crate::gateway::Inner;

/// A request for a handler.
pub(crate) struct Call {
    pub(crate) gateway: Arc<Inner>,
    pub(crate) app: App,
    /// The placeholders of the pattern, in order.
    pub(crate) params: Vec<String>,
    pub(crate) query: Query,
    pub(crate) body: Bytes,
    /// A body that is read while it streams, with its content type; taken once.
    pub(crate) stream: Mutex<Option<(Option<HeaderValue>, Body)>>,
    /// The `Host` header, as it came.
    pub(crate) host: Option<HeaderValue>,
    /// The `Idempotency-Key` header, as it came.
    pub(crate) idempotency_key: Option<HeaderValue>,
}

/// What a handler answers.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Option<Value>,
}

/// Longest `Idempotency-Key`: with its prefix it is a client message id.
const IDEMPOTENCY_KEY: usize = 60;

/// How a handler ends.
pub(crate) type Outcome = Result<Answer, Refusal>;

impl Answer {
    /// 200 with a body.
    pub(crate) fn ok(body: Value) -> Outcome {
        Ok(Self { status: 200, body: Some(body) })
    }

    /// 201 with a body.
    pub(crate) fn created(body: Value) -> Outcome {
        Ok(Self { status: 201, body: Some(body) })
    }

    /// 204, no byte of body.
    pub(crate) fn done() -> Outcome {
        Ok(Self { status: 204, body: None })
    }
}

impl Call {
    pub(crate) fn directory(&self) -> &DirectoryClient {
        &self.gateway.deps.directory
    }

    pub(crate) fn router(&self) -> &RouterClient {
        &self.gateway.deps.router
    }

    pub(crate) fn zone(&self) -> i32 {
        self.gateway.deps.settings.zone_minutes
    }

    fn param(&self, place: usize) -> &str {
        self.params.get(place).map_or("", String::as_str)
    }

    /// The username in the path, in form.
    pub(crate) fn username(&self) -> Result<String, Refusal> {
        self.username_at(0)
    }

    /// The username at a place of the path, in form.
    pub(crate) fn username_at(&self, place: usize) -> Result<String, Refusal> {
        let name = Username::parse(self.param(place)).map_err(|e| Refusal::invalid("username", e.why))?;
        Ok(name.as_str().to_owned())
    }

    /// A positive number in the path.
    pub(crate) fn number(&self, place: usize, name: &str) -> Result<u64, Refusal> {
        number(name, self.param(place))
    }

    /// The caller's own id of what he asks for, in form: with or without quotes.
    pub(crate) fn idempotency_key(&self) -> Result<Option<&str>, Refusal> {
        let Some(header) = &self.idempotency_key else { return Ok(None) };
        let key = header.to_str().unwrap_or_default().trim();
        let key = key.strip_prefix('"').and_then(|key| key.strip_suffix('"')).unwrap_or(key);
        let in_form = (1..=IDEMPOTENCY_KEY).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
        if in_form { Ok(Some(key)) } else { Err(Refusal::invalid("Idempotency-Key", "must be 1 to 60 visible ASCII characters")) }
    }

    /// The body of an endpoint that reads it while it streams.
    pub(crate) fn take_body(&self) -> Option<(Option<HeaderValue>, Body)> {
        self.stream.lock().take()
    }

    /// Scheme and host that clients reach this server by: as it is set, or as the caller named it.
    pub(crate) fn base(&self) -> String {
        if let Some(url) = &self.gateway.deps.settings.public_url {
            return url.trim_end_matches('/').to_owned();
        }
        let host = self.host.as_ref().and_then(|host| host.to_str().ok());
        let plain = |host: &&str| host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:[]_".contains(&b)) && !host.is_empty();
        format!("http://{}", host.filter(plain).unwrap_or("localhost"))
    }

    /// A status of 0 or 1, in the query or in the body.
    pub(crate) fn status(&self) -> Result<bool, Refusal> {
        match self.query.status() {
            Some(status) => status,
            None => Fields::of("body", &self.json()?)?.status(),
        }
    }

    /// The body, which must be there.
    pub(crate) fn json(&self) -> Result<Value, Refusal> {
        lenient::parse(&self.body)
    }
}

/// A positive integer that a JSON number carries exactly, written in digits only.
pub(crate) fn number(name: &str, text: &str) -> Result<u64, Refusal> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let number = text.parse().ok().filter(|n| digits && (1..=mynah_types::MsgId::MAX).contains(n));
    number.ok_or_else(|| Refusal::invalid(name, "must be a positive integer"))
}

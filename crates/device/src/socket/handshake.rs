//! The opening handshake (RFC 6455, section 4.2).

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse as _, Response};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// A request to speak WebSocket.
pub(crate) struct Handshake {
    accept: HeaderValue,
    upgrade: OnUpgrade,
}

type Refusal = (StatusCode, &'static str);

impl<S: Sync> FromRequestParts<S> for Handshake {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let accept = accepted(&parts.method, &parts.headers)?;
        let upgrade = parts.extensions.remove::<OnUpgrade>();
        Ok(Self { accept, upgrade: upgrade.ok_or((StatusCode::UPGRADE_REQUIRED, "this connection cannot be upgraded"))? })
    }
}

impl Handshake {
    /// Answers that it is spoken from here on, in this subprotocol, and hands the connection over once the answer is written.
    pub(crate) fn accept<F>(
        self,
        protocol: Option<HeaderValue>,
        then: impl FnOnce(TokioIo<Upgraded>) -> F + Send + 'static,
    ) -> Response
    where
        F: Future<Output = ()> + Send,
    {
        let Self { accept, upgrade } = self;
        tokio::spawn(async move {
            match upgrade.await {
                Ok(upgraded) => then(TokioIo::new(upgraded)).await,
                Err(error) => tracing::debug!(%error, "a connection was not handed over"),
            }
        });
        let switched = [
            (header::CONNECTION, HeaderValue::from_static("Upgrade")),
            (header::UPGRADE, HeaderValue::from_static("websocket")),
            (header::SEC_WEBSOCKET_ACCEPT, accept),
        ];
        let mut response = (StatusCode::SWITCHING_PROTOCOLS, switched).into_response();
        if let Some(protocol) = protocol {
            response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        response
    }
}

/// What the client's key is answered with.
fn accepted(method: &Method, headers: &HeaderMap) -> Result<HeaderValue, Refusal> {
    let bad = |what| (StatusCode::BAD_REQUEST, what);
    if method != Method::GET {
        return Err((StatusCode::METHOD_NOT_ALLOWED, "a WebSocket is asked for with GET"));
    }
    if !names(headers, header::CONNECTION, "upgrade") || !names(headers, header::UPGRADE, "websocket") {
        return Err(bad("the headers Connection: upgrade and Upgrade: websocket are missing"));
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version.as_bytes() != b"13") {
        return Err(bad("the header Sec-WebSocket-Version must be 13"));
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY).ok_or(bad("the header Sec-WebSocket-Key is missing"))?;
    HeaderValue::try_from(derive_accept_key(key.as_bytes())).map_err(|_| bad("the header Sec-WebSocket-Key is none"))
}

/// Whether a header's list has a word.
fn names(headers: &HeaderMap, header: HeaderName, word: &str) -> bool {
    let values = headers.get_all(header).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|one| one.trim().eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The headers of RFC 6455, section 1.3, but for one.
    fn headers(but: Option<(&'static str, &'static str)>) -> HeaderMap {
        let usual = [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let mut headers: HeaderMap =
            usual.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).into_iter().collect();
        match but {
            Some((name, "")) => _ = headers.remove(name),
            Some((name, value)) => _ = headers.insert(name, HeaderValue::from_static(value)),
            None => {}
        }
        headers
    }

    #[test]
    fn a_client_that_asks_for_it_is_answered_with_its_key() {
        assert_eq!(accepted(&Method::GET, &headers(None)).unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[tokio::test]
    async fn a_connection_that_cannot_be_handed_over_is_refused() {
        let (mut parts, ()) = http::Request::new(()).into_parts();
        parts.headers = headers(None);
        let refused = Handshake::from_request_parts(&mut parts, &()).await.err();
        assert_eq!(refused.map(|(status, _)| status), Some(StatusCode::UPGRADE_REQUIRED));
    }

    #[test]
    fn who_asks_for_something_else_is_told_what_is_wrong() {
        for (name, value) in [
            ("connection", "keep-alive"),
            ("connection", ""),
            ("upgrade", "h2c"),
            ("upgrade", ""),
            ("sec-websocket-version", "8"),
            ("sec-websocket-version", ""),
            ("sec-websocket-key", ""),
        ] {
            let (status, _) = accepted(&Method::GET, &headers(Some((name, value)))).unwrap_err();
            assert_eq!(status, StatusCode::BAD_REQUEST, "{name}: {value}");
        }
        assert_eq!(accepted(&Method::POST, &headers(None)).unwrap_err().0, StatusCode::METHOD_NOT_ALLOWED);
    }
}

//! One call of an app's server: its body, its signature, its answer.

use std::error::Error;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use mynah_proto::directory::Callback;
use mynah_proto::json::report_message;
use mynah_proto::report::ReportedMessage;
use reqwest::{Client, Url, redirect};
use serde_json::{Value, json};
use sha2::Sha256;

use super::address::{PublicOnly, is_public};

/// Sends calls: two clients, of which one cannot reach private addresses. None if the system has no use for TLS.
pub(super) struct Sender {
    public: Option<Client>,
    any: Option<Client>,
}

impl Default for Sender {
    fn default() -> Self {
        // No redirects: where a call goes is what was set. No proxy: it would resolve names in our place.
        let builder = || Client::builder().redirect(redirect::Policy::none()).no_proxy().user_agent("mynah");
        Self { public: builder().dns_resolver(std::sync::Arc::new(PublicOnly)).build().ok(), any: builder().build().ok() }
    }
}

impl Sender {
    /// Tells a server of messages; an error says why it did not take them.
    pub(super) async fn send(
        &self,
        target: &Callback,
        id: &str,
        now_ms: u64,
        messages: Vec<ReportedMessage>,
        within: Duration,
    ) -> Result<(), String> {
        let url = Url::parse(&target.url).map_err(|error| format!("the address: {error}"))?;
        let client = if target.allow_private { &self.any } else { &self.public };
        let client = client.as_ref().ok_or("no client can be made")?;
        if !target.allow_private {
            check(&url)?;
        }
        let body = body(&messages);
        let timestamp = (now_ms / 1000).to_string();
        let mut request = client
            .post(url)
            .timeout(within)
            .header("Content-Type", "application/json; charset=utf-8")
            .header("X-Mynah-Event", "message.sent")
            .header("X-Mynah-Id", id)
            .header("X-Mynah-Signature", signatures(&target.secrets, &timestamp, &body))
            .header("X-Mynah-Timestamp", timestamp);
        if !target.master_secret.is_empty() {
            let credentials = STANDARD.encode(format!("{}:{}", target.appkey, target.master_secret));
            request = request.header("Authorization", format!("Basic {credentials}"));
        }
        let answer = request.body(body).send().await.map_err(|error| why(&error))?;
        if answer.status().is_success() { Ok(()) } else { Err(format!("it answered {}", answer.status().as_u16())) }
    }
}

/// An address that is written as numbers is not resolved: it is looked at here.
fn check(url: &Url) -> Result<(), String> {
    let host = url.host_str().unwrap_or_default();
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse();
    match literal {
        _ if url.scheme() != "https" => Err("only https is allowed".into()),
        Ok(address) if !is_public(address) => Err("the address is a private one".into()),
        _ => Ok(()),
    }
}

/// JMessage's form, and where each message lies.
fn body(messages: &[ReportedMessage]) -> Vec<u8> {
    let shown = messages.iter().filter_map(|message| {
        let mut shown = report_message(message)?;
        let members = shown.as_object_mut()?;
        members.insert("conv_id".into(), message.conv_id.as_str().into());
        members.insert("seq".into(), message.seq.into());
        Some(shown)
    });
    let shown: Vec<Value> = shown.collect();
    json!({"total": shown.len(), "messages": shown}).to_string().into_bytes()
}

/// `v1=` and the hex of HMAC-SHA-256 over `timestamp.body`, for each secret.
fn signatures(secrets: &[String], timestamp: &str, body: &[u8]) -> String {
    let sign = |secret: &String| {
        // A key of any length serves.
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
        mac.update(timestamp.as_bytes());
        mac.update(b".");
        mac.update(body);
        let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        Some(format!("v1={hex}"))
    };
    secrets.iter().filter_map(sign).collect::<Vec<_>>().join(",")
}

/// The innermost reason, without the address: it may hold a token.
fn why(error: &reqwest::Error) -> String {
    let mut inner: &dyn Error = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    if error.is_timeout() { "no answer in time".into() } else { inner.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_what_others_compute() {
        // printf '1700000000.{"total":0}' | openssl dgst -sha256 -hmac Jefe
        let openssl = "v1=b8ff4af8bf3934d8c416401ef1e893eacf60f3731552ca26526b9b1982674f92";
        let signed = signatures(&["Jefe".into(), "other".into()], "1700000000", br#"{"total":0}"#);
        let (first, second) = signed.split_once(',').unwrap();
        assert_eq!(first, openssl);
        assert!(second.starts_with("v1=") && second != openssl);
    }

    #[test]
    fn private_addresses_and_plain_http_are_refused() {
        for bad in
            ["http://example.org/", "https://127.0.0.1/", "https://[::1]:8/", "https://[::ffff:10.0.0.1]/", "https://2130706433/"]
        {
            assert!(check(&Url::parse(bad).unwrap()).is_err(), "{bad}");
        }
        assert!(check(&Url::parse("https://example.org/hook").unwrap()).is_ok());
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_is_not_called() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let target = Callback { url: format!("https://localhost:{port}/"), ..Callback::default() };
        let sent = Sender::default().send(&target, "id", 0, Vec::new(), Duration::from_secs(5)).await;
        assert!(sent.unwrap_err().contains("no public address"));
        listener.set_nonblocking(true).unwrap();
        assert!(listener.accept().is_err(), "nobody came");
    }
}

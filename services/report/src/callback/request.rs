//! One call of an app's server: its body, its signature, its answer.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{Request, StatusCode, Uri, header, request};
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use mynah_proto::directory::Callback;
use mynah_proto::json::report_message;
use mynah_proto::report::ReportedMessage;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::address::addresses;

/// Sends calls, each over a connection of its own: no redirect is followed, no proxy resolves names in our place.
pub(super) struct Sender {
    tls: Result<TlsConnector, String>,
}

impl Default for Sender {
    fn default() -> Self {
        Self::trusting(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() })
    }
}

impl Sender {
    fn trusting(roots: RootCertStore) -> Self {
        let config =
            ClientConfig::builder_with_provider(Arc::new(ring::default_provider())).with_safe_default_protocol_versions();
        let config = config.map(|config| config.with_root_certificates(roots).with_no_client_auth());
        Self { tls: config.map(|config| TlsConnector::from(Arc::new(config))).map_err(|error| error.to_string()) }
    }

    /// Tells a server of messages; an error says why it did not take them.
    pub(super) async fn send(
        &self,
        target: &Callback,
        id: &str,
        now_ms: u64,
        messages: Vec<ReportedMessage>,
        within: Duration,
    ) -> Result<(), String> {
        let body = body(&messages);
        let timestamp = (now_ms / 1000).to_string();
        let mut request = Request::builder()
            .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
            .header("X-Mynah-Event", "message.sent")
            .header("X-Mynah-Id", id)
            .header("X-Mynah-Signature", signatures(&target.secrets, &timestamp, &body))
            .header("X-Mynah-Timestamp", timestamp);
        if !target.master_secret.is_empty() {
            let credentials = STANDARD.encode(format!("{}:{}", target.appkey, target.master_secret));
            request = request.header(header::AUTHORIZATION, format!("Basic {credentials}"));
        }
        let called = tokio::time::timeout(within, self.call(target, request, body)).await;
        let status = called.map_err(|_| "no answer in time".to_owned())??;
        if status.is_success() { Ok(()) } else { Err(format!("it answered {}", status.as_u16())) }
    }

    async fn call(&self, target: &Callback, request: request::Builder, body: Vec<u8>) -> Result<StatusCode, String> {
        let uri: Uri = target.url.parse().map_err(|error| format!("the address: {error}"))?;
        let (secure, host) = (uri.scheme_str() == Some("https"), uri.host().unwrap_or_default());
        if !secure && !target.allow_private {
            return Err("only https is allowed".into());
        }
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let stream = connect(host, port, target.allow_private).await?;
        let authority = uri.authority().map_or(host, |authority| authority.as_str().rsplit('@').next().unwrap_or(host));
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let request = request.method("POST").uri(path).header(header::HOST, authority).body(Full::from(body));
        let request = request.map_err(|error| error.to_string())?;
        if !secure {
            return exchange(stream, request).await;
        }
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(bare.to_owned()).map_err(|error| error.to_string())?;
        let tls = self.tls.as_ref().map_err(Clone::clone)?.connect(name, stream).await;
        exchange(tls.map_err(|error| format!("TLS: {error}"))?, request).await
    }
}

async fn connect(host: &str, port: u16, allow_private: bool) -> Result<TcpStream, String> {
    let mut why = String::new();
    for address in addresses(host, port, allow_private).await? {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => why = format!("it cannot be reached: {error}"),
        }
    }
    Err(why)
}

/// Sends the request and waits for the head of the answer; its body is nobody's.
async fn exchange<S>(stream: S, request: Request<Full<bytes::Bytes>>) -> Result<StatusCode, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    let answer = sender.send_request(request);
    tokio::pin!(answer);
    let answer = tokio::select! {
        biased;
        answer = &mut answer => answer,
        // A server that closes at once may have answered: the answer tells.
        _ = connection => answer.await,
    };
    answer.map(|answer| answer.status()).map_err(|error| error.to_string())
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

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

    #[tokio::test]
    async fn a_name_that_leads_inside_is_not_called() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let target = Callback { url: format!("https://localhost:{port}/"), ..Callback::default() };
        let sent = Sender::default().send(&target, "id", 0, Vec::new(), Duration::from_secs(5)).await;
        assert!(sent.unwrap_err().contains("no public address"));
        let plain = Callback { url: format!("http://localhost:{port}/"), ..Callback::default() };
        let sent = Sender::default().send(&plain, "id", 0, Vec::new(), Duration::from_secs(5)).await;
        assert!(sent.unwrap_err().contains("only https"));
        listener.set_nonblocking(true).unwrap();
        assert!(listener.accept().is_err(), "nobody came");
    }

    #[tokio::test]
    async fn a_server_is_told_over_tls_if_its_name_is_proven() {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let config = config.with_single_cert(vec![made.cert.der().clone()], key).unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let mut head = [0; 5];
                stream.read_exact(&mut head).await.unwrap();
                assert_eq!(&head, b"POST ");
                // It answers and closes at once, without having read it all.
                stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
                stream.shutdown().await.unwrap();
            }
        });
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let target = |host: &str| Callback { url: format!("https://{host}:{port}/"), allow_private: true, ..Callback::default() };
        let within = Duration::from_secs(5);
        let trusting = Sender::trusting(roots);
        trusting.send(&target("localhost"), "id", 0, Vec::new(), within).await.unwrap();
        let other_name = trusting.send(&target("127.0.0.1"), "id", 0, Vec::new(), within).await;
        assert!(other_name.unwrap_err().starts_with("TLS"));
        let unknown = Sender::default().send(&target("localhost"), "id", 0, Vec::new(), within).await;
        assert!(unknown.unwrap_err().starts_with("TLS"));
    }
}

//! Peers that say half of something, or too much, or nothing.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use mynah_runtime::http::{Limits, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

const GOOD: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi";

struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: tokio::task::JoinHandle<std::io::Result<()>>,
}

async fn server(connections: usize, head_ms: u64) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let routes = Router::new().route("/", post(|body: Bytes| async move { body }));
    let (stop, stopped) = oneshot::channel::<()>();
    let limits = Limits { connections, head_within: Duration::from_millis(head_ms) };
    let ended = tokio::spawn(serve(listener, routes, limits, async { _ = stopped.await }));
    Server { address, stop, ended }
}

/// Sends bytes, and reads until the server closes.
async fn whole_answer(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // A server that had enough may have closed already.
    _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer));
    _ = read.await.expect("the server closes in time");
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn half_a_head_or_none_is_not_waited_for() {
    let server = server(10, 50).await;
    for half in ["", "POST / HT", "POST / HTTP/1.1\r\nHost: a\r\nX-Slow: "] {
        let answer = whole_answer(server.address, half.as_bytes()).await;
        assert!(answer.is_empty() || answer.contains(" 408 "), "{half}: {answer}");
    }
}

#[tokio::test]
async fn a_head_that_is_too_big_or_no_http_is_refused() {
    let server = server(10, 1000).await;
    let big = format!("POST / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    for (bytes, statuses) in [(big.as_bytes(), [" 431 ", ""]), (b"\x16\x03\x01 not http\r\n\r\n".as_slice(), [" 400 ", ""])] {
        let answer = whole_answer(server.address, bytes).await;
        assert!(answer.is_empty() || statuses.iter().any(|status| !status.is_empty() && answer.contains(status)), "{answer}");
    }
}

#[tokio::test]
async fn more_connections_than_allowed_wait_for_a_place() {
    let server = server(1, 5000).await;
    let mut first = TcpStream::connect(server.address).await.unwrap();
    first.write_all(GOOD.as_bytes()).await.unwrap();
    let mut buffer = [0; 512];
    assert!(first.read(&mut buffer).await.unwrap() > 0);
    let mut second = TcpStream::connect(server.address).await.unwrap();
    second.write_all(GOOD.as_bytes()).await.unwrap();
    drop(first);
    let read = tokio::time::timeout(Duration::from_secs(20), second.read(&mut buffer)).await;
    assert!(read.expect("the second gets the place").unwrap() > 0);
}

#[tokio::test]
async fn a_stop_lets_the_request_that_is_under_way_finish() {
    let server = server(10, 5000).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(GOOD.strip_suffix('i').unwrap().as_bytes()).await.unwrap();
    // The server has read the head once the connection is its own.
    let mut other = TcpStream::connect(server.address).await.unwrap();
    other.write_all(GOOD.as_bytes()).await.unwrap();
    assert!(other.read(&mut [0; 512]).await.unwrap() > 0);
    server.stop.send(()).unwrap();
    stream.write_all(b"i").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("hi"), "{answer}");
    tokio::time::timeout(Duration::from_secs(20), server.ended).await.expect("it ends").unwrap().unwrap();
}

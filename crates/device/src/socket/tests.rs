//! Frames over a socket that is quick, slow, or takes nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::io::{DuplexStream, ReadBuf, duplex};

use super::*;

const LARGEST: usize = 1 << 20;

/// A number, filled up to a length.
fn filled(number: usize, length: usize) -> String {
    let number = number.to_string();
    "0".repeat(length.saturating_sub(number.len())) + &number
}

fn text(number: usize, length: usize) -> Wire {
    Wire::Text(filled(number, length).into())
}

async fn both(capacity: usize) -> (Socket<DuplexStream>, WebSocketStream<DuplexStream>) {
    let (near, far) = duplex(capacity);
    (Socket::over(near, LARGEST).await, WebSocketStream::from_raw_socket(far, Role::Client, None).await)
}

/// A socket whose system calls are counted.
struct Counted(DuplexStream, Arc<AtomicUsize>);

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn frames_that_fit_are_one_write_and_nothing_is_kept() {
    let (near, _far) = duplex(1 << 20);
    let writes = Arc::new(AtomicUsize::new(0));
    let mut socket = Socket::over(Counted(near, Arc::clone(&writes)), LARGEST).await;
    assert!(socket.write((0..64).map(|n| text(n, 200)).collect(), Duration::from_secs(1)).await);
    assert_eq!(writes.load(Ordering::Relaxed), 1);
    assert!(socket.write((0..64).map(|n| text(n, 1000)).collect(), Duration::from_secs(1)).await);
    assert_eq!(writes.load(Ordering::Relaxed), 1 + 4, "64,000 bytes, 16 KiB and the rest of a frame at one time");
    assert_eq!(socket.0.get_ref().kept(), 0);
}

#[tokio::test]
async fn frames_of_all_sizes_arrive_whole_and_in_order_with_answers_between_them_however_little_the_socket_takes() {
    for capacity in [10, 100, 5000, 1 << 20] {
        let (mut socket, client) = both(capacity).await;
        let sizes = [1, 125, 126, 127, 4000, 65_535, 65_536, 100_000, 30];
        let (mut asks, mut hears) = client.split();
        let asking = tokio::spawn(async move {
            for round in 0_u8..5 {
                asks.send(Message::Ping(vec![round].into())).await.unwrap();
                asks.send(Message::text("more")).await.unwrap();
            }
            asks
        });
        let serving = tokio::spawn(async move {
            for round in 0..5 {
                while !matches!(socket.next().await.unwrap().unwrap(), Message::Text(_)) {}
                let mut frames: Vec<Wire> = sizes.iter().map(|size| text(round, *size)).collect();
                frames.push(Wire::Binary(Bytes::from(vec![7; 300])));
                assert!(socket.write(frames, Duration::from_secs(60)).await);
                assert_eq!(socket.0.get_ref().kept(), 0);
            }
            assert!(matches!(socket.next().await, Some(Ok(Message::Close(_)))));
            socket.close(None).await;
        });
        let (mut pongs, mut heard) = (Vec::new(), Vec::new());
        while heard.len() < 5 * (sizes.len() + 1) || pongs.len() < 5 {
            match hears.next().await.unwrap().unwrap() {
                Message::Pong(of) => pongs.push(of[0]),
                message => heard.push(message),
            }
        }
        assert_eq!(pongs, (0..5).collect::<Vec<u8>>());
        let mut heard = heard.into_iter();
        for round in 0..5 {
            for size in sizes {
                assert_eq!(heard.next().unwrap(), Message::text(filled(round, size)));
            }
            assert_eq!(heard.next().unwrap(), Message::binary(vec![7; 300]));
        }
        let mut client = asking.await.unwrap().reunite(hears).unwrap();
        client.close(None).await.unwrap();
        assert!(matches!(client.next().await, Some(Ok(Message::Close(_)))), "his close is answered");
        assert!(client.next().await.is_none());
        serving.await.unwrap();
    }
}

#[tokio::test]
async fn a_peer_who_takes_nothing_is_given_up() {
    let (mut socket, client) = both(100).await;
    assert!(!socket.write(vec![text(1, 1000)], Duration::from_millis(20)).await);
    drop(client);
    let writing = socket.write(vec![text(1, 1000)], Duration::from_secs(3600));
    let written = tokio::time::timeout(Duration::from_secs(20), writing).await;
    assert_eq!(written, Ok(false), "nobody is there");
}

#[tokio::test]
async fn a_peer_who_pings_and_reads_nothing_fills_no_memory_and_is_told_the_end() {
    let (mut socket, mut client) = both(4096).await;
    let pinging = async {
        for _ in 0..20_000 {
            client.send(Message::Ping(vec![1; 100].into())).await.unwrap();
        }
        client
    };
    let mut pinged = 0;
    let reading = async {
        while let Some(Ok(Message::Ping(_))) = socket.next().await {
            pinged += 1;
            if pinged == 20_000 {
                break;
            }
        }
    };
    let (mut client, ()) = tokio::join!(pinging, reading);
    assert_eq!(pinged, 20_000);
    let kept = socket.0.get_ref().kept();
    assert!(kept <= 64 << 10, "{kept}");
    let closing = tokio::spawn(socket.close(Some(Close::RATE)));
    let told = loop {
        match client.next().await {
            Some(Ok(Message::Pong(_))) => {}
            Some(Ok(Message::Close(Some(frame)))) => break u16::from(frame.code),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(told, Close::RATE.0);
    assert!(client.next().await.is_none());
    closing.await.unwrap();
}

#[tokio::test]
async fn the_end_is_told_and_what_the_peer_still_says_is_let_go() {
    let (mut socket, mut client) = both(1 << 16).await;
    assert!(socket.write(vec![text(1, 5)], Duration::from_secs(1)).await);
    for _ in 0..100 {
        client.send(Message::text("still talking")).await.unwrap();
    }
    let closing = tokio::spawn(socket.close(Some(Close::IDLE)));
    assert_eq!(client.next().await.unwrap().unwrap(), Message::text("00001"));
    let Some(Ok(Message::Close(Some(frame)))) = client.next().await else { panic!("no close") };
    assert_eq!((u16::from(frame.code), frame.reason.as_str()), (Close::IDLE.0, Close::IDLE.1));
    assert!(client.next().await.is_none());
    drop(client);
    closing.await.unwrap();
}

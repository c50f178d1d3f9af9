//! Stands between devices and a server, and lies once about what the server said.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// What it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    None,
    /// Keeps a delivery back, and leaves its entry out of every page.
    Lose,
    /// Keeps a delivery back.
    Drop,
    Double,
    /// Two deliveries of one conversation change places.
    Swap,
    /// A delivery goes to somebody else too.
    Leak,
    /// An entry comes under another number.
    Renumber,
    /// Counts one more.
    Unread,
    /// Leaves a conversation out of every list.
    Unlist,
    /// No lie: answers of the REST API are slow.
    Slow,
}

/// How long an answer of the REST API takes at least.
const SLOW: Duration = Duration::from_millis(400);
/// Lies about the delivery of this number: some come before, and many after.
const AT: u64 = 20;

/// What it did and saw.
#[derive(Default)]
pub struct State {
    deliveries: u64,
    /// The conversation and the place that are left out.
    lost: Option<(String, u64)>,
    /// The conversation that is left out of lists.
    unlisted: Option<Value>,
    /// Waits for the next one of its conversation: by connection.
    kept: Option<(usize, Value)>,
    done: bool,
    others: HashMap<usize, mpsc::Sender<String>>,
}

/// Listens in front of a server.
pub async fn start(server: SocketAddr, lie: Lie) -> SocketAddr {
    watched(server, lie).await.0
}

/// The same; what it saw can be asked for.
pub async fn watched(server: SocketAddr, lie: Lie) -> (SocketAddr, Arc<Mutex<State>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::new(Mutex::new(State::default()));
    let state = Arc::clone(&seen);
    tokio::spawn(async move {
        for nth in 0.. {
            let (client, _) = listener.accept().await.unwrap();
            let state = Arc::clone(&state);
            tokio::spawn(async move {
                let server = TcpStream::connect(server).await.unwrap();
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                tokio::spawn(copy(from_client, to_server));
                answers(nth, from_server, to_client, lie, state).await;
            });
        }
    });
    (address, seen)
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    // Either side may hang up.
    _ = tokio::io::copy(&mut from, &mut to).await;
}

async fn answers(nth: usize, mut from: OwnedReadHalf, mut to: OwnedWriteHalf, lie: Lie, state: Arc<Mutex<State>>) {
    let (mut buffer, mut chunk) = (Vec::new(), vec![0; 64 << 10]);
    let (tell, mut told) = mpsc::channel::<String>(64);
    let mut is_socket = false;
    loop {
        tokio::select! {
            read = from.read(&mut chunk) => match read {
                Ok(count) if count > 0 => buffer.extend_from_slice(&chunk[..count]),
                _ => return,
            },
            Some(text) = told.recv() => {
                if to.write_all(&frame(&text)).await.is_err() {
                    return;
                }
                continue;
            }
        }
        let mut out = Vec::new();
        if !is_socket && buffer.starts_with(b"HTTP/1.1 101") {
            let end = buffer.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
            out.extend(buffer.drain(..end));
            is_socket = true;
            state.lock().unwrap().others.insert(nth, tell.clone());
        }
        if !is_socket {
            if lie == Lie::Slow {
                tokio::time::sleep(SLOW).await;
            }
            out.append(&mut buffer);
        }
        while is_socket && let Some((text, length)) = first(&buffer) {
            match text.and_then(|text| serde_json::from_str::<Value>(&text).ok()) {
                Some(value) => {
                    let said = state.lock().unwrap().say(nth, value, lie);
                    out.extend(said.iter().flat_map(|value| frame(&value.to_string())));
                }
                None => out.extend_from_slice(&buffer[..length]),
            }
            buffer.drain(..length);
        }
        if to.write_all(&out).await.is_err() {
            return;
        }
    }
}

/// The first frame: its text if it is one, and its length.
fn first(bytes: &[u8]) -> Option<(Option<String>, usize)> {
    let (length, header) = match *bytes.get(1)? {
        126 => (usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)), 4),
        127 => (usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?, 10),
        short => (usize::from(short), 2),
    };
    let text = bytes.get(header..header + length)?;
    Some(((bytes[0] == 0x81).then(|| String::from_utf8_lossy(text).into_owned()), header + length))
}

fn frame(text: &str) -> Vec<u8> {
    let mut out = vec![0x81, 127];
    out.extend_from_slice(&(text.len() as u64).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
    out
}

impl State {
    /// Connections of devices so far, and what was delivered to them.
    pub fn devices(&self) -> (usize, u64) {
        (self.others.len(), self.deliveries)
    }

    /// What is said instead.
    fn say(&mut self, nth: usize, mut value: Value, lie: Lie) -> Vec<Value> {
        if let Some(items) = value.pointer_mut("/sync_page/items").and_then(Value::as_array_mut) {
            for item in items {
                if let Some(entries) = item.get_mut("entries").and_then(Value::as_array_mut) {
                    entries.retain(|entry| self.lost.as_ref() != Some(&place(entry)));
                }
            }
        }
        if lie == Lie::Unread
            && let Some(item) = value.pointer_mut("/conv_page/items/0")
        {
            item["unread"] = json!(item.get("unread").and_then(Value::as_u64).unwrap_or(0) + 1);
        }
        if lie == Lie::Unlist
            && let Some(items) = value.pointer_mut("/conv_page/items").and_then(Value::as_array_mut)
        {
            let first = items.first().map(|item| item["conv_id"].clone());
            self.unlisted = self.unlisted.take().or(first);
            items.retain(|item| Some(&item["conv_id"]) != self.unlisted.as_ref());
        }
        let Some(entry) = value.pointer("/deliver/entries/0").cloned() else { return vec![value] };
        self.deliveries += 1;
        if let Some((of, kept)) = self.kept.take() {
            let first = &kept["deliver"]["entries"][0];
            if of == nth && first["conv_id"] == entry["conv_id"] {
                self.done = true;
                return vec![value, kept];
            }
            self.kept = Some((of, kept));
        }
        if self.deliveries < AT || self.done || self.kept.is_some() {
            return vec![value];
        }
        self.done = lie != Lie::Swap;
        match lie {
            Lie::None | Lie::Unread | Lie::Unlist | Lie::Slow => return vec![value],
            Lie::Lose => self.lost = Some(place(&entry)),
            Lie::Drop => {}
            Lie::Double => return vec![value.clone(), value],
            Lie::Swap => self.kept = Some((nth, value)),
            Lie::Leak => {
                // The one who gets it too is of no chat and no group with everybody.
                for other in self.others.iter().filter(|(other, _)| **other != nth).map(|(_, other)| other) {
                    _ = other.try_send(value.to_string());
                }
                return vec![value];
            }
            Lie::Renumber => {
                value["deliver"]["entries"][0]["seq"] = json!(entry["seq"].as_u64().unwrap() + 1);
                return vec![value];
            }
        }
        Vec::new()
    }
}

fn place(entry: &Value) -> (String, u64) {
    (entry["conv_id"].as_str().unwrap_or_default().to_owned(), entry["seq"].as_u64().unwrap_or(0))
}

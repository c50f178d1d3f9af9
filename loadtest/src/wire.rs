//! A device that costs little: it logs in, and counts what is pushed without reading it.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::Failed;
use crate::server::Server;
use crate::world::PASSWORD;

/// What is pushed arrives in this time.
const WITHIN: Duration = Duration::from_secs(60);
/// Deliveries after which they are acknowledged.
const ACK_EVERY: usize = 32;

/// Sends that go in one message.
const TOGETHER: usize = 64;

/// What a conversation was read in.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pages {
    /// How many.
    pub pages: usize,
    /// Bytes of them all.
    pub bytes: usize,
    /// Entries in them.
    pub entries: u64,
}

/// A page, its entries passed over.
#[derive(serde::Deserialize)]
struct SyncPage {
    sync_page: Option<Items>,
}

#[derive(serde::Deserialize)]
struct Items {
    items: Vec<Item>,
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Item {
    entries: Vec<serde::de::IgnoredAny>,
    covered_to: u64,
    more: bool,
}

fn hello_of(server: &Server, username: &str) -> serde_json::Value {
    json!({"id": 1, "hello": {"appkey": server.appkey, "platform": "a", "device_id": username}})
}

/// One connection that is logged in.
pub struct Wire(WebSocketStream<TcpStream>);

impl Wire {
    async fn connect(server: &Server) -> Result<Self, Failed> {
        let stream = TcpStream::connect(server.http).await?;
        let config = WebSocketConfig::default().read_buffer_size(2048).write_buffer_size(0);
        let url = format!("ws://{}/v1/ws", server.http);
        let (socket, _) = tokio_tungstenite::client_async_with_config(url, stream, Some(config)).await?;
        Ok(Self(socket))
    }

    /// Connects as a user's Android device.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn log_in(server: &Server, username: &str) -> Result<Self, Failed> {
        let mut wire = Self::connect(server).await?;
        let hello = hello_of(server, username);
        let login = json!({"id": 2, "login": {"username": username, "password": PASSWORD}});
        wire.0.send(Message::text(format!("{hello}\n{login}"))).await?;
        wire.until("login_ack").await?;
        Ok(wire)
    }

    /// Connects and says hello, and no more.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn hello(server: &Server, username: &str) -> Result<Self, Failed> {
        let mut wire = Self::connect(server).await?;
        wire.ask(&hello_of(server, username), "welcome").await?;
        Ok(wire)
    }

    /// Logs in after a hello; answers the session.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn enter_as(&mut self, login: &serde_json::Value) -> Result<String, Failed> {
        let ack = self.ask(&json!({"id": 2, "login": login}), "login_ack").await?;
        Ok(ack.get("session").and_then(serde_json::Value::as_str).ok_or("no session")?.to_owned())
    }

    /// Sends so many texts of 128 bytes to a user; answers the conversation.
    ///
    /// # Errors
    /// When the server refuses one of them.
    pub async fn say(&mut self, to: &str, count: u64) -> Result<String, Failed> {
        let mut conv_id = None;
        for from in (0..count).step_by(TOGETHER) {
            let numbers = from..count.min(from + TOGETHER as u64);
            let send = |number: u64| {
                json!({"id": number + 10, "send": {
                    "cmid": format!("m{number}"), "target_type": "single", "target_id": to, "msg_type": "text",
                    "msg_body": {"text": "x".repeat(128)},
                }})
                .to_string()
            };
            let frames: Vec<String> = numbers.clone().map(send).collect();
            self.0.send(Message::text(frames.join("\n"))).await?;
            for _ in numbers {
                let ack = self.answer("send_ack").await?;
                conv_id = ack.get("conv_id").and_then(serde_json::Value::as_str).map(str::to_owned);
            }
        }
        conv_id.ok_or_else(|| "nothing was said".into())
    }

    /// Reads a conversation from its beginning, in pages as large as they may be.
    ///
    /// # Errors
    /// When the server refuses or hangs up.
    pub async fn pages(&mut self, conv_id: &str) -> Result<Pages, Failed> {
        let (mut read, mut after) = (Pages::default(), 0);
        loop {
            let sync = json!({"id": 9, "sync": {"ranges": [{"conv_id": conv_id, "after_seq": after, "limit": 200}]}});
            self.0.send(Message::text(sync.to_string())).await?;
            let message = tokio::time::timeout(WITHIN, self.0.next()).await?.ok_or("the connection ended")??;
            let page: SyncPage = serde_json::from_str(message.to_text()?)?;
            let item = page.sync_page.and_then(|page| page.items.into_iter().next()).ok_or("no page")?;
            read.pages += 1;
            read.bytes += message.len();
            read.entries += item.entries.len() as u64;
            after = item.covered_to;
            if !item.more {
                return Ok(read);
            }
        }
    }

    /// Enters a room.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn enter(&mut self, room: u64) -> Result<(), Failed> {
        self.0.send(Message::text(json!({"id": 3, "room_enter": {"room_id": room.to_string()}}).to_string())).await?;
        self.until("room_state").await
    }

    async fn until(&mut self, wanted: &str) -> Result<(), Failed> {
        loop {
            let message = tokio::time::timeout(WITHIN, self.0.next()).await?.ok_or("the connection ended")??;
            let text = message.to_text()?;
            if text.contains(wanted) {
                return Ok(());
            }
            if text.contains("\"error\"") {
                return Err(text.to_owned().into());
            }
        }
    }

    /// Counts deliveries until there were so many, or none comes any more.
    pub async fn count_deliveries(&mut self, most: usize) -> usize {
        let mut count = 0;
        while count < most {
            match tokio::time::timeout(WITHIN, self.0.next()).await {
                Ok(Some(Ok(Message::Text(text)))) if text.contains("\"deliver\"") => {
                    count += 1;
                    if count % ACK_EVERY == 0 && self.acknowledge(&text).await.is_err() {
                        return count;
                    }
                }
                Ok(Some(Ok(_))) => {}
                _ => return count,
            }
        }
        count
    }

    /// Reads again after a silence, until it is told where the conversation stands; then asks for all of it.
    /// Whether it was told, how far it is covered, and how many entries that is.
    ///
    /// # Errors
    /// When the server refuses or hangs up.
    pub async fn recover(&mut self, conv_id: &str) -> Result<(bool, u64, u64), Failed> {
        self.until("\"heads\"").await?;
        let (mut covered, mut entries) = (0, 0);
        loop {
            let ask = json!({"id": 9, "sync": {"ranges": [{"conv_id": conv_id, "after_seq": covered}]}});
            self.0.send(Message::text(ask.to_string())).await?;
            let page = loop {
                let message = tokio::time::timeout(WITHIN, self.0.next()).await?.ok_or("the connection ended")??;
                let frame: serde_json::Value = serde_json::from_str(message.to_text()?)?;
                if frame.get("sync_page").is_some() {
                    break frame;
                }
            };
            let item = page.pointer("/sync_page/items/0").ok_or("no page")?;
            let number = |name: &str| item.get(name).and_then(serde_json::Value::as_u64).unwrap_or(0);
            entries += item.get("entries").and_then(serde_json::Value::as_array).map_or(0, |list| list.len() as u64);
            covered = number("covered_to");
            if covered >= number("head_seq") {
                return Ok((true, covered, entries));
            }
        }
    }

    /// The user's feed, if it has an event.
    ///
    /// # Errors
    /// When the server refuses or hangs up.
    pub async fn feed(&mut self) -> Result<Option<String>, Failed> {
        let page = self.ask(&json!({"id": 9, "conv_list": {"kinds": ["feed"]}}), "conv_page").await?;
        Ok(page.pointer("/items/0/conv_id").and_then(serde_json::Value::as_str).map(str::to_owned))
    }

    /// Every entry of a conversation.
    ///
    /// # Errors
    /// When the server refuses or hangs up.
    pub async fn all(&mut self, conv_id: &str) -> Result<Vec<serde_json::Value>, Failed> {
        let (mut entries, mut after) = (Vec::new(), 0);
        loop {
            let sync = json!({"id": 9, "sync": {"ranges": [{"conv_id": conv_id, "after_seq": after}]}});
            let page = self.ask(&sync, "sync_page").await?;
            let item = page.pointer("/items/0").ok_or("no page")?;
            entries.extend(item.get("entries").and_then(serde_json::Value::as_array).into_iter().flatten().cloned());
            after = item.get("covered_to").and_then(serde_json::Value::as_u64).ok_or("nothing is covered")?;
            if item.get("more").is_none() {
                return Ok(entries);
            }
        }
    }

    async fn ask(&mut self, frame: &serde_json::Value, answer: &str) -> Result<serde_json::Value, Failed> {
        self.0.send(Message::text(frame.to_string())).await?;
        self.answer(answer).await
    }

    async fn answer(&mut self, answer: &str) -> Result<serde_json::Value, Failed> {
        loop {
            let message = tokio::time::timeout(WITHIN, self.0.next()).await?.ok_or("the connection ended")??;
            let frame: serde_json::Value = serde_json::from_str(message.to_text()?)?;
            if let Some(body) = frame.get(answer) {
                return Ok(body.clone());
            }
            if frame.get("error").is_some() {
                return Err(frame.to_string().into());
            }
        }
    }

    async fn acknowledge(&mut self, deliver: &str) -> Result<(), Failed> {
        let frame: serde_json::Value = serde_json::from_str(deliver)?;
        let entry = frame.pointer("/deliver/entries/0").ok_or("no entry")?;
        let ack = json!({"ack": {"items": [{"conv_id": entry.get("conv_id"), "seq": entry.get("seq")}]}});
        Ok(self.0.send(Message::text(ack.to_string())).await?)
    }
}

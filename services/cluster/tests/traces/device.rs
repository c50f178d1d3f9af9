//! A device on one of the gateways.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::world::World;

pub struct Device(WebSocketStream<TcpStream>);

impl Device {
    pub async fn login(world: &World, gateway: usize, name: &str) -> Self {
        let address = &world.gateways[gateway];
        let tcp = TcpStream::connect(address).await.unwrap();
        let mut device = Self(tokio_tungstenite::client_async(format!("ws://{address}/v1/ws"), tcp).await.unwrap().0);
        device.say(&json!({"id": 1, "hello": {"appkey": world.appkey, "platform": "a", "device_id": name}})).await;
        device.say(&json!({"id": 2, "login": {"username": name, "password": "secret"}})).await;
        let ack = device.until(|frame| frame["id"] == 2).await;
        assert!(ack["login_ack"].is_object(), "{ack}");
        device
    }

    /// Sends a message; its id.
    pub async fn send(&mut self, kind: &str, target: &str) -> u64 {
        let send =
            json!({"cmid": "d-1", "target_type": kind, "target_id": target, "msg_type": "text", "msg_body": {"text": "hi"}});
        self.say(&json!({"id": 9, "send": send})).await;
        let ack = self.until(|frame| frame["id"] == 9).await;
        assert!(ack["send_ack"].is_object(), "{ack}");
        ack["send_ack"]["msg_id"].as_u64().unwrap()
    }

    pub async fn enter(&mut self, room: &str) {
        self.say(&json!({"id": 8, "room_enter": {"room_id": room}})).await;
        let state = self.until(|frame| frame["id"] == 8).await;
        assert!(state["room_state"].is_object(), "{state}");
    }

    /// Waits for a message.
    pub async fn delivered(&mut self, msg_id: u64) {
        let holds = |frame: &Value| {
            let entries = frame["deliver"]["entries"].as_array();
            entries.is_some_and(|entries| entries.iter().any(|entry| entry["msg_id"] == msg_id))
        };
        self.until(holds).await;
    }

    async fn say(&mut self, frame: &Value) {
        self.0.send(Message::text(frame.to_string())).await.unwrap();
    }

    async fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let next = tokio::time::timeout(Duration::from_secs(20), self.0.next()).await.expect("a frame in time");
            let Some(Ok(Message::Text(text))) = next else { continue };
            let frame: Value = serde_json::from_str(&text).unwrap();
            if wanted(&frame) {
                return frame;
            }
        }
    }
}

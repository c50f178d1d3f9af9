//! A server with the real directory, router and engines, and a device that speaks the codec of the suite.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use mynah_device::{Deps, Devices};
use mynah_directory::{Directory, Operator, SecretKey};
use mynah_ports::{Bus, DirectoryStore, MessageLog, Presence};
use mynah_proto::directory::{AppByKeyRequest, CreateGroupRequest};
use mynah_proto::json::{decode_client, encode_server};
use mynah_proto::{DirectoryClient, RouterClient, binary};
use mynah_router::{Gateways, Router};
use mynah_types::{Clock, GatewayId, SystemClock};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::engines;
use crate::wiring::Wiring;

/// The subprotocols.
pub const JSON: &str = "mynah.v1.json";
pub const PROTOBUF: &str = "mynah.v1.pb";

pub const GATEWAY: GatewayId = GatewayId(1);

/// What the services work on.
pub struct Engines {
    pub store: Arc<dyn DirectoryStore>,
    pub log: Arc<dyn MessageLog>,
    pub bus: Arc<dyn Bus>,
    pub presence: Arc<dyn Presence>,
}

pub struct Server {
    pub address: String,
    pub appkey: String,
    pub app_id: u64,
    pub directory: DirectoryClient,
    pub devices: Devices,
    pub store: Arc<dyn DirectoryStore>,
    pub presence: Arc<dyn Presence>,
    _folder: tempfile::TempDir,
}

impl Server {
    /// A private group of these users, whose owner comes first: its gid.
    pub async fn club(&self, owner: &str, members: &[&str]) -> u64 {
        let request = CreateGroupRequest {
            app_id: self.app_id,
            owner: owner.into(),
            name: "club".into(),
            flag: 1,
            members: members.iter().map(|name| (*name).to_owned()).collect(),
            ..CreateGroupRequest::default()
        };
        self.directory.create_group(request).await.unwrap().gid
    }
}

pub async fn serve() -> Server {
    serve_with(mynah_device::Settings::default()).await
}

pub async fn serve_with(device_settings: mynah_device::Settings) -> Server {
    serve_seeing(device_settings, |presence| presence).await.0
}

/// The same with presence as the gateway alone sees it, and the way to the router.
pub async fn serve_seeing(
    device_settings: mynah_device::Settings,
    view: impl FnOnce(Arc<dyn Presence>) -> Arc<dyn Presence>,
) -> (Server, RouterClient) {
    let folder = tempfile::tempdir().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let key_path = folder.path().join("secret.key");
    let Engines { store, log, bus, presence } = engines::start(folder.path()).await;
    let key = SecretKey::open_or_create(&key_path).unwrap();
    let credentials = Operator::new(Arc::clone(&store), key_path, Arc::clone(&clock)).create_app("test").await.unwrap();
    let mut wiring = Wiring::new();
    let (directory, router, gateway) = (wiring.directory.clone(), wiring.router.clone(), wiring.gateway.clone());
    let settings =
        mynah_directory::Settings { argon2_memory_kib: 64, argon2_iterations: 1, ..mynah_directory::Settings::default() };
    let service = Directory::new(mynah_directory::Deps {
        store: Arc::clone(&store),
        router: router.clone(),
        gateway: gateway.clone(),
        clock: Arc::clone(&clock),
        key,
        settings,
    });
    wiring.offer_directory(service);
    let actors = Router::start(mynah_router::Deps {
        log,
        bus,
        presence: Arc::clone(&presence),
        directory: directory.clone(),
        gateways: Gateways::single(GATEWAY, gateway.clone()),
        clock: Arc::clone(&clock),
        ownership: mynah_router::Ownership::Sole,
        settings: mynah_router::Settings::default(),
    });
    wiring.offer_router(actors.await.unwrap());
    let devices = Devices::new(Deps {
        directory: directory.clone(),
        router: router.clone(),
        presence: view(Arc::clone(&presence)),
        gateway_id: GATEWAY,
        words: mynah_words::Words::new(directory.clone()),
        clock,
        settings: device_settings,
    });
    wiring.offer_gateway(devices.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let routes = devices.routes();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let appkey = credentials.appkey.to_string();
    let app = directory.app_by_key(AppByKeyRequest { appkey: appkey.clone(), now: false }).await.unwrap();
    let server = Server { address, appkey, app_id: app.app_id, directory, devices, store, presence, _folder: folder };
    (server, router)
}

/// A connection; frames are JSON here, whatever its codec.
pub struct Device(pub tokio_tungstenite::WebSocketStream<tokio::net::TcpStream>, &'static str);

/// Frames as one message of a codec.
pub fn message(subprotocol: &str, frames: &[Value]) -> Message {
    let texts = frames.iter().map(ToString::to_string);
    if subprotocol == JSON {
        return Message::text(texts.collect::<Vec<_>>().join("\n"));
    }
    let bytes: Vec<_> = texts.map(|text| binary::encode(&decode_client(&text).unwrap())).collect();
    Message::binary(bytes.concat())
}

impl Device {
    pub async fn connect(server: &Server) -> Self {
        Self::connect_by(server, crate::SUBPROTOCOL).await
    }

    /// Connects by another codec than the suite's.
    pub async fn connect_by(server: &Server, subprotocol: &'static str) -> Self {
        let tcp = tokio::net::TcpStream::connect(&server.address).await.unwrap();
        let mut request = format!("ws://{}/v1/ws", server.address).into_client_request().unwrap();
        request.headers_mut().insert("Sec-WebSocket-Protocol", subprotocol.parse().unwrap());
        let (socket, response) = tokio_tungstenite::client_async(request, tcp).await.unwrap();
        assert_eq!(response.headers()["Sec-WebSocket-Protocol"], subprotocol);
        Self(socket, subprotocol)
    }

    /// Registers and logs in, in one message.
    pub async fn login(server: &Server, name: &str, device_id: &str) -> Self {
        Self::login_on(server, name, device_id, "a").await
    }

    /// The same on another platform.
    pub async fn login_on(server: &Server, name: &str, device_id: &str, platform: &str) -> Self {
        Self::connect(server).await.enter(server, name, device_id, platform).await
    }

    /// Registers and logs in on a connection that is new.
    pub async fn enter(self, server: &Server, name: &str, device_id: &str, platform: &str) -> Self {
        let mut device = self;
        device
            .send(&[
                json!({"id":1,"hello":{"appkey":server.appkey,"platform":platform,"device_id":device_id}}),
                json!({"id":2,"call":{"method":"user.register","body":{"username":name,"password":"secret"}}}),
                json!({"id":3,"login":{"username":name,"password":"secret"}}),
            ])
            .await;
        assert!(device.until(|f| f["id"] == 1).await["welcome"].is_object());
        device.until(|f| f["id"] == 2).await;
        let ack = device.until(|f| f["id"] == 3).await;
        assert_eq!(ack["login_ack"]["user"]["username"], name, "{ack}");
        device
    }

    pub async fn send(&mut self, frames: &[Value]) {
        self.0.send(message(self.1, frames)).await.unwrap();
    }

    /// The next frame, or the close code.
    pub async fn next(&mut self) -> Result<Value, u16> {
        let next = tokio::time::timeout(Duration::from_secs(20), self.0.next()).await.expect("a frame in time");
        match next {
            Some(Ok(Message::Text(text))) if self.1 == JSON => Ok(serde_json::from_str(&text).unwrap()),
            Some(Ok(Message::Binary(bytes))) if self.1 == PROTOBUF => {
                let frames: Vec<_> =
                    binary::frames(&bytes).map(|frame| binary::decode_server(&frame.unwrap()).unwrap()).collect();
                let [frame] = &frames[..] else { panic!("{frames:?}") };
                Ok(serde_json::from_str(&encode_server(frame).unwrap()).unwrap())
            }
            Some(Ok(Message::Close(Some(frame)))) => Err(frame.code.into()),
            other => panic!("{other:?}"),
        }
    }

    pub async fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let frame = self.next().await.unwrap();
            if wanted(&frame) {
                return frame;
            }
        }
    }
}

pub fn text(id: u32, target_type: &str, target_id: &str, cmid: &str) -> Value {
    json!({"id":id,"send":{"cmid":cmid,"target_type":target_type,"target_id":target_id,"msg_type":"text","msg_body":{"text":cmid}}})
}

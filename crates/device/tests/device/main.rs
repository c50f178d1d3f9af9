//! Devices over the real directory, router and engines: what a person's two devices see.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use mynah_device::{Deps, Devices, Rate};
use mynah_directory::{Directory, Operator, SecretKey};
use mynah_fjall::{FjallLog, Options};
use mynah_memory::{MemoryBus, MemoryPresence};
use mynah_ports::{DirectoryStore, Presence};
use mynah_proto::directory::{AppByKeyRequest, CreateGroupRequest, SetDisabledRequest};
use mynah_proto::{DirectoryClient, GatewayClient, RouterClient};
use mynah_router::{Gateways, Router};
use mynah_types::{Clock, GatewayId, SystemClock};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

const GATEWAY: GatewayId = GatewayId(1);

struct Server {
    address: String,
    appkey: String,
    app_id: u64,
    directory: DirectoryClient,
    _folder: tempfile::TempDir,
}

async fn serve() -> Server {
    serve_with(mynah_device::Settings::default()).await
}

async fn serve_with(device_settings: mynah_device::Settings) -> Server {
    let folder = tempfile::tempdir().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let key_path = folder.path().join("secret.key");
    let store: Arc<dyn DirectoryStore> =
        Arc::new(mynah_sqlite::SqliteDirectory::open(folder.path().join("directory.db")).unwrap());
    let key = SecretKey::open_or_create(&key_path).unwrap();
    let credentials = Operator::new(Arc::clone(&store), key_path, Arc::clone(&clock)).create_app("test").await.unwrap();
    let (directory, router, gateway) = (DirectoryClient::late(), RouterClient::late(), GatewayClient::late());
    let presence: Arc<dyn Presence> = Arc::new(MemoryPresence::new(vec![GATEWAY]));
    let settings =
        mynah_directory::Settings { argon2_memory_kib: 64, argon2_iterations: 1, ..mynah_directory::Settings::default() };
    let service = Directory::new(mynah_directory::Deps {
        store,
        router: router.clone(),
        gateway: gateway.clone(),
        clock: Arc::clone(&clock),
        key,
        settings,
    });
    directory.bind(Arc::new(service));
    let actors = Router::start(mynah_router::Deps {
        log: Arc::new(FjallLog::open(&folder.path().join("log"), &Options::default()).unwrap()),
        bus: Arc::new(MemoryBus::new(64)),
        presence: Arc::clone(&presence),
        directory: directory.clone(),
        gateways: Gateways::single(GATEWAY, gateway.clone()),
        clock: Arc::clone(&clock),
        settings: mynah_router::Settings::default(),
    });
    router.bind(Arc::new(actors.await.unwrap()));
    let devices = Devices::new(Deps {
        directory: directory.clone(),
        router,
        presence,
        gateway_id: GATEWAY,
        clock,
        settings: device_settings,
    });
    gateway.bind(Arc::new(devices.clone()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, devices.routes()).await });
    let appkey = credentials.appkey.to_string();
    let app = directory.app_by_key(AppByKeyRequest { appkey: appkey.clone() }).await.unwrap();
    Server { address, appkey, app_id: app.app_id, directory, _folder: folder }
}

struct Device(tokio_tungstenite::WebSocketStream<tokio::net::TcpStream>);

impl Device {
    async fn connect(server: &Server) -> Self {
        let tcp = tokio::net::TcpStream::connect(&server.address).await.unwrap();
        let url = format!("ws://{}/v1/ws", server.address);
        Self(tokio_tungstenite::client_async(url, tcp).await.unwrap().0)
    }

    /// Registers and logs in, in one message.
    async fn login(server: &Server, name: &str, device_id: &str) -> Self {
        let mut device = Self::connect(server).await;
        device
            .send(&[
                json!({"id":1,"hello":{"appkey":server.appkey,"platform":"a","device_id":device_id}}),
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

    async fn send(&mut self, frames: &[Value]) {
        let text: Vec<String> = frames.iter().map(ToString::to_string).collect();
        self.0.send(Message::text(text.join("\n"))).await.unwrap();
    }

    /// The next frame, or the close code.
    async fn next(&mut self) -> Result<Value, u16> {
        let next = tokio::time::timeout(Duration::from_secs(20), self.0.next()).await.expect("a frame in time");
        match next {
            Some(Ok(Message::Text(text))) => Ok(serde_json::from_str(&text).unwrap()),
            Some(Ok(Message::Close(Some(frame)))) => Err(frame.code.into()),
            other => panic!("{other:?}"),
        }
    }

    async fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let frame = self.next().await.unwrap();
            if wanted(&frame) {
                return frame;
            }
        }
    }
}

fn text(id: u32, target_type: &str, target_id: &str, cmid: &str) -> Value {
    json!({"id":id,"send":{"cmid":cmid,"target_type":target_type,"target_id":target_id,"msg_type":"text","msg_body":{"text":cmid}}})
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_reach_the_other_at_once_in_order_and_a_retry_gets_the_first_answer() {
    let server = serve().await;
    let mut ann = Device::login(&server, "anna", "d1").await;
    let mut tom = Device::login(&server, "tommy", "d2").await;
    ann.send(&[text(4, "single", "tommy", "one"), text(5, "single", "tommy", "two")]).await;
    let first = ann.until(|f| f["id"] == 4).await["send_ack"].clone();
    assert_eq!(ann.until(|f| f["id"] == 5).await["send_ack"]["seq"], 2);
    for (seq, body) in [(1, "one"), (2, "two")] {
        let entry = tom.until(|f| f["deliver"].is_object()).await["deliver"]["entries"][0].clone();
        assert_eq!((entry["seq"].clone(), entry["message"]["msg_body"]["text"].clone()), (json!(seq), json!(body)));
        assert_eq!(entry["from"]["username"], "anna");
    }
    ann.send(&[text(6, "single", "tommy", "one")]).await;
    let again = ann.until(|f| f["id"] == 6).await["send_ack"].clone();
    assert_eq!((&again["seq"], &again["msg_id"], &again["duplicate"]), (&first["seq"], &first["msg_id"], &json!(true)));
    tom.send(&[json!({"id":7,"conv_list":{}}), json!({"id":8,"sync":{"ranges":[{"conv_id":first["conv_id"]}]}})]).await;
    let item = tom.until(|f| f["id"] == 7).await["conv_page"]["items"][0].clone();
    assert_eq!((&item["unread"], &item["name"], &item["head_seq"]), (&json!(2), &json!("anna"), &json!(2)));
    assert_eq!(tom.until(|f| f["id"] == 8).await["sync_page"]["items"][0]["covered_to"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_made_while_its_members_are_connected_reaches_them() {
    let server = serve().await;
    let mut ann = Device::login(&server, "anna", "d1").await;
    let mut tom = Device::login(&server, "tommy", "d2").await;
    let request = CreateGroupRequest {
        app_id: server.app_id,
        owner: "anna".into(),
        name: "club".into(),
        flag: 1,
        members: vec!["tommy".into()],
        ..Default::default()
    };
    let gid = server.directory.create_group(request).await.unwrap().gid.to_string();
    let created = tom.until(|f| f["deliver"].is_object()).await["deliver"]["entries"][0].clone();
    assert_eq!((&created["seq"], &created["event"]["event_type"]), (&json!(1), &json!(8)));
    ann.send(&[text(4, "group", &gid, "hello")]).await;
    assert_eq!(ann.until(|f| f["id"] == 4).await["send_ack"]["seq"], 2);
    let entry = tom.until(|f| f["deliver"].is_object()).await["deliver"]["entries"][0].clone();
    assert_eq!((&entry["seq"], &entry["message"]["msg_body"]["text"]), (&json!(2), &json!("hello")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newer_device_of_a_class_puts_the_older_one_out_and_a_disabled_user_loses_all() {
    let server = serve().await;
    let mut old = Device::login(&server, "anna", "d1").await;
    let mut new = Device::login(&server, "anna", "d2").await;
    assert_eq!(old.until(|f| f["kicked"].is_object()).await["kicked"]["reason"], "other_device");
    assert_eq!(old.next().await, Err(4503));
    let request = SetDisabledRequest { app_id: server.app_id, username: "anna".into(), disabled: true };
    server.directory.set_disabled(request).await.unwrap();
    assert_eq!(new.until(|f| f["kicked"].is_object()).await["kicked"]["reason"], "disabled");
    assert_eq!(new.next().await, Err(4504));
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_frames_get_their_code_or_close_the_connection() {
    let server = serve().await;
    let mut early = Device::connect(&server).await;
    early.send(&[json!({"id":1,"ping":{}})]).await;
    assert_eq!(early.next().await, Err(4500));
    let mut ann = Device::login(&server, "anna", "d1").await;
    let cases = [
        (json!({"id":4,"sync":{"ranges":7}}), 898_003),
        (json!({"id":4,"dance":{}}), 890_006),
        (json!({"id":4,"signal":{}}), 890_005),
        (json!({"id":4,"history":{"conv_id":"g.10000001"}}), 803_004),
        (text(4, "single", "nobody", "x"), 803_003),
        (text(4, "group", "999", "x"), 803_004),
        (text(4, "single", "anna", ""), 898_003),
    ];
    for (frame, code) in cases {
        ann.send(std::slice::from_ref(&frame)).await;
        assert_eq!(ann.until(|f| f["id"] == 4).await["error"]["code"], code, "{frame}");
    }
    ann.0.send(Message::text("{\"id\":")).await.unwrap();
    assert_eq!(ann.next().await, Err(4500));
}

/// The entries pushed until the first frame that is something else, and that frame.
async fn pushed(device: &mut Device) -> (Vec<u64>, Value) {
    let mut seqs = Vec::new();
    loop {
        let frame = device.next().await.unwrap();
        match frame["deliver"]["entries"].as_array() {
            Some(entries) => seqs.extend(entries.iter().filter_map(|e| e["seq"].as_u64())),
            None => return (seqs, frame),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_acknowledges_nothing_gets_heads_and_after_its_acks_pushes_again() {
    let settings = mynah_device::Settings { queue_frames: 4, sends: Rate::per_minute(0), ..mynah_device::Settings::default() };
    let server = serve_with(settings).await;
    let mut ann = Device::login(&server, "anna", "d1").await;
    let mut tom = Device::login(&server, "tommy", "d2").await;
    for n in 1..=9 {
        ann.send(&[text(n, "single", "tommy", &format!("m{n}"))]).await;
        ann.until(|f| f["id"] == n).await;
    }
    let (seqs, told) = pushed(&mut tom).await;
    assert_eq!(seqs, [1, 2, 3, 4]);
    let conv_id = told["heads"]["items"][0]["conv_id"].clone();
    tom.send(&[json!({"id":4,"sync":{"ranges":[{"conv_id":conv_id,"after_seq":4}]}})]).await;
    let page = tom.until(|f| f["id"] == 4).await["sync_page"]["items"][0].clone();
    assert_eq!((&page["covered_to"], page["entries"].as_array().unwrap().len()), (&json!(9), 5));
    tom.send(&[json!({"ack":{"items":[{"conv_id":conv_id,"seq":9}]}}), json!({"id":5,"ping":{}})]).await;
    tom.until(|f| f["id"] == 5).await;
    ann.send(&[text(10, "single", "tommy", "m10")]).await;
    let entry = tom.until(|f| f["deliver"].is_object()).await["deliver"]["entries"][0].clone();
    assert_eq!(entry["seq"], 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_too_often_is_told_how_long_to_wait_and_keeps_his_order() {
    let settings = mynah_device::Settings { sends: Rate::per_minute(6), ..mynah_device::Settings::default() };
    let server = serve_with(settings).await;
    Device::login(&server, "tommy", "d2").await;
    let mut ann = Device::login(&server, "anna", "d1").await;
    let sends: Vec<Value> = (1..=4).map(|n| text(n + 10, "single", "tommy", &format!("m{n}"))).collect();
    ann.send(&sends).await;
    for id in 11..=12 {
        assert!(ann.until(|f| f["id"] == id).await["send_ack"].is_object());
    }
    let refused = ann.until(|f| f["id"] == 13).await["error"].clone();
    assert_eq!((&refused["code"], &refused["retryable"]), (&json!(803_010), &json!(true)));
    assert!((1..=10_000).contains(&refused["retry_after_ms"].as_u64().unwrap()), "{refused}");
    assert_eq!(ann.until(|f| f["id"] == 14).await["error"]["retryable"], json!(true));
    // Another connection of the same user has no other bucket.
    let mut again = Device::login(&server, "anna", "d1").await;
    again.send(&sends[2..3]).await;
    assert_eq!(again.until(|f| f["id"] == 13).await["error"]["code"], 803_010);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_pages_by_what_moved_last_and_a_login_resumes_with_what_moved_since() {
    let settings = mynah_device::Settings { sends: Rate::per_minute(0), ..mynah_device::Settings::default() };
    let server = serve_with(settings).await;
    let mut ann = Device::login(&server, "anna", "d1").await;
    for name in ["tom01", "tom02", "tom03"] {
        Device::login(&server, name, "d").await;
    }
    for (n, name) in ["tom02", "tom01", "tom03", "tom02"].iter().enumerate() {
        ann.send(&[text(5, "single", name, &format!("m{n}"))]).await;
        ann.until(|f| f["id"] == 5).await;
    }
    let mut cursor = String::new();
    let mut names = Vec::new();
    loop {
        ann.send(&[json!({"id":6,"conv_list":{"limit":1,"cursor":cursor}})]).await;
        let page = ann.until(|f| f["id"] == 6).await["conv_page"].clone();
        names.push(page["items"][0]["target"]["id"].clone());
        if page["more"] != true {
            break;
        }
        page["cursor"].as_str().unwrap().clone_into(&mut cursor);
    }
    assert_eq!(names, ["tom02", "tom03", "tom01"]);
    let mut resumed = Device::connect(&server).await;
    let hello = json!({"id":1,"hello":{"appkey":server.appkey,"platform":"a","device_id":"d1"}});
    let login = json!({"id":2,"login":{"username":"anna","password":"secret","resume":{"cursor":""}}});
    resumed.send(&[hello, login]).await;
    assert!(!resumed.until(|f| f["id"] == 1).await["welcome"]["log_epoch"].as_str().unwrap().is_empty());
    let heads = resumed.until(|f| f["id"] == 2).await["login_ack"]["heads"]["items"].clone();
    assert_eq!((heads.as_array().unwrap().len(), &heads[0]["name"]), (3, &json!("tom02")));
}

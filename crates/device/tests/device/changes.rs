//! What the directory's change events do here, where no call got through.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mynah_memory::MemoryChanges;
use mynah_ports::Changes as _;
use mynah_ports::changes::{Change, Subject};
use mynah_proto::directory::GetUserRequest;
use mynah_types::{AppId, Uid};
use serde_json::json;

use crate::support::{Device, Server, serve, text};

/// Change events that a server's devices follow.
fn followed(server: &Server) -> Arc<MemoryChanges> {
    let changes = Arc::new(MemoryChanges::new(16));
    let (devices, following) = (server.devices.clone(), Arc::clone(&changes));
    tokio::spawn(async move { devices.follow(&*following).await });
    changes
}

async fn tell(changes: &MemoryChanges, subject: Subject) {
    changes.publish(Change { subject, version: 0, traceparent: None }).await.unwrap();
}

async fn uid(server: &Server, name: &str) -> Uid {
    let named = GetUserRequest { app_id: server.app_id, username: name.into(), uid: 0 };
    Uid(server.directory.get_user(named).await.unwrap().uid)
}

async fn is_put_out(device: &mut Device) {
    assert_eq!(device.until(|f| f["kicked"].is_object()).await["kicked"]["reason"], "session_revoked");
    assert_eq!(device.next().await, Err(4509));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_session_loses_its_connection_though_no_kick_came() {
    let server = serve().await;
    let changes = followed(&server);
    let mut phone = Device::login_on(&server, "anna", "d1", "a").await;
    let mut tom = Device::login(&server, "tommy", "d2").await;
    let anna = uid(&server, "anna").await;
    // Nothing was revoked: nobody is put out.
    tell(&changes, Subject::User(anna)).await;
    tell(&changes, Subject::Everything).await;
    server.store.revoke_sessions(anna, None, 1).await.unwrap();
    tell(&changes, Subject::User(anna)).await;
    is_put_out(&mut phone).await;
    tom.send(&[text(9, "single", "anna", "still-here")]).await;
    assert!(tom.until(|f| f["id"] == 9).await["send_ack"].is_object());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_may_have_missed_changes_looks_at_all_its_sessions() {
    let server = serve().await;
    let mut devices = Vec::new();
    for number in 0..8 {
        devices.push(Device::login(&server, &format!("user{number}"), "d1").await);
    }
    for number in [1, 6] {
        let of = uid(&server, &format!("user{number}")).await;
        server.store.revoke_sessions(of, None, 1).await.unwrap();
    }
    // It begins with everything.
    let _changes = followed(&server);
    for number in [1, 6] {
        is_put_out(&mut devices[number]).await;
    }
    for number in [0, 2, 3, 4, 5, 7] {
        devices[number].send(&[json!({"id":9,"conv_list":{}})]).await;
        assert!(devices[number].until(|f| f["id"] == 9).await["error"].is_null());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_logs_out_everywhere_stays_itself() {
    let server = serve().await;
    let changes = followed(&server);
    let mut phone = Device::login_on(&server, "anna", "d1", "a").await;
    let anna = uid(&server, "anna").await;
    phone.send(&[json!({"id":5,"logout":{"all_devices":true}})]).await;
    tell(&changes, Subject::User(anna)).await;
    assert!(phone.until(|f| f["id"] == 5).await["error"].is_null());
    phone.send(&[json!({"id":6,"login":{"username":"anna","password":"secret"}})]).await;
    assert!(phone.until(|f| f["id"] == 6).await["login_ack"].is_object());
}

#[tokio::test(flavor = "multi_thread")]
async fn words_are_read_again_when_the_app_changed_or_everything_may_have() {
    let server = serve().await;
    let changes = followed(&server);
    let mut tom = Device::login(&server, "tommy", "d1").await;
    let _anna = Device::login(&server, "anna", "d2").await;
    let app = AppId(server.app_id);
    for (round, subject) in [Subject::App(app), Subject::Everything].into_iter().enumerate() {
        server.store.set_word_filter(app, false).await.unwrap();
        tell(&changes, Subject::App(app)).await;
        let word = format!("word{round}");
        let mut sent = 0;
        // Until the list of before is read, and kept for 5 seconds from then on.
        let mut is_refused = async |tom: &mut Device| {
            sent += 1;
            tom.send(&[text(sent, "single", "anna", &format!("{word}-{sent}"))]).await;
            tom.until(|f| f["id"] == sent).await["send_ack"].is_null()
        };
        while is_refused(&mut tom).await {}
        let kept = Instant::now();
        server.store.add_words(app, vec![word.clone()], 9, 1).await.unwrap();
        server.store.set_word_filter(app, true).await.unwrap();
        tell(&changes, subject).await;
        while !is_refused(&mut tom).await {}
        assert!(kept.elapsed() < Duration::from_secs(4), "it was read again by itself");
    }
}

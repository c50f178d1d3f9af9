//! What happens while an answer of the directory is on its way.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, dead_code, reason = "a test fails by panicking; the support is shared")]

#[path = "../device/engines.rs"]
mod engines;
#[path = "../device/support.rs"]
mod support;
mod wiring;

use std::time::Duration;

use mynah_proto::directory::GetUserRequest;
use mynah_proto::gateway::gateway_server::Gateway as _;
use mynah_proto::gateway::{DeliverRequest, KickRequest};
use serde_json::json;
use support::{Device, serve, text};
use wiring::GATE;

const SUBPROTOCOL: &str = support::JSON;

#[tokio::test(flavor = "multi_thread")]
async fn a_kick_while_a_device_logs_in_puts_it_out() {
    let _turn = GATE.turn().await;
    let server = serve().await;
    drop(Device::login(&server, "anna", "phone").await);
    let uid =
        server.directory.get_user(GetUserRequest { app_id: server.app_id, username: "anna".into(), uid: 0 }).await.unwrap().uid;
    let mut tablet = Device::connect(&server).await;
    tablet.send(&[json!({"id":1,"hello":{"appkey":server.appkey,"platform":"a","device_id":"tablet"}})]).await;
    assert!(tablet.until(|f| f["id"] == 1).await["welcome"].is_object());
    GATE.shut();
    tablet.send(&[json!({"id":2,"login":{"username":"anna","password":"secret"}})]).await;
    // The session is there, and its gateway does not know of it yet: the kick finds no connection.
    GATE.holds_one().await;
    let kick = KickRequest { uid, reason: "session_revoked".into(), ..KickRequest::default() };
    let kicked = server.devices.kick(tonic::Request::new(kick)).await.unwrap().into_inner().kicked;
    assert_eq!(kicked, 0);
    GATE.open();
    let answer = tablet.until(|f| f["id"] == 2).await;
    assert!(answer["login_ack"].is_null() && answer["error"].is_object(), "{answer}");
}

/// The directory is asked for a target once: who talks on needs nothing of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_chat_goes_on_while_the_directory_answers_nothing() {
    let _turn = GATE.turn().await;
    let server = serve().await;
    let mut ann = Device::login(&server, "anna", "d1").await;
    let mut tom = Device::login(&server, "tommy", "d2").await;
    let gid = server.club("anna", &["tommy"]).await.to_string();
    ann.send(&[text(4, "single", "tommy", "one"), text(5, "group", &gid, "one in the club")]).await;
    assert!(ann.until(|f| f["id"] == 4).await["send_ack"].is_object());
    assert!(ann.until(|f| f["id"] == 5).await["send_ack"].is_object());
    GATE.shut();
    ann.send(&[text(6, "single", "tommy", "two"), text(7, "group", &gid, "two in the club")]).await;
    assert_eq!(ann.until(|f| f["id"] == 6).await["send_ack"]["seq"], 2);
    assert!(ann.until(|f| f["id"] == 7).await["send_ack"].is_object());
    let heard = |frame: &serde_json::Value| frame["deliver"]["entries"][0]["message"]["msg_body"]["text"] == "two in the club";
    tom.until(heard).await;
    GATE.open();
}

/// A router could not name all that it did not deliver. Reading everybody's groups again takes long: no delivery waits for it, and none
/// goes by what may be out of date.
#[tokio::test(flavor = "multi_thread")]
async fn while_all_groups_are_read_again_deliveries_are_taken_and_groups_say_where_they_stand() {
    let _turn = GATE.turn().await;
    let server = serve().await;
    let mut ann = Device::login(&server, "anna", "d1").await;
    let mut tom = Device::login(&server, "tommy", "d2").await;
    let gid = server.club("anna", &["tommy"]).await.to_string();
    ann.send(&[text(4, "group", &gid, "one")]).await;
    let heard = |frame: &serde_json::Value| frame["deliver"]["entries"][0]["message"]["msg_body"]["text"].is_string();
    tom.until(heard).await;
    GATE.shut();
    let deliver = DeliverRequest { resync: true, ..DeliverRequest::default() };
    let taken = tokio::time::timeout(Duration::from_secs(20), server.devices.deliver(tonic::Request::new(deliver)));
    taken.await.expect("an answer while the directory gives none").unwrap();
    GATE.holds_one().await;
    ann.send(&[text(5, "group", &gid, "two")]).await;
    let seq = ann.until(|f| f["id"] == 5).await["send_ack"]["seq"].clone();
    let told = tom.until(|f| f["heads"].is_object() || heard(f)).await;
    assert_eq!(told["heads"]["items"][0]["head_seq"], seq, "{told}");
    GATE.open();
    tom.until(|f| f["heads"]["resync_all"] == true).await;
}

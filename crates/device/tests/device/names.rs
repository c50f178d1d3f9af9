//! A name that is given again is somebody else, to devices too.

use mynah_proto::directory::{DeleteUsersRequest, GroupRequest, NewUser, RegisterRequest};
use serde_json::json;

use crate::support::{Device, serve, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_name_reborn_sees_nothing_of_its_predecessor() {
    let server = serve().await;
    let mut ann = Device::login(&server, "anna", "d1").await;
    let mut tom = Device::login(&server, "tommy", "d2").await;
    tom.send(&[json!({"id":3,"logout":{}})]).await;
    tom.until(|f| f["id"] == 3).await;
    tom.send(&[json!({"id":4,"login":{"username":"tommy","password":"secret"}})]).await;
    let session = tom.until(|f| f["id"] == 4).await["login_ack"]["session"].clone();
    ann.send(&[text(4, "single", "tommy", "same-id")]).await;
    let old = ann.until(|f| f["id"] == 4).await["send_ack"].clone();
    let request = DeleteUsersRequest { app_id: server.app_id, usernames: vec!["tommy".into()], path_user: true };
    server.directory.delete_users(request).await.unwrap();
    assert_eq!(tom.until(|f| f["kicked"].is_object()).await["kicked"]["reason"], "deleted");
    assert_eq!(tom.next().await, Err(4505));
    let user = NewUser { username: "tommy".into(), password: "secret".into(), ..NewUser::default() };
    let request = RegisterRequest { app_id: server.app_id, users: vec![user], admin: false, by_device: false };
    server.directory.register(request).await.unwrap();

    let mut stale = Device::connect(&server).await;
    let hello = json!({"id":1,"hello":{"appkey":server.appkey,"platform":"a","device_id":"d2"}});
    stale.send(&[hello, json!({"id":2,"login":{"session":session}})]).await;
    stale.until(|f| f["id"] == 1).await;
    assert_eq!(stale.until(|f| f["id"] == 2).await["error"]["code"], 800_013);

    let mut new = Device::login(&server, "tommy", "d2").await;
    new.send(&[
        json!({"id":5,"conv_list":{}}),
        json!({"id":6,"sync":{"ranges":[{"conv_id":old["conv_id"]}]}}),
        json!({"id":7,"history":{"conv_id":old["conv_id"]}}),
        json!({"id":8,"retract":{"conv_id":old["conv_id"],"msg_id":old["msg_id"]}}),
    ])
    .await;
    assert!(new.until(|f| f["id"] == 5).await["conv_page"]["items"].is_null());
    assert_eq!(new.until(|f| f["id"] == 6).await["sync_page"]["items"][0]["error"]["code"], 803_004);
    assert_eq!(new.until(|f| f["id"] == 7).await["error"]["code"], 803_004);
    assert!(new.until(|f| f["id"] == 8).await["error"]["code"].is_u64());
    // The old client message id is no repeat in the new conversation.
    ann.send(&[text(9, "single", "tommy", "same-id")]).await;
    let first = ann.until(|f| f["id"] == 9).await["send_ack"].clone();
    assert_eq!((&first["seq"], &first["duplicate"]), (&json!(1), &json!(null)));
    assert_ne!(first["conv_id"], old["conv_id"]);
}

/// What is kept of a name is asked for again when the router knows nobody there.
#[tokio::test(flavor = "multi_thread")]
async fn a_sender_who_wrote_to_a_name_before_reaches_whoever_has_it_now() {
    let server = serve().await;
    let mut ann = Device::login(&server, "anna", "d1").await;
    drop(Device::login(&server, "tommy", "d2").await);
    ann.send(&[text(4, "single", "tommy", "first")]).await;
    let old = ann.until(|f| f["id"] == 4).await["send_ack"].clone();
    let request = DeleteUsersRequest { app_id: server.app_id, usernames: vec!["tommy".into()], path_user: true };
    server.directory.delete_users(request).await.unwrap();
    ann.send(&[text(5, "single", "tommy", "to nobody")]).await;
    assert_eq!(ann.until(|f| f["id"] == 5).await["error"]["code"], 803_003);
    let mut new = Device::login(&server, "tommy", "d3").await;
    // A repetition among new ones: none of them belongs to the old conversation.
    ann.send(&[text(6, "single", "tommy", "first"), text(7, "single", "tommy", "second"), text(8, "single", "tommy", "third")])
        .await;
    for (id, seq) in [(6, 1), (7, 2), (8, 3)] {
        let ack = ann.until(|f| f["id"] == id).await["send_ack"].clone();
        assert_eq!((&ack["seq"], &ack["duplicate"]), (&json!(seq), &json!(null)), "{ack}");
        assert_ne!(ack["conv_id"], old["conv_id"]);
    }
    let mut heard = Vec::new();
    while heard.len() < 3 {
        let frame = new.until(|f| f["deliver"]["entries"].is_array()).await;
        let entries = frame["deliver"]["entries"].as_array().unwrap();
        heard.extend(entries.iter().map(|entry| entry["message"]["msg_body"]["text"].as_str().unwrap().to_owned()));
    }
    assert_eq!(heard, ["first", "second", "third"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_was_written_to_is_missed_when_it_is_dissolved() {
    let server = serve().await;
    let mut ann = Device::login(&server, "anna", "d1").await;
    let gid = server.club("anna", &[]).await;
    ann.send(&[text(4, "group", &gid.to_string(), "one")]).await;
    assert!(ann.until(|f| f["id"] == 4).await["send_ack"].is_object());
    server.directory.delete_group(GroupRequest { app_id: server.app_id, gid, member_uid: 0 }).await.unwrap();
    ann.send(&[text(5, "group", &gid.to_string(), "two")]).await;
    assert_eq!(ann.until(|f| f["id"] == 5).await["error"]["code"], 803_004);
}

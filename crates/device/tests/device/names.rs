//! A name that is given again is somebody else, to devices too.

use mynah_proto::directory::{DeleteUsersRequest, NewUser, RegisterRequest};
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

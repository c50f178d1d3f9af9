//! What a person's two devices see.

use mynah_device::Rate;
use mynah_proto::directory::SetDisabledRequest;
use serde_json::{Value, json};

use crate::support::{Device, serve, serve_with, text};

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
    let gid = server.club("anna", &["tommy"]).await.to_string();
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

/// `recv_window` counts where it is smaller than the server's own bound, in frames and in bytes.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_narrows_its_window_and_never_widens_it() {
    let settings = mynah_device::Settings { queue_frames: 4, sends: Rate::per_minute(0), ..mynah_device::Settings::default() };
    let server = serve_with(settings).await;
    let mut ann = Device::login(&server, "anna", "d1").await;
    let cases = [("tom01", json!({"frames": 2}), 2), ("tom02", json!({"bytes": 1}), 1), ("tom03", json!({"frames": 100}), 4)];
    for (name, window, pushes) in cases {
        drop(Device::login(&server, name, "d2").await);
        let mut tom = Device::connect(&server).await;
        let hello = json!({"appkey": server.appkey, "platform": "a", "device_id": "d2", "recv_window": window});
        let login = json!({"username": name, "password": "secret"});
        tom.send(&[json!({"id": 1, "hello": hello}), json!({"id": 2, "login": login})]).await;
        assert!(tom.until(|f| f["id"] == 2).await["login_ack"].is_object());
        for n in 1..=6 {
            ann.send(&[text(n, "single", name, &format!("m{n}"))]).await;
            ann.until(|f| f["id"] == n).await;
        }
        let (seqs, told) = pushed(&mut tom).await;
        assert_eq!(seqs, (1..=pushes).collect::<Vec<u64>>(), "{window}");
        assert!(told["heads"].is_object(), "{window}: {told}");
    }
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
    // What was stamped before a device's last look and committed after it is told all the same.
    let login = async |cursor: u64| {
        let mut device = Device::connect(&server).await;
        let resume = json!({"cursor":cursor.to_string()});
        let login = json!({"id":2,"login":{"username":"anna","password":"secret","resume":resume}});
        device.send(&[json!({"id":1,"hello":{"appkey":server.appkey,"platform":"a","device_id":"d1"}}), login]).await;
        let ack = device.until(|f| f["id"] == 2).await["login_ack"].clone();
        ack["heads"]["items"].as_array().map_or(0, Vec::len)
    };
    let last: u64 = heads[0]["head_ms"].as_u64().or_else(|| heads[0]["head_ms"].as_str()?.parse().ok()).unwrap();
    assert_eq!((login(last + 10_000).await, login(last + 60_000).await), (3, 0));
}

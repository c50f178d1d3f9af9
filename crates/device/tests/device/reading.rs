//! Reading, taking back, scrolling up, going away.

use serde_json::{Value, json};

use crate::support::{Device, Server, serve, text};

/// Tommy sends three messages to Anna; the answers to his sends.
async fn three_messages(server: &Server) -> (Device, Vec<Value>) {
    let mut tom = Device::login(server, "tommy", "t1").await;
    let mut acks = Vec::new();
    for n in 1..=3 {
        tom.send(&[text(4, "single", "anna", &format!("m{n}"))]).await;
        acks.push(tom.until(|f| f["id"] == 4).await["send_ack"].clone());
    }
    (tom, acks)
}

async fn ask(device: &mut Device, id: u32, frame: Value) -> Value {
    let mut frame = frame;
    frame["id"] = json!(id);
    device.send(&[frame]).await;
    device.until(|f| f["id"] == id).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_device_reads_the_other_hears_of_and_marks_never_fall() {
    let server = serve().await;
    let mut phone = Device::login(&server, "anna", "d1").await;
    let mut desk = Device::login_on(&server, "anna", "d2", "w").await;
    let (_tom, acks) = three_messages(&server).await;
    let conv_id = &acks[0]["conv_id"];
    assert!(ask(&mut phone, 5, json!({"read": {"conv_id": conv_id, "read_seq": 2}})).await["ok"].is_object());
    let changed = desk.until(|f| f["read_changed"].is_object()).await["read_changed"].clone();
    assert_eq!((&changed["conv_id"], &changed["read_seq"], &changed["unread"]), (conv_id, &json!(2), &json!(1)));
    assert!(ask(&mut desk, 6, json!({"read": {"conv_id": conv_id, "read_seq": 1}})).await["ok"].is_object());
    let listed = ask(&mut desk, 7, json!({"conv_list": {}})).await["conv_page"]["items"][0].clone();
    assert_eq!((&listed["read_seq"], &listed["unread"]), (&json!(2), &json!(1)));
    let beyond = ask(&mut desk, 8, json!({"read": {"conv_id": conv_id, "read_seq": 99}})).await;
    assert!(beyond["error"]["code"].is_u64() || beyond["ok"].is_object(), "{beyond}");
    let listed = ask(&mut desk, 9, json!({"conv_list": {}})).await["conv_page"]["items"][0].clone();
    assert!(listed["read_seq"].as_u64().unwrap() <= 3, "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_taken_back_leaves_a_stub_and_no_unread() {
    let server = serve().await;
    let mut ann = Device::login(&server, "anna", "d1").await;
    let (mut tom, acks) = three_messages(&server).await;
    let retract = |n: usize| json!({"retract": {"conv_id": acks[n]["conv_id"], "msg_id": acks[n]["msg_id"]}});
    assert_eq!(ask(&mut ann, 5, retract(1)).await["error"]["code"], 855_002);
    assert!(ask(&mut tom, 5, retract(1)).await["ok"].is_object());
    assert_eq!(ask(&mut tom, 6, retract(1)).await["error"]["code"], 855_004);
    let unknown = json!({"retract": {"conv_id": acks[0]["conv_id"], "msg_id": 7}});
    assert_eq!(ask(&mut tom, 7, unknown).await["error"]["code"], 855_003);
    let heard = ann.until(|f| f["deliver"]["entries"][0]["retract"].is_object()).await["deliver"]["entries"][0].clone();
    assert_eq!((&heard["retract"]["seq"], &heard["seq"]), (&json!(2), &json!(4)));
    let page = ask(&mut ann, 8, json!({"history": {"conv_id": acks[0]["conv_id"]}})).await["history_page"].clone();
    let stub = &page["entries"][1];
    assert!(stub["retracted"] == true && stub["message"]["msg_body"].is_null(), "{stub}");
    let listed = ask(&mut ann, 9, json!({"conv_list": {}})).await["conv_page"]["items"][0].clone();
    assert_eq!(listed["unread"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn history_pages_upward_without_a_gap_and_is_for_members_only() {
    let server = serve().await;
    Device::login(&server, "anna", "d1").await;
    let (mut tom, acks) = three_messages(&server).await;
    let conv_id = &acks[0]["conv_id"];
    let mut seqs = Vec::new();
    let mut before = 0;
    loop {
        let page = ask(&mut tom, 5, json!({"history": {"conv_id": conv_id, "before_seq": before, "limit": 2}})).await;
        assert!(page["history_page"]["entries"].is_array(), "{page}");
        let page = &page["history_page"];
        let of_page: Vec<u64> = page["entries"].as_array().unwrap().iter().map(|e| e["seq"].as_u64().unwrap()).collect();
        before = page["from_seq"].as_u64().unwrap();
        seqs.splice(0..0, of_page);
        if page["more"] != true {
            break;
        }
    }
    assert_eq!(seqs, [1, 2, 3]);
    let mut eve = Device::login(&server, "eve01", "e1").await;
    assert_eq!(ask(&mut eve, 5, json!({"history": {"conv_id": conv_id}})).await["error"]["code"], 803_004);
    let read = ask(&mut eve, 6, json!({"read": {"conv_id": conv_id, "read_seq": 1}})).await;
    assert_eq!(read["error"]["code"], 803_004, "{read}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_tells_devices_when_to_come_back_and_closes() {
    let server = serve().await;
    let mut ann = Device::login(&server, "anna", "d1").await;
    ann.send(&[text(4, "single", "anna", "to myself")]).await;
    server.devices.drain(1500);
    // What was under way is answered all the same, before or after the word to go.
    let mut told = None;
    let close = loop {
        match ann.next().await {
            Ok(frame) if frame["goaway"].is_object() => told = Some(frame["goaway"].clone()),
            Ok(_) => {}
            Err(close) => break close,
        }
    };
    let told = told.expect("a goaway frame");
    assert_eq!((&told["reason"], &told["spread_ms"], close), (&json!("drain"), &json!(1500), 4000));
}

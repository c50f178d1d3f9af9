//! Devices of both codecs in one conversation.

use futures_util::SinkExt as _;
use mynah_proto::binary;
use mynah_proto::device::{ClientFrame, Send, client_frame};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{self, Message, client::IntoClientRequest as _};

use crate::support::{Device, JSON, PROTOBUF, Server, serve, text};

async fn login(server: &Server, name: &str, platform: &str, subprotocol: &'static str) -> Device {
    Device::connect_by(server, subprotocol).await.enter(server, name, platform, platform).await
}

async fn delivered(device: &mut Device) -> Value {
    device.until(|f| f["deliver"].is_object()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn all_devices_see_the_same_entry_whatever_they_speak() {
    let server = serve().await;
    // The sender's own other device is one of them.
    let mut hear = [
        login(&server, "tommy", "a", PROTOBUF).await,
        login(&server, "tommy", "w", JSON).await,
        login(&server, "anna", "w", PROTOBUF).await,
    ];
    for (nth, subprotocol) in [JSON, PROTOBUF].into_iter().enumerate() {
        let mut ann = login(&server, "anna", "a", subprotocol).await;
        ann.send(&[text(4, "single", "tommy", &format!("c{nth}"))]).await;
        ann.until(|f| f["id"] == 4).await;
        let first = delivered(&mut hear[0]).await;
        assert_eq!(first["deliver"]["entries"][0]["message"]["msg_body"], json!({"text": format!("c{nth}")}));
        assert_eq!(delivered(&mut hear[1]).await, first);
        assert_eq!(delivered(&mut hear[2]).await, first);
    }
}

/// A message to tommy in one frame, its body spelled as given.
fn spelled(id: u32, msg_body: &'static str) -> Message {
    let send = Send {
        cmid: "c1".into(),
        target_type: "single".into(),
        target_id: "tommy".into(),
        msg_type: "text".into(),
        msg_body: msg_body.into(),
        ..Send::default()
    };
    Message::binary(binary::encode(&ClientFrame { id, body: Some(client_frame::Body::Send(send)) }))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_sent_again_by_the_other_codec_is_the_same_message() {
    let server = serve().await;
    login(&server, "tommy", "a", JSON).await;
    let mut by_json = login(&server, "anna", "a", JSON).await;
    by_json.send(&[text(4, "single", "tommy", "c1")]).await;
    let first = by_json.until(|f| f["id"] == 4).await["send_ack"].clone();
    let mut by_protobuf = login(&server, "anna", "w", PROTOBUF).await;
    by_protobuf.send(&[text(5, "single", "tommy", "c1")]).await;
    // Spelled otherwise, it is the same, too.
    by_protobuf.0.send(spelled(6, "{ \"text\" :\n \"c1\" }")).await.unwrap();
    for id in [5, 6] {
        let again = by_protobuf.until(|f| f["id"] == id).await["send_ack"].clone();
        assert_eq!((&again["seq"], &again["msg_id"], &again["duplicate"]), (&first["seq"], &first["msg_id"], &json!(true)));
    }
}

/// Over several lines, and with space around it: JSON devices part frames by lines.
#[tokio::test(flavor = "multi_thread")]
async fn json_over_several_lines_reaches_a_json_device_in_one() {
    let server = serve().await;
    let mut tom = login(&server, "tommy", "a", JSON).await;
    let mut ann = login(&server, "anna", "a", PROTOBUF).await;
    ann.0.send(spelled(4, "\n{\r\n\t\"text\": \"hi\"\n}\n")).await.unwrap();
    assert!(ann.until(|f| f["id"] == 4).await["send_ack"].is_object());
    let text = loop {
        use futures_util::StreamExt as _;
        let message = tom.0.next().await.unwrap().unwrap();
        if message.to_text().unwrap().contains("deliver") {
            break message.into_text().unwrap();
        }
    };
    assert!(!text.contains(['\n', '\r']) && text.contains("\"text\": \"hi\""), "{text}");
}

async fn offer(server: &Server, offers: &'static str) -> Result<Option<String>, u16> {
    let tcp = tokio::net::TcpStream::connect(&server.address).await.unwrap();
    let mut request = format!("ws://{}/v1/ws", server.address).into_client_request().unwrap();
    if !offers.is_empty() {
        request.headers_mut().insert("Sec-WebSocket-Protocol", offers.parse().unwrap());
    }
    match tokio_tungstenite::client_async(request, tcp).await {
        Ok((_, response)) => Ok(response.headers().get("Sec-WebSocket-Protocol").map(|name| name.to_str().unwrap().to_owned())),
        Err(tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_subprotocol_is_the_clients_choice_and_another_version_is_refused() {
    let server = serve().await;
    assert_eq!(offer(&server, "").await, Ok(None));
    assert_eq!(offer(&server, "mynah.v1.json, mynah.v1.pb").await, Ok(Some(JSON.into())));
    assert_eq!(offer(&server, "mynah.v2.pb, mynah.v1.pb, mynah.v1.json").await, Ok(Some(PROTOBUF.into())));
    assert_eq!(offer(&server, "mynah.v2.pb").await, Err(400));
}

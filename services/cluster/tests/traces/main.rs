//! One message through real processes and engines, as a collector of traces sees it. It needs PostgreSQL, Redis, Kafka and an S3 server.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, reason = "a test fails by panicking")]

mod collector;
mod device;
mod world;

use collector::{Collector, Told};
use device::Device;
use serde_json::json;
use world::World;

/// The spans of a message to a group, from the device's socket back to where it came in; each with the process that made it.
const TO_A_GROUP: [(&str, &str); 8] = [
    ("device.write", "gateway-2"),
    ("gateway.deliver", "gateway-2"),
    ("delivery.fan_out", "router-1"),
    ("bus.publish", "router-1"),
    ("log.append", "router-1"),
    ("conversation.decide", "router-1"),
    ("mynah.router.v1.Router/Send", "router-1"),
    ("", "gateway-1"),
];
/// A single chat does without the bus.
const TO_ONE: [(&str, &str); 7] =
    [TO_A_GROUP[0], TO_A_GROUP[1], TO_A_GROUP[2], TO_A_GROUP[4], TO_A_GROUP[5], TO_A_GROUP[6], TO_A_GROUP[7]];

/// From the write to the root, by parents.
fn chain(spans: &[Told]) -> Vec<Told> {
    let mut chain: Vec<Told> = spans.iter().filter(|span| span.name == "device.write").take(1).cloned().collect();
    while let Some(next) = chain.last().and_then(|last| spans.iter().find(|span| span.id == last.parent)) {
        chain.push(next.clone());
    }
    chain
}

fn check(chain: &[Told], expected: &[(&str, &str)], root: &str) {
    let found: Vec<(&str, &str)> = chain.iter().map(|span| (span.name.as_str(), span.process.as_str())).collect();
    let mut expected = expected.to_vec();
    expected.last_mut().unwrap().0 = root;
    assert_eq!(found, expected);
    for pair in chain.windows(2) {
        assert!(pair[0].began >= pair[1].began, "{pair:?}: a span begins no earlier than its parent");
        assert!(pair[0].ended >= pair[0].began);
    }
}

fn message(kind: &str, target: &str) -> serde_json::Value {
    json!({"version": 1, "target_type": kind, "target_id": target, "from_type": "user", "from_id": "anna",
           "msg_type": "text", "msg_body": {"text": "hello"}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_followed_from_its_request_to_the_socket_of_its_receiver() {
    let collector = Collector::start().await;
    let mut world = tokio::task::block_in_place(|| World::start(&collector.endpoint()));
    world.users(&["anna", "tommy"]).await;
    let group = world.group("anna", &["tommy"]).await;
    let mut tommy = Device::login(&world, 1, "tommy").await;
    world.until_the_bus_works(&message("group", &group)).await;

    // What the caller does not sample is not traced, though every other request here is.
    let unsampled = ["aa".repeat(16), "bb".repeat(8)];
    let header = format!("00-{}-{}-00", unsampled[0], unsampled[1]);
    let seen = world.send(&message("group", &group), Some(&header)).await;
    tommy.delivered(seen).await;

    let room = world.room("anna").await;
    tommy.enter(&room).await;
    // A room goes the way of a group.
    for (trace, kind, target, expected) in [
        ("ab".repeat(16), "group", group.as_str(), TO_A_GROUP.as_slice()),
        ("cd".repeat(16), "single", "tommy", &TO_ONE),
        ("de".repeat(16), "chatroom", &room, &TO_A_GROUP),
    ] {
        let caller = "ef".repeat(8);
        let sent = world.send(&message(kind, target), Some(&format!("00-{trace}-{caller}-01"))).await;
        tommy.delivered(sent).await;
        let spans = collector.trace_with(&trace, expected.len(), chain).await;
        check(&spans, expected, "rest.request");
        assert_eq!(spans.last().unwrap().parent, caller, "the request is under the caller's span");
        assert_eq!(spans.last().unwrap().service, "mynah-gateway");
    }
    assert!(collector.all().iter().all(|span| span.trace != unsampled[0]));

    // A device gives no trace: its send begins one.
    let mut anna = Device::login(&world, 0, "anna").await;
    let sent = anna.send("group", &group).await;
    tommy.delivered(sent).await;
    let trace = collector.trace_of("device.send").await;
    let spans = collector.trace_with(&trace, TO_A_GROUP.len(), chain).await;
    check(&spans, &TO_A_GROUP, "device.send");
    assert_eq!(spans.last().unwrap().parent, "", "nobody called");

    // A process that is told to end sends what it still has.
    let last = "12".repeat(16);
    let sent = world.send(&message("single", "tommy"), Some(&format!("00-{last}-{}-01", "ef".repeat(8)))).await;
    tommy.delivered(sent).await;
    tokio::task::block_in_place(|| ["gateway-1", "gateway-2", "router-1"].iter().for_each(|name| world.stop(name)));
    assert_eq!(chain(&collector.of(&last)).len(), TO_ONE.len());
}

//! Resident memory of the server for each connection that does nothing, at rest and after everybody got a burst.

use std::time::Duration;

use serde_json::{Value, json};

use super::process::resident;
use super::{Plan, server};
use crate::Failed;
use crate::rest::Rest;
use crate::wire::Wire;
use crate::world;

/// Connections that are opened at one time.
const TOGETHER: usize = 200;
/// Messages of the burst.
const BURST: usize = 20;
/// The server gives memory back a while after it was used.
const REST: Duration = Duration::from_secs(3);

pub(super) async fn measure(plan: &Plan) -> Result<Value, Failed> {
    let folder = tempfile::tempdir()?;
    let server = server(plan, folder.path()).await?;
    let rest = Rest::new(server.http, &server.appkey, &server.master_secret);
    let names = world::users(&rest, plan.idle).await?;
    let pid = server.pid().ok_or("the server is gone")?;
    tokio::time::sleep(REST).await;
    let before = resident(pid)?;
    let mut wires = Vec::with_capacity(names.len());
    for some in names.chunks(TOGETHER) {
        let opened = futures_util::future::join_all(some.iter().map(|name| Wire::log_in(&server, name))).await;
        for wire in opened {
            wires.push(wire?);
        }
    }
    tokio::time::sleep(REST).await;
    let at_rest = resident(pid)?;
    // Everybody is in one room for the burst, as in a broadcast.
    let room = world::room(&rest, names.first().ok_or("no user")?).await?;
    for some in wires.chunks_mut(TOGETHER) {
        for entered in futures_util::future::join_all(some.iter_mut().map(|wire| wire.enter(room))).await {
            entered?;
        }
    }
    rest.post("/v1/admins/", &json!({"username": "admin", "password": "secret"})).await?;
    let message = json!({
        "version": 1, "target_type": "chatroom", "target_id": room.to_string(), "from_type": "admin", "from_id": "admin",
        "msg_type": "text", "msg_body": {"text": "x".repeat(128)},
    });
    let readers: Vec<_> =
        wires.into_iter().map(|mut wire| tokio::spawn(async move { (wire.count_deliveries(BURST).await, wire) })).collect();
    for _ in 0..BURST {
        rest.post("/v1/messages", &message).await?;
    }
    let (mut complete, mut kept) = (0, Vec::new());
    for reader in readers {
        let (count, wire) = reader.await?;
        complete += usize::from(count == BURST);
        kept.push(wire);
    }
    tokio::time::sleep(REST).await;
    let after = resident(pid)?;
    let each = |now: u64| now.saturating_sub(before) / u64::try_from(plan.idle.max(1)).unwrap_or(1);
    Ok(json!({
        "connections": plan.idle, "resident_before": before, "bytes_each_at_rest": each(at_rest), "bytes_each_after_burst": each(after),
        "verdict": format!("{complete} of {} got the whole burst", kept.len()),
    }))
}

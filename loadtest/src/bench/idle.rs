//! Resident memory of the server for each connection that does nothing, at rest and after everybody got a burst.

use std::time::Duration;

use mynah_measure::case;
use mynah_measure::process::resident;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::bare::Floor;
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
    let (mut series, mut cases) = (Vec::new(), Vec::new());
    for connections in &plan.idle {
        let of = of(plan, *connections).await?;
        let bare = bare(*connections).await?;
        for (name, member) in [("at rest", "bytes_each_at_rest"), ("after a burst", "bytes_each_after_burst")] {
            let each = of.get(member).and_then(Value::as_f64).ok_or("no figure")?;
            let name = format!("a connection {name}, {connections} of them");
            cases.push(case(&name, "resident bytes", &[each], "a bare loop's connection", &[bare]));
        }
        series.push(of);
    }
    Ok(json!({"series": series, "cases": cases}))
}

/// The same of a program that holds the sockets and nothing else.
async fn bare(connections: usize) -> Result<f64, Failed> {
    let mut floor = Floor::start(&["fanout", &connections.to_string(), "1", "1"])?;
    let before = resident(floor.pid())?;
    let mut streams = Vec::with_capacity(connections);
    for _ in 0..connections {
        streams.push(TcpStream::connect(floor.address).await?);
    }
    floor.said()?;
    Ok(resident(floor.pid())?.saturating_sub(before) as f64 / connections.max(1) as f64)
}

async fn of(plan: &Plan, connections: usize) -> Result<Value, Failed> {
    let folder = tempfile::tempdir()?;
    let server = server(plan, folder.path()).await?;
    let rest = Rest::new(server.http, &server.appkey, &server.master_secret);
    let names = world::users(&rest, connections).await?;
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
    let each = |now: u64| now.saturating_sub(before) / u64::try_from(connections.max(1)).unwrap_or(1);
    Ok(json!({
        "connections": connections, "resident_before": before, "bytes_each_at_rest": each(at_rest), "bytes_each_after_burst": each(after),
        "verdict": format!("{complete} of {} got the whole burst", kept.len()),
    }))
}

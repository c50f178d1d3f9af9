//! One message to many connections: the server's processor time for each frame, against a bare loop that writes the same bytes.

use mynah_measure::process::cpu_seconds;
use mynah_measure::{Spread, case};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use super::bare::Floor;
use super::{Plan, prepare};
use crate::Failed;
use crate::rest::Rest;
use crate::wire::Wire;
use crate::world;

/// Messages of a round, one after the other.
const MESSAGES: usize = 100;
/// Bytes of a frame of the bare loop: as the server's frames are.
const FRAME: usize = 330;

pub(super) async fn measure(plan: &Plan) -> Result<Value, Failed> {
    let (mut cases, mut per_s, mut verdicts) = (Vec::new(), Vec::new(), Vec::new());
    for members in &plan.members {
        let (served, verdict) = through_the_server(plan, *members).await?;
        let bare = through_a_bare_loop(plan, *members).await?;
        cases.push(case(
            &format!("a frame, {members} members"),
            "us of a core",
            &served,
            "a bare loop of the same writes",
            &bare,
        ));
        per_s.push((1e6 / Spread::of(&served).median).round());
        verdicts.push(verdict);
    }
    Ok(json!({"messages": MESSAGES, "cases": cases, "frames_per_core_second": per_s, "verdict": verdicts}))
}

async fn through_the_server(plan: &Plan, members: usize) -> Result<(Vec<f64>, String), Failed> {
    let folder = tempfile::tempdir()?;
    let mut server = prepare(plan, folder.path())?;
    server.app_command(&["set", &server.appkey, "--max-group-members", &members.to_string()])?;
    server.restart().await?;
    let rest = Rest::new(server.http, &server.appkey, &server.master_secret);
    let names = world::users(&rest, members).await?;
    rest.post("/v1/admins/", &json!({"username": "admin", "password": "secret"})).await?;
    let gid = world::large_group(&rest, &names).await?;
    let mut wires = Vec::with_capacity(names.len());
    for name in &names {
        wires.push(Wire::log_in(&server, name).await?);
    }
    let message = json!({
        "version": 1, "target_type": "group", "target_id": gid.to_string(), "from_type": "admin", "from_id": "admin",
        "msg_type": "text", "msg_body": {"text": "x".repeat(128)},
    });
    let pid = server.pid().ok_or("the server is gone")?;
    let (mut rounds, mut complete) = (Vec::new(), true);
    for round in 0..=plan.rounds {
        let count = |mut wire: Wire| tokio::spawn(async move { (wire.count_deliveries(MESSAGES).await, wire) });
        let readers: Vec<_> = wires.drain(..).map(count).collect();
        let cpu = cpu_seconds(pid)?;
        for _ in 0..MESSAGES {
            rest.post("/v1/messages", &message).await?;
        }
        for reader in readers {
            let (got, wire) = reader.await?;
            complete &= got == MESSAGES;
            wires.push(wire);
        }
        // The first one is for the server to get warm.
        if round > 0 {
            rounds.push((cpu_seconds(pid)? - cpu) / (members * MESSAGES) as f64 * 1e6);
        }
    }
    let verdict = if complete { "every member got every message" } else { "deliveries are missing" };
    Ok((rounds, format!("{members}: {verdict}")))
}

async fn through_a_bare_loop(plan: &Plan, members: usize) -> Result<Vec<f64>, Failed> {
    let mut floor = Floor::start(&["fanout", &members.to_string(), &MESSAGES.to_string(), &FRAME.to_string()])?;
    let mut streams = Vec::with_capacity(members);
    for _ in 0..members {
        streams.push(TcpStream::connect(floor.address).await?);
    }
    floor.said()?;
    let mut rounds = Vec::new();
    for round in 0..=plan.rounds {
        let readers: Vec<_> = streams.drain(..).map(|stream| tokio::spawn(take(stream, FRAME * MESSAGES))).collect();
        let cpu = floor.cpu_seconds()?;
        floor.go()?;
        for reader in readers {
            streams.push(reader.await??);
        }
        if round > 0 {
            rounds.push((floor.cpu_seconds()? - cpu) / (members * MESSAGES) as f64 * 1e6);
        }
    }
    Ok(rounds)
}

/// Reads so many bytes.
async fn take(mut stream: TcpStream, mut left: usize) -> std::io::Result<TcpStream> {
    let mut buffer = vec![0; 16 << 10];
    while left > 0 {
        match stream.read(&mut buffer).await? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            read => left = left.saturating_sub(read),
        }
    }
    Ok(stream)
}

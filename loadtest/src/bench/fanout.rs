//! One message to many connections: the server's processor time for each frame, against a bare loop that writes the same bytes.

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::process::cpu_seconds;
use super::{Plan, ratio, server};
use crate::Failed;
use crate::rest::Rest;
use crate::wire::Wire;
use crate::world;

/// Messages that are sent, one after the other.
const MESSAGES: usize = 100;
/// Bytes of a frame of the bare loop: as the server's frames are.
const FRAME: usize = 330;

pub(super) async fn measure(plan: &Plan) -> Result<Value, Failed> {
    let (served, verdict) = through_the_server(plan).await?;
    let bare = through_a_bare_loop(plan).await?;
    Ok(json!({
        "members": plan.members, "messages": MESSAGES, "server_us_per_frame": round(served), "bare_us_per_frame": round(bare),
        "ratio": ratio(bare, served), "frames_per_server_core_second": (1e6 / served).round(), "verdict": verdict,
    }))
}

fn round(us: f64) -> f64 {
    (us * 100.0).round() / 100.0
}

async fn through_the_server(plan: &Plan) -> Result<(f64, &'static str), Failed> {
    let folder = tempfile::tempdir()?;
    let server = server(plan, folder.path()).await?;
    server.app_command(&["set", &server.appkey, "--max-group-members", &plan.members.to_string()])?;
    // A running server sees the change within a second.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let rest = Rest::new(server.http, &server.appkey, &server.master_secret);
    let names = world::users(&rest, plan.members).await?;
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
    let mut readers = Vec::with_capacity(wires.len());
    for mut wire in wires {
        readers.push(tokio::spawn(async move { wire.count_deliveries(MESSAGES).await }));
    }
    let pid = server.pid().ok_or("the server is gone")?;
    let cpu = cpu_seconds(pid)?;
    for _ in 0..MESSAGES {
        rest.post("/v1/messages", &message).await?;
    }
    let mut complete = true;
    for reader in readers {
        complete &= reader.await? == MESSAGES;
    }
    let frames = (plan.members * MESSAGES) as f64;
    let us = (cpu_seconds(pid)? - cpu) / frames * 1e6;
    Ok((us, if complete { "every member got every message" } else { "deliveries are missing" }))
}

/// The bare loop runs in a process of its own, so that its processor time can be told.
async fn through_a_bare_loop(plan: &Plan) -> Result<f64, Failed> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["bare-fanout", "--members", &plan.members.to_string()])
        .stdout(Stdio::piped())
        .spawn()?;
    let pid = child.id();
    let out = child.stdout.take().ok_or("no output")?;
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(out));
    let address: SocketAddr = lines.next().ok_or("no address")??.parse()?;
    let mut readers = Vec::with_capacity(plan.members);
    for _ in 0..plan.members {
        let mut stream = TcpStream::connect(address).await?;
        readers.push(tokio::spawn(async move {
            let (mut left, mut buffer) = (FRAME * MESSAGES, vec![0; 16 << 10]);
            while left > 0 {
                match stream.read(&mut buffer).await {
                    Ok(0) | Err(_) => return false,
                    Ok(n) => left = left.saturating_sub(n),
                }
            }
            true
        }));
    }
    // The loop begins when all are there; what it has used until then is not its work.
    _ = lines.next().ok_or("it did not begin")??;
    let before = cpu_seconds(pid)?;
    let began = Instant::now();
    for reader in readers {
        if !tokio::time::timeout(Duration::from_secs(60), reader).await?? {
            return Err("the bare loop ended early".into());
        }
    }
    let us = (cpu_seconds(pid)? - before) / (plan.members * MESSAGES) as f64 * 1e6;
    child.kill()?;
    child.wait()?;
    if us > 0.0 { Ok(us) } else { Err(format!("too quick to measure: {:?}", began.elapsed()).into()) }
}

/// Writes one frame after the other to all who connected, and then waits to be killed.
///
/// # Errors
/// When it cannot listen.
#[allow(clippy::print_stdout, reason = "it tells its address")]
pub async fn bare(members: usize) -> Result<(), Failed> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let mut streams = Vec::with_capacity(members);
    while streams.len() < members {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        streams.push(stream);
    }
    println!("begin");
    tokio::time::sleep(Duration::from_millis(200)).await;
    let frame = vec![1; FRAME];
    for _ in 0..MESSAGES {
        for stream in &mut streams {
            stream.write_all(&frame).await?;
        }
    }
    futures_util::stream::pending::<()>().next().await;
    Ok(())
}

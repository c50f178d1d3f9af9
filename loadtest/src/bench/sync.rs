//! What it costs the server to hand a long conversation to a device that has nothing, against a bare loop that answers with as many bytes.

use mynah_measure::case;
use mynah_measure::process::cpu_seconds;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::bare::Floor;
use super::{Plan, server};
use crate::Failed;
use crate::rest::Rest;
use crate::wire::{Pages, Wire};
use crate::world;

/// Times that a device syncs in a round: processor time is told in hundredths of a second.
const SYNCS: u64 = 10;
/// The same for the bare loop, which is quick.
const BARE_SYNCS: u64 = 100;

pub(super) async fn measure(plan: &Plan) -> Result<Value, Failed> {
    let folder = tempfile::tempdir()?;
    let server = server(plan, folder.path()).await?;
    let rest = Rest::new(server.http, &server.appkey, &server.master_secret);
    let names = world::users(&rest, 2).await?;
    let [first, second] = &names[..] else { return Err("no users".into()) };
    let mut talker = Wire::log_in(&server, first).await?;
    let conv_id = talker.say(second, plan.entries).await?;
    let mut reader = Wire::log_in(&server, second).await?;
    let pid = server.pid().ok_or("the server is gone")?;
    let (mut served, mut last) = (Vec::new(), Pages::default());
    for round in 0..=plan.rounds {
        let cpu = cpu_seconds(pid)?;
        for _ in 0..SYNCS {
            last = reader.pages(&conv_id).await?;
        }
        // The first one is for the server to get warm.
        if round > 0 {
            served.push((cpu_seconds(pid)? - cpu) / (SYNCS * plan.entries) as f64 * 1e6);
        }
    }
    let bare = bare(plan, &last).await?;
    let complete = last.entries == plan.entries;
    Ok(json!({
        "entries": plan.entries, "pages": last.pages, "bytes": last.bytes,
        "cases": [case("an entry", "us of a core", &served, "a bare loop that answers with as many bytes", &bare)],
        "verdict": if complete { "every sync got every entry" } else { "entries are missing" },
    }))
}

async fn bare(plan: &Plan, like: &Pages) -> Result<Vec<f64>, Failed> {
    let bytes = like.bytes / like.pages.max(1);
    let floor = Floor::start(&["pages", &bytes.to_string()])?;
    let mut stream = TcpStream::connect(floor.address).await?;
    stream.set_nodelay(true)?;
    let (mut rounds, mut page) = (Vec::new(), vec![0; bytes]);
    for round in 0..=plan.rounds {
        let cpu = floor.cpu_seconds()?;
        for _ in 0..like.pages as u64 * BARE_SYNCS {
            stream.write_u8(1).await?;
            stream.read_exact(&mut page).await?;
        }
        if round > 0 {
            rounds.push((floor.cpu_seconds()? - cpu) / (BARE_SYNCS * plan.entries) as f64 * 1e6);
        }
    }
    Ok(rounds)
}

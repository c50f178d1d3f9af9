//! The floor of sends: entries appended by one thread in durable batches, with nothing else around them.
//!
//! `append_floor <folder> <seconds> [batch]` prints `{"entries_per_s":…,"batch":…}`.

#![allow(clippy::print_stdout, reason = "the figure is this program's answer")]

use std::path::Path;
use std::time::{Duration, Instant};

use mynah_fjall::{FjallLog, Options};
use mynah_measure::Failed;
use mynah_ports::MessageLog as _;
use mynah_ports::contract::appends::Appends;
use mynah_types::{Appended, SHARDS, ShardId};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failed> {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |at: usize, or: u64| arguments.get(at).map_or(Ok(or), |n| n.parse());
    let folder = arguments.get(1).ok_or("usage: append_floor <folder> <seconds> [batch]")?;
    let (seconds, batch) = (number(2, 10)?, number(3, 128)?);
    let log = FjallLog::open(Path::new(folder), &Options::default())?;
    let shards: Vec<ShardId> = (0..SHARDS).map(ShardId).collect();
    let mut appends = Appends::new(log.claim(&shards).await?);
    let (started, mut written) = (Instant::now(), 0_u64);
    while started.elapsed() < Duration::from_secs(seconds) {
        let (entries, _) = appends.batch(batch)?;
        let outcomes = log.append(entries).await;
        if !outcomes.iter().flatten().all(|outcome| *outcome == Appended::Done) {
            return Err("an append was refused".into());
        }
        written += batch;
    }
    let rate = written as f64 / started.elapsed().as_secs_f64();
    println!("{{\"entries_per_s\":{rate:.0},\"batch\":{batch}}}");
    Ok(())
}

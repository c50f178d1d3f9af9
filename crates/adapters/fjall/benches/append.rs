//! Durable appends to the embedded log by the size of the batch, against a write and an fdatasync of as many bytes on the same disk.

#![allow(missing_docs, reason = "a program")]

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use mynah_fjall::{FjallLog, Options};
use mynah_measure::{Bench, Failed, each};
use mynah_ports::MessageLog as _;
use mynah_ports::contract::appends::Appends;
use mynah_types::{Appended, SHARDS, ShardId};

/// Entries of a round; a batch of one is synced for each, so that it has fewer.
const ENTRIES: u64 = 20_000;
const BATCHES: u64 = 500;

/// Bytes of the raw file.
const RAW: usize = 64 << 20;

/// A file that has its whole length, as the log's journal has: to write into it needs nothing but the write.
struct Raw {
    file: File,
    at: u64,
}

impl Raw {
    fn create(path: &Path) -> Result<Self, Failed> {
        let mut file = File::create(path)?;
        file.write_all(&vec![0; RAW])?;
        file.sync_all()?;
        Ok(Self { file, at: 0 })
    }

    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        if self.at + bytes.len() as u64 > RAW as u64 {
            self.at = 0;
        }
        self.file.write_all_at(bytes, self.at)?;
        self.at += bytes.len() as u64;
        self.file.sync_data()
    }
}

fn main() -> Result<(), Failed> {
    let mut bench = Bench::from_args("fjall append")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Not where temporary files are: they may lie in memory.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let log = FjallLog::open(&folder.path().join("log"), &Options::default())?;
    let shards: Vec<ShardId> = (0..SHARDS).map(ShardId).collect();
    let mut appends = Appends::new(runtime.block_on(log.claim(&shards))?);
    let mut raw = Raw::create(&folder.path().join("raw"))?;
    for batch in [1, 8, 64, 512] {
        let batches = bench.count((ENTRIES / batch).min(BATCHES));
        bench.case(&format!("an entry, batches of {batch}"), "write and fdatasync of the same bytes", || {
            let made = (0..batches).map(|_| appends.batch(batch)).collect::<Result<Vec<_>, _>>()?;
            let sizes: Vec<usize> = made.iter().map(|(_, bytes)| *bytes).collect();
            let mut done = true;
            let took = each(batches * batch, || {
                runtime.block_on(async {
                    for (append, _) in made {
                        done &= log.append(append).await.iter().flatten().all(|outcome| *outcome == Appended::Done);
                    }
                });
            });
            if !done {
                return Err("an append was refused".into());
            }
            let mut failed = None;
            let floor = each(batches * batch, || {
                for size in sizes {
                    failed = raw.write(&vec![7; size]).err().or(failed.take());
                }
            });
            failed.map_or(Ok((took, floor)), |error| Err(error.into()))
        })?;
    }
    bench.print();
    Ok(())
}

//! Durable appends to the log in PostgreSQL by the size of the batch, against one INSERT of as many rows and bytes on the same server.

#![allow(missing_docs, reason = "a program")]

use mynah_engines::PostgreSql;
use mynah_measure::{Bench, Failed, each};
use mynah_ports::MessageLog as _;
use mynah_ports::contract::appends::Appends;
use mynah_postgres_log::{Options, PostgresLog};
use mynah_types::{Appended, SHARDS, ShardId};
use tokio_postgres::NoTls;

/// Entries of a round; a batch of one is committed for each, so that it has fewer.
const ENTRIES: u64 = 20_000;
const BATCHES: u64 = 500;
const INSERT: &str = "INSERT INTO floor SELECT * FROM unnest($1::bigint[], $2::bytea[])";

fn main() -> Result<(), Failed> {
    let mut bench = Bench::from_args("postgres append")?;
    let server = PostgreSql::start()?;
    server.create_database("bench")?;
    let url = server.url("bench");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let log = runtime.block_on(PostgresLog::open(&url, &Options::default()))?;
    let shards: Vec<ShardId> = (0..SHARDS).map(ShardId).collect();
    let mut appends = Appends::new(runtime.block_on(log.claim(&shards))?);
    let (raw, insert) = runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await?;
        tokio::spawn(connection);
        client.batch_execute("CREATE TABLE floor (id bigint PRIMARY KEY, entry bytea NOT NULL)").await?;
        let insert = client.prepare(INSERT).await?;
        Ok::<_, tokio_postgres::Error>((client, insert))
    })?;
    let mut next = 0_i64;
    for batch in [1, 8, 64, 512] {
        let batches = bench.count((ENTRIES / batch).min(BATCHES));
        bench.case(&format!("an entry, batches of {batch}"), "one INSERT of as many rows and bytes", || {
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
            let rows = usize::try_from(batch)?;
            let mut failed = None;
            let floor = each(batches * batch, || {
                runtime.block_on(async {
                    for size in &sizes {
                        let ids: Vec<i64> = (0..batch)
                            .map(|_| {
                                next += 1;
                                next
                            })
                            .collect();
                        let entries = vec![vec![7_u8; size / rows]; rows];
                        failed = raw.execute(&insert, &[&ids, &entries]).await.err().or(failed.take());
                    }
                });
            });
            failed.map_or(Ok((took, floor)), |error| Err(error.into()))
        })?;
    }
    bench.print();
    Ok(())
}

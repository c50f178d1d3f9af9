//! Taking shards over.

use std::collections::HashMap;
use std::time::Duration;

use mynah_ports::message_log::Error;
use mynah_types::{Claim, MsgId, OwnerToken, Progress, ShardId};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::pool::Pool;

const CLAIM: &str = "SELECT shard, epoch, token, counter, delivered, published FROM claim($1, $2)";

/// Ends the sessions that a session waits for, and those behind which these wait, as far as they wait for nobody themselves.
const END_HOLDERS: &str = "WITH RECURSIVE holders (pid) AS (
        SELECT unnest(pg_blocking_pids($1))
        UNION SELECT further FROM holders, unnest(pg_blocking_pids(holders.pid)) AS further
    )
    SELECT pg_terminate_backend(pid) FROM holders WHERE pid > 0 AND cardinality(pg_blocking_pids(pid)) = 0";

/// How long an owner's last append may hold a shard before its session is ended: it may belong to a process that is stopped, or to a
/// machine that is cut off.
const PATIENCE: Duration = Duration::from_millis(500);

/// Claims shards. Who holds one for too long loses his session.
pub(crate) async fn claim(pool: &Pool, shards: &[ShardId]) -> Result<Vec<Claim>, Error> {
    let mut numbers: Vec<i32> = shards.iter().map(|shard| shard.0.into()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let tokens = numbers.iter().map(|_| token()).collect::<Result<Vec<_>, _>>()?;
    let connection = pool.get().await?;
    let (connection, asked) = pool.run_on(connection, "SELECT pg_backend_pid()", &[]).await?;
    let pid: i32 = asked.first().map_or(0, |row| row.get(0));
    let params: [&(dyn ToSql + Sync); 2] = [&numbers, &tokens];
    let mut claiming = std::pin::pin!(pool.run_on(connection, CLAIM, &params));
    let rows = loop {
        tokio::select! {
            claimed = &mut claiming => break claimed?.1,
            () = tokio::time::sleep(PATIENCE) => {
                let ended = pool.read(END_HOLDERS, &[&pid]).await;
                tracing::warn!(sessions = ended.map_or(0, |rows| rows.len()), "ended sessions that held a shard");
            }
        }
    };
    let claims = rows.iter().map(read).collect::<Result<HashMap<_, _>, _>>()?;
    let of = |shard: &ShardId| claims.get(shard).copied();
    shards.iter().map(|shard| of(shard).ok_or_else(|| Error::Damaged(format!("there is no shard {shard}")))).collect()
}

fn token() -> Result<Vec<u8>, Error> {
    let mut bytes = vec![0; 16];
    getrandom::fill(&mut bytes).map_err(|error| Error::Unavailable(format!("no random numbers: {error}")))?;
    Ok(bytes)
}

fn read(row: &Row) -> Result<(ShardId, Claim), Error> {
    let damaged = |_| Error::Damaged("a shard does not read".into());
    let shard: i32 = row.get(0);
    let shard = ShardId(u16::try_from(shard).map_err(damaged)?);
    let token: &[u8] = row.get(2);
    let token = token.try_into().map_err(|_| Error::Damaged("a token does not read".into()))?;
    let number = |column: usize| row.get::<_, i64>(column).cast_unsigned();
    let progress = Progress { delivered: MsgId(number(4)), published: MsgId(number(5)) };
    let token = OwnerToken(u128::from_be_bytes(token));
    Ok((shard, Claim { shard, epoch: number(1), token, counter: number(3), progress }))
}

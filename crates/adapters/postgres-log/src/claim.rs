//! Taking shards over.

use std::collections::HashMap;
use std::time::Duration;

use mynah_ports::message_log::Error;
use mynah_ports::shard_leases::Member;
use mynah_types::{Claim, MsgId, OwnerToken, Progress, ShardId};
use tokio_postgres::Row;

use crate::pool::{Params, Pool};
use crate::rows::{bound, get, number, shard};

const CLAIM: &str = "SELECT shard, epoch, token, counter, delivered, published FROM claim($1, $2)";
const CLAIM_FOR: &str = "SELECT shard, epoch, token, counter, delivered, published FROM claim_for($3, $4, $1, $2, $5)";

/// Ends the sessions that a session waits for, and those behind which these wait, as far as they wait for nobody themselves.
const END_HOLDERS: &str = "WITH RECURSIVE holders (pid) AS (
        SELECT unnest(pg_blocking_pids($1))
        UNION SELECT further FROM holders, unnest(pg_blocking_pids(holders.pid)) AS further
    )
    SELECT pg_terminate_backend(pid) FROM holders WHERE pid > 0 AND cardinality(pg_blocking_pids(pid)) = 0";

/// How long an owner's last append may hold a shard before its session is ended: it may belong to a process that is stopped, or to a
/// machine that is cut off.
const PATIENCE: Duration = Duration::from_millis(500);

/// Where claims and the statements that help them run.
#[derive(Clone, Copy)]
pub(crate) struct Pools<'a> {
    /// The claims themselves, which may wait long.
    pub claims: &'a Pool,
    /// What ends those for whom they wait.
    pub helpers: &'a Pool,
}

/// Claims all of the shards, whoever has them. Who holds one for too long loses his session.
pub(crate) async fn claim(pools: Pools<'_>, shards: &[ShardId]) -> Result<Vec<Claim>, Error> {
    let (numbers, tokens) = asked(shards)?;
    let claims = claims(&patiently(pools, CLAIM, &[&numbers, &tokens]).await?)?;
    let of = |shard: &ShardId| claims.get(shard).copied();
    shards.iter().map(|shard| of(shard).ok_or_else(|| Error::Damaged(format!("there is no shard {shard}")))).collect()
}

/// Claims those of the shards that a member may have, in the order asked.
pub(crate) async fn claim_for(pools: Pools<'_>, member: Member, shards: &[ShardId]) -> Result<Vec<Claim>, Error> {
    let (router, incarnation) = (member.router.0.cast_signed(), bound(member.incarnation));
    let (numbers, tokens) = asked(shards)?;
    let at_hand = pools.claims.run(CLAIM_FOR, &[&numbers, &tokens, &router, &incarnation, &false]).await?;
    let mut granted = claims(&at_hand)?;
    let rest: Vec<ShardId> = shards.iter().copied().filter(|shard| !granted.contains_key(shard)).collect();
    if !rest.is_empty() {
        let (numbers, tokens) = asked(&rest)?;
        match patiently(pools, CLAIM_FOR, &[&numbers, &tokens, &router, &incarnation, &true]).await {
            Ok(rows) => granted.extend(claims(&rows)?),
            Err(error) if granted.is_empty() => return Err(error),
            // What was granted must be told: nobody else knows its tokens.
            Err(error) => tracing::warn!(%error, "shards stay with their earlier owners"),
        }
    }
    Ok(shards.iter().filter_map(|shard| granted.get(shard).copied()).collect())
}

/// The numbers of the shards, each once, and a fresh token for each.
fn asked(shards: &[ShardId]) -> Result<(Vec<i32>, Vec<Vec<u8>>), Error> {
    let mut numbers: Vec<i32> = shards.iter().map(|shard| shard.0.into()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let tokens = numbers.iter().map(|_| token()).collect::<Result<_, _>>()?;
    Ok((numbers, tokens))
}

fn claims(rows: &[Row]) -> Result<HashMap<ShardId, Claim>, Error> {
    rows.iter().map(read).collect()
}

/// Runs a statement that takes shards from their owners.
pub(crate) async fn patiently(pools: Pools<'_>, sql: &str, params: Params<'_>) -> Result<Vec<Row>, Error> {
    let connection = pools.claims.get().await?;
    let (connection, asked) = pools.claims.run_on(connection, "SELECT pg_backend_pid()", &[]).await?;
    let pid: i32 = asked.first().map_or(Ok(0), |row| get(row, 0))?;
    let mut claiming = std::pin::pin!(pools.claims.run_on(connection, sql, params));
    loop {
        tokio::select! {
            claimed = &mut claiming => return Ok(claimed?.1),
            () = tokio::time::sleep(PATIENCE) => {
                let ended = pools.helpers.read(END_HOLDERS, &[&pid]).await;
                tracing::warn!(sessions = ended.map_or(0, |rows| rows.len()), "ended sessions that held a shard");
            }
        }
    }
}

fn token() -> Result<Vec<u8>, Error> {
    let mut bytes = vec![0; 16];
    getrandom::fill(&mut bytes).map_err(|error| Error::Unavailable(format!("no random numbers: {error}")))?;
    Ok(bytes)
}

fn read(row: &Row) -> Result<(ShardId, Claim), Error> {
    let shard = shard(row, 0)?;
    let token = get::<&[u8]>(row, 2)?.try_into().map_err(|_| Error::Damaged("a token does not read".into()))?;
    let progress = Progress { delivered: MsgId(number(row, 4)?), published: MsgId(number(row, 5)?) };
    let token = OwnerToken(u128::from_be_bytes(token));
    Ok((shard, Claim { shard, epoch: number(row, 1)?, token, counter: number(row, 3)?, progress }))
}

//! Taking shards over.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use deadpool_postgres::Object;
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

/// What claims need.
#[derive(Clone, Copy)]
pub(crate) struct Claims<'a> {
    /// Where they run; they may wait long.
    pub pool: &'a Pool,
    /// Where those are ended for whom they wait.
    pub helpers: &'a Pool,
    /// The identity of the log: looked at by each claim, since a server that took over may have another one.
    pub log_epoch: &'a RwLock<String>,
}

/// A session in which shards are claimed.
struct Session {
    connection: Object,
    pid: i32,
}

/// Claims all of the shards, whoever has them. Who holds one for too long loses his session.
pub(crate) async fn claim(with: Claims<'_>, shards: &[ShardId]) -> Result<Vec<Claim>, Error> {
    let (numbers, tokens) = asked(shards)?;
    let claims = claims(&patiently(with, session(with).await?, CLAIM, &[&numbers, &tokens]).await?)?;
    let of = |shard: &ShardId| claims.get(shard).copied();
    shards.iter().map(|shard| of(shard).ok_or_else(|| Error::Damaged(format!("there is no shard {shard}")))).collect()
}

/// Claims those of the shards that a member may have, in the order asked.
pub(crate) async fn claim_for(with: Claims<'_>, member: Member, shards: &[ShardId]) -> Result<Vec<Claim>, Error> {
    let (router, incarnation) = (member.router.0.cast_signed(), bound(member.incarnation));
    let (numbers, tokens) = asked(shards)?;
    let Session { connection, pid } = session(with).await?;
    let at_hand = with.pool.run_on(connection, CLAIM_FOR, &[&numbers, &tokens, &router, &incarnation, &false]).await;
    let (connection, at_hand) = at_hand?;
    let mut granted = claims(&at_hand)?;
    let rest: Vec<ShardId> = shards.iter().copied().filter(|shard| !granted.contains_key(shard)).collect();
    if !rest.is_empty() {
        let (numbers, tokens) = asked(&rest)?;
        let session = Session { connection, pid };
        match patiently(with, session, CLAIM_FOR, &[&numbers, &tokens, &router, &incarnation, &true]).await {
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

async fn session(with: Claims<'_>) -> Result<Session, Error> {
    let connection = with.pool.get().await?;
    let (connection, asked) = with.pool.run_on(connection, "SELECT pg_backend_pid(), identity()", &[]).await?;
    let row = asked.first().ok_or_else(|| Error::Damaged("the log has no identity".into()))?;
    let (pid, identity) = (get(row, 0)?, get(row, 1)?);
    *with.log_epoch.write().unwrap_or_else(PoisonError::into_inner) = identity;
    Ok(Session { connection, pid })
}

/// Lets shards go.
pub(crate) async fn let_go(with: Claims<'_>, sql: &str, params: Params<'_>) -> Result<(), Error> {
    patiently(with, session(with).await?, sql, params).await.map(|_| ())
}

/// Runs a statement that must have shards' rows.
async fn patiently(with: Claims<'_>, session: Session, sql: &str, params: Params<'_>) -> Result<Vec<Row>, Error> {
    let Session { connection, pid } = session;
    let mut claiming = std::pin::pin!(with.pool.run_on(connection, sql, params));
    loop {
        tokio::select! {
            claimed = &mut claiming => return Ok(claimed?.1),
            () = tokio::time::sleep(PATIENCE) => {
                let ended = with.helpers.read(END_HOLDERS, &[&pid]).await;
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

//! The routers' leases and the shard map, in the database of the log that they share.

use std::time::Duration;

use async_trait::async_trait;
use mynah_ports::ShardLeases;
use mynah_ports::message_log::Error as LogError;
use mynah_ports::shard_leases::{Error, Heartbeat, LiveRouter, Member, ShardHolder};
use mynah_types::{Claim, RouterId, ShardId};
use tokio_postgres::Row;

use crate::claim::{claim_for, let_go};
use crate::log::PostgresLog;
use crate::pool::Failure;
use crate::rows::{bound, get, number, shard};

const HEARTBEAT: &str = "SELECT answer, newest FROM heartbeat($1, $2, $3, $4)";
const LIVE: &str = "SELECT router, incarnation, address, leaving = incarnation FROM routers WHERE expires > clock_timestamp()";
const LEAVING: &str = "UPDATE routers SET leaving = incarnation WHERE router = $1 AND incarnation = $2";
const SHARDS: &str = "SELECT s.shard, s.epoch, s.owner, s.incarnation, r.address,
        s.owner IS NOT NULL AND coalesce(r.expires <= clock_timestamp(), true)
    FROM shards s LEFT JOIN routers r ON r.router = s.owner AND r.incarnation = s.incarnation ORDER BY s.shard";
const RELEASE: &str = "SELECT release($1, $2, $3)";
const LEAVE: &str = "SELECT leave($1, $2)";

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Unavailable(failure.why())
    }
}

fn of_log(error: LogError) -> Error {
    match error {
        LogError::Unavailable(why) => Error::Unavailable(why),
        LogError::Damaged(why) => Error::Damaged(why),
    }
}

fn ids(member: Member) -> (i64, i64) {
    (member.router.0.cast_signed(), bound(member.incarnation))
}

fn live(row: &Row) -> Result<LiveRouter, LogError> {
    let member = Member { router: RouterId(number(row, 0)?), incarnation: number(row, 1)? };
    Ok(LiveRouter { member, address: get(row, 2)?, leaving: get(row, 3)? })
}

fn holder(row: &Row) -> Result<ShardHolder, LogError> {
    let owner = match get::<Option<i64>>(row, 2)? {
        Some(router) => Some(Member { router: RouterId(router.cast_unsigned()), incarnation: number(row, 3)? }),
        None => None,
    };
    Ok(ShardHolder { shard: shard(row, 0)?, epoch: number(row, 1)?, owner, address: get(row, 4)?, expired: get(row, 5)? })
}

#[async_trait]
impl ShardLeases for PostgresLog {
    async fn heartbeat(&self, member: Member, address: &str, lasts: Duration) -> Result<Heartbeat, Error> {
        let (router, incarnation) = ids(member);
        let rows = self.leases().repeat(HEARTBEAT, &[&router, &incarnation, &address, &bound(lasts.as_millis())]).await?;
        let row = rows.first().ok_or_else(|| Error::Damaged("a heartbeat without an answer".into()))?;
        match get::<i32>(row, 0).map_err(of_log)? {
            0 => Ok(Heartbeat::Renewed),
            1 => Ok(Heartbeat::Expired { newest: number(row, 1).map_err(of_log)? }),
            2 => Ok(Heartbeat::Taken),
            other => Err(Error::Damaged(format!("a heartbeat was answered {other}"))),
        }
    }

    async fn live(&self) -> Result<Vec<LiveRouter>, Error> {
        let rows = self.leases().repeat(LIVE, &[]).await?;
        let mut all = rows.iter().map(live).collect::<Result<Vec<_>, _>>().map_err(of_log)?;
        // The database's numbers have a sign, ids have none.
        all.sort_by_key(|router| router.member.router);
        Ok(all)
    }

    async fn shards(&self) -> Result<Vec<ShardHolder>, Error> {
        let rows = self.leases().repeat(SHARDS, &[]).await?;
        rows.iter().map(holder).collect::<Result<_, _>>().map_err(of_log)
    }

    async fn claim(&self, member: Member, shards: &[ShardId]) -> Result<Vec<Claim>, Error> {
        claim_for(self.claims(), member, shards).await.map_err(of_log)
    }

    async fn release(&self, member: Member, shards: &[ShardId]) -> Result<(), Error> {
        let (router, incarnation) = ids(member);
        let numbers: Vec<i32> = shards.iter().map(|shard| shard.0.into()).collect();
        let_go(self.claims(), RELEASE, &[&router, &incarnation, &numbers]).await.map_err(of_log)
    }

    async fn leaving(&self, member: Member) -> Result<(), Error> {
        let (router, incarnation) = ids(member);
        self.leases().repeat(LEAVING, &[&router, &incarnation]).await?;
        Ok(())
    }

    async fn leave(&self, member: Member) -> Result<(), Error> {
        let (router, incarnation) = ids(member);
        let_go(self.claims(), LEAVE, &[&router, &incarnation]).await.map_err(of_log)
    }
}

//! Web signatures that were accepted: each is good once.

use deadpool_postgres::Transaction;
use mynah_ports::directory_store::Remembered;
use mynah_types::Millis;

use crate::engine::{int, one, run};
use crate::errors::Failure;

/// Signatures are counted by the first byte of their digest: counting them all at each one would cost too much.
const SLICES: u32 = 256;

pub(crate) async fn remember(
    tx: &Transaction<'_>,
    digest: &[u8; 32],
    now: Millis,
    expires: Millis,
    most: u32,
) -> Result<Remembered, Failure> {
    let [first, ..] = *digest;
    let (slice, digest) = (i16::from(first), digest.as_slice());
    let sql = "INSERT INTO signatures (slice, digest, expires) SELECT $1::smallint, $2::bytea, $3::bigint \
               WHERE (SELECT count(*) FROM signatures WHERE slice = $1 AND expires > $4::bigint) < $5::bigint \
               ON CONFLICT (slice, digest) DO UPDATE SET expires = excluded.expires WHERE signatures.expires <= $4";
    let noted = run(tx, sql, &[&slice, &digest, &int(expires), &int(now), &i64::from(most / SLICES)]).await?;
    if noted > 0 {
        return Ok(Remembered::New);
    }
    let sql = "SELECT EXISTS (SELECT 1 FROM signatures WHERE slice = $1 AND digest = $2 AND expires > $3)";
    let seen: bool = one(tx, sql, &[&slice, &digest, &int(now)]).await?.try_get(0)?;
    Ok(if seen { Remembered::Seen } else { Remembered::Full })
}

pub(crate) async fn forget(tx: &Transaction<'_>, now: Millis) -> Result<(), Failure> {
    // Processes that forget at one time leave one another's rows alone.
    let sql = "DELETE FROM signatures WHERE (slice, digest) IN \
               (SELECT slice, digest FROM signatures WHERE expires <= $1 FOR UPDATE SKIP LOCKED)";
    run(tx, sql, &[&int(now)]).await.map(drop)
}

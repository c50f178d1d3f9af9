//! Web signatures that were accepted: each is good once.

use mynah_ports::directory_store::{Error, Remembered};
use mynah_types::Millis;
use rusqlite::{Connection, params};

use crate::engine::failed;

/// Signatures are counted by the first byte of their digest: counting them all at each one would cost too much.
const SLICES: u32 = 256;

pub(crate) fn remember(
    conn: &Connection,
    digest: &[u8; 32],
    now: Millis,
    expires: Millis,
    most: u32,
) -> Result<Remembered, Error> {
    let [slice, ..] = *digest;
    let sql = "INSERT INTO signatures (slice, digest, expires) SELECT ?1, ?2, ?3 \
               WHERE (SELECT count(*) FROM signatures WHERE slice = ?1 AND expires > ?4) < ?5 \
               ON CONFLICT (slice, digest) DO UPDATE SET expires = excluded.expires WHERE signatures.expires <= ?4";
    let noted = conn
        .prepare_cached(sql)
        .and_then(|mut insert| insert.execute(params![slice, digest, expires, now, most / SLICES]))
        .map_err(failed)?;
    if noted > 0 {
        return Ok(Remembered::New);
    }
    let sql = "SELECT EXISTS (SELECT 1 FROM signatures WHERE slice = ?1 AND digest = ?2 AND expires > ?3)";
    let seen: bool = conn
        .prepare_cached(sql)
        .and_then(|mut query| query.query_row(params![slice, digest, now], |row| row.get(0)))
        .map_err(failed)?;
    Ok(if seen { Remembered::Seen } else { Remembered::Full })
}

pub(crate) fn forget(conn: &Connection, now: Millis) -> Result<(), Error> {
    conn.execute("DELETE FROM signatures WHERE expires <= ?1", [now]).map(drop).map_err(failed)
}

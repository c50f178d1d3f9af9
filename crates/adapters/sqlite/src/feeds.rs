//! Events that wait for users' feeds.

use bytes::Bytes;
use mynah_ports::directory_store::{Error, FeedEvents};
use mynah_types::Uid;
use rusqlite::{Connection, params};

use crate::engine::failed;

pub(crate) fn tell(conn: &Connection, events: &FeedEvents) -> Result<(), Error> {
    let mut insert = conn.prepare_cached("INSERT INTO feed_events (uid, payload) VALUES (?1, ?2)").map_err(failed)?;
    for (uid, payload) in events {
        insert.execute(params![uid.0, payload.as_ref()]).map_err(failed)?;
    }
    Ok(())
}

/// The same event for every friend of a user who goes.
pub(crate) fn tell_friends(conn: &Connection, uid: Uid, payload: &Bytes) -> Result<(), Error> {
    conn.prepare_cached("INSERT INTO feed_events (uid, payload) SELECT peer, ?2 FROM friends WHERE uid = ?1 ORDER BY id")
        .and_then(|mut insert| insert.execute(params![uid.0, payload.as_ref()]))
        .map(drop)
        .map_err(failed)
}

pub(crate) fn pending(conn: &Connection, limit: usize) -> Result<Vec<Uid>, Error> {
    let mut query = conn.prepare_cached("SELECT uid FROM feed_events GROUP BY uid ORDER BY min(id) LIMIT ?1").map_err(failed)?;
    let rows = query.query_map([limit], |row| row.get(0).map(Uid)).map_err(failed)?;
    rows.map(|uid| uid.map_err(failed)).collect()
}

pub(crate) fn of_user(conn: &Connection, uid: Uid, limit: usize) -> Result<Vec<(u64, Bytes)>, Error> {
    let mut query =
        conn.prepare_cached("SELECT id, payload FROM feed_events WHERE uid = ?1 ORDER BY id LIMIT ?2").map_err(failed)?;
    let rows = query
        .query_map(params![uid.0, limit], |row| Ok((row.get(0)?, Bytes::from(row.get::<_, Vec<u8>>(1)?))))
        .map_err(failed)?;
    rows.map(|event| event.map_err(failed)).collect()
}

pub(crate) fn finish(conn: &Connection, uid: Uid, number: u64) -> Result<(), Error> {
    conn.prepare_cached("DELETE FROM feed_events WHERE uid = ?1 AND id <= ?2")
        .and_then(|mut delete| delete.execute([uid.0, number]))
        .map(drop)
        .map_err(failed)
}

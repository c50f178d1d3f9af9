//! Blacklists, and the notes of pairs that the router has yet to hear of.

use mynah_ports::directory_store::{Error, Refusal, Rights, User};
use mynah_types::{Millis, Uid};
use rusqlite::{Connection, params};

use crate::engine::failed;
use crate::users;

pub(crate) fn change(conn: &Connection, uid: Uid, add: &[Uid], remove: &[Uid], now: Millis) -> Result<u64, Error> {
    users::all_live(conn, &[&[uid], add, remove].concat())?;
    let noted: Vec<Uid> = noted(conn, uid)?;
    let mut insert = conn
        .prepare_cached("INSERT INTO blacklist (uid, peer, ctime) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")
        .map_err(failed)?;
    let mut already = Vec::new();
    for peer in add {
        if insert.execute(params![uid.0, peer.0, now]).map_err(failed)? == 0 && !noted.contains(peer) {
            already.push(*peer);
        }
    }
    if !already.is_empty() {
        return Err(Error::Refused(Refusal::AlreadyBlacklisted(already)));
    }
    let mut delete = conn.prepare_cached("DELETE FROM blacklist WHERE uid = ?1 AND peer = ?2").map_err(failed)?;
    let mut missing = Vec::new();
    for peer in remove {
        if delete.execute([uid.0, peer.0]).map_err(failed)? == 0 && !noted.contains(peer) {
            missing.push(*peer);
        }
    }
    if !missing.is_empty() {
        return Err(Error::Refused(Refusal::NotBlacklisted(missing)));
    }
    let number: u64 = conn
        .prepare_cached("UPDATE counters SET value = value + 1 WHERE name = 'relation' RETURNING value")
        .and_then(|mut count| count.query_row([], |row| row.get(0)))
        .map_err(failed)?;
    let sql = "INSERT INTO relation_notes (uid, peer, since, number) VALUES (?1, ?2, ?3, ?4) \
               ON CONFLICT DO UPDATE SET number = excluded.number";
    let mut note = conn.prepare_cached(sql).map_err(failed)?;
    for peer in add.iter().chain(remove) {
        note.execute(params![uid.0, peer.0, now, number]).map_err(failed)?;
    }
    Ok(number)
}

fn noted(conn: &Connection, uid: Uid) -> Result<Vec<Uid>, Error> {
    let mut query = conn.prepare_cached("SELECT peer FROM relation_notes WHERE uid = ?1").map_err(failed)?;
    let rows = query.query_map([uid.0], |row| row.get(0).map(Uid)).map_err(failed)?;
    rows.map(|peer| peer.map_err(failed)).collect()
}

pub(crate) fn blacklist(conn: &Connection, uid: Uid) -> Result<Vec<User>, Error> {
    let columns = users::COLUMNS;
    let sql = format!(
        "SELECT {columns} FROM blacklist b JOIN users u ON u.uid = b.peer WHERE b.uid = ?1 AND u.deleted_at IS NULL ORDER BY b.id"
    );
    let mut query = conn.prepare_cached(&sql).map_err(failed)?;
    let rows = query.query_map([uid.0], users::row).map_err(failed)?;
    rows.map(|user| user.map_err(failed)?).collect()
}

pub(crate) fn rights(conn: &Connection, a: Uid, b: Uid) -> Result<Rights, Error> {
    let mut query =
        conn.prepare_cached("SELECT EXISTS (SELECT 1 FROM blacklist WHERE uid = ?1 AND peer = ?2)").map_err(failed)?;
    let mut blocks = |who: Uid, whom: Uid| query.query_row([who.0, whom.0], |row| row.get(0)).map_err(failed);
    let (a_blocks_b, b_blocks_a) = (blocks(a, b)?, blocks(b, a)?);
    let gone = users::gone(conn, &[a, b])?;
    Ok(Rights { a_blocks_b, b_blocks_a, a_exists: !gone.contains(&a), b_exists: !gone.contains(&b) })
}

/// The users whose notes wait longest, each with all his peers.
pub(crate) fn pending(conn: &Connection, limit: usize) -> Result<Vec<(Uid, Vec<Uid>, u64)>, Error> {
    let sql = "SELECT uid, max(number) FROM relation_notes GROUP BY uid ORDER BY min(since), uid LIMIT ?1";
    let mut query = conn.prepare_cached(sql).map_err(failed)?;
    let rows = query.query_map([limit], |row| Ok((Uid(row.get(0)?), row.get(1)?))).map_err(failed)?;
    let uids: Vec<(Uid, u64)> = rows.collect::<Result<_, _>>().map_err(failed)?;
    uids.into_iter().map(|(uid, number)| Ok((uid, noted(conn, uid)?, number))).collect()
}

pub(crate) fn finish(conn: &Connection, uid: Uid, peers: &[Uid], number: u64) -> Result<(), Error> {
    let sql = "DELETE FROM relation_notes WHERE uid = ?1 AND peer = ?2 AND number <= ?3";
    let mut delete = conn.prepare_cached(sql).map_err(failed)?;
    for peer in peers {
        delete.execute([uid.0, peer.0, number]).map_err(failed)?;
    }
    Ok(())
}

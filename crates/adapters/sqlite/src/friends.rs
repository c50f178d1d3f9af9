//! Friendships, and what each friend notes of the other.

use mynah_ports::directory_store::{Error, Friend, FriendNote, Refusal};
use mynah_types::{Millis, Uid};
use rusqlite::{Connection, params};

use crate::engine::failed;
use crate::users;

pub(crate) fn add(conn: &Connection, uid: Uid, peers: &[Uid], most: u32, now: Millis) -> Result<(), Error> {
    users::all_live(conn, &[&[uid], peers].concat())?;
    let mut insert = conn
        .prepare_cached("INSERT INTO friends (uid, peer, ctime) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")
        .map_err(failed)?;
    let mut already = Vec::new();
    for peer in peers {
        if insert.execute(params![uid.0, peer.0, now]).map_err(failed)? == 0 {
            already.push(*peer);
        }
        insert.execute(params![peer.0, uid.0, now]).map_err(failed)?;
    }
    if !already.is_empty() {
        return Err(Error::Refused(Refusal::AlreadyFriends(already)));
    }
    let mut count = conn.prepare_cached("SELECT count(*) FROM friends WHERE uid = ?1").map_err(failed)?;
    let mut full = Vec::new();
    for one in peers.iter().chain([&uid]) {
        if count.query_row([one.0], |row| row.get::<_, u32>(0)).map_err(failed)? > most {
            full.push(*one);
        }
    }
    if full.is_empty() { Ok(()) } else { Err(Error::Refused(Refusal::TooManyFriends(full))) }
}

pub(crate) fn remove(conn: &Connection, uid: Uid, peers: &[Uid]) -> Result<(), Error> {
    let mut delete = conn.prepare_cached("DELETE FROM friends WHERE uid = ?1 AND peer = ?2").map_err(failed)?;
    let mut missing = Vec::new();
    for peer in peers {
        if delete.execute([uid.0, peer.0]).map_err(failed)? == 0 {
            missing.push(*peer);
        }
        delete.execute([peer.0, uid.0]).map_err(failed)?;
    }
    if missing.is_empty() { Ok(()) } else { Err(Error::Refused(Refusal::NotFriends(missing))) }
}

pub(crate) fn note(conn: &Connection, uid: Uid, notes: &[FriendNote]) -> Result<(), Error> {
    let mut update = conn
        .prepare_cached(
            "UPDATE friends SET note_name = coalesce(?3, note_name), others = coalesce(?4, others) WHERE uid = ?1 AND peer = ?2",
        )
        .map_err(failed)?;
    let mut missing = Vec::new();
    for note in notes {
        if update.execute(params![uid.0, note.peer.0, note.note_name, note.others]).map_err(failed)? == 0 {
            missing.push(note.peer);
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(Error::Refused(Refusal::NotFriends(missing))) }
}

pub(crate) fn list(conn: &Connection, uid: Uid) -> Result<Vec<Friend>, Error> {
    let columns = users::COLUMNS;
    let sql = format!(
        "SELECT {columns}, f.note_name, f.others FROM friends f JOIN users u ON u.uid = f.peer \
         WHERE f.uid = ?1 AND u.deleted_at IS NULL ORDER BY f.id"
    );
    let places = columns.split(',').count();
    let mut query = conn.prepare_cached(&sql).map_err(failed)?;
    let rows = query.query_map([uid.0], |row| Ok((users::row(row)?, row.get(places)?, row.get(places + 1)?))).map_err(failed)?;
    rows.map(|row| {
        let (user, note_name, others) = row.map_err(failed)?;
        Ok(Friend { user: user?, note_name, others })
    })
    .collect()
}

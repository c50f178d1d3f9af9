//! What users have switched on for themselves. Shields are noted for the router.

use mynah_ports::directory_store::{Error, Refusal, ShieldNote, Switch, Told};
use mynah_types::{Millis, Uid};
use rusqlite::{Connection, Row, params};

use crate::engine::failed;

pub(crate) fn change(conn: &Connection, uid: Uid, changes: &[(Switch, bool)]) -> Result<(), Error> {
    for (switch, on) in changes {
        let (kind, target) = place(*switch);
        let sql = if *on {
            "INSERT INTO switches (uid, kind, target) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING"
        } else {
            "DELETE FROM switches WHERE uid = ?1 AND kind = ?2 AND target = ?3"
        };
        let changed =
            conn.prepare_cached(sql).and_then(|mut change| change.execute(params![uid.0, kind, target])).map_err(failed)?;
        let repeats = match switch {
            // The hosted service's own sample switches everybody off when nobody is on.
            Switch::DndAll => !on,
            Switch::Shield(gid) => note(conn, uid, *gid, changed > 0)?,
            Switch::DndUser(_) | Switch::DndGroup(_) => false,
        };
        if changed == 0 && !repeats {
            return Err(Error::Refused(Refusal::SwitchStands(*switch, *on)));
        }
    }
    Ok(())
}

/// Notes a shield for the router. True: its change was noted before, and is not confirmed.
fn note(conn: &Connection, uid: Uid, gid: u64, changed: bool) -> Result<bool, Error> {
    if !changed {
        return conn
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM shield_notes WHERE uid = ?1 AND gid = ?2 AND again = 0)")
            .and_then(|mut query| query.query_row([uid.0, gid], |row| row.get(0)))
            .map_err(failed);
    }
    // Another row than before: its number tells that there was a change.
    conn.prepare_cached("INSERT OR REPLACE INTO shield_notes (uid, gid) VALUES (?1, ?2)")
        .and_then(|mut insert| insert.execute([uid.0, gid]))
        .map_err(failed)?;
    Ok(false)
}

const IS_UP: &str = "EXISTS (SELECT 1 FROM switches s WHERE s.uid = n.uid AND s.kind = 4 AND s.target = n.gid)";

pub(crate) fn pending_shields(conn: &Connection, now: Millis, limit: usize) -> Result<Vec<ShieldNote>, Error> {
    let sql = format!("SELECT n.uid, n.gid, {IS_UP}, n.id, n.again FROM shield_notes n WHERE n.due <= ?1 ORDER BY n.id LIMIT ?2");
    let mut query = conn.prepare_cached(&sql).map_err(failed)?;
    let note = |row: &Row<'_>| {
        let (uid, gid, up) = (Uid(row.get(0)?), row.get(1)?, row.get(2)?);
        Ok(ShieldNote { uid, gid, up, number: row.get(3)?, again: row.get(4)? })
    };
    let rows = query.query_map(params![now, limit], note).map_err(failed)?;
    rows.map(|row| row.map_err(failed)).collect()
}

pub(crate) fn finish_shield(conn: &Connection, uid: Uid, gid: u64, up: bool, told: Told) -> Result<(), Error> {
    let sql = "SELECT EXISTS (SELECT 1 FROM switches WHERE uid = ?1 AND kind = 4 AND target = ?2)";
    let is_up: bool =
        conn.prepare_cached(sql).and_then(|mut query| query.query_row(params![uid.0, gid], |row| row.get(0))).map_err(failed)?;
    if is_up != up {
        return note(conn, uid, gid, true).map(drop);
    }
    let (sql, value) = match told {
        Told::Done => ("DELETE FROM shield_notes WHERE uid = ?1 AND gid = ?2 AND ?3 = 0", 0),
        Told::AgainAt(time) => ("UPDATE shield_notes SET again = 1, due = ?3 WHERE uid = ?1 AND gid = ?2", time),
        Told::Again(number) => ("DELETE FROM shield_notes WHERE uid = ?1 AND gid = ?2 AND id = ?3", number),
    };
    conn.prepare_cached(sql).and_then(|mut finish| finish.execute(params![uid.0, gid, value])).map(drop).map_err(failed)
}

/// Who is no member any more has switched nothing for the group.
pub(crate) fn leave(conn: &Connection, gid: u64, uids: &[Uid]) -> Result<(), Error> {
    let steps = [
        "DELETE FROM switches WHERE uid = ?2 AND kind IN (2, 4) AND target = ?1",
        "DELETE FROM shield_notes WHERE uid = ?2 AND gid = ?1",
    ];
    for sql in steps {
        let mut delete = conn.prepare_cached(sql).map_err(failed)?;
        for uid in uids {
            delete.execute([gid, uid.0]).map_err(failed)?;
        }
    }
    Ok(())
}

/// A group is gone.
pub(crate) fn dissolve(conn: &Connection, gid: u64) -> Result<(), Error> {
    let steps = ["DELETE FROM switches WHERE kind IN (2, 4) AND target = ?1", "DELETE FROM shield_notes WHERE gid = ?1"];
    for sql in steps {
        conn.prepare_cached(sql).and_then(|mut delete| delete.execute([gid])).map_err(failed)?;
    }
    Ok(())
}

pub(crate) fn of_user(conn: &Connection, uid: Uid) -> Result<Vec<Switch>, Error> {
    let mut query =
        conn.prepare_cached("SELECT kind, target FROM switches WHERE uid = ?1 ORDER BY kind, target").map_err(failed)?;
    let rows = query.query_map([uid.0], |row| Ok((row.get::<_, u8>(0)?, row.get(1)?))).map_err(failed)?;
    let switches = rows.map(|row| {
        let (kind, target) = row.map_err(failed)?;
        Ok(match kind {
            1 => Switch::DndUser(Uid(target)),
            2 => Switch::DndGroup(target),
            4 => Switch::Shield(target),
            _ => Switch::DndAll,
        })
    });
    switches.collect()
}

fn place(switch: Switch) -> (u8, u64) {
    match switch {
        Switch::DndUser(uid) => (1, uid.0),
        Switch::DndGroup(gid) => (2, gid),
        Switch::DndAll => (3, 0),
        Switch::Shield(gid) => (4, gid),
    }
}

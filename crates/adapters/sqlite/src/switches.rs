//! What users have switched on for themselves.

use mynah_ports::directory_store::{Error, Refusal, Switch};
use mynah_types::Uid;
use rusqlite::{Connection, params};

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
        if changed == 0 {
            return Err(Error::Refused(Refusal::SwitchStands(*switch, *on)));
        }
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
    }
}

//! What users have switched on for themselves. Shields are noted for the router.

use std::collections::HashSet;

use deadpool_postgres::{GenericClient, Transaction};
use mynah_ports::directory_store::{FeedEvents, Refusal, ShieldNote, Switch, Told};
use mynah_types::{Millis, Uid};

use crate::engine::{int, ints, number, one, rows, run, size, small};
use crate::errors::Failure;
use crate::feeds;
use crate::users::{self, Hold, uids_of};

pub(crate) async fn change(tx: &Transaction<'_>, uid: Uid, changes: &[(Switch, bool)], tell: &FeedEvents) -> Result<(), Failure> {
    users::lock(tx, [uid].iter().chain(tell.iter().map(|(of, _)| of)), Hold::Alone).await?;
    for (switch, on) in changes {
        let (kind, target) = place(*switch);
        let sql = if *on {
            "INSERT INTO switches (uid, kind, target) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
        } else {
            "DELETE FROM switches WHERE uid = $1 AND kind = $2 AND target = $3"
        };
        let changed = run(tx, sql, &[&int(uid.0), &kind, &int(target)]).await?;
        let repeats = match switch {
            // The hosted service's own sample switches everybody off when nobody is on.
            Switch::DndAll => !on,
            Switch::Shield(gid) => note(tx, uid, *gid, changed > 0).await?,
            Switch::DndUser(_) | Switch::DndGroup(_) => false,
        };
        if changed == 0 && !repeats {
            return Err(Refusal::SwitchStands(*switch, *on).into());
        }
    }
    feeds::tell(tx, tell).await
}

/// Notes a shield for the router. True: its change was noted before, and is not confirmed.
async fn note(tx: &Transaction<'_>, uid: Uid, gid: u64, changed: bool) -> Result<bool, Failure> {
    if !changed {
        let sql = "SELECT EXISTS (SELECT 1 FROM shield_notes WHERE uid = $1 AND gid = $2 AND NOT again)";
        return Ok(one(tx, sql, &[&int(uid.0), &int(gid)]).await?.try_get(0)?);
    }
    // Another number than before tells that there was a change.
    let sql = "INSERT INTO shield_notes (uid, gid) VALUES ($1, $2) \
               ON CONFLICT (uid, gid) DO UPDATE SET id = DEFAULT, again = FALSE, due = 0";
    run(tx, sql, &[&int(uid.0), &int(gid)]).await?;
    Ok(false)
}

const IS_UP: &str = "EXISTS (SELECT 1 FROM switches s WHERE s.uid = n.uid AND s.kind = 4 AND s.target = n.gid)";

pub(crate) async fn pending_shields(conn: &impl GenericClient, now: Millis, limit: usize) -> Result<Vec<ShieldNote>, Failure> {
    let sql = format!("SELECT n.uid, n.gid, {IS_UP}, n.id, n.again FROM shield_notes n WHERE n.due <= $1 ORDER BY n.id LIMIT $2");
    let found = rows(conn, &sql, &[&int(now), &size(limit)]).await?;
    let notes = found.iter().map(|row| {
        let (uid, gid, up) = (Uid(number(row, 0)?), number(row, 1)?, row.try_get(2)?);
        Ok(ShieldNote { uid, gid, up, number: number(row, 3)?, again: row.try_get(4)? })
    });
    notes.collect()
}

pub(crate) async fn finish_shield(tx: &Transaction<'_>, uid: Uid, gid: u64, up: bool, told: Told) -> Result<(), Failure> {
    // A change that is under way is over first: this would judge by what it is about to replace.
    users::lock(tx, &[uid], Hold::Alone).await?;
    let sql = "SELECT EXISTS (SELECT 1 FROM switches WHERE uid = $1 AND kind = 4 AND target = $2)";
    if one(tx, sql, &[&int(uid.0), &int(gid)]).await?.try_get::<_, bool>(0)? != up {
        return note(tx, uid, gid, true).await.map(drop);
    }
    let (sql, value) = match told {
        Told::Done => ("DELETE FROM shield_notes WHERE uid = $1 AND gid = $2 AND $3::bigint = 0", 0),
        Told::AgainAt(time) => ("UPDATE shield_notes SET again = TRUE, due = $3 WHERE uid = $1 AND gid = $2", time),
        Told::Again(number) => ("DELETE FROM shield_notes WHERE uid = $1 AND gid = $2 AND id = $3", number),
    };
    run(tx, sql, &[&int(uid.0), &int(gid), &int(value)]).await.map(drop)
}

/// Who is no member any more has switched nothing for the group. One statement: a switch and its note go together or stay together.
pub(crate) async fn leave(tx: &Transaction<'_>, gid: u64, uids: &[Uid]) -> Result<(), Failure> {
    if uids.is_empty() {
        return Ok(());
    }
    let sql = "WITH switched AS (DELETE FROM switches WHERE uid = ANY($2) AND kind IN (2, 4) AND target = $1) \
               DELETE FROM shield_notes WHERE uid = ANY($2) AND gid = $1";
    run(tx, sql, &[&int(gid), &ints(uids.iter().map(|uid| uid.0))]).await.map(drop)
}

/// Who has switched something for a group.
pub(crate) async fn holders(tx: &Transaction<'_>, gid: u64) -> Result<HashSet<Uid>, Failure> {
    uids_of(&rows(tx, "SELECT uid FROM switches WHERE kind IN (2, 4) AND target = $1", &[&int(gid)]).await?)
}

/// A group is gone.
pub(crate) async fn dissolve(tx: &Transaction<'_>, gid: u64) -> Result<(), Failure> {
    let sql =
        "WITH switched AS (DELETE FROM switches WHERE kind IN (2, 4) AND target = $1) DELETE FROM shield_notes WHERE gid = $1";
    run(tx, sql, &[&int(gid)]).await.map(drop)
}

pub(crate) async fn of_user(conn: &impl GenericClient, uid: Uid) -> Result<Vec<Switch>, Failure> {
    let found = rows(conn, "SELECT kind, target FROM switches WHERE uid = $1 ORDER BY kind, target", &[&int(uid.0)]).await?;
    let switches = found.iter().map(|row| {
        let target = number(row, 1)?;
        Ok(match small(row, 0)? {
            1 => Switch::DndUser(Uid(target)),
            2 => Switch::DndGroup(target),
            4 => Switch::Shield(target),
            _ => Switch::DndAll,
        })
    });
    switches.collect()
}

fn place(switch: Switch) -> (i16, u64) {
    match switch {
        Switch::DndUser(uid) => (1, uid.0),
        Switch::DndGroup(gid) => (2, gid),
        Switch::DndAll => (3, 0),
        Switch::Shield(gid) => (4, gid),
    }
}

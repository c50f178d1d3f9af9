//! Who was active when, and how an app grew.

use mynah_ports::directory_store::{Day, Error, Growth, RosterKind};
use mynah_types::{AppId, Millis};
use rusqlite::{Connection, Params, params};

use crate::engine::failed;
use crate::rosters::kind_number;

const DAY_MS: Millis = 24 * 60 * 60 * 1000;
/// Statistics go back 60 days; zones differ by up to two.
const KEPT_DAYS: u64 = 62;

/// The user of a live session was active.
pub(crate) fn of_session(conn: &Connection, session_id: u64, day: u64) -> Result<(), Error> {
    conn.prepare_cached(
        "INSERT OR IGNORE INTO activity (app_id, day, uid) \
         SELECT app_id, ?2, uid FROM sessions WHERE session_id = ?1 AND revoked_at IS NULL",
    )
    .and_then(|mut insert| insert.execute(params![session_id, day]))
    .map(drop)
    .map_err(failed)
}

pub(crate) fn forget(conn: &Connection, now: Millis) -> Result<(), Error> {
    let first = (now / DAY_MS).saturating_sub(KEPT_DAYS);
    conn.prepare_cached("DELETE FROM activity WHERE app_id IN (SELECT app_id FROM apps) AND day < ?1")
        .and_then(|mut delete| delete.execute([first]))
        .map(drop)
        .map_err(failed)
}

pub(crate) fn growth(conn: &Connection, app: AppId, day: Day) -> Result<Growth, Error> {
    let users =
        "SELECT COUNT(*) FROM users WHERE app_id = ?1 AND ctime >= ?2 AND ctime < ?3 AND deleted_at IS NULL AND admin = 0";
    let groups = "SELECT COUNT(*) FROM rosters WHERE app_id = ?1 AND kind = ?4 AND ctime >= ?2 AND ctime < ?3 AND dissolved = 0";
    let group = kind_number(RosterKind::Group);
    Ok(Growth {
        users: count(conn, users, params![app.0, 0, day.until])?,
        new_users: count(conn, users, params![app.0, day.from, day.until])?,
        logged_in: count(conn, "SELECT COUNT(*) FROM activity WHERE app_id = ?1 AND day = ?2", params![app.0, day.number])?,
        groups: count(conn, groups, params![app.0, 0, day.until, group])?,
        new_groups: count(conn, groups, params![app.0, day.from, day.until, group])?,
    })
}

fn count(conn: &Connection, sql: &str, params: impl Params) -> Result<u64, Error> {
    conn.prepare_cached(sql).and_then(|mut query| query.query_row(params, |row| row.get(0))).map_err(failed)
}

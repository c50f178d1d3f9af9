//! Device sessions and the newest login of each platform.

use mynah_ports::directory_store::{DeviceRecord, Error, Login, LoginOutcome, Refusal, Session, SessionState, TokenDigest};
use mynah_types::{AppId, Millis, Uid};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::engine::failed;
use crate::users::row_id;
use crate::{activity, signatures};

const COLUMNS: &str = "session_id, app_id, uid, platform, device_id, revoked_at IS NULL, ctime, last_used, expires";

pub(crate) fn login(conn: &Connection, login: &Login) -> Result<LoginOutcome, Error> {
    check_user(conn, login)?;
    let live = live(conn, login.uid)?;
    let (mut kicked, mut replaced) = (Vec::new(), Vec::new());
    for session in live.into_iter().filter(|s| s.expires > login.now) {
        let same_device =
            session.platform == login.platform && !login.device_id.is_empty() && session.device_id == login.device_id;
        if same_device {
            replaced.push(session);
        } else if login.rule.puts_out(login.platform, session.platform) {
            kicked.push(session);
        }
    }
    if !kicked.is_empty() && !login.kick_others {
        return Err(Error::Refused(Refusal::DeviceConflict));
    }
    for session in kicked.iter().chain(&replaced) {
        end(conn, session.id, login.now)?;
    }
    let platform = login.platform.to_string();
    conn.prepare_cached(
        "INSERT INTO sessions (token, app_id, uid, platform, device_id, ctime, last_used, expires) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7)",
    )
    .and_then(|mut insert| {
        insert.execute(params![
            login.token.0.as_slice(),
            login.app.0,
            login.uid.0,
            platform,
            login.device_id,
            login.now,
            login.expires
        ])
    })
    .map_err(failed)?;
    let id = row_id(conn)?;
    activity::of_session(conn, id, login.day)?;
    conn.prepare_cached(
        "INSERT OR REPLACE INTO devices (uid, platform, device_id, session_id, last_login) VALUES (?1, ?2, ?3, ?4, ?5)",
    )
    .and_then(|mut insert| insert.execute(params![login.uid.0, platform, login.device_id, id, login.now]))
    .map_err(failed)?;
    let session = Session {
        id,
        app: login.app,
        uid: login.uid,
        platform: login.platform,
        device_id: login.device_id.clone(),
        state: SessionState::Live,
        ctime: login.now,
        last_used: login.now,
        expires: login.expires,
    };
    Ok(LoginOutcome { session, kicked, replaced })
}

/// The password was checked before this transaction: what changed since refuses.
fn check_user(conn: &Connection, login: &Login) -> Result<(), Error> {
    let found: Option<(String, bool)> = conn
        .prepare_cached("SELECT password, disabled FROM users WHERE uid = ?1 AND app_id = ?2 AND deleted_at IS NULL")
        .and_then(|mut query| query.query_row(params![login.uid.0, login.app.0], |row| Ok((row.get(0)?, row.get(1)?))).optional())
        .map_err(failed)?;
    match found {
        None => Err(Error::Refused(Refusal::UsersGone(vec![login.uid]))),
        Some((password, _)) if password != login.verified => Err(Error::Refused(Refusal::PasswordMoved)),
        Some((_, true)) => Err(Error::Refused(Refusal::UserDisabled)),
        Some((_, false)) => Ok(()),
    }
}

fn live(conn: &Connection, uid: Uid) -> Result<Vec<Session>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM sessions WHERE uid = ?1 AND revoked_at IS NULL ORDER BY session_id");
    let mut query = conn.prepare_cached(&sql).map_err(failed)?;
    let rows = query.query_map([uid.0], row).map_err(failed)?;
    rows.map(|session| session.map_err(failed)).collect()
}

fn end(conn: &Connection, session_id: u64, now: Millis) -> Result<(), Error> {
    conn.prepare_cached("UPDATE sessions SET revoked_at = ?2 WHERE session_id = ?1")
        .and_then(|mut update| update.execute(params![session_id, now]))
        .map(drop)
        .map_err(failed)
}

/// Revokes the live sessions of a user that `which` names.
pub(crate) fn revoke(conn: &Connection, uid: Uid, which: impl Fn(&Session) -> bool, now: Millis) -> Result<Vec<Session>, Error> {
    let mut revoked = live(conn, uid)?;
    revoked.retain(which);
    for session in &mut revoked {
        end(conn, session.id, now)?;
        session.state = SessionState::Revoked;
    }
    Ok(revoked)
}

pub(crate) fn by_token(conn: &Connection, token: &TokenDigest) -> Result<Option<Session>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM sessions WHERE token = ?1");
    let mut query = conn.prepare_cached(&sql).map_err(failed)?;
    query.query_row([token.0.as_slice()], row).optional().map_err(failed)
}

pub(crate) fn touch(conn: &Connection, session_id: u64, now: Millis, day: u64, expires: Millis) -> Result<(), Error> {
    activity::of_session(conn, session_id, day)?;
    conn.prepare_cached("UPDATE sessions SET last_used = ?2, expires = ?3 WHERE session_id = ?1 AND revoked_at IS NULL")
        .and_then(|mut update| update.execute(params![session_id, now, expires]))
        .map(drop)
        .map_err(failed)
}

pub(crate) fn devices(conn: &Connection, uids: &[Uid], now: Millis) -> Result<Vec<(Uid, Vec<DeviceRecord>)>, Error> {
    let mut query = conn
        .prepare_cached(
            "SELECT d.platform, d.device_id, d.session_id, d.last_login, \
             EXISTS (SELECT 1 FROM sessions s WHERE s.session_id = d.session_id AND s.revoked_at IS NULL AND s.expires > ?2) \
             FROM devices d WHERE d.uid = ?1 ORDER BY d.platform",
        )
        .map_err(failed)?;
    let mut all = Vec::with_capacity(uids.len());
    for uid in uids {
        let rows = query.query_map(params![uid.0, now], |row| {
            Ok(DeviceRecord {
                platform: letter(row, 0)?,
                device_id: row.get(1)?,
                session_id: row.get(2)?,
                last_login: row.get(3)?,
                login: row.get(4)?,
            })
        });
        all.push((*uid, rows.map_err(failed)?.collect::<Result<_, _>>().map_err(failed)?));
    }
    Ok(all)
}

pub(crate) fn revoked(conn: &Connection, session_ids: &[u64]) -> Result<Vec<u64>, Error> {
    let sql = "SELECT EXISTS (SELECT 1 FROM sessions WHERE session_id = ?1 AND revoked_at IS NOT NULL)";
    let mut query = conn.prepare_cached(sql).map_err(failed)?;
    let mut revoked = Vec::new();
    for id in session_ids {
        if query.query_row([id], |row| row.get(0)).map_err(failed)? {
            revoked.push(*id);
        }
    }
    Ok(revoked)
}

pub(crate) fn purge(conn: &Connection, now: Millis, limit: usize) -> Result<usize, Error> {
    activity::forget(conn, now)?;
    signatures::forget(conn, now)?;
    conn.execute(
        "DELETE FROM sessions WHERE session_id IN (SELECT session_id FROM sessions WHERE expires < ?1 LIMIT ?2)",
        params![now, limit],
    )
    .map_err(failed)
}

fn letter(row: &Row<'_>, column: usize) -> rusqlite::Result<char> {
    // One letter was written; an empty text would be no platform of ours.
    row.get::<_, String>(column).map(|text| text.chars().next().unwrap_or('?'))
}

fn row(row: &Row<'_>) -> rusqlite::Result<Session> {
    Ok(Session {
        id: row.get(0)?,
        app: AppId(row.get(1)?),
        uid: Uid(row.get(2)?),
        platform: letter(row, 3)?,
        device_id: row.get(4)?,
        state: if row.get(5)? { SessionState::Live } else { SessionState::Revoked },
        ctime: row.get(6)?,
        last_used: row.get(7)?,
        expires: row.get(8)?,
    })
}

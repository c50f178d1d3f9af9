//! Device sessions and the newest login of each platform.

use std::collections::HashMap;

use deadpool_postgres::{GenericClient, Transaction};
use mynah_ports::directory_store::{DeviceRecord, Login, LoginOutcome, Refusal, Session, SessionState, TokenDigest};
use mynah_types::{AppId, Millis, Uid};
use tokio_postgres::Row;

use crate::engine::{int, ints, number, one, row, rows, run, size};
use crate::errors::Failure;
use crate::{activity, signatures};

const COLUMNS: &str = "session_id, app_id, uid, platform, device_id, revoked_at IS NULL, ctime, last_used, expires";

pub(crate) async fn login(tx: &Transaction<'_>, login: &Login) -> Result<LoginOutcome, Failure> {
    check_user(tx, login).await?;
    let sql =
        format!("SELECT {COLUMNS} FROM sessions WHERE uid = $1 AND revoked_at IS NULL AND expires > $2 ORDER BY session_id");
    let (mut kicked, mut replaced) = (Vec::new(), Vec::new());
    for found in rows(tx, &sql, &[&int(login.uid.0), &int(login.now)]).await? {
        let session = read(&found)?;
        let same_device =
            session.platform == login.platform && !login.device_id.is_empty() && session.device_id == login.device_id;
        if same_device {
            replaced.push(session);
        } else if login.rule.puts_out(login.platform, session.platform) {
            kicked.push(session);
        }
    }
    if !kicked.is_empty() && !login.kick_others {
        return Err(Refusal::DeviceConflict.into());
    }
    let ended = ints(kicked.iter().chain(&replaced).map(|session| session.id));
    if !ended.is_empty() {
        run(tx, "UPDATE sessions SET revoked_at = $2 WHERE session_id = ANY($1)", &[&ended, &int(login.now)]).await?;
    }
    let id = insert(tx, login).await?;
    activity::of_session(tx, id, login.day).await?;
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

/// The password was checked before this transaction: what changed since refuses. Holds the user: his logins take turns.
async fn check_user(tx: &Transaction<'_>, login: &Login) -> Result<(), Failure> {
    let sql = "SELECT password, disabled FROM users WHERE uid = $1 AND app_id = $2 AND deleted_at IS NULL FOR NO KEY UPDATE";
    let Some(found) = row(tx, sql, &[&int(login.uid.0), &int(login.app.0)]).await? else {
        return Err(Refusal::UsersGone(vec![login.uid]).into());
    };
    if found.try_get::<_, &str>(0)? != login.verified {
        return Err(Refusal::PasswordMoved.into());
    }
    if found.try_get(1)? { Err(Refusal::UserDisabled.into()) } else { Ok(()) }
}

/// Makes the session, and the record of its platform.
async fn insert(tx: &Transaction<'_>, login: &Login) -> Result<u64, Failure> {
    let sql = "WITH made AS (INSERT INTO sessions (token, app_id, uid, platform, device_id, ctime, last_used, expires) \
                   VALUES ($1, $2, $3, $4, $5, $6, $6, $7) RETURNING session_id), \
               device AS (INSERT INTO devices (uid, platform, device_id, session_id, last_login) \
                   SELECT $3, $4, $5, session_id, $6 FROM made ON CONFLICT (uid, platform) DO UPDATE SET \
                   device_id = excluded.device_id, session_id = excluded.session_id, last_login = excluded.last_login) \
               SELECT session_id FROM made";
    let platform = login.platform.to_string();
    let made = one(
        tx,
        sql,
        &[
            &login.token.0.as_slice(),
            &int(login.app.0),
            &int(login.uid.0),
            &platform,
            &login.device_id,
            &int(login.now),
            &int(login.expires),
        ],
    )
    .await?;
    number(&made, 0)
}

/// Revokes the live sessions of users: one, or all but one.
pub(crate) async fn revoke(
    tx: &Transaction<'_>,
    uids: &[Uid],
    only: Option<u64>,
    keep: Option<u64>,
    now: Millis,
) -> Result<Vec<Session>, Failure> {
    let sql = format!(
        "UPDATE sessions SET revoked_at = $4 WHERE uid = ANY($1) AND revoked_at IS NULL AND ($2::bigint IS NULL OR session_id = $2) \
         AND ($3::bigint IS NULL OR session_id <> $3) RETURNING {COLUMNS}"
    );
    let (only, keep) = (only.map(int), keep.map(int));
    let found = rows(tx, &sql, &[&ints(uids.iter().map(|uid| uid.0)), &only, &keep, &int(now)]).await?;
    let mut revoked = found.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    revoked.sort_by_key(|session| session.id);
    Ok(revoked)
}

pub(crate) async fn by_token(conn: &impl GenericClient, token: &TokenDigest) -> Result<Option<Session>, Failure> {
    let sql = format!("SELECT {COLUMNS} FROM sessions WHERE token = $1");
    row(conn, &sql, &[&token.0.as_slice()]).await?.as_ref().map(read).transpose()
}

pub(crate) async fn touch(tx: &Transaction<'_>, session_id: u64, now: Millis, day: u64, expires: Millis) -> Result<(), Failure> {
    activity::of_session(tx, session_id, day).await?;
    let sql = "UPDATE sessions SET last_used = $2, expires = $3 WHERE session_id = $1 AND revoked_at IS NULL";
    run(tx, sql, &[&int(session_id), &int(now), &int(expires)]).await.map(drop)
}

pub(crate) async fn devices(
    conn: &impl GenericClient,
    uids: &[Uid],
    now: Millis,
) -> Result<Vec<(Uid, Vec<DeviceRecord>)>, Failure> {
    let sql = "SELECT d.uid, d.platform, d.device_id, d.session_id, d.last_login, \
               EXISTS (SELECT 1 FROM sessions s WHERE s.session_id = d.session_id AND s.revoked_at IS NULL AND s.expires > $2) \
               FROM devices d WHERE d.uid = ANY($1) ORDER BY d.uid, d.platform";
    let mut records: HashMap<Uid, Vec<DeviceRecord>> = HashMap::with_capacity(uids.len());
    for row in &rows(conn, sql, &[&ints(uids.iter().map(|uid| uid.0)), &int(now)]).await? {
        records.entry(Uid(number(row, 0)?)).or_default().push(DeviceRecord {
            platform: letter(row, 1)?,
            device_id: row.try_get(2)?,
            session_id: number(row, 3)?,
            last_login: number(row, 4)?,
            login: row.try_get(5)?,
        });
    }
    Ok(uids.iter().map(|uid| (*uid, records.get(uid).cloned().unwrap_or_default())).collect())
}

pub(crate) async fn revoked(conn: &impl GenericClient, session_ids: &[u64]) -> Result<Vec<u64>, Failure> {
    let sql = "SELECT session_id FROM sessions WHERE session_id = ANY($1) AND revoked_at IS NOT NULL ORDER BY session_id";
    let found = rows(conn, sql, &[&ints(session_ids.iter().copied())]).await?;
    found.iter().map(|row| number(row, 0)).collect()
}

pub(crate) async fn purge(tx: &Transaction<'_>, now: Millis, limit: usize) -> Result<usize, Failure> {
    activity::forget(tx, now).await?;
    signatures::forget(tx, now).await?;
    // Several processes may purge at once: each takes others' rows for done.
    let sql = "DELETE FROM sessions WHERE session_id IN \
               (SELECT session_id FROM sessions WHERE expires < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)";
    let purged = run(tx, sql, &[&int(now), &size(limit)]).await?;
    Ok(usize::try_from(purged).unwrap_or(limit))
}

fn letter(row: &Row, column: usize) -> Result<char, Failure> {
    // One letter was written; an empty text would be no platform of ours.
    Ok(row.try_get::<_, &str>(column)?.chars().next().unwrap_or('?'))
}

fn read(row: &Row) -> Result<Session, Failure> {
    Ok(Session {
        id: number(row, 0)?,
        app: AppId(number(row, 1)?),
        uid: Uid(number(row, 2)?),
        platform: letter(row, 3)?,
        device_id: row.try_get(4)?,
        state: if row.try_get(5)? { SessionState::Live } else { SessionState::Revoked },
        ctime: number(row, 6)?,
        last_used: number(row, 7)?,
        expires: number(row, 8)?,
    })
}

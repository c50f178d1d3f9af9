//! Users, their passwords and profiles.

use mynah_ports::directory_store::{Error, FeedEvents, NewUser, Profile, Refusal, Session, User};
use mynah_types::{AppId, Millis, Uid, Username};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::engine::failed;
use crate::{feeds, sessions};

/// What [`row`] reads, from a table that the query calls `u`.
pub(crate) const COLUMNS: &str = "u.uid, u.app_id, u.username, u.admin, u.disabled, u.nickname, u.avatar, u.birthday, \
     u.signature, u.gender, u.region, u.address, u.extras, u.ctime, u.mtime";

pub(crate) fn insert(conn: &Connection, app: AppId, users: &[NewUser], now: Millis) -> Result<Vec<Option<Uid>>, Error> {
    let mut insert = conn
        .prepare_cached(
            "INSERT INTO users (app_id, username, admin, password, nickname, avatar, birthday, signature, gender, region, address, \
             extras, ctime, mtime) VALUES (?1, ?2, ?3, ?4, NULLIF(?5, ''), NULLIF(?6, ''), NULLIF(?7, ''), NULLIF(?8, ''), ?9, \
             NULLIF(?10, ''), NULLIF(?11, ''), NULLIF(?12, ''), ?13, ?13) ON CONFLICT DO NOTHING",
        )
        .map_err(failed)?;
    let (mut uids, mut n_users, mut n_admins) = (Vec::with_capacity(users.len()), 0, 0);
    for user in users {
        let p = &user.profile;
        let inserted = insert
            .execute(params![
                app.0,
                user.username.as_str(),
                user.admin,
                user.password,
                p.nickname,
                p.avatar,
                p.birthday,
                p.signature,
                p.gender,
                p.region,
                p.address,
                p.extras,
                now,
            ])
            .map_err(failed)?;
        let count = if user.admin { &mut n_admins } else { &mut n_users };
        *count += inserted;
        uids.push(if inserted > 0 { Some(Uid(row_id(conn)?)) } else { None });
    }
    conn.prepare_cached("UPDATE apps SET n_users = n_users + ?2, n_admins = n_admins + ?3 WHERE app_id = ?1")
        .and_then(|mut update| update.execute(params![app.0, n_users, n_admins]))
        .map_err(failed)?;
    Ok(uids)
}

/// The number that the last insert gave.
pub(crate) fn row_id(conn: &Connection) -> Result<u64, Error> {
    u64::try_from(conn.last_insert_rowid()).map_err(|_| Error::Damaged("a row number is negative".into()))
}

pub(crate) fn by_name(conn: &Connection, app: AppId, names: &[Username]) -> Result<Vec<User>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM users u WHERE u.app_id = ?1 AND u.username = ?2 AND u.deleted_at IS NULL");
    let mut query = conn.prepare_cached(&sql).map_err(failed)?;
    let mut found = Vec::with_capacity(names.len());
    for name in names {
        if let Some(user) = query.query_row(params![app.0, name.as_str()], row).optional().map_err(failed)? {
            found.push(user?);
        }
    }
    Ok(found)
}

pub(crate) fn by_uid(conn: &Connection, uids: &[Uid]) -> Result<Vec<User>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM users u WHERE u.uid = ?1 AND u.deleted_at IS NULL");
    let mut query = conn.prepare_cached(&sql).map_err(failed)?;
    let mut found = Vec::with_capacity(uids.len());
    for uid in uids {
        if let Some(user) = query.query_row([uid.0], row).optional().map_err(failed)? {
            found.push(user?);
        }
    }
    Ok(found)
}

/// Those of the users that are not living.
pub(crate) fn gone(conn: &Connection, uids: &[Uid]) -> Result<Vec<Uid>, Error> {
    let mut query =
        conn.prepare_cached("SELECT EXISTS (SELECT 1 FROM users WHERE uid = ?1 AND deleted_at IS NULL)").map_err(failed)?;
    let mut gone = Vec::new();
    for uid in uids {
        if !query.query_row([uid.0], |row| row.get::<_, bool>(0)).map_err(failed)? {
            gone.push(*uid);
        }
    }
    Ok(gone)
}

/// Refuses if one of the users is not living.
pub(crate) fn all_live(conn: &Connection, uids: &[Uid]) -> Result<(), Error> {
    let gone = gone(conn, uids)?;
    if gone.is_empty() { Ok(()) } else { Err(Error::Refused(Refusal::UsersGone(gone))) }
}

pub(crate) fn password(conn: &Connection, uid: Uid) -> Result<Option<String>, Error> {
    conn.prepare_cached("SELECT password FROM users WHERE uid = ?1 AND deleted_at IS NULL")
        .and_then(|mut query| query.query_row([uid.0], |row| row.get(0)).optional())
        .map_err(failed)
}

pub(crate) fn list(conn: &Connection, app: AppId, admins: bool, start: u64, count: u32) -> Result<(u64, Vec<User>), Error> {
    let total: Option<(u64, u64)> = conn
        .prepare_cached("SELECT n_users, n_admins FROM apps WHERE app_id = ?1")
        .and_then(|mut query| query.query_row([app.0], |row| Ok((row.get(0)?, row.get(1)?))).optional())
        .map_err(failed)?;
    let total = total.map_or(0, |(users, n_admins)| if admins { n_admins } else { users });
    if start >= total {
        return Ok((total, Vec::new()));
    }
    let sql = format!(
        "SELECT {COLUMNS} FROM users u WHERE u.app_id = ?1 AND u.admin = ?2 AND u.deleted_at IS NULL ORDER BY u.uid LIMIT ?3 OFFSET ?4"
    );
    let mut query = conn.prepare_cached(&sql).map_err(failed)?;
    let rows = query.query_map(params![app.0, admins, count, start], row).map_err(failed)?;
    let users = rows.map(|user| user.map_err(failed)?).collect::<Result<_, _>>()?;
    Ok((total, users))
}

pub(crate) fn update_profile(conn: &Connection, uid: Uid, p: &Profile, now: Millis) -> Result<(), Error> {
    let mut update = conn
        .prepare_cached(
            "UPDATE users SET \
             nickname = CASE WHEN ?2 IS NULL THEN nickname ELSE NULLIF(?2, '') END, \
             avatar = CASE WHEN ?3 IS NULL THEN avatar ELSE NULLIF(?3, '') END, \
             birthday = CASE WHEN ?4 IS NULL THEN birthday ELSE NULLIF(?4, '') END, \
             signature = CASE WHEN ?5 IS NULL THEN signature ELSE NULLIF(?5, '') END, \
             gender = coalesce(?6, gender), \
             region = CASE WHEN ?7 IS NULL THEN region ELSE NULLIF(?7, '') END, \
             address = CASE WHEN ?8 IS NULL THEN address ELSE NULLIF(?8, '') END, \
             extras = CASE WHEN ?9 IS NULL THEN extras ELSE NULLIF(?9, '') END, \
             mtime = ?10 WHERE uid = ?1 AND deleted_at IS NULL",
        )
        .map_err(failed)?;
    let values = params![uid.0, p.nickname, p.avatar, p.birthday, p.signature, p.gender, p.region, p.address, p.extras, now];
    if update.execute(values).map_err(failed)? == 0 { Err(Error::Refused(Refusal::UsersGone(vec![uid]))) } else { Ok(()) }
}

pub(crate) fn set_password(
    conn: &Connection,
    uid: Uid,
    password: &str,
    verified: Option<&str>,
    keep: Option<u64>,
    now: Millis,
) -> Result<Vec<Session>, Error> {
    let Some(stored) = self::password(conn, uid)? else { return Err(Error::Refused(Refusal::UsersGone(vec![uid]))) };
    if verified.is_some_and(|verified| verified != stored) {
        return Err(Error::Refused(Refusal::PasswordMoved));
    }
    conn.execute("UPDATE users SET password = ?2 WHERE uid = ?1", params![uid.0, password]).map_err(failed)?;
    sessions::revoke(conn, uid, |session| Some(session.id) != keep, now)
}

pub(crate) fn rehash(conn: &Connection, uid: Uid, stored: &str, rehashed: &str) -> Result<bool, Error> {
    let sql = "UPDATE users SET password = ?3 WHERE uid = ?1 AND password = ?2 AND deleted_at IS NULL";
    Ok(conn.execute(sql, params![uid.0, stored, rehashed]).map_err(failed)? > 0)
}

pub(crate) fn set_disabled(conn: &Connection, uid: Uid, disabled: bool, now: Millis) -> Result<Vec<Session>, Error> {
    let sql = "UPDATE users SET disabled = ?2 WHERE uid = ?1 AND deleted_at IS NULL";
    if conn.execute(sql, params![uid.0, disabled]).map_err(failed)? == 0 {
        return Err(Error::Refused(Refusal::UsersGone(vec![uid])));
    }
    if disabled { sessions::revoke(conn, uid, |_| true, now) } else { Ok(Vec::new()) }
}

pub(crate) fn delete(conn: &Connection, uids: &[Uid], now: Millis, farewells: &FeedEvents) -> Result<Vec<Session>, Error> {
    all_live(conn, uids)?;
    let mut revoked = Vec::new();
    for uid in uids {
        revoked.extend(sessions::revoke(conn, *uid, |_| true, now)?);
        for (_, payload) in farewells.iter().filter(|(of, _)| of == uid) {
            feeds::tell_friends(conn, *uid, payload)?;
        }
        let steps = [
            "UPDATE apps SET n_users = n_users - (SELECT 1 - admin FROM users WHERE uid = ?1), \
             n_admins = n_admins - (SELECT admin FROM users WHERE uid = ?1) \
             WHERE app_id = (SELECT app_id FROM users WHERE uid = ?1)",
            "DELETE FROM devices WHERE uid = ?1",
            "DELETE FROM blacklist WHERE uid = ?1 OR peer = ?1",
            "DELETE FROM relation_notes WHERE uid = ?1",
            "DELETE FROM friends WHERE uid = ?1 OR peer = ?1",
            "DELETE FROM feed_events WHERE uid = ?1",
            "DELETE FROM shield_notes WHERE uid = ?1",
            "DELETE FROM switches WHERE uid = ?1 OR (kind = 1 AND target = ?1)",
        ];
        for sql in steps {
            conn.prepare_cached(sql).and_then(|mut step| step.execute([uid.0])).map_err(failed)?;
        }
        let steps = [
            "UPDATE users SET deleted_at = ?2, password = '', avatar = NULL, birthday = NULL, signature = NULL, gender = NULL, \
             region = NULL, address = NULL, extras = NULL WHERE uid = ?1",
            "INSERT INTO pending_deletions (uid, since) VALUES (?1, ?2)",
        ];
        for sql in steps {
            conn.prepare_cached(sql).and_then(|mut step| step.execute(params![uid.0, now])).map_err(failed)?;
        }
    }
    Ok(revoked)
}

pub(crate) fn pending_deletions(conn: &Connection, limit: usize) -> Result<Vec<User>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM pending_deletions p JOIN users u ON u.uid = p.uid ORDER BY p.since, p.uid LIMIT ?1");
    let mut query = conn.prepare_cached(&sql).map_err(failed)?;
    let rows = query.query_map([limit], row).map_err(failed)?;
    rows.map(|user| user.map_err(failed)?).collect()
}

pub(crate) fn finish_deletion(conn: &Connection, uid: Uid) -> Result<(), Error> {
    conn.execute("DELETE FROM pending_deletions WHERE uid = ?1", [uid.0]).map(drop).map_err(failed)
}

/// Reads [`COLUMNS`].
pub(crate) fn row(row: &Row<'_>) -> rusqlite::Result<Result<User, Error>> {
    let uid: u64 = row.get(0)?;
    let username: String = row.get(2)?;
    let Ok(username) = Username::parse(&username) else {
        return Ok(Err(Error::Damaged(format!("user {uid} has a name that is none"))));
    };
    Ok(Ok(User {
        uid: Uid(uid),
        app: AppId(row.get(1)?),
        username,
        admin: row.get(3)?,
        disabled: row.get(4)?,
        profile: Profile {
            nickname: row.get(5)?,
            avatar: row.get(6)?,
            birthday: row.get(7)?,
            signature: row.get(8)?,
            gender: row.get(9)?,
            region: row.get(10)?,
            address: row.get(11)?,
            extras: row.get(12)?,
        },
        ctime: row.get(13)?,
        mtime: row.get(14)?,
    }))
}

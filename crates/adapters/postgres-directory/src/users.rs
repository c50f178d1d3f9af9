//! Users, their passwords and profiles.

use std::collections::{HashMap, HashSet};

use deadpool_postgres::{GenericClient, Transaction};
use mynah_ports::directory_store::{Error, FeedEvents, NewUser, Profile, Refusal, Session, User};
use mynah_types::{AppId, Millis, Uid, Username};
use tokio_postgres::Row;

use crate::engine::{int, ints, number, row, rows, run, size};
use crate::errors::Failure;
use crate::{apps, feeds, sessions};

/// What [`read`] reads, from a table that the query calls `u`.
pub(crate) const COLUMNS: &str = "u.uid, u.app_id, u.username, u.admin, u.disabled, u.nickname, u.avatar, u.birthday, \
     u.signature, u.gender, u.region, u.address, u.extras, u.ctime, u.mtime";

/// How a user's row is held until the transaction ends.
#[derive(Clone, Copy)]
pub(crate) enum Hold {
    /// Beside others: he is not deleted meanwhile.
    Alive,
    /// Alone: nobody else changes what is counted by him or numbered for him.
    Alone,
    /// Alone, and nobody counts on his living.
    Gone,
}

/// Holds rows of users, in the order of uids, whatever the order given: who takes them in another one may wait for us as we for
/// him. Answers who of them lives.
pub(crate) async fn lock(
    tx: &Transaction<'_>,
    uids: impl IntoIterator<Item = &Uid>,
    hold: Hold,
) -> Result<HashSet<Uid>, Failure> {
    let strength = match hold {
        Hold::Alive => "KEY SHARE",
        Hold::Alone => "NO KEY UPDATE",
        Hold::Gone => "UPDATE",
    };
    let sql = format!("SELECT uid FROM users WHERE uid = ANY($1) AND deleted_at IS NULL ORDER BY uid FOR {strength}");
    uids_of(&rows(tx, &sql, &[&ints(uids.into_iter().map(|uid| uid.0))]).await?)
}

/// The uids in the first column.
pub(crate) fn uids_of(rows: &[Row]) -> Result<HashSet<Uid>, Failure> {
    rows.iter().map(|row| number(row, 0).map(Uid)).collect()
}

/// Holds the users and others; refuses if one of the users is not living. An empty list costs nothing.
pub(crate) async fn all_live(tx: &Transaction<'_>, uids: &[Uid], others: &[Uid], hold: Hold) -> Result<(), Failure> {
    if uids.is_empty() && others.is_empty() {
        return Ok(());
    }
    let live = lock(tx, uids.iter().chain(others), hold).await?;
    let gone: Vec<Uid> = uids.iter().filter(|uid| !live.contains(uid)).copied().collect();
    if gone.is_empty() { Ok(()) } else { Err(Refusal::UsersGone(gone).into()) }
}

pub(crate) async fn insert(
    tx: &Transaction<'_>,
    app: AppId,
    users: &[NewUser],
    now: Millis,
) -> Result<Vec<Option<Uid>>, Failure> {
    // Held first: lists keep the order in which registrations are committed, and two that share names cannot wait for one another.
    apps::lock(tx, app).await?;
    let sql = "INSERT INTO users (app_id, username, admin, password, nickname, avatar, birthday, signature, gender, region, address, \
               extras, ctime, mtime) \
               SELECT $1, username, admin, password, NULLIF(nickname, ''), NULLIF(avatar, ''), NULLIF(birthday, ''), \
               NULLIF(signature, ''), gender, NULLIF(region, ''), NULLIF(address, ''), NULLIF(extras, ''), $2, $2 \
               FROM unnest($3::text[], $4::boolean[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::smallint[], \
               $11::text[], $12::text[], $13::text[]) WITH ORDINALITY AS t (username, admin, password, nickname, avatar, birthday, \
               signature, gender, region, address, extras, n) ORDER BY n ON CONFLICT DO NOTHING RETURNING username, uid, admin";
    let names: Vec<&str> = users.iter().map(|user| user.username.as_str()).collect();
    let admins: Vec<bool> = users.iter().map(|user| user.admin).collect();
    let passwords: Vec<&str> = users.iter().map(|user| user.password.as_str()).collect();
    let genders: Vec<Option<i16>> = users.iter().map(|user| user.profile.gender.map(i16::from)).collect();
    let text = |of: fn(&Profile) -> &Option<String>| users.iter().map(|user| of(&user.profile).as_deref()).collect::<Vec<_>>();
    let made = rows(
        tx,
        sql,
        &[
            &int(app.0),
            &int(now),
            &names,
            &admins,
            &passwords,
            &text(|p| &p.nickname),
            &text(|p| &p.avatar),
            &text(|p| &p.birthday),
            &text(|p| &p.signature),
            &genders,
            &text(|p| &p.region),
            &text(|p| &p.address),
            &text(|p| &p.extras),
        ],
    )
    .await?;
    let (mut uids, mut n_admins) = (HashMap::with_capacity(made.len()), 0_i64);
    for row in &made {
        uids.insert(row.try_get::<_, &str>(0)?, Uid(number(row, 1)?));
        n_admins += i64::from(row.try_get::<_, bool>(2)?);
    }
    let sql = "UPDATE apps SET n_users = n_users + $2, n_admins = n_admins + $3 WHERE app_id = $1";
    run(tx, sql, &[&int(app.0), &(size(made.len()) - n_admins), &n_admins]).await?;
    // The first of a name has it.
    Ok(names.iter().map(|name| uids.remove(name)).collect())
}

pub(crate) async fn by_name(conn: &impl GenericClient, app: AppId, names: &[Username]) -> Result<Vec<User>, Failure> {
    let sql = format!("SELECT {COLUMNS} FROM users u WHERE u.app_id = $1 AND u.username = ANY($2) AND u.deleted_at IS NULL");
    let names: Vec<&str> = names.iter().map(Username::as_str).collect();
    rows(conn, &sql, &[&int(app.0), &names]).await?.iter().map(read).collect()
}

pub(crate) async fn by_uid(conn: &impl GenericClient, uids: &[Uid]) -> Result<Vec<User>, Failure> {
    let sql = format!("SELECT {COLUMNS} FROM users u WHERE u.uid = ANY($1) AND u.deleted_at IS NULL");
    rows(conn, &sql, &[&ints(uids.iter().map(|uid| uid.0))]).await?.iter().map(read).collect()
}

pub(crate) async fn password(conn: &impl GenericClient, uid: Uid) -> Result<Option<String>, Failure> {
    let found = row(conn, "SELECT password FROM users WHERE uid = $1 AND deleted_at IS NULL", &[&int(uid.0)]).await?;
    Ok(found.map(|row| row.try_get(0)).transpose()?)
}

pub(crate) async fn list(
    tx: &Transaction<'_>,
    app: AppId,
    admins: bool,
    start: u64,
    count: u32,
) -> Result<(u64, Vec<User>), Failure> {
    let sql = "SELECT CASE WHEN $2 THEN n_admins ELSE n_users END FROM apps WHERE app_id = $1";
    let total = match row(tx, sql, &[&int(app.0), &admins]).await? {
        Some(row) => number(&row, 0)?,
        None => 0,
    };
    if start >= total {
        return Ok((total, Vec::new()));
    }
    let sql = format!(
        "SELECT {COLUMNS} FROM users u WHERE u.app_id = $1 AND u.admin = $2 AND u.deleted_at IS NULL ORDER BY u.uid LIMIT $3 OFFSET $4"
    );
    let found = rows(tx, &sql, &[&int(app.0), &admins, &i64::from(count), &int(start)]).await?;
    Ok((total, found.iter().map(read).collect::<Result<_, _>>()?))
}

pub(crate) async fn update_profile(
    tx: &Transaction<'_>,
    uid: Uid,
    p: &Profile,
    now: Millis,
    tell: &FeedEvents,
) -> Result<(), Failure> {
    all_live(tx, &[uid], &feeds::told(tell), Hold::Alone).await?;
    let sql = "UPDATE users SET \
               nickname = CASE WHEN $2::text IS NULL THEN nickname ELSE NULLIF($2, '') END, \
               avatar = CASE WHEN $3::text IS NULL THEN avatar ELSE NULLIF($3, '') END, \
               birthday = CASE WHEN $4::text IS NULL THEN birthday ELSE NULLIF($4, '') END, \
               signature = CASE WHEN $5::text IS NULL THEN signature ELSE NULLIF($5, '') END, \
               gender = coalesce($6, gender), \
               region = CASE WHEN $7::text IS NULL THEN region ELSE NULLIF($7, '') END, \
               address = CASE WHEN $8::text IS NULL THEN address ELSE NULLIF($8, '') END, \
               extras = CASE WHEN $9::text IS NULL THEN extras ELSE NULLIF($9, '') END, \
               mtime = $10 WHERE uid = $1";
    let gender = p.gender.map(i16::from);
    let (uid, now) = (int(uid.0), int(now));
    run(tx, sql, &[&uid, &p.nickname, &p.avatar, &p.birthday, &p.signature, &gender, &p.region, &p.address, &p.extras, &now])
        .await?;
    feeds::tell(tx, tell).await
}

pub(crate) async fn set_password(
    tx: &Transaction<'_>,
    uid: Uid,
    password: &str,
    verified: Option<&str>,
    keep: Option<u64>,
    now: Millis,
) -> Result<Vec<Session>, Failure> {
    all_live(tx, &[uid], &[], Hold::Alone).await?;
    let stored = self::password(tx, uid).await?;
    if verified.is_some_and(|verified| stored.as_deref() != Some(verified)) {
        return Err(Refusal::PasswordMoved.into());
    }
    run(tx, "UPDATE users SET password = $2 WHERE uid = $1", &[&int(uid.0), &password]).await?;
    sessions::revoke(tx, &[uid], None, keep, now).await
}

pub(crate) async fn rehash(tx: &Transaction<'_>, uid: Uid, stored: &str, rehashed: &str) -> Result<bool, Failure> {
    let sql = "UPDATE users SET password = $3 WHERE uid = $1 AND password = $2 AND deleted_at IS NULL";
    Ok(run(tx, sql, &[&int(uid.0), &stored, &rehashed]).await? > 0)
}

pub(crate) async fn set_disabled(tx: &Transaction<'_>, uid: Uid, disabled: bool, now: Millis) -> Result<Vec<Session>, Failure> {
    let sql = "UPDATE users SET disabled = $2 WHERE uid = $1 AND deleted_at IS NULL";
    if run(tx, sql, &[&int(uid.0), &disabled]).await? == 0 {
        return Err(Refusal::UsersGone(vec![uid]).into());
    }
    if disabled { sessions::revoke(tx, &[uid], None, None, now).await } else { Ok(Vec::new()) }
}

pub(crate) async fn delete(
    tx: &Transaction<'_>,
    uids: &[Uid],
    now: Millis,
    farewells: &FeedEvents,
) -> Result<Vec<Session>, Failure> {
    let all = ints(uids.iter().map(|uid| uid.0));
    let sql =
        "SELECT 1 FROM apps WHERE app_id IN (SELECT app_id FROM users WHERE uid = ANY($1)) ORDER BY app_id FOR NO KEY UPDATE";
    run(tx, sql, &[&all]).await?;
    hold_with_friends(tx, uids, &all).await?;
    let revoked = sessions::revoke(tx, uids, None, None, now).await?;
    feeds::tell_friends(tx, farewells).await?;
    feeds::forget(tx, uids).await?;
    let steps = [
        "UPDATE apps a SET n_users = n_users - d.users, n_admins = n_admins - d.admins FROM (SELECT app_id, \
         count(*) FILTER (WHERE NOT admin) AS users, count(*) FILTER (WHERE admin) AS admins FROM users \
         WHERE uid = ANY($1) GROUP BY app_id) d WHERE a.app_id = d.app_id",
        "DELETE FROM devices WHERE uid = ANY($1)",
        "DELETE FROM blacklist WHERE uid = ANY($1) OR peer = ANY($1)",
        "DELETE FROM relation_notes WHERE uid = ANY($1)",
        "DELETE FROM friends WHERE uid = ANY($1) OR peer = ANY($1)",
        "DELETE FROM shield_notes WHERE uid = ANY($1)",
        "DELETE FROM switches WHERE uid = ANY($1) OR (kind = 1 AND target = ANY($1))",
    ];
    for sql in steps {
        run(tx, sql, &[&all]).await?;
    }
    let steps = [
        "UPDATE users SET deleted_at = $2, password = '', avatar = NULL, birthday = NULL, signature = NULL, gender = NULL, \
         region = NULL, address = NULL, extras = NULL WHERE uid = ANY($1)",
        "INSERT INTO pending_deletions (uid, since) SELECT DISTINCT uid, $2::bigint FROM unnest($1::bigint[]) AS t (uid)",
    ];
    for sql in steps {
        run(tx, sql, &[&all, &int(now)]).await?;
    }
    Ok(revoked)
}

/// Holds users who go, and in the same order their friends, who are told of it. Refuses if one of the users is not living.
async fn hold_with_friends(tx: &Transaction<'_>, uids: &[Uid], all: &[i64]) -> Result<(), Failure> {
    let sql = "SELECT DISTINCT peer FROM friends WHERE uid = ANY($1)";
    let seen = uids_of(&rows(tx, sql, &[&all]).await?)?;
    let live = lock(tx, uids.iter().chain(&seen), Hold::Gone).await?;
    let gone: Vec<Uid> = uids.iter().filter(|uid| !live.contains(uid)).copied().collect();
    if !gone.is_empty() {
        return Err(Refusal::UsersGone(gone).into());
    }
    // Nobody becomes a friend of a user that is held. One who did just before is not held.
    let friends = uids_of(&rows(tx, sql, &[&all]).await?)?;
    if friends.is_subset(&seen) { Ok(()) } else { Err(Failure::Moved) }
}

pub(crate) async fn pending_deletions(conn: &impl GenericClient, limit: usize) -> Result<Vec<User>, Failure> {
    let sql = format!("SELECT {COLUMNS} FROM pending_deletions p JOIN users u ON u.uid = p.uid ORDER BY p.since, p.uid LIMIT $1");
    rows(conn, &sql, &[&size(limit)]).await?.iter().map(read).collect()
}

pub(crate) async fn finish_deletion(tx: &Transaction<'_>, uid: Uid) -> Result<(), Failure> {
    run(tx, "DELETE FROM pending_deletions WHERE uid = $1", &[&int(uid.0)]).await.map(drop)
}

/// Reads [`COLUMNS`].
pub(crate) fn read(row: &Row) -> Result<User, Failure> {
    let uid: u64 = number(row, 0)?;
    let Ok(username) = Username::parse(row.try_get(2)?) else {
        return Err(Error::Damaged(format!("user {uid} has a name that is none")).into());
    };
    let gender: Option<i16> = row.try_get(9)?;
    Ok(User {
        uid: Uid(uid),
        app: AppId(number(row, 1)?),
        username,
        admin: row.try_get(3)?,
        disabled: row.try_get(4)?,
        profile: Profile {
            nickname: row.try_get(5)?,
            avatar: row.try_get(6)?,
            birthday: row.try_get(7)?,
            signature: row.try_get(8)?,
            gender: gender.and_then(|gender| u8::try_from(gender).ok()),
            region: row.try_get(10)?,
            address: row.try_get(11)?,
            extras: row.try_get(12)?,
        },
        ctime: number(row, 13)?,
        mtime: number(row, 14)?,
    })
}

//! Sensitive words.

use mynah_ports::directory_store::{Error, Refusal};
use mynah_types::{AppId, Millis};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::engine::failed;

pub(crate) fn add(conn: &Connection, app: AppId, words: &[String], most: u32, now: Millis) -> Result<(), Error> {
    let mut insert = conn
        .prepare_cached("INSERT INTO words (app_id, word, ctime) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")
        .map_err(failed)?;
    for word in words {
        insert.execute(params![app.0, word, now]).map_err(failed)?;
    }
    if count(conn, app)? > u64::from(most) { Err(Error::Refused(Refusal::TooManyWords)) } else { Ok(()) }
}

pub(crate) fn remove(conn: &Connection, app: AppId, words: &[String]) -> Result<(), Error> {
    let mut delete = conn.prepare_cached("DELETE FROM words WHERE app_id = ?1 AND word = ?2").map_err(failed)?;
    for word in words {
        delete.execute(params![app.0, word]).map_err(failed)?;
    }
    Ok(())
}

pub(crate) fn replace(conn: &Connection, app: AppId, old: &str, new: &str, now: Millis) -> Result<(), Error> {
    let listed = |word: &str| {
        conn.prepare_cached("SELECT EXISTS (SELECT 1 FROM words WHERE app_id = ?1 AND word = ?2)")
            .and_then(|mut query| query.query_row(params![app.0, word], |row| row.get::<_, bool>(0)))
            .map_err(failed)
    };
    if !listed(old)? {
        return Err(Error::Refused(Refusal::NoSuchWord));
    }
    if old != new && listed(new)? {
        return remove(conn, app, &[old.to_owned()]);
    }
    conn.prepare_cached("UPDATE words SET word = ?3, ctime = ?4 WHERE app_id = ?1 AND word = ?2")
        .and_then(|mut update| update.execute(params![app.0, old, new, now]))
        .map(drop)
        .map_err(failed)
}

fn count(conn: &Connection, app: AppId) -> Result<u64, Error> {
    conn.prepare_cached("SELECT count(*) FROM words WHERE app_id = ?1")
        .and_then(|mut query| query.query_row([app.0], |row| row.get(0)))
        .map_err(failed)
}

pub(crate) fn list(conn: &Connection, app: AppId, start: u64, most: u32) -> Result<(u64, Vec<(String, Millis)>), Error> {
    let mut query =
        conn.prepare_cached("SELECT word, ctime FROM words WHERE app_id = ?1 ORDER BY id LIMIT ?2 OFFSET ?3").map_err(failed)?;
    let rows = query.query_map(params![app.0, most, start], |row| Ok((row.get(0)?, row.get(1)?))).map_err(failed)?;
    Ok((count(conn, app)?, rows.collect::<Result<_, _>>().map_err(failed)?))
}

pub(crate) fn set_filter(conn: &Connection, app: AppId, on: bool) -> Result<bool, Error> {
    let changed = conn.execute("UPDATE apps SET word_filter = ?2 WHERE app_id = ?1", params![app.0, on]);
    Ok(changed.map_err(failed)? > 0)
}

pub(crate) fn filter(conn: &Connection, app: AppId) -> Result<(bool, Vec<String>), Error> {
    let on = conn
        .prepare_cached("SELECT word_filter FROM apps WHERE app_id = ?1")
        .and_then(|mut query| query.query_row([app.0], |row| row.get(0)).optional())
        .map_err(failed)?;
    let (_, words) = list(conn, app, 0, u32::MAX)?;
    Ok((on.unwrap_or(false), words.into_iter().map(|(word, _)| word).collect()))
}

//! Where apps' servers are told of messages.

use mynah_ports::directory_store::{Callback, Error};
use mynah_types::AppId;
use rusqlite::{Connection, params};

use crate::engine::failed;

pub(crate) fn set(conn: &Connection, app: AppId, callback: Option<&Callback>) -> Result<(), Error> {
    let Some(of) = callback else {
        return conn.execute("DELETE FROM callbacks WHERE app_id = ?1", [app.0]).map(drop).map_err(failed);
    };
    conn.execute(
        "INSERT OR REPLACE INTO callbacks (app_id, url, secret, before, with_master_secret, allow_private) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![app.0, of.url, of.secret, of.before, of.with_master_secret, of.allow_private],
    )
    .map(drop)
    .map_err(failed)
}

pub(crate) fn all(conn: &Connection) -> Result<Vec<Callback>, Error> {
    let sql = "SELECT app_id, url, secret, before, with_master_secret, allow_private FROM callbacks ORDER BY app_id";
    let mut query = conn.prepare_cached(sql).map_err(failed)?;
    let rows = query.query_map([], |row| {
        Ok(Callback {
            app: AppId(row.get(0)?),
            url: row.get(1)?,
            secret: row.get(2)?,
            before: row.get(3)?,
            with_master_secret: row.get(4)?,
            allow_private: row.get(5)?,
        })
    });
    rows.map_err(failed)?.map(|row| row.map_err(failed)).collect()
}

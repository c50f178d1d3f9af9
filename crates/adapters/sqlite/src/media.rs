//! What is known of uploaded files.

use mynah_ports::directory_store::{Error, Media};
use mynah_types::AppId;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::engine::failed;

pub(crate) fn add(conn: &Connection, m: &Media) -> Result<(), Error> {
    conn.prepare_cached(
        "INSERT INTO media (id, app_id, kind, name, size, crc32, hash, format, width, height, ctime) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )
    .and_then(|mut insert| {
        insert.execute(params![m.id, m.app.0, m.kind, m.name, m.size, m.crc32, m.hash, m.format, m.width, m.height, m.ctime])
    })
    .map(drop)
    .map_err(failed)
}

pub(crate) fn by_id(conn: &Connection, id: &str) -> Result<Option<Media>, Error> {
    conn.prepare_cached("SELECT id, app_id, kind, name, size, crc32, hash, format, width, height, ctime FROM media WHERE id = ?1")
        .and_then(|mut query| {
            query
                .query_row([id], |row| {
                    Ok(Media {
                        id: row.get(0)?,
                        app: AppId(row.get(1)?),
                        kind: row.get(2)?,
                        name: row.get(3)?,
                        size: row.get(4)?,
                        crc32: row.get(5)?,
                        hash: row.get(6)?,
                        format: row.get(7)?,
                        width: row.get(8)?,
                        height: row.get(9)?,
                        ctime: row.get(10)?,
                    })
                })
                .optional()
        })
        .map_err(failed)
}

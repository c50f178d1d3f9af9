//! What is known of uploaded files.

use deadpool_postgres::{GenericClient, Transaction};
use mynah_ports::directory_store::Media;
use mynah_types::AppId;
use tokio_postgres::Row;

use crate::engine::{int, number, row, run};
use crate::errors::Failure;

pub(crate) async fn add(tx: &Transaction<'_>, m: &Media) -> Result<(), Failure> {
    let sql = "INSERT INTO media (id, app_id, kind, name, size, crc32, hash, format, width, height, ctime) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    run(
        tx,
        sql,
        &[
            &m.id,
            &int(m.app.0),
            &m.kind,
            &m.name,
            &int(m.size),
            &i64::from(m.crc32),
            &m.hash,
            &m.format,
            &i64::from(m.width),
            &i64::from(m.height),
            &int(m.ctime),
        ],
    )
    .await
    .map(drop)
}

pub(crate) async fn by_id(conn: &impl GenericClient, id: &str) -> Result<Option<Media>, Failure> {
    // No text of the engine holds a NUL, so none of its files is called like that; it would take the question for damage.
    if id.contains('\0') {
        return Ok(None);
    }
    let sql = "SELECT id, app_id, kind, name, size, crc32, hash, format, width, height, ctime FROM media WHERE id = $1";
    row(conn, sql, &[&id]).await?.as_ref().map(read).transpose()
}

fn read(row: &Row) -> Result<Media, Failure> {
    Ok(Media {
        id: row.try_get(0)?,
        app: AppId(number(row, 1)?),
        kind: row.try_get(2)?,
        name: row.try_get(3)?,
        size: number(row, 4)?,
        crc32: number(row, 5)?,
        hash: row.try_get(6)?,
        format: row.try_get(7)?,
        width: number(row, 8)?,
        height: number(row, 9)?,
        ctime: number(row, 10)?,
    })
}

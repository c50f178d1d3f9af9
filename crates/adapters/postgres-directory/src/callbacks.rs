//! Where apps' servers are told of messages.

use deadpool_postgres::{GenericClient, Transaction};
use mynah_ports::directory_store::Callback;
use mynah_types::AppId;

use crate::engine::{int, number, rows, run};
use crate::errors::Failure;

pub(crate) async fn set(tx: &Transaction<'_>, app: AppId, callback: Option<&Callback>) -> Result<(), Failure> {
    let Some(of) = callback else {
        return run(tx, "DELETE FROM callbacks WHERE app_id = $1", &[&int(app.0)]).await.map(drop);
    };
    let sql = "INSERT INTO callbacks (app_id, url, secret, before, with_master_secret, allow_private) \
               VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (app_id) DO UPDATE SET url = excluded.url, secret = excluded.secret, \
               before = excluded.before, with_master_secret = excluded.with_master_secret, allow_private = excluded.allow_private";
    run(tx, sql, &[&int(app.0), &of.url, &of.secret, &of.before, &of.with_master_secret, &of.allow_private]).await.map(drop)
}

pub(crate) async fn all(conn: &impl GenericClient) -> Result<Vec<Callback>, Failure> {
    let sql = "SELECT app_id, url, secret, before, with_master_secret, allow_private FROM callbacks ORDER BY app_id";
    let found = rows(conn, sql, &[]).await?;
    let callbacks = found.iter().map(|row| {
        Ok(Callback {
            app: AppId(number(row, 0)?),
            url: row.try_get(1)?,
            secret: row.try_get(2)?,
            before: row.try_get(3)?,
            with_master_secret: row.try_get(4)?,
            allow_private: row.try_get(5)?,
        })
    });
    callbacks.collect()
}

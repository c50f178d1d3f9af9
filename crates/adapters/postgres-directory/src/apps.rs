//! Apps.

use deadpool_postgres::{GenericClient, Transaction};
use mynah_ports::directory_store::{App, AppRules, Error, MultiDevice, NewApp, SignatureRule};
use mynah_types::{AppId, AppKey};
use tokio_postgres::Row;

use crate::engine::{int, number, one, row, rows, run};
use crate::errors::Failure;

const COLUMNS: &str = "app_id, appkey, name, secret_digest, secret_sealed, demo, disabled, multi_device, signature_rule, \
     max_group_members, max_groups_per_user, max_room_members, device_registration, ctime";

pub(crate) async fn create(tx: &Transaction<'_>, app: &NewApp, only_if_first: bool) -> Result<Option<App>, Failure> {
    if only_if_first {
        // Nobody else makes one meanwhile. Reads go on.
        tx.batch_execute("LOCK TABLE apps IN SHARE ROW EXCLUSIVE MODE").await?;
        if one(tx, "SELECT EXISTS (SELECT 1 FROM apps)", &[]).await?.try_get(0)? {
            return Ok(None);
        }
    }
    let sql = format!(
        "INSERT INTO apps (appkey, name, secret_digest, secret_sealed, demo, disabled, multi_device, signature_rule, \
         max_group_members, max_groups_per_user, max_room_members, device_registration, ctime) \
         VALUES ($1, $2, $3, $4, $5, FALSE, $6, $7, $8, $9, $10, $11, $12) RETURNING {COLUMNS}"
    );
    let made = one(
        tx,
        &sql,
        &[
            &app.key.as_str(),
            &app.name,
            &app.secret_digest,
            &app.secret_sealed,
            &app.demo,
            &app.rules.multi_device.as_str(),
            &app.rules.signature.as_str(),
            &i64::from(app.rules.max_group_members),
            &i64::from(app.rules.max_groups_per_user),
            &i64::from(app.rules.max_room_members),
            &app.rules.device_registration,
            &int(app.ctime),
        ],
    )
    .await?;
    read(&made).map(Some)
}

pub(crate) async fn by_key(conn: &impl GenericClient, key: &AppKey) -> Result<Option<App>, Failure> {
    let sql = format!("SELECT {COLUMNS} FROM apps WHERE appkey = $1");
    row(conn, &sql, &[&key.as_str()]).await?.as_ref().map(read).transpose()
}

pub(crate) async fn by_id(conn: &impl GenericClient, id: AppId) -> Result<Option<App>, Failure> {
    let sql = format!("SELECT {COLUMNS} FROM apps WHERE app_id = $1");
    row(conn, &sql, &[&int(id.0)]).await?.as_ref().map(read).transpose()
}

pub(crate) async fn all(conn: &impl GenericClient) -> Result<Vec<App>, Failure> {
    let sql = format!("SELECT {COLUMNS} FROM apps ORDER BY app_id");
    rows(conn, &sql, &[]).await?.iter().map(read).collect()
}

/// Holds an app's row: its totals, its lists of words. The first lock of every transaction that takes it.
pub(crate) async fn lock(tx: &Transaction<'_>, app: AppId) -> Result<(), Failure> {
    run(tx, "SELECT 1 FROM apps WHERE app_id = $1 FOR NO KEY UPDATE", &[&int(app.0)]).await.map(drop)
}

pub(crate) async fn update(tx: &Transaction<'_>, app: &App) -> Result<bool, Failure> {
    let changed = run(
        tx,
        "UPDATE apps SET name = $2, secret_digest = $3, secret_sealed = $4, disabled = $5, multi_device = $6, \
         signature_rule = $7, max_group_members = $8, max_groups_per_user = $9, max_room_members = $10, \
         device_registration = $11 WHERE app_id = $1",
        &[
            &int(app.id.0),
            &app.name,
            &app.secret_digest,
            &app.secret_sealed,
            &app.disabled,
            &app.rules.multi_device.as_str(),
            &app.rules.signature.as_str(),
            &i64::from(app.rules.max_group_members),
            &i64::from(app.rules.max_groups_per_user),
            &i64::from(app.rules.max_room_members),
            &app.rules.device_registration,
        ],
    )
    .await?;
    Ok(changed > 0)
}

pub(crate) async fn set_device_registration(tx: &Transaction<'_>, app: AppId, open: bool) -> Result<bool, Failure> {
    Ok(run(tx, "UPDATE apps SET device_registration = $2 WHERE app_id = $1", &[&int(app.0), &open]).await? > 0)
}

pub(crate) async fn set_grant(tx: &Transaction<'_>, app: AppId, target: AppId, given: bool) -> Result<(), Failure> {
    let sql = if given {
        "INSERT INTO grants (app_id, target) VALUES ($1, $2) ON CONFLICT DO NOTHING"
    } else {
        "DELETE FROM grants WHERE app_id = $1 AND target = $2"
    };
    run(tx, sql, &[&int(app.0), &int(target.0)]).await.map(drop)
}

pub(crate) async fn grants(conn: &impl GenericClient, app: AppId) -> Result<Vec<AppId>, Failure> {
    let found = rows(conn, "SELECT target FROM grants WHERE app_id = $1 ORDER BY target", &[&int(app.0)]).await?;
    found.iter().map(|row| number(row, 0).map(AppId)).collect()
}

fn read(row: &Row) -> Result<App, Failure> {
    let (key, multi_device, signature): (&str, &str, &str) = (row.try_get(1)?, row.try_get(7)?, row.try_get(8)?);
    let (Ok(key), Some(multi_device), Some(signature)) =
        (AppKey::parse(key), MultiDevice::parse(multi_device), SignatureRule::parse(signature))
    else {
        return Err(Error::Damaged(format!("app {key} has a field that is none")).into());
    };
    Ok(App {
        id: AppId(number(row, 0)?),
        key,
        name: row.try_get(2)?,
        secret_digest: row.try_get(3)?,
        secret_sealed: row.try_get(4)?,
        demo: row.try_get(5)?,
        disabled: row.try_get(6)?,
        rules: AppRules {
            multi_device,
            signature,
            max_group_members: number(row, 9)?,
            max_groups_per_user: number(row, 10)?,
            max_room_members: number(row, 11)?,
            device_registration: row.try_get(12)?,
        },
        ctime: number(row, 13)?,
    })
}

//! Apps.

use mynah_ports::directory_store::{App, AppRules, Error, MultiDevice, NewApp, SignatureRule};
use mynah_types::{AppId, AppKey};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::engine::failed;

const COLUMNS: &str = "app_id, appkey, name, secret_digest, secret_sealed, demo, disabled, multi_device, signature_rule, \
     max_group_members, max_groups_per_user, max_room_members, device_registration, ctime";

pub(crate) fn create(conn: &Connection, app: &NewApp, only_if_first: bool) -> Result<Option<App>, Error> {
    let exists = "SELECT EXISTS (SELECT 1 FROM apps)";
    if only_if_first && conn.query_row(exists, [], |row| row.get(0)).map_err(failed)? {
        return Ok(None);
    }
    conn.execute(
        "INSERT INTO apps (appkey, name, secret_digest, secret_sealed, demo, disabled, multi_device, signature_rule, \
         max_group_members, max_groups_per_user, max_room_members, device_registration, ctime) \
         VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        params![
            app.key.as_str(),
            app.name,
            app.secret_digest,
            app.secret_sealed,
            app.demo,
            app.rules.multi_device.as_str(),
            app.rules.signature.as_str(),
            app.rules.max_group_members,
            app.rules.max_groups_per_user,
            app.rules.max_room_members,
            app.rules.device_registration,
            app.ctime,
        ],
    )
    .map_err(failed)?;
    by_key(conn, &app.key)
}

pub(crate) fn by_key(conn: &Connection, key: &AppKey) -> Result<Option<App>, Error> {
    let mut query = conn.prepare_cached(&format!("SELECT {COLUMNS} FROM apps WHERE appkey = ?1")).map_err(failed)?;
    let found = query.query_row([key.as_str()], row).optional().map_err(failed)?;
    found.transpose()
}

pub(crate) fn by_id(conn: &Connection, id: AppId) -> Result<Option<App>, Error> {
    let mut query = conn.prepare_cached(&format!("SELECT {COLUMNS} FROM apps WHERE app_id = ?1")).map_err(failed)?;
    let found = query.query_row([id.0], row).optional().map_err(failed)?;
    found.transpose()
}

pub(crate) fn all(conn: &Connection) -> Result<Vec<App>, Error> {
    let mut query = conn.prepare_cached(&format!("SELECT {COLUMNS} FROM apps ORDER BY app_id")).map_err(failed)?;
    let rows = query.query_map([], row).map_err(failed)?;
    rows.map(|app| app.map_err(failed)?).collect()
}

pub(crate) fn update(conn: &Connection, app: &App) -> Result<bool, Error> {
    let changed = conn
        .execute(
            "UPDATE apps SET name = ?2, secret_digest = ?3, secret_sealed = ?4, disabled = ?5, multi_device = ?6, \
             signature_rule = ?7, max_group_members = ?8, max_groups_per_user = ?9, max_room_members = ?10, \
             device_registration = ?11 WHERE app_id = ?1",
            params![
                app.id.0,
                app.name,
                app.secret_digest,
                app.secret_sealed,
                app.disabled,
                app.rules.multi_device.as_str(),
                app.rules.signature.as_str(),
                app.rules.max_group_members,
                app.rules.max_groups_per_user,
                app.rules.max_room_members,
                app.rules.device_registration,
            ],
        )
        .map_err(failed)?;
    Ok(changed > 0)
}

pub(crate) fn set_device_registration(conn: &Connection, app: AppId, open: bool) -> Result<bool, Error> {
    let changed = conn.execute("UPDATE apps SET device_registration = ?2 WHERE app_id = ?1", params![app.0, open]);
    Ok(changed.map_err(failed)? > 0)
}

pub(crate) fn set_grant(conn: &Connection, app: AppId, target: AppId, given: bool) -> Result<(), Error> {
    let sql = if given {
        "INSERT INTO grants (app_id, target) VALUES (?1, ?2) ON CONFLICT DO NOTHING"
    } else {
        "DELETE FROM grants WHERE app_id = ?1 AND target = ?2"
    };
    conn.execute(sql, [app.0, target.0]).map(drop).map_err(failed)
}

pub(crate) fn grants(conn: &Connection, app: AppId) -> Result<Vec<AppId>, Error> {
    let mut query = conn.prepare_cached("SELECT target FROM grants WHERE app_id = ?1 ORDER BY target").map_err(failed)?;
    let rows = query.query_map([app.0], |row| row.get(0).map(AppId)).map_err(failed)?;
    rows.map(|target| target.map_err(failed)).collect()
}

fn row(row: &Row<'_>) -> rusqlite::Result<Result<App, Error>> {
    let key: String = row.get(1)?;
    let (multi_device, signature): (String, String) = (row.get(7)?, row.get(8)?);
    let (Ok(key), Some(multi_device), Some(signature)) =
        (AppKey::parse(&key), MultiDevice::parse(&multi_device), SignatureRule::parse(&signature))
    else {
        return Ok(Err(Error::Damaged(format!("app {key} has a field that is none"))));
    };
    Ok(Ok(App {
        id: AppId(row.get(0)?),
        key,
        name: row.get(2)?,
        secret_digest: row.get(3)?,
        secret_sealed: row.get(4)?,
        demo: row.get(5)?,
        disabled: row.get(6)?,
        rules: AppRules {
            multi_device,
            signature,
            max_group_members: row.get(9)?,
            max_groups_per_user: row.get(10)?,
            max_room_members: row.get(11)?,
            device_registration: row.get(12)?,
        },
        ctime: row.get(13)?,
    }))
}

//! Who was active when, and how an app grew.

use deadpool_postgres::Transaction;
use mynah_ports::directory_store::{Day, Growth, RosterKind};
use mynah_types::{AppId, Millis};

use crate::engine::{int, number, one, run};
use crate::errors::Failure;
use crate::rosters::kind_number;

const DAY_MS: Millis = 24 * 60 * 60 * 1000;
/// Statistics go back 60 days; zones differ by up to two.
const KEPT_DAYS: u64 = 62;

/// The user of a live session was active.
pub(crate) async fn of_session(tx: &Transaction<'_>, session_id: u64, day: u64) -> Result<(), Failure> {
    let sql = "INSERT INTO activity (app_id, day, uid) \
               SELECT app_id, $2, uid FROM sessions WHERE session_id = $1 AND revoked_at IS NULL ON CONFLICT DO NOTHING";
    run(tx, sql, &[&int(session_id), &int(day)]).await.map(drop)
}

pub(crate) async fn forget(tx: &Transaction<'_>, now: Millis) -> Result<(), Failure> {
    let first = (now / DAY_MS).saturating_sub(KEPT_DAYS);
    let sql = "DELETE FROM activity WHERE app_id IN (SELECT app_id FROM apps) AND day < $1";
    run(tx, sql, &[&int(first)]).await.map(drop)
}

pub(crate) async fn growth(tx: &Transaction<'_>, app: AppId, days: &[Day]) -> Result<Vec<Growth>, Failure> {
    const SQL: &str = "SELECT \
         (SELECT count(*) FROM users WHERE app_id = $1 AND ctime < $4 AND deleted_at IS NULL AND NOT admin), \
         (SELECT count(*) FROM users WHERE app_id = $1 AND ctime >= $3 AND ctime < $4 AND deleted_at IS NULL AND NOT admin), \
         (SELECT count(*) FROM activity WHERE app_id = $1 AND day = $2), \
         (SELECT count(*) FROM rosters WHERE app_id = $1 AND kind = $5 AND ctime < $4 AND NOT dissolved), \
         (SELECT count(*) FROM rosters WHERE app_id = $1 AND kind = $5 AND ctime >= $3 AND ctime < $4 AND NOT dissolved)";
    let kind = kind_number(RosterKind::Group);
    let mut grown = Vec::with_capacity(days.len());
    for day in days {
        let row = one(tx, SQL, &[&int(app.0), &int(day.number), &int(day.from), &int(day.until), &kind]).await?;
        grown.push(Growth {
            users: number(&row, 0)?,
            new_users: number(&row, 1)?,
            logged_in: number(&row, 2)?,
            groups: number(&row, 3)?,
            new_groups: number(&row, 4)?,
        });
    }
    Ok(grown)
}

//! Sensitive words. Who changes a list holds its app's row.

use deadpool_postgres::{GenericClient, Transaction};
use mynah_ports::directory_store::Refusal;
use mynah_types::{AppId, Millis};

use crate::apps;
use crate::engine::{int, number, one, row, rows, run};
use crate::errors::Failure;

pub(crate) async fn add(tx: &Transaction<'_>, app: AppId, words: &[String], most: u32, now: Millis) -> Result<(), Failure> {
    apps::lock(tx, app).await?;
    let sql = "INSERT INTO words (app_id, word, ctime) \
               SELECT $1, word, $3 FROM unnest($2::text[]) WITH ORDINALITY AS t (word, n) ORDER BY n ON CONFLICT DO NOTHING";
    run(tx, sql, &[&int(app.0), &words, &int(now)]).await?;
    if count(tx, app).await? > u64::from(most) { Err(Refusal::TooManyWords.into()) } else { Ok(()) }
}

pub(crate) async fn remove(tx: &Transaction<'_>, app: AppId, words: &[String]) -> Result<(), Failure> {
    apps::lock(tx, app).await?;
    run(tx, "DELETE FROM words WHERE app_id = $1 AND word = ANY($2)", &[&int(app.0), &words]).await.map(drop)
}

pub(crate) async fn replace(tx: &Transaction<'_>, app: AppId, old: &str, new: &str, now: Millis) -> Result<(), Failure> {
    apps::lock(tx, app).await?;
    let sql = "SELECT EXISTS (SELECT 1 FROM words WHERE app_id = $1 AND word = $2), \
               EXISTS (SELECT 1 FROM words WHERE app_id = $1 AND word = $3)";
    let listed = one(tx, sql, &[&int(app.0), &old, &new]).await?;
    if !listed.try_get::<_, bool>(0)? {
        return Err(Refusal::NoSuchWord.into());
    }
    if old != new && listed.try_get(1)? {
        return remove(tx, app, &[old.to_owned()]).await;
    }
    let sql = "UPDATE words SET word = $3, ctime = $4 WHERE app_id = $1 AND word = $2";
    run(tx, sql, &[&int(app.0), &old, &new, &int(now)]).await.map(drop)
}

async fn count(conn: &impl GenericClient, app: AppId) -> Result<u64, Failure> {
    number(&one(conn, "SELECT count(*) FROM words WHERE app_id = $1", &[&int(app.0)]).await?, 0)
}

pub(crate) async fn list(
    tx: &Transaction<'_>,
    app: AppId,
    start: u64,
    most: u32,
) -> Result<(u64, Vec<(String, Millis)>), Failure> {
    let sql = "SELECT word, ctime FROM words WHERE app_id = $1 ORDER BY id LIMIT $2 OFFSET $3";
    let found = rows(tx, sql, &[&int(app.0), &i64::from(most), &int(start)]).await?;
    let words = found.iter().map(|row| Ok((row.try_get(0)?, number(row, 1)?))).collect::<Result<_, Failure>>()?;
    Ok((count(tx, app).await?, words))
}

pub(crate) async fn set_filter(tx: &Transaction<'_>, app: AppId, on: bool) -> Result<bool, Failure> {
    Ok(run(tx, "UPDATE apps SET word_filter = $2 WHERE app_id = $1", &[&int(app.0), &on]).await? > 0)
}

pub(crate) async fn filter(tx: &Transaction<'_>, app: AppId) -> Result<(bool, Vec<String>), Failure> {
    let on = match row(tx, "SELECT word_filter FROM apps WHERE app_id = $1", &[&int(app.0)]).await? {
        Some(row) => row.try_get(0)?,
        None => false,
    };
    let (_, words) = list(tx, app, 0, u32::MAX).await?;
    Ok((on, words.into_iter().map(|(word, _)| word).collect()))
}

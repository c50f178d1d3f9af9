//! Events that wait for users' feeds. Who adds one holds its user's row: what has a lower number was committed before.

use bytes::Bytes;
use deadpool_postgres::{GenericClient, Transaction};
use mynah_ports::directory_store::FeedEvents;
use mynah_types::Uid;

use crate::engine::{int, ints, number, rows, run, size};
use crate::errors::Failure;

/// Whom events are for.
pub(crate) fn told(events: &FeedEvents) -> Vec<Uid> {
    events.iter().map(|(uid, _)| *uid).collect()
}

pub(crate) async fn tell(tx: &Transaction<'_>, events: &FeedEvents) -> Result<(), Failure> {
    if events.is_empty() {
        return Ok(());
    }
    let sql = "INSERT INTO feed_events (uid, payload) \
               SELECT uid, payload FROM unnest($1::bigint[], $2::bytea[]) WITH ORDINALITY AS e (uid, payload, n) ORDER BY n";
    let (uids, payloads) = columns(events);
    run(tx, sql, &[&uids, &payloads]).await.map(drop)
}

/// The same event for every friend of a user who goes. Their rows are held too.
pub(crate) async fn tell_friends(tx: &Transaction<'_>, farewells: &FeedEvents) -> Result<(), Failure> {
    let sql = "INSERT INTO feed_events (uid, payload) \
               SELECT f.peer, e.payload FROM unnest($1::bigint[], $2::bytea[]) WITH ORDINALITY AS e (uid, payload, n) \
               JOIN friends f ON f.uid = e.uid ORDER BY e.n, f.id";
    let (uids, payloads) = columns(farewells);
    run(tx, sql, &[&uids, &payloads]).await.map(drop)
}

fn columns(events: &FeedEvents) -> (Vec<i64>, Vec<&[u8]>) {
    events.iter().map(|(uid, payload)| (int(uid.0), payload.as_ref())).unzip()
}

pub(crate) async fn pending(conn: &impl GenericClient, limit: usize) -> Result<Vec<Uid>, Failure> {
    let found = rows(conn, "SELECT uid FROM feed_events GROUP BY uid ORDER BY min(id) LIMIT $1", &[&size(limit)]).await?;
    found.iter().map(|row| number(row, 0).map(Uid)).collect()
}

pub(crate) async fn of_user(conn: &impl GenericClient, uid: Uid, limit: usize) -> Result<Vec<(u64, Bytes)>, Failure> {
    let sql = "SELECT id, payload FROM feed_events WHERE uid = $1 ORDER BY id LIMIT $2";
    let found = rows(conn, sql, &[&int(uid.0), &size(limit)]).await?;
    found.iter().map(|row| Ok((number(row, 0)?, Bytes::from(row.try_get::<_, Vec<u8>>(1)?)))).collect()
}

pub(crate) async fn finish(tx: &Transaction<'_>, uid: Uid, upto: u64) -> Result<(), Failure> {
    run(tx, "DELETE FROM feed_events WHERE uid = $1 AND id <= $2", &[&int(uid.0), &int(upto)]).await.map(drop)
}

/// Users who are no more have no feed.
pub(crate) async fn forget(tx: &Transaction<'_>, uids: &[Uid]) -> Result<(), Failure> {
    run(tx, "DELETE FROM feed_events WHERE uid = ANY($1)", &[&ints(uids.iter().map(|uid| uid.0))]).await.map(drop)
}

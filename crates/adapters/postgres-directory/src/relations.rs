//! Blacklists, and the notes of pairs that the router has yet to hear of.

use deadpool_postgres::{GenericClient, Transaction};
use mynah_ports::directory_store::{FeedEvents, Refusal, Rights, User};
use mynah_types::{Millis, Uid};

use crate::engine::{int, ints, number, one, rows, run, size};
use crate::errors::Failure;
use crate::feeds;
use crate::users::{self, Hold, uids_of};

pub(crate) async fn change(
    tx: &Transaction<'_>,
    uid: Uid,
    add: &[Uid],
    remove: &[Uid],
    now: Millis,
    tell: &FeedEvents,
) -> Result<u64, Failure> {
    users::all_live(tx, &[&[uid], add, remove].concat(), &feeds::told(tell), Hold::Alone).await?;
    let noted = uids_of(&rows(tx, "SELECT peer FROM relation_notes WHERE uid = $1", &[&int(uid.0)]).await?)?;
    let (adds, removes) = (ints(add.iter().map(|peer| peer.0)), ints(remove.iter().map(|peer| peer.0)));
    let sql = "INSERT INTO blacklist (uid, peer, ctime) \
               SELECT $1, peer, $3 FROM unnest($2::bigint[]) WITH ORDINALITY AS t (peer, n) ORDER BY n \
               ON CONFLICT DO NOTHING RETURNING peer";
    let added = uids_of(&rows(tx, sql, &[&int(uid.0), &adds, &int(now)]).await?)?;
    let already: Vec<Uid> = add.iter().filter(|peer| !added.contains(peer) && !noted.contains(peer)).copied().collect();
    if !already.is_empty() {
        return Err(Refusal::AlreadyBlacklisted(already).into());
    }
    let sql = "DELETE FROM blacklist WHERE uid = $1 AND peer = ANY($2) RETURNING peer";
    let removed = uids_of(&rows(tx, sql, &[&int(uid.0), &removes]).await?)?;
    let missing: Vec<Uid> = remove.iter().filter(|peer| !removed.contains(peer) && !noted.contains(peer)).copied().collect();
    if !missing.is_empty() {
        return Err(Refusal::NotBlacklisted(missing).into());
    }
    let note = one(tx, "SELECT nextval('relation_numbers')", &[]).await?.try_get::<_, i64>(0)?;
    let sql = "INSERT INTO relation_notes (uid, peer, since, number) \
               SELECT DISTINCT $1::bigint, peer, $3::bigint, $4::bigint FROM unnest($2::bigint[]) AS t (peer) \
               ON CONFLICT (uid, peer) DO UPDATE SET number = excluded.number";
    run(tx, sql, &[&int(uid.0), &[adds, removes].concat(), &int(now), &note]).await?;
    feeds::tell(tx, tell).await?;
    Ok(note.unsigned_abs())
}

pub(crate) async fn blacklist(conn: &impl GenericClient, uid: Uid) -> Result<Vec<User>, Failure> {
    let columns = users::COLUMNS;
    let sql = format!(
        "SELECT {columns} FROM blacklist b JOIN users u ON u.uid = b.peer WHERE b.uid = $1 AND u.deleted_at IS NULL ORDER BY b.id"
    );
    rows(conn, &sql, &[&int(uid.0)]).await?.iter().map(users::read).collect()
}

pub(crate) async fn rights(conn: &impl GenericClient, a: Uid, b: Uid) -> Result<Rights, Failure> {
    let sql = "SELECT EXISTS (SELECT 1 FROM blacklist WHERE uid = $1 AND peer = $2), \
               EXISTS (SELECT 1 FROM blacklist WHERE uid = $2 AND peer = $1), \
               EXISTS (SELECT 1 FROM users WHERE uid = $1 AND deleted_at IS NULL), \
               EXISTS (SELECT 1 FROM users WHERE uid = $2 AND deleted_at IS NULL)";
    let row = one(conn, sql, &[&int(a.0), &int(b.0)]).await?;
    Ok(Rights { a_blocks_b: row.try_get(0)?, b_blocks_a: row.try_get(1)?, a_exists: row.try_get(2)?, b_exists: row.try_get(3)? })
}

/// The users whose notes wait longest, each with all his peers.
pub(crate) async fn pending(conn: &impl GenericClient, limit: usize) -> Result<Vec<(Uid, Vec<Uid>, u64)>, Failure> {
    let sql = "SELECT uid, array_agg(peer ORDER BY peer), max(number) FROM relation_notes \
               GROUP BY uid ORDER BY min(since), uid LIMIT $1";
    let found = rows(conn, sql, &[&size(limit)]).await?;
    let pairs = found.iter().map(|row| {
        let peers: Vec<i64> = row.try_get(1)?;
        Ok((Uid(number(row, 0)?), peers.into_iter().map(|peer| Uid(peer.unsigned_abs())).collect(), number(row, 2)?))
    });
    pairs.collect()
}

pub(crate) async fn finish(tx: &Transaction<'_>, uid: Uid, peers: &[Uid], number: u64) -> Result<(), Failure> {
    let sql = "DELETE FROM relation_notes WHERE uid = $1 AND peer = ANY($2) AND number <= $3";
    run(tx, sql, &[&int(uid.0), &ints(peers.iter().map(|peer| peer.0)), &int(number)]).await.map(drop)
}

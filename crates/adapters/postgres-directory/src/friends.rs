//! Friendships, and what each friend notes of the other.

use std::collections::HashSet;

use deadpool_postgres::{GenericClient, Transaction};
use mynah_ports::directory_store::{FeedEvents, Friend, FriendNote, Refusal};
use mynah_types::{Millis, Uid};

use crate::engine::{int, ints, rows};
use crate::errors::Failure;
use crate::feeds;
use crate::users::{self, Hold, uids_of};

pub(crate) async fn add(
    tx: &Transaction<'_>,
    uid: Uid,
    peers: &[Uid],
    most: u32,
    now: Millis,
    tell: &FeedEvents,
) -> Result<(), Failure> {
    users::all_live(tx, &[&[uid], peers].concat(), &feeds::told(tell), Hold::Alone).await?;
    let peer_ids = ints(peers.iter().map(|peer| peer.0));
    let sql = "INSERT INTO friends (uid, peer, ctime) SELECT a, b, $3 FROM ( \
                   SELECT $1::bigint AS a, p AS b, n, 0 AS back FROM unnest($2::bigint[]) WITH ORDINALITY AS t (p, n) \
                   UNION ALL SELECT p, $1, n, 1 FROM unnest($2::bigint[]) WITH ORDINALITY AS t (p, n)) pairs \
               ORDER BY n, back ON CONFLICT DO NOTHING RETURNING uid, peer";
    let made = rows(tx, sql, &[&int(uid.0), &peer_ids, &int(now)]).await?;
    let mine = made.iter().filter(|row| row.try_get(0).is_ok_and(|of: i64| of == int(uid.0)));
    let mut new: HashSet<i64> = mine.map(|row| row.try_get(1)).collect::<Result<_, _>>()?;
    let already: Vec<Uid> = peers.iter().filter(|peer| !new.remove(&int(peer.0))).copied().collect();
    if !already.is_empty() {
        return Err(Refusal::AlreadyFriends(already).into());
    }
    let sql = "SELECT u FROM unnest($1::bigint[]) AS t (u) WHERE (SELECT count(*) FROM friends f WHERE f.uid = u) > $2";
    let everybody = [peers, &[uid]].concat();
    let full = uids_of(&rows(tx, sql, &[&ints(everybody.iter().map(|one| one.0)), &i64::from(most)]).await?)?;
    if !full.is_empty() {
        let full = everybody.into_iter().filter(|one| full.contains(one)).collect();
        return Err(Refusal::TooManyFriends(full).into());
    }
    feeds::tell(tx, tell).await
}

pub(crate) async fn remove(tx: &Transaction<'_>, uid: Uid, peers: &[Uid], tell: &FeedEvents) -> Result<(), Failure> {
    let both = [&[uid], peers].concat();
    users::lock(tx, both.iter().chain(tell.iter().map(|(of, _)| of)), Hold::Alone).await?;
    let sql = "DELETE FROM friends WHERE (uid = $1 AND peer = ANY($2)) OR (peer = $1 AND uid = ANY($2)) \
               RETURNING CASE WHEN uid = $1 THEN peer ELSE 0 END";
    let ended = uids_of(&rows(tx, sql, &[&int(uid.0), &ints(peers.iter().map(|peer| peer.0))]).await?)?;
    refuse_missing(peers.iter().copied(), &ended)?;
    feeds::tell(tx, tell).await
}

pub(crate) async fn note(tx: &Transaction<'_>, uid: Uid, notes: &[FriendNote], tell: &FeedEvents) -> Result<(), Failure> {
    users::lock(tx, [uid].iter().chain(tell.iter().map(|(of, _)| of)), Hold::Alone).await?;
    let sql = "UPDATE friends f SET note_name = coalesce(t.note_name, f.note_name), others = coalesce(t.others, f.others) \
               FROM unnest($2::bigint[], $3::text[], $4::text[]) AS t (peer, note_name, others) \
               WHERE f.uid = $1 AND f.peer = t.peer RETURNING f.peer";
    let names: Vec<Option<&str>> = notes.iter().map(|note| note.note_name.as_deref()).collect();
    let others: Vec<Option<&str>> = notes.iter().map(|note| note.others.as_deref()).collect();
    let peers = ints(notes.iter().map(|note| note.peer.0));
    let noted = uids_of(&rows(tx, sql, &[&int(uid.0), &peers, &names, &others]).await?)?;
    refuse_missing(notes.iter().map(|note| note.peer), &noted)?;
    feeds::tell(tx, tell).await
}

fn refuse_missing(wanted: impl Iterator<Item = Uid>, found: &HashSet<Uid>) -> Result<(), Failure> {
    let missing: Vec<Uid> = wanted.filter(|peer| !found.contains(peer)).collect();
    if missing.is_empty() { Ok(()) } else { Err(Refusal::NotFriends(missing).into()) }
}

pub(crate) async fn list(conn: &impl GenericClient, uid: Uid) -> Result<Vec<Friend>, Failure> {
    let columns = users::COLUMNS;
    let sql = format!(
        "SELECT {columns}, f.note_name, f.others FROM friends f JOIN users u ON u.uid = f.peer \
         WHERE f.uid = $1 AND u.deleted_at IS NULL ORDER BY f.id"
    );
    let places = columns.split(',').count();
    let found = rows(conn, &sql, &[&int(uid.0)]).await?;
    let friends = found
        .iter()
        .map(|row| Ok(Friend { user: users::read(row)?, note_name: row.try_get(places)?, others: row.try_get(places + 1)? }));
    friends.collect()
}

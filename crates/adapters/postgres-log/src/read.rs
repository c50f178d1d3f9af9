//! Reads: each is one statement, so that it sees one state.

use std::sync::LazyLock;

use mynah_ports::message_log::{Error, Location, Logged, Span};
use mynah_types::{
    ConversationKey, Entry, FirstAnswer, Hidden, Membership, MsgId, Position, RecentSend, Seq, ShardId, Tail, Uid,
};
use tokio_postgres::Row;

use crate::pool::Pool;
use crate::rows::{self, ENTRY, bound, get, number};

/// Of the head: seq, id, time, sum. Of the conversation: its own row.
const TAIL: &str = "x.seq, x.msg_id, x.ctime, x.cum_unread, m.member_version, m.dissolved, m.at_all_seq, m.min_seq";
const RETRACTED: &str = "EXISTS (SELECT FROM retracted r WHERE r.conversation = x.conversation AND r.seq = x.seq)";

static LOAD: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {TAIL}, x.seq, x.msg_id, x.ctime, x.content_hash, x.sender, x.cmid
         FROM (SELECT $1::bytea AS key) AS c LEFT JOIN meta m ON m.conversation = c.key
         LEFT JOIN LATERAL (SELECT * FROM entries e WHERE e.conversation = c.key ORDER BY e.seq DESC LIMIT $2) x ON true
         ORDER BY x.seq DESC"
    )
});
static HEADS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {TAIL} FROM unnest($1::bytea[]) WITH ORDINALITY AS c (key, place)
         LEFT JOIN meta m ON m.conversation = c.key
         LEFT JOIN LATERAL (SELECT * FROM entries e WHERE e.conversation = c.key ORDER BY e.seq DESC LIMIT 1) x ON true
         ORDER BY c.place"
    )
});
static OLDEST: LazyLock<String> = LazyLock::new(|| span("ASC"));
static NEWEST: LazyLock<String> = LazyLock::new(|| span("DESC"));
static AT: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {ENTRY}, {RETRACTED} FROM unnest($1::bytea[], $2::bigint[]) WITH ORDINALITY AS p (key, seq, place)
         LEFT JOIN entries x ON x.conversation = p.key AND x.seq = p.seq ORDER BY p.place"
    )
});
static SINCE: LazyLock<String> = LazyLock::new(|| {
    format!("SELECT {ENTRY}, x.conversation FROM entries x WHERE x.shard = $1 AND x.msg_id > $2 ORDER BY x.msg_id LIMIT $3")
});

/// The bound of bytes counts in the order of reading; the first is there whatever it weighs.
fn span(order: &str) -> String {
    format!(
        "SELECT {ENTRY}, {RETRACTED} FROM (
             SELECT e.*, sum(octet_length(e.payload)) OVER upto AS bytes, row_number() OVER upto AS place FROM (
                 SELECT * FROM entries WHERE conversation = $1 AND seq BETWEEN $2 AND $3 ORDER BY seq {order} LIMIT $4
             ) AS e WINDOW upto AS (ORDER BY e.seq {order} ROWS UNBOUNDED PRECEDING)
         ) AS x WHERE x.place = 1 OR x.bytes <= $5 ORDER BY x.seq"
    )
}

fn bytes(key: ConversationKey) -> Vec<u8> {
    key.to_bytes().to_vec()
}

fn head(row: &Row) -> Result<Tail, Error> {
    let meta = rows::meta(row, 4)?;
    let Some(seq) = get::<Option<i64>>(row, 0)? else { return Ok(Tail { meta, ..Tail::default() }) };
    Ok(Tail {
        head_seq: seq.cast_unsigned(),
        head_msg_id: MsgId(number(row, 1)?),
        head_ctime: number(row, 2)?,
        cum_unread: number(row, 3)?,
        meta,
        ..Tail::default()
    })
}

pub(crate) async fn load(pool: &Pool, key: ConversationKey, recent: usize) -> Result<Tail, Error> {
    let found = pool.read(&LOAD, &[&bytes(key), &bound(recent.max(1))]).await?;
    let newest = found.first().ok_or_else(|| Error::Damaged("a conversation without an answer".into()))?;
    let mut tail = head(newest)?;
    if recent == 0 || tail.head_seq == 0 {
        return Ok(tail);
    }
    for row in found.iter().rev() {
        if let Some(cmid) = rows::cmid(row, 13)? {
            let send = RecentSend { sender: Uid(number(row, 12)?), cmid, first: rows::first_answer(row, 8)? };
            tail.recent.push(send);
        }
    }
    // Entries without a cmid count too, so that the read is bounded.
    tail.recent_from = found.last().map_or(Ok(0), |oldest| number(oldest, 0))?;
    Ok(tail)
}

pub(crate) async fn heads(pool: &Pool, keys: &[ConversationKey]) -> Result<Vec<Tail>, Error> {
    let keys: Vec<Vec<u8>> = keys.iter().copied().map(bytes).collect();
    pool.read(&HEADS, &[&keys]).await?.iter().map(head).collect()
}

pub(crate) async fn entries(pool: &Pool, key: ConversationKey, span: Span) -> Result<Vec<Logged>, Error> {
    let sql = if span.newest { &NEWEST } else { &OLDEST };
    let (from, to) = (bound(span.from), bound(span.to));
    let found = pool.read(sql, &[&bytes(key), &from, &to, &bound(span.limit), &bound(span.max_bytes)]).await?;
    found.iter().map(rows::logged).collect()
}

pub(crate) async fn at(pool: &Pool, places: &[Location]) -> Result<Vec<Option<Logged>>, Error> {
    let keys: Vec<Vec<u8>> = places.iter().map(|place| bytes(place.key)).collect();
    let seqs: Vec<i64> = places.iter().map(|place| bound(place.seq)).collect();
    let found = pool.read(&AT, &[&keys, &seqs]).await?;
    let there = |row: &Row| get::<Option<i64>>(row, 0).map(|seq| seq.is_some());
    found.iter().map(|row| if there(row)? { rows::logged(row).map(Some) } else { Ok(None) }).collect()
}

pub(crate) async fn find_send(pool: &Pool, key: ConversationKey, sender: Uid, cmid: &str) -> Result<Option<FirstAnswer>, Error> {
    let sql = "SELECT seq, msg_id, ctime, content_hash FROM entries WHERE conversation = $1 AND sender = $2 AND cmid = $3";
    let found = pool.read(sql, &[&bytes(key), &sender.0.cast_signed(), &cmid]).await?;
    found.first().map(|row| rows::first_answer(row, 0)).transpose()
}

pub(crate) async fn find_message(pool: &Pool, id: MsgId) -> Result<Option<Location>, Error> {
    let sql = "SELECT conversation, seq FROM entries WHERE shard = $1 AND msg_id = $2";
    let found = pool.read(sql, &[&i32::from(id.shard().0), &id.0.cast_signed()]).await?;
    found.first().map(|row| Ok(Location { key: rows::key(row, 0)?, seq: number(row, 1)? })).transpose()
}

pub(crate) async fn members(pool: &Pool, key: ConversationKey) -> Result<Vec<(Uid, Membership)>, Error> {
    let sql = "SELECT uid, from_version, from_seq, until_seq, role, silenced FROM members WHERE conversation = $1 ORDER BY uid";
    pool.read(sql, &[&bytes(key)]).await?.iter().map(rows::member).collect()
}

pub(crate) async fn member(pool: &Pool, key: ConversationKey, uid: Uid) -> Result<Option<Membership>, Error> {
    let sql = "SELECT uid, from_version, from_seq, until_seq, role, silenced FROM members WHERE conversation = $1 AND uid = $2";
    let found = pool.read(sql, &[&bytes(key), &uid.0.cast_signed()]).await?;
    found.first().map(|row| rows::member(row).map(|(_, member)| member)).transpose()
}

pub(crate) async fn position(pool: &Pool, key: ConversationKey, uid: Uid) -> Result<Position, Error> {
    let sql = "SELECT read_seq, own_seq, deleted_to, at_me_seq FROM positions WHERE conversation = $1 AND uid = $2";
    let found = pool.read(sql, &[&bytes(key), &uid.0.cast_signed()]).await?;
    found.first().map_or(Ok(Position::default()), rows::position)
}

pub(crate) async fn retracted_unread(pool: &Pool, key: ConversationKey, floor: Seq, to: Seq) -> Result<u64, Error> {
    let sql = "SELECT coalesce(sum(weight), 0)::bigint FROM retracted WHERE conversation = $1 AND seq > $2 AND seq <= $3";
    let found = pool.read(sql, &[&bytes(key), &bound(floor), &bound(to)]).await?;
    found.first().map_or(Ok(0), |row| number(row, 0))
}

pub(crate) async fn hidden(pool: &Pool, key: ConversationKey, uid: Uid) -> Result<Vec<Hidden>, Error> {
    let sql = "SELECT from_seq, until_seq FROM hidden WHERE conversation = $1 AND uid = $2 ORDER BY from_seq";
    let found = pool.read(sql, &[&bytes(key), &uid.0.cast_signed()]).await?;
    let stretch = |row: &Row| {
        let until = get::<Option<i64>>(row, 1)?.map(i64::cast_unsigned);
        Ok(Hidden { from: number(row, 0)?, until })
    };
    found.iter().map(stretch).collect()
}

pub(crate) async fn single_chats(
    pool: &Pool,
    uid: Uid,
    after: Option<ConversationKey>,
    limit: usize,
) -> Result<Vec<ConversationKey>, Error> {
    let sql = "SELECT conversation FROM listed WHERE uid = $1 AND conversation > $2 ORDER BY conversation LIMIT $3";
    // Every key is above no bytes at all.
    let after = after.map_or_else(Vec::new, bytes);
    let found = pool.read(sql, &[&uid.0.cast_signed(), &after, &bound(limit)]).await?;
    found.iter().map(|row| rows::key(row, 0)).collect()
}

pub(crate) async fn since(
    pool: &Pool,
    shard: ShardId,
    after: MsgId,
    limit: usize,
) -> Result<Vec<(ConversationKey, Entry)>, Error> {
    let found = pool.read(&SINCE, &[&i32::from(shard.0), &bound(after.0), &bound(limit)]).await?;
    found.iter().map(|row| Ok((rows::key(row, rows::ENTRY_COLUMNS)?, rows::entry(row)?))).collect()
}

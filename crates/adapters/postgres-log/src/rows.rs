//! What the database's rows mean.

use mynah_ports::message_log::{Error, Logged};
use mynah_types::{Cmid, ConversationKey, Entry, EntryKind, FirstAnswer, Membership, Meta, MsgId, Position, Role, ShardId, Uid};
use tokio_postgres::Row;

use crate::columns::{EVENT, KEEPER, MEMBER, MESSAGE, OWNER, RETRACT};

/// The columns of an entry, in the order in which [`entry`] reads them.
pub(crate) const ENTRY: &str = "x.seq, x.msg_id, x.ctime, x.sender, x.cmid, x.content_hash, x.member_version, x.cum_unread, x.kind, \
    x.unread_delta, x.no_offline, x.target_id, x.target_seq, x.payload";

/// How many there are: further columns follow.
pub(crate) const ENTRY_COLUMNS: usize = 14;

/// A number that was stored with its bits kept.
pub(crate) fn number(row: &Row, column: usize) -> Result<u64, Error> {
    get::<i64>(row, column).map(i64::cast_unsigned)
}

/// A value of a column.
pub(crate) fn get<'a, T: tokio_postgres::types::FromSql<'a>>(row: &'a Row, column: usize) -> Result<T, Error> {
    row.try_get(column).map_err(|error| Error::Damaged(format!("a row does not read: {error}")))
}

/// A bound as the database takes it: what is beyond every number bounds nothing.
pub(crate) fn bound(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

pub(crate) fn shard(row: &Row, column: usize) -> Result<ShardId, Error> {
    let shard: i32 = get(row, column)?;
    u16::try_from(shard).map(ShardId).map_err(|_| Error::Damaged(format!("a shard {shard}")))
}

pub(crate) fn key(row: &Row, column: usize) -> Result<ConversationKey, Error> {
    ConversationKey::from_bytes(get(row, column)?).ok_or_else(|| Error::Damaged("a conversation's key does not read".into()))
}

pub(crate) fn cmid(row: &Row, column: usize) -> Result<Option<Cmid>, Error> {
    let text: Option<&str> = get(row, column)?;
    text.map(Cmid::parse).transpose().map_err(|error| Error::Damaged(error.to_string()))
}

pub(crate) fn entry(row: &Row) -> Result<Entry, Error> {
    let target = (MsgId(number(row, 11)?), number(row, 12)?);
    let delta: i64 = get(row, 9)?;
    let kind = match get(row, 8)? {
        MESSAGE => EntryKind::Message {
            unread_delta: u32::try_from(delta).map_err(|_| Error::Damaged(format!("an entry counts {delta}")))?,
            no_offline: get(row, 10)?,
        },
        EVENT => EntryKind::Event,
        RETRACT => EntryKind::Retract { msg_id: target.0, seq: target.1 },
        other => return Err(Error::Damaged(format!("an entry of kind {other}"))),
    };
    Ok(Entry {
        seq: number(row, 0)?,
        msg_id: MsgId(number(row, 1)?),
        ctime: number(row, 2)?,
        sender: Uid(number(row, 3)?),
        cmid: cmid(row, 4)?,
        content_hash: number(row, 5)?,
        member_version: number(row, 6)?,
        cum_unread: number(row, 7)?,
        kind,
        payload: get::<Vec<u8>>(row, 13)?.into(),
    })
}

/// An entry, and whether it was taken back.
pub(crate) fn logged(row: &Row) -> Result<Logged, Error> {
    Ok(Logged { entry: entry(row)?, retracted: get(row, ENTRY_COLUMNS)? })
}

/// Seq, id, time and hash of a send, from the column `first` on.
pub(crate) fn first_answer(row: &Row, first: usize) -> Result<FirstAnswer, Error> {
    Ok(FirstAnswer {
        seq: number(row, first)?,
        msg_id: MsgId(number(row, first + 1)?),
        ctime: number(row, first + 2)?,
        content_hash: number(row, first + 3)?,
    })
}

/// A conversation's own row, from the column `first` on; what was never stored is nothing.
pub(crate) fn meta(row: &Row, first: usize) -> Result<Meta, Error> {
    let Some(version) = get::<Option<i64>>(row, first)? else { return Ok(Meta::default()) };
    Ok(Meta {
        member_version: version.cast_unsigned(),
        dissolved: get(row, first + 1)?,
        at_all_seq: number(row, first + 2)?,
        min_seq: number(row, first + 3)?,
    })
}

pub(crate) fn member(row: &Row) -> Result<(Uid, Membership), Error> {
    let role = match get(row, 4)? {
        MEMBER => Role::Member,
        KEEPER => Role::Keeper,
        OWNER => Role::Owner,
        other => return Err(Error::Damaged(format!("a member of role {other}"))),
    };
    let member = Membership {
        from_version: number(row, 1)?,
        from_seq: number(row, 2)?,
        until_seq: get::<Option<i64>>(row, 3)?.map(i64::cast_unsigned),
        role,
        silenced: get(row, 5)?,
    };
    Ok((Uid(number(row, 0)?), member))
}

pub(crate) fn position(row: &Row) -> Result<Position, Error> {
    Ok(Position { read_seq: number(row, 0)?, own_seq: number(row, 1)?, deleted_to: number(row, 2)?, at_me_seq: number(row, 3)? })
}

//! Reads. Each sees what was committed before it began.

use mynah_ports::message_log::{Error, Logged, Span};
use mynah_types::{
    ConversationKey, Entry, FirstAnswer, Hidden, Membership, MsgId, Position, RecentSend, Seq, ShardId, Tail, Uid,
};

use crate::keys::Mark;
use crate::log::{Store, unavailable};
use crate::{codec, keys};

/// The newest entry of a conversation.
pub(crate) fn head(store: &Store, key: ConversationKey) -> Result<Option<Entry>, Error> {
    let Some(newest) = store.entries.prefix(keys::entries(key)).next_back() else { return Ok(None) };
    let (row, value) = newest.into_inner().map_err(unavailable)?;
    entry(&row, &value).map(Some)
}

pub(crate) fn entry(row: &[u8], value: &[u8]) -> Result<Entry, Error> {
    let seq = keys::seq_of(row).ok_or_else(|| Error::Damaged("an entry without a place".into()))?;
    codec::read_entry(seq, value)
}

/// A stored number; 0 if there is none.
pub(crate) fn number(store: &Store, row: &[u8]) -> Result<u64, Error> {
    let value = store.rows.get(row).map_err(unavailable)?;
    Ok(value.and_then(|v| keys::tail_number(&v)).unwrap_or(0))
}

/// The highest msg_id counter that a shard has used.
pub(crate) fn last_counter(store: &Store, shard: ShardId) -> Result<u64, Error> {
    let Some(newest) = store.messages.prefix(keys::messages_of(shard)).next_back() else { return Ok(0) };
    let row = newest.key().map_err(unavailable)?;
    Ok(keys::tail_number(&row).map_or(0, |id| MsgId(id).counter()))
}

pub(crate) fn load(store: &Store, key: ConversationKey, recent: usize) -> Result<Tail, Error> {
    let meta = store.rows.get(keys::meta(key)).map_err(unavailable)?;
    let mut tail = Tail { meta: meta.map(|m| codec::read_meta(&m)).transpose()?.unwrap_or_default(), ..Tail::default() };
    // Entries without a cmid count too, so that the scan is bounded.
    for row in store.entries.prefix(keys::entries(key)).rev().take(recent.max(1)) {
        let (row, value) = row.into_inner().map_err(unavailable)?;
        let entry = entry(&row, &value)?;
        if tail.head_seq == 0 {
            (tail.head_seq, tail.head_ctime) = (entry.seq, entry.ctime);
            (tail.head_msg_id, tail.cum_unread) = (entry.msg_id, entry.cum_unread);
        }
        if recent == 0 {
            break;
        }
        tail.recent_from = entry.seq;
        if let Some(cmid) = entry.cmid {
            let first =
                FirstAnswer { seq: entry.seq, msg_id: entry.msg_id, ctime: entry.ctime, content_hash: entry.content_hash };
            tail.recent.push(RecentSend { sender: entry.sender, cmid, first });
        }
    }
    tail.recent.reverse();
    Ok(tail)
}

pub(crate) fn entries(store: &Store, key: ConversationKey, span: Span) -> Result<Vec<Logged>, Error> {
    if span.from > span.to || span.limit == 0 {
        return Ok(Vec::new());
    }
    let rows = store.entries.range(keys::entry(key, span.from)..=keys::entry(key, span.to));
    let mut page = Vec::new();
    let mut bytes = 0;
    let mut take = |row: fjall::Guard| -> Result<bool, Error> {
        let (row, value) = row.into_inner().map_err(unavailable)?;
        let entry = entry(&row, &value)?;
        bytes += entry.payload.len();
        if page.len() >= span.limit || (bytes > span.max_bytes && !page.is_empty()) {
            return Ok(false);
        }
        let retracted = store.rows.contains_key(keys::retracted(key, entry.seq)).map_err(unavailable)?;
        page.push(Logged { entry, retracted });
        Ok(true)
    };
    if span.newest {
        for row in rows.rev() {
            if !take(row)? {
                break;
            }
        }
        page.reverse();
    } else {
        for row in rows {
            if !take(row)? {
                break;
            }
        }
    }
    Ok(page)
}

pub(crate) fn at(store: &Store, key: ConversationKey, seq: Seq) -> Result<Option<Logged>, Error> {
    let Some(value) = store.entries.get(keys::entry(key, seq)).map_err(unavailable)? else { return Ok(None) };
    let retracted = store.rows.contains_key(keys::retracted(key, seq)).map_err(unavailable)?;
    Ok(Some(Logged { entry: codec::read_entry(seq, &value)?, retracted }))
}

pub(crate) fn members(store: &Store, key: ConversationKey) -> Result<Vec<(Uid, Membership)>, Error> {
    let mut members = Vec::new();
    for row in store.rows.prefix(keys::members(key)) {
        let (row, value) = row.into_inner().map_err(unavailable)?;
        let uid = keys::tail_number(&row).ok_or_else(|| Error::Damaged("a member without an id".into()))?;
        members.push((Uid(uid), codec::read_member(&value)?));
    }
    Ok(members)
}

pub(crate) fn position(store: &Store, key: ConversationKey, uid: Uid) -> Result<Position, Error> {
    let mark = |mark| number(store, &keys::mark(key, uid, mark));
    Ok(Position {
        read_seq: mark(Mark::Read)?,
        own_seq: mark(Mark::Own)?,
        deleted_to: mark(Mark::Deleted)?,
        at_me_seq: mark(Mark::AtMe)?,
    })
}

pub(crate) fn retracted_unread(store: &Store, key: ConversationKey, floor: Seq, to: Seq) -> Result<u64, Error> {
    if floor >= to {
        return Ok(0);
    }
    let mut sum = 0;
    for row in store.rows.range(keys::retracted(key, floor.saturating_add(1))..=keys::retracted(key, to)) {
        let value = row.value().map_err(unavailable)?;
        sum += keys::tail_number(&value).unwrap_or(0);
    }
    Ok(sum)
}

pub(crate) fn hidden(store: &Store, key: ConversationKey, uid: Uid) -> Result<Vec<Hidden>, Error> {
    let mut stretches = Vec::new();
    for row in store.rows.prefix(keys::hidden_of(key, uid)) {
        let (row, value) = row.into_inner().map_err(unavailable)?;
        let from = keys::tail_number(&row).ok_or_else(|| Error::Damaged("a hidden stretch without a place".into()))?;
        stretches.push(Hidden { from, until: keys::tail_number(&value).filter(|until| *until > 0) });
    }
    Ok(stretches)
}

pub(crate) fn single_chats(
    store: &Store,
    uid: Uid,
    after: Option<ConversationKey>,
    limit: usize,
) -> Result<Vec<ConversationKey>, Error> {
    let prefix = keys::listed_of(uid);
    let from = after.map_or_else(|| prefix.clone(), |key| keys::listed(uid, key));
    let mut chats = Vec::new();
    for row in store.rows.range(from..) {
        let row = row.key().map_err(unavailable)?;
        let Some(key) = row.strip_prefix(prefix.as_slice()) else { break };
        let key = ConversationKey::from_bytes(key).ok_or_else(|| Error::Damaged("a listed chat does not read".into()))?;
        if Some(key) != after {
            chats.push(key);
        }
        if chats.len() == limit {
            break;
        }
    }
    Ok(chats)
}

pub(crate) fn since(store: &Store, shard: ShardId, after: MsgId, limit: usize) -> Result<Vec<(ConversationKey, Entry)>, Error> {
    let first = [keys::messages_of(shard).as_slice(), &after.0.saturating_add(1).to_be_bytes()].concat();
    let last = [keys::messages_of(shard).as_slice(), &u64::MAX.to_be_bytes()].concat();
    let mut found = Vec::new();
    for row in store.messages.range(first..=last).take(limit) {
        let (key, seq) = codec::read_location(&row.value().map_err(unavailable)?)?;
        let value = store.entries.get(keys::entry(key, seq)).map_err(unavailable)?;
        let value = value.ok_or_else(|| Error::Damaged("a message without its entry".into()))?;
        found.push((key, codec::read_entry(seq, &value)?));
    }
    Ok(found)
}

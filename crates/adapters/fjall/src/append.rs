//! Appending: every check inside the one writer, then one durable commit of what passed.

use std::sync::atomic::Ordering;

use fjall::{OwnedWriteBatch as WriteBatch, PersistMode};
use mynah_ports::message_log::Error;
use mynah_types::{Appended, ConversationAppend, ConversationKey, Entry, EntryKind, Position, Seq, ShardAppend, ShardId, Uid};

use crate::keys::Mark;
use crate::log::{Owners, Store, unavailable};
use crate::{codec, keys, packed, read};

/// Heads that are remembered before all are forgotten.
const MOST_HEADS: usize = 100_000;

pub(crate) fn append(store: &Store, batch: Vec<ShardAppend>) -> Vec<Vec<Appended>> {
    let mut owners = store.owners.lock();
    let unknown: Vec<Vec<Appended>> = batch.iter().map(|s| vec![Appended::Unknown; s.conversations.len()]).collect();
    if store.failed.load(Ordering::SeqCst) {
        return unknown;
    }
    if owners.heads.len() > MOST_HEADS {
        owners.heads.clear();
    }
    let mut write = store.db.batch().durability(Some(PersistMode::SyncData));
    let mut outcomes = Vec::with_capacity(batch.len());
    for shard in batch {
        outcomes.push(append_shard(store, &mut owners, &mut write, shard));
    }
    owners.count(&mut write, &store.rows);
    if let Err(error) = write.commit() {
        _ = store.fail(&error);
        return unknown;
    }
    owners.counted();
    outcomes
}

fn append_shard(store: &Store, owners: &mut Owners, write: &mut WriteBatch, shard: ShardAppend) -> Vec<Appended> {
    let owned = owners.tokens.get(&shard.shard).filter(|(_, token, _)| *token == shard.token).copied();
    let Some((epoch, token, _)) = owned else {
        return vec![Appended::Fenced; shard.conversations.len()];
    };
    if let Some(progress) = shard.progress {
        write.insert(&store.rows, keys::shard(shard.shard), codec::store_shard(epoch, token, progress));
        owners.tokens.insert(shard.shard, (epoch, token, progress));
    }
    let mut outcomes = Vec::with_capacity(shard.conversations.len());
    for conversation in shard.conversations {
        // A read that fails here wrote nothing of this conversation: to its actor that is a reload.
        let fits = fits(store, owners, shard.shard, &conversation).unwrap_or(false);
        if fits && stage(store, write, &conversation).is_ok() {
            if let Some(last) = conversation.entries.last() {
                owners.heads.insert(conversation.key, last.seq);
                owners.counters.insert(shard.shard, last.msg_id.counter());
            }
            outcomes.push(Appended::Done);
        } else {
            outcomes.push(Appended::HeadMoved);
        }
    }
    outcomes
}

/// Expected head, seqs without a gap, ids that rise, cmids that are new.
fn fits(store: &Store, owners: &Owners, shard: ShardId, append: &ConversationAppend) -> Result<bool, Error> {
    let head = match owners.heads.get(&append.key) {
        Some(head) => *head,
        None => read::head(store, append.key)?.map_or(0, |entry| entry.seq),
    };
    if head != append.expected_head || append.key.shard() != shard {
        return Ok(false);
    }
    let mut counter = owners.counters.get(&shard).copied().unwrap_or(0);
    let mut cmids: Vec<(Uid, &str)> = Vec::new();
    for (seq, entry) in (head + 1..).zip(&append.entries) {
        if entry.seq != seq || entry.msg_id.shard() != shard || entry.msg_id.counter() <= counter {
            return Ok(false);
        }
        counter = entry.msg_id.counter();
        if let Some(cmid) = &entry.cmid {
            let used = store.sends.contains_key(keys::send(append.key, entry.sender, cmid)).map_err(unavailable)?;
            if used || cmids.contains(&(entry.sender, cmid.as_str())) {
                return Ok(false);
            }
            cmids.push((entry.sender, cmid.as_str()));
        }
    }
    Ok(true)
}

/// Reads what it needs before it puts anything into the batch.
fn stage(store: &Store, write: &mut WriteBatch, append: &ConversationAppend) -> Result<(), Error> {
    let key = append.key;
    let mut marks = Vec::new();
    for (uid, position) in &append.positions {
        marks.extend(raised(store, append, *uid, *position)?);
    }
    let mut taken_back = Vec::new();
    for entry in &append.entries {
        if let EntryKind::Retract { seq, .. } = entry.kind {
            taken_back.push((seq, weight(store, append, seq)?));
        }
    }
    let dropped = dropped(store, append)?;
    for entry in &append.entries {
        stage_entry(store, write, append, entry);
    }
    for entry in dropped {
        drop_entry(store, write, key, &entry);
    }
    for (uid, hidden) in &append.hidden {
        let row = keys::hidden(key, *uid, hidden.from);
        if hidden.until.is_some_and(|until| until < hidden.from) {
            write.remove(&store.rows, row);
        } else {
            write.insert(&store.rows, row, hidden.until.unwrap_or(0).to_be_bytes());
        }
    }
    for (mark, seq) in marks {
        write.insert(&store.rows, mark, seq.to_be_bytes());
    }
    for (seq, weight) in taken_back {
        write.insert(&store.rows, keys::retracted(key, seq), u64::from(weight).to_be_bytes());
    }
    for (uid, member) in &append.members {
        write.insert(&store.rows, keys::member(key, *uid), codec::store_member(member));
    }
    if let Some(meta) = &append.meta {
        write.insert(&store.rows, keys::meta(key), codec::store_meta(meta));
    }
    for uid in &append.listed_for {
        write.insert(&store.rows, keys::listed(*uid, key), []);
    }
    Ok(())
}

/// The stored entries that are to be forgotten.
fn dropped(store: &Store, append: &ConversationAppend) -> Result<Vec<Entry>, Error> {
    let below = append.drop_below.min(append.expected_head);
    if below <= 1 {
        return Ok(Vec::new());
    }
    // From where the last drop ended: what was dropped before is not looked at again.
    let meta = store.rows.get(keys::meta(append.key)).map_err(unavailable)?;
    let from = meta.map(|meta| codec::read_meta(&meta)).transpose()?.map_or(1, |meta| meta.min_seq).min(below);
    let rows = store.entries.range(keys::entry(append.key, from)..keys::entry(append.key, below));
    rows.map(|row| {
        let (row, value) = row.into_inner().map_err(unavailable)?;
        read::entry(&row, &value)
    })
    .collect()
}

fn drop_entry(store: &Store, write: &mut WriteBatch, key: ConversationKey, entry: &Entry) {
    write.remove(&store.entries, keys::entry(key, entry.seq));
    write.remove(&store.messages, keys::message(entry.msg_id));
    if let Some(cmid) = &entry.cmid {
        write.remove(&store.sends, keys::send(key, entry.sender, cmid));
    }
    write.remove(&store.rows, keys::retracted(key, entry.seq));
}

fn stage_entry(store: &Store, write: &mut WriteBatch, append: &ConversationAppend, entry: &Entry) {
    let key = append.key;
    write.insert(&store.entries, keys::entry(key, entry.seq), codec::store_entry(entry));
    write.insert(&store.messages, keys::message(entry.msg_id), packed::place(key, entry.seq));
    if let Some(cmid) = &entry.cmid {
        write.insert(&store.sends, keys::send(key, entry.sender, cmid), codec::store_send(entry));
    }
}

/// The marks that really rise. One's own rises with the head, so it is written without a look.
fn raised(store: &Store, append: &ConversationAppend, uid: Uid, position: Position) -> Result<Vec<(Vec<u8>, Seq)>, Error> {
    let mut rising = Vec::new();
    if position.own_seq > 0 {
        rising.push((keys::mark(append.key, uid, Mark::Own), position.own_seq));
    }
    let wanted = [(Mark::Read, position.read_seq), (Mark::Deleted, position.deleted_to), (Mark::AtMe, position.at_me_seq)];
    for (mark, seq) in wanted {
        let row = keys::mark(append.key, uid, mark);
        if seq > 0 && read::number(store, &row)? < seq {
            rising.push((row, seq));
        }
    }
    Ok(rising)
}

/// What the retracted entry had added to unread.
fn weight(store: &Store, append: &ConversationAppend, seq: Seq) -> Result<u32, Error> {
    if let Some(entry) = append.entries.iter().find(|e| e.seq == seq) {
        return Ok(entry.kind.unread_delta());
    }
    let value = store.entries.get(keys::entry(append.key, seq)).map_err(unavailable)?;
    value.map_or(Ok(0), |value| Ok(codec::read_entry(seq, &value)?.kind.unread_delta()))
}

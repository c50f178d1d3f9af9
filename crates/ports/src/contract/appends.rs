//! Appends as a busy router makes them, for those who measure a log.

use bytes::Bytes;
use mynah_types::{
    Claim, Cmid, ConversationAppend, ConversationKey, Entry, EntryKind, MsgId, Position, ShardAppend, ShardId, Uid,
};

/// Conversations that take turns.
const CONVERSATIONS: u64 = 100;
/// Bytes of a payload: a message of 128 bytes with little around it.
const PAYLOAD: usize = 130;
/// Numbers that every entry has in any layout: seq, id, time, sender, hash, version, unread, and the sender's mark.
const NUMBERS: usize = 8 * 8;

/// A shard is not among the claims.
#[derive(Debug, thiserror::Error)]
#[error("a shard that is not claimed")]
pub struct NotClaimed;

/// Appends as a busy router makes them: an entry of one single chat each, of many chats in turn.
#[derive(Debug)]
pub struct Appends {
    claims: Vec<Claim>,
    counters: Vec<u64>,
    heads: Vec<u64>,
    next: u64,
}

impl Appends {
    /// For the holder of `claims`, which are of all shards.
    #[must_use]
    pub fn new(mut claims: Vec<Claim>) -> Self {
        claims.sort_unstable_by_key(|claim| claim.shard.0);
        let counters = claims.iter().map(|claim| claim.counter).collect();
        Self { claims, counters, heads: vec![0; usize::try_from(CONVERSATIONS).unwrap_or(0)], next: 0 }
    }

    /// The next `entries`, to be written with one call, and how many bytes there are to write in any layout.
    ///
    /// # Errors
    /// When a shard is not among the claims.
    pub fn batch(&mut self, entries: u64) -> Result<(Vec<ShardAppend>, usize), NotClaimed> {
        let (mut batch, mut bytes) = (Vec::<ShardAppend>::new(), 0);
        for _ in 0..entries {
            let (append, of_entry) = self.one()?;
            bytes += of_entry;
            let shard = append.key.shard();
            match batch.iter_mut().find(|of_shard| of_shard.shard == shard) {
                // A conversation is in a batch once.
                Some(of_shard) => match of_shard.conversations.iter_mut().find(|other| other.key == append.key) {
                    Some(same) => {
                        same.entries.extend(append.entries);
                        same.positions = append.positions;
                    }
                    None => of_shard.conversations.push(append),
                },
                None => {
                    let token = self.claim(shard)?.token;
                    batch.push(ShardAppend { shard, token, conversations: vec![append], progress: None });
                }
            }
        }
        self.number(&mut batch)?;
        Ok((batch, bytes))
    }

    /// Ids rise within a shard, in the order in which the entries are written.
    fn number(&mut self, batch: &mut [ShardAppend]) -> Result<(), NotClaimed> {
        for of_shard in batch {
            let counter = self.counters.get_mut(usize::from(of_shard.shard.0)).ok_or(NotClaimed)?;
            for entry in of_shard.conversations.iter_mut().flat_map(|conversation| &mut conversation.entries) {
                *counter += 1;
                entry.msg_id = MsgId::compose(*counter, of_shard.shard);
            }
        }
        Ok(())
    }

    fn claim(&self, shard: ShardId) -> Result<&Claim, NotClaimed> {
        self.claims.get(usize::from(shard.0)).filter(|claim| claim.shard == shard).ok_or(NotClaimed)
    }

    fn one(&mut self) -> Result<(ConversationAppend, usize), NotClaimed> {
        self.next += 1;
        let pair = self.next % CONVERSATIONS;
        let sender = Uid(pair * 2 + 1);
        let key = ConversationKey::single(sender, Uid(pair * 2 + 2));
        let head = usize::try_from(pair).ok().and_then(|pair| self.heads.get_mut(pair)).ok_or(NotClaimed)?;
        let expected_head = *head;
        *head += 1;
        let cmid = format!("m{}", self.next);
        let bytes = PAYLOAD + NUMBERS + cmid.len() + key.to_string().len();
        let entry = Entry {
            seq: *head,
            msg_id: MsgId(0),
            ctime: 1_795_600_000_000 + self.next,
            sender,
            cmid: Cmid::parse(&cmid).ok(),
            content_hash: self.next,
            member_version: 0,
            cum_unread: *head,
            kind: EntryKind::Message { unread_delta: 1, no_offline: false },
            payload: Bytes::from(vec![(self.next % 251) as u8; PAYLOAD]),
        };
        let own = Position { own_seq: *head, ..Position::default() };
        let append = ConversationAppend {
            entries: vec![entry],
            positions: vec![(sender, own)],
            ..ConversationAppend::empty(key, expected_head)
        };
        Ok((append, bytes))
    }
}

//! How the appends of many conversations become one durable commit.
//!
//! The writer gives every entry its msg_id as it composes the batch, so that commit order is msg_id order; one commit is in flight at a
//! time, so that a shard never has two.

use std::collections::BTreeMap;

use mynah_types::{Claim, ConversationAppend, MsgId, OwnerToken, Progress, ShardAppend, ShardId};

/// Ownership of shards and their counters, as the writer knows them.
#[derive(Debug, Default)]
pub struct Composer {
    shards: BTreeMap<ShardId, Owned>,
}

#[derive(Debug)]
struct Owned {
    token: OwnerToken,
    counter: u64,
}

/// Requests of one shard that go together.
type Together<T> = (ShardAppend, Vec<(T, Vec<MsgId>)>);

/// One durable commit, and which request each of its parts came from.
#[derive(Debug)]
pub struct Batch<T> {
    /// For the log.
    pub shards: Vec<ShardAppend>,
    /// Same shape as `shards`: the ticket and the ids of each conversation's entries.
    pub tickets: Vec<Vec<(T, Vec<MsgId>)>>,
    /// Requests for shards that are not owned.
    pub not_owned: Vec<T>,
}

impl Composer {
    /// Takes newly claimed shards; an older ownership of one is forgotten.
    pub fn claimed(&mut self, claims: &[Claim]) {
        for claim in claims {
            self.shards.insert(claim.shard, Owned { token: claim.token, counter: claim.counter });
        }
    }

    /// Gives a shard up.
    pub fn released(&mut self, shard: ShardId) {
        self.shards.remove(&shard);
    }

    /// The token by which a shard is owned.
    #[must_use]
    pub fn token(&self, shard: ShardId) -> Option<OwnerToken> {
        self.shards.get(&shard).map(|owned| owned.token)
    }

    /// Composes one commit out of requests, in their order. `progress` is stored with the shards that are in it.
    pub fn compose<T>(
        &mut self,
        requests: impl IntoIterator<Item = (ConversationAppend, T)>,
        progress: impl Fn(ShardId) -> Option<Progress>,
    ) -> Batch<T> {
        let mut by_shard: BTreeMap<ShardId, Together<T>> = BTreeMap::new();
        let mut not_owned = Vec::new();
        for (mut append, ticket) in requests {
            let shard = append.key.shard();
            let Some(owned) = self.shards.get_mut(&shard) else {
                not_owned.push(ticket);
                continue;
            };
            let mut ids = Vec::with_capacity(append.entries.len());
            for entry in &mut append.entries {
                owned.counter += 1;
                entry.msg_id = MsgId::compose(owned.counter, shard);
                ids.push(entry.msg_id);
            }
            let (shard_append, tickets) = by_shard.entry(shard).or_insert_with(|| {
                let empty = ShardAppend { shard, token: owned.token, conversations: Vec::new(), progress: progress(shard) };
                (empty, Vec::new())
            });
            shard_append.conversations.push(append);
            tickets.push((ticket, ids));
        }
        let (shards, tickets) = by_shard.into_values().unzip();
        Batch { shards, tickets, not_owned }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use mynah_types::{ConversationKey, Entry, EntryKind, Uid};

    fn append(gid: u64, n: u64) -> ConversationAppend {
        let entry = |seq| Entry {
            seq,
            msg_id: MsgId(0),
            ctime: 1,
            sender: Uid(1),
            cmid: None,
            content_hash: 0,
            member_version: 1,
            cum_unread: 0,
            kind: EntryKind::Event,
            payload: Bytes::new(),
        };
        ConversationAppend { entries: (1..=n).map(entry).collect(), ..ConversationAppend::empty(ConversationKey::Group(gid), 0) }
    }

    #[test]
    fn ids_rise_in_commit_order_and_tell_their_shard() {
        let shard = ConversationKey::Group(7).shard();
        let mut composer = Composer::default();
        let claim = Claim { shard, epoch: 1, token: OwnerToken(9), counter: 40, progress: Progress::default() };
        composer.claimed(&[claim]);
        let batch = composer.compose([(append(7, 2), 'a'), (append(7, 1), 'b')], |_| None);
        let ids: Vec<_> = batch.tickets.iter().flatten().map(|(t, ids)| (*t, ids.clone())).collect();
        let id = |counter| MsgId::compose(counter, shard);
        assert_eq!(ids, [('a', vec![id(41), id(42)]), ('b', vec![id(43)])]);
    }

    #[test]
    fn a_shard_that_is_not_owned_writes_nothing() {
        let batch = Composer::default().compose([(append(7, 1), 'a')], |_| None);
        assert!(batch.shards.is_empty());
        assert_eq!(batch.not_owned, ['a']);
    }
}

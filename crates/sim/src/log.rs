//! A log that keeps the append contract of the port, in memory that no crash touches.

use std::collections::{BTreeMap, HashMap};

use mynah_types::{
    Appended, Claim, Cmid, ConversationAppend, ConversationKey, Entry, FirstAnswer, Membership, Meta, MsgId, OwnerToken,
    Progress, RecentSend, Seq, ShardAppend, ShardId, Tail, Uid,
};

use crate::Broken;

#[derive(Default)]
pub(crate) struct Stored {
    pub(crate) entries: Vec<Entry>,
    pub(crate) members: BTreeMap<Uid, Membership>,
    pub(crate) meta: Meta,
    sends: HashMap<(Uid, Cmid), FirstAnswer>,
}

#[derive(Default)]
struct Shard {
    token: OwnerToken,
    epoch: u64,
    counter: u64,
    progress: Progress,
}

pub(crate) struct Log {
    broken: Option<Broken>,
    shards: BTreeMap<ShardId, Shard>,
    pub(crate) conversations: BTreeMap<ConversationKey, Stored>,
    tokens: u128,
}

impl Log {
    pub(crate) fn new(broken: Option<Broken>) -> Self {
        Self { broken, shards: BTreeMap::new(), conversations: BTreeMap::new(), tokens: 0 }
    }

    pub(crate) fn claim(&mut self, shards: &[ShardId]) -> Vec<Claim> {
        let mut claims = Vec::new();
        for id in shards {
            self.tokens += 1;
            let shard = self.shards.entry(*id).or_default();
            shard.epoch += 1;
            shard.token = OwnerToken(self.tokens);
            let Shard { token, epoch, counter, progress } = *shard;
            claims.push(Claim { shard: *id, epoch, token, counter, progress });
        }
        claims
    }

    pub(crate) fn append(&mut self, batch: Vec<ShardAppend>) -> Vec<Vec<Appended>> {
        batch.into_iter().map(|shard| self.append_shard(shard)).collect()
    }

    fn append_shard(&mut self, append: ShardAppend) -> Vec<Appended> {
        let shard = self.shards.entry(append.shard).or_default();
        if shard.token != append.token && self.broken != Some(Broken::NoFence) {
            return append.conversations.iter().map(|_| Appended::Fenced).collect();
        }
        if let Some(progress) = append.progress {
            shard.progress.delivered = shard.progress.delivered.max(progress.delivered);
        }
        append.conversations.into_iter().map(|conversation| self.append_one(append.shard, conversation)).collect()
    }

    fn append_one(&mut self, shard: ShardId, append: ConversationAppend) -> Appended {
        let checks_head = self.broken != Some(Broken::NoExpectedHead);
        let stored = self.conversations.entry(append.key).or_default();
        let head = Seq::try_from(stored.entries.len()).unwrap_or(0);
        let used = |entry: &Entry| {
            let cmid = entry.cmid.clone().filter(|_| self.broken != Some(Broken::DedupeByWindow));
            checks_head && cmid.is_some_and(|cmid| stored.sends.contains_key(&(entry.sender, cmid)))
        };
        if (checks_head && append.expected_head != head) || append.entries.iter().any(used) {
            return Appended::HeadMoved;
        }
        for entry in append.entries {
            let owner = self.shards.entry(shard).or_default();
            owner.counter = owner.counter.max(entry.msg_id.counter());
            if let Some(cmid) = entry.cmid.clone() {
                let first =
                    FirstAnswer { seq: entry.seq, msg_id: entry.msg_id, ctime: entry.ctime, content_hash: entry.content_hash };
                stored.sends.entry((entry.sender, cmid)).or_insert(first);
            }
            let at = usize::try_from(entry.seq.saturating_sub(1)).unwrap_or(0);
            match stored.entries.get_mut(at) {
                Some(place) => *place = entry,
                None => stored.entries.push(entry),
            }
        }
        stored.members.extend(append.members);
        if let Some(meta) = append.meta {
            stored.meta = meta;
        }
        Appended::Done
    }

    pub(crate) fn tail(&self, key: ConversationKey, recent: usize) -> Tail {
        let Some(stored) = self.conversations.get(&key) else { return Tail { recent_from: 1, ..Tail::default() } };
        let sends = stored.entries.iter().filter_map(|entry| {
            let (seq, msg_id, ctime, content_hash) = (entry.seq, entry.msg_id, entry.ctime, entry.content_hash);
            let first = FirstAnswer { seq, msg_id, ctime, content_hash };
            Some(RecentSend { sender: entry.sender, cmid: entry.cmid.clone()?, first })
        });
        let all: Vec<RecentSend> = sends.collect();
        let recent: Vec<RecentSend> = all.iter().skip(all.len().saturating_sub(recent)).cloned().collect();
        let whole = recent.len() == all.len();
        let last = stored.entries.last();
        Tail {
            head_seq: last.map_or(0, |e| e.seq),
            head_ctime: last.map_or(0, |e| e.ctime),
            head_msg_id: last.map_or(MsgId(0), |e| e.msg_id),
            cum_unread: last.map_or(0, |e| e.cum_unread),
            meta: stored.meta,
            recent_from: if whole { 1 } else { recent.first().map_or(1, |r| r.first.seq) },
            recent,
        }
    }

    pub(crate) fn find_send(&self, key: ConversationKey, sender: Uid, cmid: &Cmid) -> Option<FirstAnswer> {
        self.conversations.get(&key)?.sends.get(&(sender, cmid.clone())).copied()
    }

    pub(crate) fn head(&self, key: ConversationKey) -> Seq {
        self.conversations.get(&key).and_then(|stored| stored.entries.last()).map_or(0, |entry| entry.seq)
    }

    pub(crate) fn since(&self, shard: ShardId, after: MsgId) -> Vec<(ConversationKey, Entry)> {
        let of_shard = self.conversations.iter().filter(|(key, _)| key.shard() == shard);
        let entries = of_shard.flat_map(|(key, stored)| stored.entries.iter().map(|entry| (*key, entry.clone())));
        let mut newer: Vec<_> = entries.filter(|(_, entry)| entry.msg_id > after).collect();
        newer.sort_by_key(|(_, entry)| entry.msg_id);
        newer
    }
}

//! The first entry of a conversation, for tests that need one in a log.

use bytes::Bytes;
use mynah_types::{Claim, ConversationAppend, ConversationKey, Entry, EntryKind, MsgId, ShardAppend, Uid};

/// A message of user 1.
#[must_use]
pub fn entry(key: ConversationKey, msg_id: MsgId) -> ConversationAppend {
    let entry = Entry {
        seq: 1,
        msg_id,
        ctime: 1,
        sender: Uid(1),
        cmid: None,
        content_hash: 0,
        member_version: 0,
        cum_unread: 1,
        kind: EntryKind::Message { unread_delta: 1, no_offline: false },
        payload: Bytes::new(),
    };
    ConversationAppend { entries: vec![entry], ..ConversationAppend::empty(key, 0) }
}

/// The same as the owner of the conversation's shard appends it, with the first id of his claim.
#[must_use]
pub fn append(key: ConversationKey, claim: &Claim) -> ShardAppend {
    let conversations = vec![entry(key, MsgId::compose(claim.counter + 1, claim.shard))];
    ShardAppend { shard: claim.shard, token: claim.token, conversations, progress: None }
}

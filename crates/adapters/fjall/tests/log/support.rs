//! A writer that appends one entry after the other, and a reader that knows what must be there.

use std::path::Path;

use bytes::Bytes;
use mynah_fjall::{FjallLog, OpenError, Options};
use mynah_ports::MessageLog as _;
use mynah_ports::message_log::Span;
use mynah_types::{Appended, Claim, Cmid, ConversationAppend, ConversationKey, Entry, EntryKind, MsgId, Seq, ShardAppend, Uid};

pub const KEY: ConversationKey = ConversationKey::Group(10_000_001);

pub fn open(path: &Path) -> Result<FjallLog, OpenError> {
    FjallLog::open(path, &Options::default())
}

pub struct Writer {
    pub log: FjallLog,
    claim: Claim,
    counter: u64,
    pub head: Seq,
}

impl Writer {
    pub async fn on(log: FjallLog) -> Self {
        let claim = log.claim(&[KEY.shard()]).await.unwrap()[0];
        let head = log.load(KEY, 0).await.unwrap().head_seq;
        Self { log, claim, counter: claim.counter, head }
    }

    /// Appends the next entry; its payload tells its place.
    pub async fn next(&mut self, size: usize) -> Appended {
        self.counter += 1;
        let seq = self.head + 1;
        let entry = Entry {
            seq,
            msg_id: MsgId::compose(self.counter, KEY.shard()),
            ctime: seq,
            sender: Uid(1),
            cmid: Some(Cmid::parse(&format!("m{seq}")).unwrap()),
            content_hash: seq,
            member_version: 1,
            cum_unread: seq,
            kind: EntryKind::Message { unread_delta: 1, no_offline: false },
            payload: payload(seq, size),
        };
        let append = ConversationAppend { entries: vec![entry], ..ConversationAppend::empty(KEY, self.head) };
        let shard = ShardAppend { shard: KEY.shard(), token: self.claim.token, conversations: vec![append], progress: None };
        let outcome = self.log.append(vec![shard]).await[0][0];
        if outcome == Appended::Done {
            self.head = seq;
        }
        outcome
    }
}

/// Bytes that no compression shrinks and that tell their place.
fn payload(seq: Seq, size: usize) -> Bytes {
    let mut state = seq.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let byte = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    });
    byte.take(size).collect::<Vec<u8>>().into()
}

/// How many entries are there; each must be what was written, without a gap.
pub async fn whole(log: &FjallLog, size: usize) -> Result<Seq, String> {
    let head = log.load(KEY, 0).await.map_err(|e| e.to_string())?.head_seq;
    let mut from = 1;
    while from <= head {
        let span = Span { from, to: head, limit: 500, max_bytes: usize::MAX, newest: false };
        let page = log.entries(KEY, span).await.map_err(|e| e.to_string())?;
        for logged in &page {
            let entry = &logged.entry;
            if entry.seq != from || entry.payload != payload(from, size) || entry.content_hash != from {
                return Err(format!("at {from} lies {}", entry.seq));
            }
            from += 1;
        }
        if page.is_empty() {
            return Err(format!("nothing at {from} of {head}"));
        }
    }
    Ok(head)
}

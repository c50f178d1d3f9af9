//! The floor of sends: entries appended by one thread in durable batches, with nothing else around them.
//!
//! `append_floor <folder> <seconds> [batch]` prints `{"entries_per_s":…,"batch":…}`.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a program that measures"
)]

use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mynah_fjall::{FjallLog, Options};
use mynah_ports::MessageLog as _;
use mynah_types::{
    Appended, Cmid, ConversationAppend, ConversationKey, Entry, EntryKind, MsgId, Position, SHARDS, ShardAppend, ShardId, Uid,
};

/// Conversations that take turns, as in the run that is compared.
const CONVERSATIONS: u64 = 100;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |at: usize, or: u64| arguments.get(at).map_or(or, |n| n.parse().unwrap());
    let folder = arguments.get(1).expect("a folder");
    let (seconds, batch) = (number(2, 10), number(3, 128));
    let log = FjallLog::open(Path::new(folder), &Options::default()).unwrap();
    let shards: Vec<ShardId> = (0..SHARDS).map(ShardId).collect();
    let claims = log.claim(&shards).await.unwrap();
    let mut counters: Vec<u64> = claims.iter().map(|claim| claim.counter).collect();
    let mut heads = vec![0_u64; usize::try_from(CONVERSATIONS).unwrap()];
    let (started, mut written, mut next) = (Instant::now(), 0_u64, 0_u64);
    while started.elapsed() < Duration::from_secs(seconds) {
        let mut appends: Vec<ShardAppend> = Vec::new();
        for _ in 0..batch {
            next += 1;
            let pair = next % CONVERSATIONS;
            let key = ConversationKey::single(Uid(pair * 2 + 1), Uid(pair * 2 + 2));
            let shard = usize::from(key.shard().0);
            let head = &mut heads[usize::try_from(pair).unwrap()];
            counters[shard] += 1;
            *head += 1;
            let entry = Entry {
                seq: *head,
                msg_id: MsgId::compose(counters[shard], key.shard()),
                ctime: 1_795_600_000_000 + next,
                sender: Uid(pair * 2 + 1),
                cmid: Some(Cmid::parse(&format!("m{next}")).unwrap()),
                content_hash: next,
                member_version: 0,
                cum_unread: *head,
                kind: EntryKind::Message { unread_delta: 1, no_offline: false },
                payload: Bytes::from(vec![u8::try_from(next % 251).unwrap(); 130]),
            };
            let own = Position { own_seq: *head, ..Position::default() };
            let append = ConversationAppend {
                entries: vec![entry],
                positions: vec![(Uid(pair * 2 + 1), own)],
                ..ConversationAppend::empty(key, *head - 1)
            };
            let token = claims[shard].token;
            appends.push(ShardAppend { shard: key.shard(), token, conversations: vec![append], progress: None });
        }
        let outcomes = log.append(appends).await;
        assert!(outcomes.iter().flatten().all(|outcome| *outcome == Appended::Done));
        written += batch;
    }
    let rate = written as f64 / started.elapsed().as_secs_f64();
    println!("{{\"entries_per_s\":{rate:.0},\"batch\":{batch}}}");
}

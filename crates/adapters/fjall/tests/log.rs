//! What the log promises, over real files.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use bytes::Bytes;
use mynah_fjall::{FjallLog, Options};
use mynah_ports::MessageLog as _;
use mynah_types::{
    Appended, Claim, Cmid, ConversationAppend, ConversationKey, Entry, EntryKind, MsgId, OwnerToken, Seq, ShardAppend, Uid,
};

const KEY: ConversationKey = ConversationKey::Group(10_000_001);

fn open(folder: &tempfile::TempDir) -> FjallLog {
    FjallLog::open(folder.path(), &Options::default()).unwrap()
}

async fn claim(log: &FjallLog) -> Claim {
    log.claim(&[KEY.shard()]).await.unwrap()[0]
}

fn entry(seq: Seq, counter: u64, cmid: &str) -> Entry {
    Entry {
        seq,
        msg_id: MsgId::compose(counter, KEY.shard()),
        ctime: 1,
        sender: Uid(1),
        cmid: Some(Cmid::parse(cmid).unwrap()),
        content_hash: 7,
        member_version: 1,
        cum_unread: seq,
        kind: EntryKind::Message { unread_delta: 1, no_offline: false },
        payload: Bytes::from_static(b"hi"),
    }
}

async fn append(log: &FjallLog, token: OwnerToken, expected_head: Seq, entry: Entry) -> Appended {
    let conversation = ConversationAppend {
        key: KEY,
        expected_head,
        entries: vec![entry],
        positions: Vec::new(),
        members: Vec::new(),
        meta: None,
        listed_for: Vec::new(),
    };
    let shard = ShardAppend { shard: KEY.shard(), token, conversations: vec![conversation], progress: None };
    log.append(vec![shard]).await[0][0]
}

#[tokio::test]
async fn what_was_appended_is_there_after_a_restart_and_ids_go_on_above_it() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder);
    let first = claim(&log).await;
    let written = entry(1, first.counter + 1, "a");
    assert_eq!(append(&log, first.token, 0, written.clone()).await, Appended::Done);
    drop(log);
    let log = open(&folder);
    let tail = log.load(KEY, 10).await.unwrap();
    assert_eq!((tail.head_seq, tail.head_msg_id, tail.recent.len()), (1, written.msg_id, 1));
    let found = log.find_send(KEY, Uid(1), &Cmid::parse("a").unwrap()).await.unwrap();
    assert_eq!(found.map(|f| (f.seq, f.msg_id)), Some((1, written.msg_id)));
    let second = claim(&log).await;
    assert_eq!(second.epoch, first.epoch + 1);
    assert!(second.counter > first.counter);
}

#[tokio::test]
async fn an_older_token_a_wrong_head_and_a_used_cmid_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder);
    let old = claim(&log).await;
    let owner = claim(&log).await;
    let counter = owner.counter;
    assert_eq!(append(&log, old.token, 0, entry(1, counter + 1, "a")).await, Appended::Fenced);
    assert_eq!(append(&log, owner.token, 0, entry(1, counter + 1, "a")).await, Appended::Done);
    assert_eq!(append(&log, owner.token, 0, entry(1, counter + 2, "b")).await, Appended::HeadMoved);
    assert_eq!(append(&log, owner.token, 1, entry(3, counter + 2, "b")).await, Appended::HeadMoved);
    assert_eq!(append(&log, owner.token, 1, entry(2, counter + 2, "a")).await, Appended::HeadMoved);
    assert_eq!(append(&log, owner.token, 1, entry(2, counter + 1, "b")).await, Appended::HeadMoved);
    assert_eq!(log.load(KEY, 0).await.unwrap().head_seq, 1);
    assert_eq!(append(&log, owner.token, 1, entry(2, counter + 2, "b")).await, Appended::Done);
}

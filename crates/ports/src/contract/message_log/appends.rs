//! Appends: who may, what fits, what stays.

use std::sync::Arc;
use std::time::Duration;

use mynah_types::{Appended, Cmid, ConversationAppend, Meta, MsgId, Progress, ShardAppend, Uid};

use super::{GROUP, Harness, Owner, member, neighbour, of};

pub async fn what_was_answered_survives_a_reopening(harness: &mut dyn Harness) {
    let log = harness.open();
    let mut owner = Owner::of(&log).await;
    let entries = owner.fill(1..=3).await;
    drop((owner, log));
    let log = harness.open();
    let tail = log.load(GROUP, 10).await.unwrap();
    assert_eq!((tail.head_seq, tail.head_msg_id, tail.head_ctime, tail.cum_unread), (3, entries[2].msg_id, 1003, 3));
    assert_eq!(tail.recent.len(), 3);
}

pub async fn an_older_owner_changes_nothing(harness: &mut dyn Harness) {
    let log = harness.open();
    let mut old = Owner::of(&log).await;
    let mut new = Owner::of(&log).await;
    let late = old.entry(1, "late");
    assert_eq!(old.append(of(GROUP, 0, vec![late])).await, Appended::Fenced);
    assert_eq!(log.load(GROUP, 1).await.unwrap().head_seq, 0);
    new.fill(1..=1).await;
}

pub async fn another_head_changes_nothing(harness: &mut dyn Harness) {
    let log = harness.open();
    let mut owner = Owner::of(&log).await;
    owner.fill(1..=2).await;
    for head in [0, 1, 3] {
        let entry = owner.entry(head + 1, &format!("x{head}"));
        assert_eq!(owner.append(of(GROUP, head, vec![entry])).await, Appended::HeadMoved, "at {head}");
    }
    let entries = log.entries(GROUP, super::reads::whole(1, 9)).await.unwrap();
    assert_eq!(
        entries.iter().map(|e| e.entry.cmid.clone().unwrap()).collect::<Vec<_>>(),
        ["m1", "m2"].map(|c| Cmid::parse(c).unwrap())
    );
}

pub async fn a_gap_or_an_old_id_changes_nothing(harness: &mut dyn Harness) {
    let log = harness.open();
    let mut owner = Owner::of(&log).await;
    let first = owner.fill(1..=1).await.remove(0);
    let gap = owner.entry(3, "gap");
    assert_eq!(owner.append(of(GROUP, 1, vec![gap])).await, Appended::HeadMoved);
    let mut again = owner.entry(2, "again");
    again.msg_id = first.msg_id;
    assert_eq!(owner.append(of(GROUP, 1, vec![again])).await, Appended::HeadMoved);
    assert_eq!(log.load(GROUP, 1).await.unwrap().head_seq, 1);
}

pub async fn a_used_cmid_changes_nothing_and_its_first_answer_is_found(harness: &mut dyn Harness) {
    let log = harness.open();
    let mut owner = Owner::of(&log).await;
    let first = owner.fill(1..=1).await.remove(0);
    let again = owner.entry(2, "m1");
    assert_eq!(owner.append(of(GROUP, 1, vec![again])).await, Appended::HeadMoved);
    let twice = vec![owner.entry(2, "twice"), owner.entry(3, "twice")];
    assert_eq!(owner.append(of(GROUP, 1, twice)).await, Appended::HeadMoved);
    let found = |cmid: &str| {
        let (log, cmid) = (Arc::clone(&log), Cmid::parse(cmid).unwrap());
        async move { log.find_send(GROUP, Uid(1), &cmid).await.unwrap() }
    };
    let answer = found("m1").await.unwrap();
    assert_eq!((answer.seq, answer.msg_id, answer.ctime, answer.content_hash), (1, first.msg_id, first.ctime, 7));
    assert_eq!(found("twice").await, None);
    // Another sender's id of the same text is another one.
    let cmid = Cmid::parse("m1").unwrap();
    assert_eq!(log.find_send(GROUP, Uid(2), &cmid).await.unwrap(), None);
    let mut other = owner.entry(2, "m1");
    other.sender = Uid(2);
    assert_eq!(owner.append(of(GROUP, 1, vec![other])).await, Appended::Done);
}

pub async fn what_is_refused_leaves_the_rest_of_the_batch(harness: &mut dyn Harness) {
    let log = harness.open();
    let mut owner = Owner::of(&log).await;
    let (bad, good) = (owner.entry(9, "bad"), owner.entry(1, "good"));
    let mut batch = owner.batch(vec![of(GROUP, 8, vec![bad]), of(neighbour(), 0, vec![good])]);
    // A fenced shard beside it changes nothing of this one.
    let other = mynah_types::ShardId(GROUP.shard().0 ^ 1);
    batch.insert(0, ShardAppend { shard: other, token: owner.claim.token, conversations: vec![], progress: None });
    assert_eq!(log.append(batch).await[1..], [vec![Appended::HeadMoved, Appended::Done]]);
    assert_eq!(log.load(neighbour(), 1).await.unwrap().head_seq, 1);
    assert_eq!(log.load(GROUP, 1).await.unwrap().head_seq, 0);
}

pub async fn racing_appends_to_one_head_make_one(harness: &mut dyn Harness) {
    let log = harness.open();
    let mut owner = Owner::of(&log).await;
    let entries: Vec<_> = (0..8).map(|n| owner.entry(1, &format!("r{n}"))).collect();
    let racing = entries.into_iter().map(|entry| {
        let (log, batch) = (Arc::clone(&log), owner.batch(vec![of(GROUP, 0, vec![entry])]));
        async move { log.append(batch).await[0][0] }
    });
    let outcomes = futures_util::future::join_all(racing).await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Appended::Done).count(), 1, "{outcomes:?}");
    assert_eq!(log.load(GROUP, 9).await.unwrap().head_seq, 1);
}

pub async fn claims_count_up_and_ids_go_on_above_what_was_used(harness: &mut dyn Harness) {
    let log = harness.open();
    let mut first = Owner::of(&log).await;
    first.fill(1..=3).await;
    let used = first.counter;
    let again = Owner::of(&log).await;
    assert_eq!(again.claim.epoch, first.claim.epoch + 1);
    assert_ne!(again.claim.token, first.claim.token);
    assert!(again.claim.counter >= used);
}

pub async fn progress_comes_back_with_the_next_claim(harness: &mut dyn Harness) {
    let log = harness.open();
    let mut owner = Owner::of(&log).await;
    let last = owner.fill(1..=1).await.remove(0).msg_id;
    let progress = Progress { delivered: last, published: MsgId(0) };
    let mut batch = owner.batch(vec![]);
    batch[0].progress = Some(progress);
    log.append(batch).await;
    drop((owner, log));
    let log = harness.open();
    assert_eq!(Owner::of(&log).await.claim.progress, progress);
}

pub async fn an_append_without_entries_writes_its_rows(harness: &mut dyn Harness) {
    let log = harness.open();
    let owner = Owner::of(&log).await;
    let meta = Meta { member_version: 4, dissolved: false, at_all_seq: 0, min_seq: 1 };
    let members = vec![(Uid(5), member(1, None))];
    let rows = ConversationAppend { members: members.clone(), meta: Some(meta), ..of(GROUP, 0, vec![]) };
    assert_eq!(owner.append(rows).await, Appended::Done);
    assert_eq!(log.load(GROUP, 1).await.unwrap().meta, meta);
    assert_eq!(log.members(GROUP).await.unwrap(), members);
}

pub async fn nothing_is_under_way_when_all_is_answered(harness: &mut dyn Harness) {
    let log = harness.open();
    let mut owner = Owner::of(&log).await;
    owner.fill(1..=3).await;
    assert_eq!(owner.append(of(GROUP, 9, vec![])).await, Appended::HeadMoved);
    assert_eq!(log.under_way().await.unwrap(), Duration::ZERO);
}

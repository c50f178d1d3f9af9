//! Reads: pages, heads, rows, indexes.

use mynah_types::{Appended, Cmid, ConversationAppend, ConversationKey, EntryKind, Hidden, Meta, MsgId, Position, Seq, Uid};

use super::{GROUP, Harness, Owner, member, neighbour, of};
use crate::message_log::{Location, Span};

pub(super) fn whole(from: Seq, to: Seq) -> Span {
    Span { from, to, limit: 100, max_bytes: usize::MAX, newest: false }
}

pub async fn a_span_is_bounded_by_places_entries_and_bytes(harness: &mut dyn Harness) {
    let log = harness.open();
    Owner::of(&log).await.fill(1..=9).await;
    let cases = [
        (whole(3, 5), vec![3, 4, 5]),
        (whole(8, 20), vec![8, 9]),
        (whole(6, 5), vec![]),
        (Span { limit: 2, ..whole(3, 8) }, vec![3, 4]),
        (Span { limit: 2, newest: true, ..whole(3, 8) }, vec![7, 8]),
        (Span { max_bytes: 11, ..whole(1, 9) }, vec![1, 2]),
        (Span { max_bytes: 1, ..whole(1, 9) }, vec![1]),
        (Span { max_bytes: 11, newest: true, ..whole(1, 9) }, vec![8, 9]),
        (Span { limit: 0, ..whole(1, 9) }, vec![]),
    ];
    for (span, expected) in cases {
        let page = log.entries(GROUP, span).await.unwrap();
        assert_eq!(page.iter().map(|l| l.entry.seq).collect::<Vec<_>>(), expected, "{span:?}");
    }
}

pub async fn entries_are_read_at_their_places(harness: &mut dyn Harness) {
    let log = harness.open();
    Owner::of(&log).await.fill(1..=5).await;
    let place = |key, seq| Location { key, seq };
    let found = log.at(&[place(GROUP, 4), place(neighbour(), 1), place(GROUP, 9), place(GROUP, 1)]).await.unwrap();
    let seqs: Vec<_> = found.iter().map(|logged| logged.as_ref().map(|l| l.entry.seq)).collect();
    assert_eq!(seqs, [Some(4), None, None, Some(1)]);
}

pub async fn the_tail_tells_the_newest_sends_and_from_where_it_is_whole(harness: &mut dyn Harness) {
    let log = harness.open();
    Owner::of(&log).await.fill(1..=5).await;
    let tail = log.load(GROUP, 3).await.unwrap();
    let recent: Vec<_> = tail.recent.iter().map(|r| (r.first.seq, r.cmid.as_str().to_owned())).collect();
    assert_eq!(recent, [(3, "m3".to_owned()), (4, "m4".to_owned()), (5, "m5".to_owned())]);
    assert_eq!(tail.recent_from, 3);
    assert!(log.load(GROUP, 9).await.unwrap().recent_from <= 1);
}

pub async fn heads_come_in_the_order_asked(harness: &mut dyn Harness) {
    let log = harness.open();
    Owner::of(&log).await.fill(1..=2).await;
    let heads = log.heads(&[neighbour(), GROUP]).await.unwrap();
    assert_eq!(heads.iter().map(|tail| tail.head_seq).collect::<Vec<_>>(), [0, 2]);
}

pub async fn a_message_is_found_by_its_id(harness: &mut dyn Harness) {
    let log = harness.open();
    let entries = Owner::of(&log).await.fill(1..=2).await;
    assert_eq!(log.find_message(entries[1].msg_id).await.unwrap(), Some(Location { key: GROUP, seq: 2 }));
    assert_eq!(log.find_message(MsgId(3)).await.unwrap(), None);
}

pub async fn members_keep_their_latest_row(harness: &mut dyn Harness) {
    let log = harness.open();
    let mut owner = Owner::of(&log).await;
    for (seq, row) in [(1, member(1, None)), (2, member(1, Some(2))), (3, member(3, None))] {
        let event = owner.entry(seq, "");
        let append = ConversationAppend { members: vec![(Uid(7), row)], ..of(GROUP, seq - 1, vec![event]) };
        assert_eq!(owner.append(append).await, Appended::Done);
        assert_eq!(log.member(GROUP, Uid(7)).await.unwrap(), Some(row));
    }
    assert_eq!(log.members(GROUP).await.unwrap(), [(Uid(7), member(3, None))]);
    assert_eq!(log.member(GROUP, Uid(8)).await.unwrap(), None);
    assert_eq!(log.members(neighbour()).await.unwrap(), []);
}

pub async fn marks_only_rise(harness: &mut dyn Harness) {
    let log = harness.open();
    let mut owner = Owner::of(&log).await;
    owner.fill(1..=9).await;
    for read_seq in [5, 3, 7] {
        let position = Position { read_seq, ..Position::default() };
        let append = ConversationAppend { positions: vec![(Uid(2), position)], ..of(GROUP, 9, vec![]) };
        assert_eq!(owner.append(append).await, Appended::Done);
    }
    assert_eq!(log.position(GROUP, Uid(2)).await.unwrap(), Position { read_seq: 7, ..Position::default() });
    assert_eq!(log.position(GROUP, Uid(3)).await.unwrap(), Position::default());
}

pub async fn what_is_taken_back_is_marked_and_weighed(harness: &mut dyn Harness) {
    let log = harness.open();
    let mut owner = Owner::of(&log).await;
    let taken = owner.fill(1..=3).await.remove(1);
    let mut retraction = owner.entry(4, "");
    retraction.kind = EntryKind::Retract { msg_id: taken.msg_id, seq: 2 };
    assert_eq!(owner.append(of(GROUP, 3, vec![retraction])).await, Appended::Done);
    let page = log.entries(GROUP, whole(1, 4)).await.unwrap();
    assert_eq!(page.iter().map(|l| l.retracted).collect::<Vec<_>>(), [false, true, false, false]);
    assert_eq!(log.retracted_unread(GROUP, 1, 9).await.unwrap(), 1);
    assert_eq!(log.retracted_unread(GROUP, 2, 9).await.unwrap(), 0);
    assert_eq!(log.retracted_unread(GROUP, 1, 1).await.unwrap(), 0);
}

pub async fn single_chats_page_in_key_order(harness: &mut dyn Harness) {
    let log = harness.open();
    let chats: Vec<ConversationKey> = [2, 3, 10, 200].map(|peer| ConversationKey::single(Uid(1), Uid(peer))).into();
    for key in chats.iter().rev() {
        let claim = log.claim(&[key.shard()]).await.unwrap()[0];
        let append = ConversationAppend { listed_for: vec![Uid(1)], ..of(*key, 0, vec![]) };
        let shard =
            mynah_types::ShardAppend { shard: key.shard(), token: claim.token, conversations: vec![append], progress: None };
        assert_eq!(log.append(vec![shard]).await, [[Appended::Done]]);
    }
    let mut paged = Vec::new();
    let mut after = None;
    loop {
        let page = log.single_chats(Uid(1), after, 3).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(*last);
        paged.extend(page);
    }
    paged.sort_unstable();
    let mut all = chats;
    all.sort_unstable();
    assert_eq!(paged, all);
    assert_eq!(log.single_chats(Uid(2), None, 9).await.unwrap(), []);
}

pub async fn newer_entries_of_a_shard_come_by_id(harness: &mut dyn Harness) {
    let log = harness.open();
    let mut owner = Owner::of(&log).await;
    let first = owner.fill(1..=2).await;
    let other = owner.entry(1, "other");
    assert_eq!(owner.append(of(neighbour(), 0, vec![other.clone()])).await, Appended::Done);
    let third = owner.fill(3..=3).await.remove(0);
    let newer = log.since(GROUP.shard(), first[0].msg_id, 9).await.unwrap();
    let expected = [(GROUP, first[1].clone()), (neighbour(), other), (GROUP, third)];
    assert_eq!(newer, expected);
    assert_eq!(log.since(GROUP.shard(), first[0].msg_id, 1).await.unwrap(), expected[..1]);
}

pub async fn what_a_member_hides_is_kept_in_order_of_place(harness: &mut dyn Harness) {
    let log = harness.open();
    let mut owner = Owner::of(&log).await;
    owner.fill(1..=9).await;
    let hide = |uid, from, until| (Uid(uid), Hidden { from, until });
    let rows = vec![hide(1, 8, None), hide(1, 2, Some(3)), hide(2, 5, None), hide(1, 7, Some(7))];
    let append = ConversationAppend { hidden: rows, ..of(GROUP, 9, vec![]) };
    assert_eq!(owner.append(append).await, Appended::Done);
    // The open stretch ends, another is taken out, those of others stay.
    let rows = vec![hide(1, 8, Some(9)), hide(1, 7, Some(6))];
    let append = ConversationAppend { hidden: rows, ..of(GROUP, 9, vec![]) };
    assert_eq!(owner.append(append).await, Appended::Done);
    let expected = [Hidden { from: 2, until: Some(3) }, Hidden { from: 8, until: Some(9) }];
    assert_eq!(log.hidden(GROUP, Uid(1)).await.unwrap(), expected);
    assert_eq!(log.hidden(GROUP, Uid(2)).await.unwrap(), [Hidden { from: 5, until: None }]);
    assert_eq!(log.hidden(neighbour(), Uid(1)).await.unwrap(), []);
}

pub async fn what_is_dropped_is_found_by_nothing_and_the_rest_stays(harness: &mut dyn Harness) {
    let log = harness.open();
    let mut owner = Owner::of(&log).await;
    let entries = owner.fill(1..=5).await;
    let next = owner.entry(6, "m6");
    let meta = Some(Meta { min_seq: 4, ..Meta::default() });
    let append = ConversationAppend { drop_below: 4, meta, ..of(GROUP, 5, vec![next.clone()]) };
    assert_eq!(owner.append(append).await, Appended::Done);
    drop((owner, log));
    let log = harness.open();
    let kept: Vec<_> = log.entries(GROUP, whole(1, 9)).await.unwrap().into_iter().map(|logged| logged.entry.seq).collect();
    assert_eq!(kept, [4, 5, 6]);
    let found: Vec<_> = log.since(GROUP.shard(), MsgId(0), 99).await.unwrap().into_iter().map(|(_, entry)| entry.seq).collect();
    assert_eq!(found, [4, 5, 6]);
    assert_eq!(log.find_message(entries[2].msg_id).await.unwrap(), None);
    assert_eq!(log.find_send(GROUP, Uid(1), &Cmid::parse("m3").unwrap()).await.unwrap(), None);
    assert!(log.find_send(GROUP, Uid(1), &Cmid::parse("m4").unwrap()).await.unwrap().is_some());
    let tail = log.load(GROUP, 99).await.unwrap();
    assert_eq!((tail.head_seq, tail.meta.min_seq, tail.recent_from), (6, 4, 4));
    // The head stays, whatever is asked for.
    let mut owner = Owner::of(&log).await;
    assert_eq!(owner.append(ConversationAppend { drop_below: 99, ..of(GROUP, 6, vec![]) }).await, Appended::Done);
    assert_eq!(log.load(GROUP, 0).await.unwrap().head_seq, 6);
    assert_eq!(owner.fill(7..=7).await.len(), 1);
}

use super::*;
use crate::client::text::mix;

mod beside;

const KEY: &[u8] = b"s.1.2";

/// Users 0 and 1 share conversation 0; user 2 is alone.
fn judge() -> Judge {
    let mut judge = Judge::new(2, &[(0, vec![0]), (1, vec![0]), (2, vec![1])], true);
    judge.begin();
    judge
}

fn own(ordinal: u32) -> Own {
    Own { conv: 0, sender: 0, ordinal, due_us: 5 }
}

/// The entry that the `ordinal`th message of user 0 became.
fn entry(seq: u64, ordinal: u32) -> Entry {
    let msg_id = seq * 10;
    let digest = mix(u64::from(ordinal), msg_id);
    Entry { key: Key::parse(KEY).unwrap(), seq, msg_id, digest, delta: 1, own: Some(own(ordinal)) }
}

fn ack(judge: &mut Judge, seq: u64, ordinal: u32) {
    let e = entry(seq, ordinal);
    judge.acked(0, &own(ordinal), e.key, seq, e.msg_id, e.digest);
}

fn push(judge: &mut Judge, at: usize, seq: u64, ordinal: u32) -> Then {
    judge.saw(at, u32::try_from(at).unwrap(), &entry(seq, ordinal), How::Push)
}

fn good() -> Judge {
    let mut judge = judge();
    for n in 1..=3 {
        ack(&mut judge, n, u32::try_from(n).unwrap());
        assert_eq!(push(&mut judge, 1, n, u32::try_from(n).unwrap()), Then::Fine);
    }
    judge
}

/// The same, and the conversation is a room.
fn good_room() -> Judge {
    let mut judge = good();
    judge.name(0, Key::room(7));
    judge
}

/// Lost, doubled, reordered, leaked, unread.
fn found(judge: Judge) -> [u64; 5] {
    let Findings { lost, doubled, reordered, leaked, unread, .. } = judge.finish().findings;
    [lost, doubled, reordered, leaked, unread]
}

#[test]
fn a_good_run_is_clean_and_nothing_of_it_is_kept() {
    let judge = good();
    assert_eq!((judge.kept(), judge.figures.judged), (0, 3));
    let summary = judge.finish();
    assert!(summary.findings.is_clean(), "{summary:?}");
    assert_eq!(summary.judged, 3);
    assert!(matches!(summary.digests[..], [(0, 0, 3, _), (1, 0, 0, 0)]), "{:?}", summary.digests);
}

#[test]
fn an_acknowledged_message_that_the_other_lacks_is_lost() {
    let mut judge = good();
    ack(&mut judge, 4, 4);
    assert_eq!(judge.behind(1), [0]);
    assert_eq!(found(judge), [1, 0, 0, 0, 0]);
}

#[test]
fn a_hole_is_seen_and_a_page_without_it_is_a_loss() {
    let mut judge = good();
    ack(&mut judge, 4, 4);
    ack(&mut judge, 5, 5);
    assert_eq!(push(&mut judge, 1, 5, 5), Then::Hole);
    assert_eq!(judge.hole(1, 0), Some(false), "nobody told him");
    judge.moved(1, 0, 5);
    assert_eq!(judge.hole(1, 0), Some(true));
    judge.covered(1, 1, 0, 4, 5);
    assert!(judge.behind(1).is_empty());
    assert_eq!(found(judge), [1, 0, 0, 0, 0]);
}

#[test]
fn what_was_pushed_behind_it_makes_a_hole_of_what_an_answer_came_before() {
    let mut judge = good();
    ack(&mut judge, 6, 4);
    let of_other = entry(7, 1);
    assert_eq!(judge.hole(0, 0), None);
    assert_eq!(judge.saw(0, 0, &of_other, How::Push), Then::Hole);
    assert_eq!(judge.hole(0, 0), Some(false));
    judge.moved(0, 0, 5);
    assert_eq!(judge.hole(0, 0), Some(true));
}

#[test]
fn a_hole_that_a_page_fills_is_none() {
    let mut judge = good();
    ack(&mut judge, 4, 4);
    ack(&mut judge, 5, 5);
    push(&mut judge, 1, 5, 5);
    judge.saw(1, 1, &entry(4, 4), How::Page);
    judge.covered(1, 1, 0, 4, 5);
    assert_eq!(found(judge), [0; 5]);
}

#[test]
fn a_message_at_two_places_is_doubled() {
    let mut judge = good();
    for at in [0, 1] {
        push(&mut judge, at, 4, 2);
    }
    assert_eq!(found(judge), [0, 1, 0, 0, 0]);
}

#[test]
fn a_push_that_comes_again_on_one_connection_is_doubled() {
    let mut judge = good();
    push(&mut judge, 1, 3, 3);
    assert_eq!(judge.figures.repeated, 1);
    assert_eq!(found(judge), [0, 1, 0, 0, 0]);
    let mut judge = good();
    judge.hung_up(1);
    push(&mut judge, 1, 3, 3);
    assert_eq!(found(judge), [0; 5], "another connection");
}

#[test]
fn pushes_that_come_again_or_late_are_only_counted_where_they_may() {
    let mut judge = good();
    judge.strict_pushes = false;
    push(&mut judge, 1, 3, 3);
    ack(&mut judge, 4, 4);
    ack(&mut judge, 5, 5);
    push(&mut judge, 1, 5, 5);
    push(&mut judge, 1, 4, 4);
    assert_eq!((judge.figures.repeated, judge.figures.overtaken), (1, 1));
    assert_eq!(found(judge), [0; 5]);
}

#[test]
fn pushes_and_messages_out_of_order_are_reordered() {
    let mut judge = good();
    ack(&mut judge, 4, 4);
    ack(&mut judge, 5, 5);
    push(&mut judge, 1, 5, 5);
    push(&mut judge, 1, 4, 4);
    assert_eq!(found(judge), [0, 0, 1, 0, 0]);
    let mut judge = good();
    for (seq, ordinal) in [(4, 5), (5, 4)] {
        ack(&mut judge, seq, ordinal);
        push(&mut judge, 1, seq, ordinal);
    }
    assert_eq!(found(judge), [0, 0, 1, 0, 0]);
}

#[test]
fn a_message_without_an_answer_may_be_anywhere_once_or_nowhere() {
    let mut judge = good();
    judge.unknown(&own(4));
    for (seq, ordinal) in [(4, 5), (5, 4)] {
        for at in [0, 1] {
            push(&mut judge, at, seq, ordinal);
        }
    }
    judge.unknown(&own(6));
    assert_eq!(found(judge), [0; 5]);
}

#[test]
fn another_entry_than_the_answer_said_is_found() {
    let mut judge = good();
    ack(&mut judge, 4, 4);
    push(&mut judge, 1, 4, 5);
    let [_, _, reordered, ..] = found(judge);
    assert_eq!(reordered, 1);
}

#[test]
fn an_id_that_does_not_rise_is_reordered() {
    let mut judge = good();
    for at in [0, 1] {
        let mut entry = entry(4, 4);
        entry.msg_id = 25;
        judge.saw(at, u32::try_from(at).unwrap(), &entry, How::Push);
    }
    assert_eq!(found(judge), [0, 0, 1, 0, 0]);
}

#[test]
fn what_reaches_a_stranger_or_another_conversation_is_leaked() {
    let mut judge = good();
    push(&mut judge, 2, 3, 3);
    assert_eq!(found(judge), [0, 0, 0, 1, 0]);
    let mut judge = good();
    let elsewhere = Entry { key: Key::parse(b"s.7.8").unwrap(), ..entry(1, 3) };
    assert_eq!(judge.saw(2, 2, &elsewhere, How::Push), Then::Foreign);
    assert_eq!(found(judge), [0, 0, 0, 1, 0]);
}

#[test]
fn a_message_that_was_refused_and_is_there_is_found() {
    let mut judge = good();
    judge.refused(&own(3));
    judge.refused(&own(9));
    assert_eq!(found(judge), [0, 1, 0, 0, 0]);
}

#[test]
fn unread_counts_are_what_others_said_since_the_own_last_message() {
    let mut judge = good();
    judge.unread(1, 1, 0, 3, 3);
    judge.unread(0, 0, 0, 3, 0);
    // Where the heads differ, nothing can be told.
    judge.unread(1, 1, 0, 2, 9);
    assert!(judge.findings.is_clean(), "{:?}", judge.findings);
    judge.unread(1, 1, 0, 3, 2);
    assert_eq!(found(judge), [0, 0, 0, 0, 1]);
}

#[test]
fn what_is_marked_as_read_counts_no_more_once_the_server_has_taken_it() {
    let mut judge = good();
    assert_eq!(judge.marks(1, 0), Some(3));
    assert_eq!(judge.marks(1, 0), None, "one mark at a time");
    ack(&mut judge, 4, 4);
    push(&mut judge, 1, 4, 4);
    // Nobody knows yet.
    judge.unread(1, 1, 0, 4, 1);
    judge.unread(1, 1, 0, 4, 4);
    judge.marked(1, 0);
    judge.unread(1, 1, 0, 4, 1);
    assert!(judge.findings.is_clean(), "{:?}", judge.findings);
    judge.unread(1, 1, 0, 4, 4);
    assert_eq!(found(judge), [0, 0, 0, 0, 1]);
    assert_eq!(good_room().marks(1, 0), None);
}

#[test]
fn a_conversation_that_the_list_does_not_name_is_miscounted() {
    let listed = |head: Option<u64>| {
        let mut judge = good();
        judge.asks_for_list(1);
        head.into_iter().for_each(|head| judge.unread(1, 1, 0, head, 3));
        let whole = judge.is_listed(1);
        (whole, judge.asked_for_lists(1), found(judge))
    };
    assert_eq!(listed(Some(3)), (true, 0, [0; 5]));
    assert_eq!(listed(Some(2)), (false, 1, [0; 5]), "it cannot be compared");
    assert_eq!(listed(None), (false, 0, [0, 0, 0, 0, 1]));
    let mut judge = good();
    judge.asks_for_list(2);
    assert!(judge.is_listed(2), "nothing was said there");
}

#[test]
fn an_answer_may_come_before_the_pushes_before_it() {
    let mut judge = good();
    let of_other = |seq: u64| {
        let own = Own { sender: 1, ..own(1) };
        Entry { own: Some(own), digest: mix(99, seq * 10), ..entry(seq, 1) }
    };
    ack(&mut judge, 5, 4);
    assert_eq!(judge.hole(0, 0), None);
    assert_eq!(judge.saw(0, 0, &of_other(4), How::Push), Then::Fine);
    let e = of_other(4);
    judge.acked(1, &e.own.unwrap(), e.key, 4, e.msg_id, e.digest);
    push(&mut judge, 1, 5, 4);
    assert_eq!((judge.kept(), judge.have(0, 0)), (0, 5));
    assert_eq!(found(judge), [0; 5]);
}

#[test]
fn a_room_owes_nobody_what_it_skipped_or_what_was_said_while_he_was_out() {
    let mut judge = good_room();
    ack(&mut judge, 4, 4);
    ack(&mut judge, 5, 5);
    judge.skipped(1, 0, 4, 4);
    assert_eq!(judge.figures.skipped, 1);
    push(&mut judge, 1, 5, 5);
    judge.left(1, 0);
    ack(&mut judge, 6, 6);
    assert_eq!(judge.kept(), 0, "nothing waits for one who left");
    judge.entered(1, 0, 6);
    ack(&mut judge, 7, 7);
    assert_eq!((judge.behind(1), judge.kept()), (vec![0], 1));
    push(&mut judge, 1, 7, 7);
    assert_eq!(found(judge), [0; 5]);
}

#[test]
fn what_is_said_after_he_is_in_a_room_again_waits_for_him() {
    let mut judge = Judge::new(1, &[(0, vec![0]), (1, vec![0]), (3, vec![0])], true);
    judge.begin();
    judge.left(1, 0);
    ack(&mut judge, 1, 1);
    judge.entered(1, 0, 0);
    judge.saw(2, 3, &entry(1, 1), How::Push);
    assert_eq!(judge.kept(), 1, "user 1 has it not yet");
    push(&mut judge, 1, 1, 1);
    assert_eq!(judge.kept(), 0);
    assert_eq!(found(judge), [0; 5]);
}

#[test]
fn what_a_conversation_that_is_no_room_leaves_out_is_lost() {
    let mut judge = good();
    ack(&mut judge, 4, 4);
    judge.skipped(1, 0, 4, 4);
    assert_eq!(judge.figures.skipped, 0);
    assert_eq!(found(judge), [1, 0, 0, 0, 0]);
}

#[test]
fn a_place_of_a_room_that_nobody_saw_is_not_compared() {
    let mut judge = good_room();
    (0..2).for_each(|at| judge.skipped(at, 0, 4, 4));
    let summary = judge.finish();
    assert!(summary.findings.is_clean(), "{summary:?}");
    assert_eq!((summary.uncompared, summary.uncompared_rooms), (0, 1));
}

#[test]
fn what_a_room_did_not_say_that_it_skipped_is_lost() {
    let mut judge = good_room();
    ack(&mut judge, 4, 4);
    ack(&mut judge, 5, 5);
    judge.skipped(1, 0, 5, 5);
    assert_eq!(judge.hole(1, 0), Some(false));
    assert_eq!(found(judge), [1, 0, 0, 0, 0]);
}

#[test]
fn what_two_generators_saw_is_compared() {
    let part = |seqs: &[(u64, u32)]| {
        let mut judge = judge();
        for (seq, ordinal) in seqs {
            ack(&mut judge, *seq, *ordinal);
            push(&mut judge, 1, *seq, *ordinal);
        }
        judge.finish()
    };
    let (one, other, short) = (part(&[(1, 1), (2, 2)]), part(&[(1, 1), (2, 3)]), part(&[(1, 1)]));
    assert!(merge(&[one.clone(), one.clone()]).findings.is_clean());
    assert_eq!(merge(&[one.clone(), other]).findings.reordered, 1);
    assert_eq!(merge(&[one.clone(), short]).findings.lost, 1);
    let nothing = part(&[]);
    assert_eq!(merge(&[one.clone(), nothing.clone()]).findings.lost, 1, "the other's viewers saw nothing of it");
    assert_eq!(merge(&[nothing, one]).findings.lost, 1);
}

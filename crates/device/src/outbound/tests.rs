//! Windows, lag and what is told after it.

use super::*;

const GROUP: ConversationKey = ConversationKey::Group(10_000_001);
const ROOM: ConversationKey = ConversationKey::Room(10_000_002);

fn outbound(frames: usize) -> Outbound {
    Outbound::new(1, Codec::Json, Window { frames, bytes: 1000 })
}

fn push_all(outbound: &Outbound, key: ConversationKey, seqs: std::ops::RangeInclusive<Seq>) {
    let frame = Shared::new(push(server_frame::Body::Ok(mynah_proto::device::Ok::default())));
    for seq in seqs {
        outbound.push(&frame, key, seq, None);
    }
}

fn pushes(outbound: &Outbound, now: Instant) -> Vec<Option<server_frame::Body>> {
    let text = |frame: &Wire| match frame {
        Wire::Text(text) => mynah_proto::json::decode_server(text.as_str()).unwrap(),
        Wire::Binary(_) => panic!("not JSON"),
    };
    outbound.take(now).frames.iter().map(|frame| text(frame).body).collect()
}

fn heads(body: Option<server_frame::Body>) -> Vec<Seq> {
    let Some(server_frame::Body::Heads(heads)) = body else { panic!("no heads: {body:?}") };
    heads.items.iter().map(|head| head.head_seq).collect()
}

#[test]
fn beyond_the_window_only_heads_tell_once_a_second() {
    let (outbound, now) = (outbound(2), Instant::now());
    push_all(&outbound, GROUP, 1..=5);
    let mut first = pushes(&outbound, now);
    assert_eq!(first.len(), 3);
    assert_eq!(heads(first.remove(2)), [5]);
    push_all(&outbound, GROUP, 6..=7);
    let taken = outbound.take(now);
    assert!(taken.frames.is_empty());
    assert_eq!(taken.again_at, Some(now + HEADS_EVERY));
    let mut later = pushes(&outbound, now + HEADS_EVERY);
    assert_eq!((heads(later.remove(0)), later.len()), (vec![7], 0));
}

#[test]
fn acknowledgements_end_the_lag_and_what_moved_last_is_told_before_anything_new() {
    let (outbound, now) = (outbound(2), Instant::now());
    push_all(&outbound, GROUP, 1..=3);
    outbound.take(now);
    push_all(&outbound, GROUP, 4..=4);
    outbound.ack(&HashMap::from([(GROUP, 2)]));
    let mut told = pushes(&outbound, now);
    assert_eq!((heads(told.remove(0)), told.len()), (vec![4], 0));
    push_all(&outbound, GROUP, 5..=5);
    assert_eq!(outbound.take(now).frames.len(), 1);
}

#[test]
fn a_room_that_was_not_followed_says_what_was_skipped() {
    let (outbound, now) = (outbound(1), Instant::now());
    push_all(&outbound, ROOM, 7..=9);
    let told = pushes(&outbound, now);
    let Some(server_frame::Body::Skipped(skipped)) = &told[1] else { panic!("{told:?}") };
    assert_eq!((skipped.from_seq, skipped.to_seq), (8, 9));
}

#[test]
fn a_room_needs_no_acknowledgements_and_takes_no_place_in_the_window() {
    let (outbound, now) = (outbound(2), Instant::now());
    for seq in 1..=10 {
        push_all(&outbound, ROOM, seq..=seq);
        assert_eq!(outbound.take(now).frames.len(), 1);
    }
    push_all(&outbound, GROUP, 1..=1);
    assert_eq!(outbound.take(now).frames.len(), 1);
    push_all(&outbound, GROUP, 2..=3);
    let mut told = pushes(&outbound, now);
    assert_eq!((told.len(), heads(told.remove(1))), (2, vec![3]));
    // One that lags elsewhere goes on hearing its room.
    push_all(&outbound, ROOM, 11..=11);
    assert_eq!(outbound.take(now).frames.len(), 1);
}

#[test]
fn what_a_full_queue_left_out_of_a_room_is_told_before_what_it_says_next() {
    let (outbound, now) = (outbound(2), Instant::now());
    push_all(&outbound, GROUP, 1..=2);
    push_all(&outbound, ROOM, 1..=1);
    let told = outbound.take(now).frames.len();
    push_all(&outbound, ROOM, 2..=2);
    assert_eq!((told, outbound.take(now).frames.len()), (3, 1));
    let frame = Shared::new(push(server_frame::Body::Ok(mynah_proto::device::Ok::default())));
    push_all(&outbound, ROOM, 3..=5);
    // The range of a gap joins what is left out already.
    outbound.push_all(ROOM, [Heard::Skipped { frame: &frame, range: (6, 8) }]);
    let told = pushes(&outbound, now);
    let Some(server_frame::Body::Skipped(skipped)) = &told[2] else { panic!("{told:?}") };
    assert_eq!((told.len(), skipped.from_seq, skipped.to_seq), (3, 5, 8));
}

#[test]
fn acknowledging_what_was_not_written_frees_no_room_in_the_queue() {
    let outbound = outbound(2);
    push_all(&outbound, GROUP, 1..=2);
    outbound.ack(&HashMap::from([(GROUP, 100)]));
    push_all(&outbound, GROUP, 3..=100);
    assert_eq!(outbound.take(Instant::now()).frames.len(), 3);
}

#[test]
fn too_many_conversations_behind_ask_for_a_look_at_all() {
    let outbound = outbound(0);
    for gid in 0..10_000 {
        push_all(&outbound, ConversationKey::Group(gid), 1..=1);
    }
    let now = Instant::now();
    let told = pushes(&outbound, now);
    let Some(server_frame::Body::Heads(told)) = &told[0] else { panic!("{told:?}") };
    assert_eq!((told.items.len(), told.resync_all), (MOST_BEHIND, true));
    // Who looks at all has all: nothing more is told until something moves, and that by its name.
    assert!(pushes(&outbound, now + HEADS_EVERY).is_empty());
    push_all(&outbound, ConversationKey::Group(9_999), 2..=2);
    let mut told = pushes(&outbound, now + HEADS_EVERY * 2);
    assert_eq!((heads(told.remove(0)), told.len()), (vec![2], 0));
}

#[test]
fn what_was_missed_on_the_way_here_is_told_as_heads_and_then_pushes_go_on() {
    let (outbound, now) = (outbound(2), Instant::now());
    outbound.missed(GROUP, 7);
    let mut told = pushes(&outbound, now);
    assert_eq!((heads(told.remove(0)), told.len()), (vec![7], 0));
    push_all(&outbound, GROUP, 8..=8);
    assert_eq!(outbound.take(now).frames.len(), 1);
    outbound.missed_much();
    let Some(server_frame::Body::Heads(heads)) = pushes(&outbound, now).remove(0) else { panic!("no heads") };
    assert!(heads.resync_all);
}

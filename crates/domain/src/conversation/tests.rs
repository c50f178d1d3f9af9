//! The machine as its shell drives it.

use bytes::Bytes;
use mynah_types::{Cmid, ConversationKey, MsgId, Reason, Role, Seq, Tail, Uid};

use super::*;

const GROUP: ConversationKey = ConversationKey::Group(10_000_001);

fn group(members: &[u64]) -> Machine<u32> {
    let mut machine = Machine::new(GROUP, Limits::default());
    machine.loaded(Loaded { directory_version: 1, changes: vec![change(1, members, &[])], ..Loaded::default() });
    assert!(matches!(step(&mut machine, &[]), Step::Append(_)));
    machine.appended(&[MsgId(256)]);
    machine
}

fn change(version: u64, joined: &[u64], left: &[u64]) -> Change {
    Change {
        version,
        joined: joined.iter().map(|uid| (Uid(*uid), Role::Member, false)).collect(),
        left: left.iter().map(|uid| Uid(*uid)).collect(),
        changed: Vec::new(),
        dissolved: false,
        payload: Bytes::from_static(b"event"),
        actor: Uid(0),
    }
}

fn send(sender: u64, cmid: &str, content_hash: u64) -> Command {
    Command::Send(SendCommand {
        sender: Uid(sender),
        privileged: false,
        in_room: false,
        origin_conn: 0,
        items: vec![SendItem {
            cmid: Cmid::parse(cmid).unwrap(),
            content_hash,
            payload: Bytes::from_static(b"hi"),
            no_offline: false,
            unread_delta: 1,
            mentions: Vec::new(),
            mention_all: false,
            sensitive: false,
        }],
    })
}

fn step(machine: &mut Machine<u32>, facts: &[Fact]) -> Step<u32> {
    let lookups = machine.begin().unwrap();
    machine.decide(1000, lookups, facts.to_vec())
}

fn only(answers: Vec<(u32, Answer)>) -> Result<Sent, Refusal> {
    match answers.into_iter().next() {
        Some((_, Answer::Sent(mut results))) => results.remove(0),
        other => panic!("{other:?}"),
    }
}

fn sent(machine: &mut Machine<u32>, command: Command, id: u64) -> Sent {
    machine.offer(command, 1).unwrap();
    assert!(matches!(step(machine, &[]), Step::Append(_)));
    only(machine.appended(&[MsgId(id)]).answers).unwrap()
}

#[test]
fn commands_that_gather_become_one_append_with_gapless_seqs() {
    let mut machine = group(&[1, 2]);
    for (ticket, cmid) in ["a", "b", "c"].iter().enumerate() {
        machine.offer(send(1, cmid, 7), u32::try_from(ticket).unwrap()).unwrap();
    }
    let Step::Append(append) = step(&mut machine, &[]) else { panic!("nothing to append") };
    assert_eq!(append.expected_head, 1);
    assert_eq!(append.entries.iter().map(|e| e.seq).collect::<Vec<Seq>>(), [2, 3, 4]);
    machine.offer(send(1, "d", 7), 3).unwrap();
    assert!(machine.begin().is_none(), "one append at a time");
    let done = machine.appended(&[MsgId(512), MsgId(768), MsgId(1024)]);
    assert_eq!((done.answers.len(), done.deliver.len()), (3, 3));
}

#[test]
fn a_retry_gets_the_first_answer_even_after_the_sender_was_removed() {
    let mut machine = group(&[1, 2]);
    let first = sent(&mut machine, send(1, "a", 7), 512);
    machine.offer(Command::Apply(vec![change(2, &[], &[1])]), 1).unwrap();
    step(&mut machine, &[]);
    machine.appended(&[MsgId(768)]);
    machine.offer(send(1, "a", 7), 1).unwrap();
    let Step::Ready(answers) = step(&mut machine, &[]) else { panic!("appended twice") };
    assert_eq!(only(answers), Ok(Sent { duplicate: true, ..first }));
    machine.offer(send(1, "b", 7), 1).unwrap();
    let Step::Ready(answers) = step(&mut machine, &[]) else { panic!("a non-member sent") };
    assert_eq!(only(answers), Err(Refusal::from(Reason::SenderNotMember)));
}

#[test]
fn the_same_cmid_twice_in_one_batch_is_one_entry() {
    let mut machine = group(&[1]);
    machine.offer(send(1, "a", 7), 1).unwrap();
    machine.offer(send(1, "a", 7), 2).unwrap();
    machine.offer(send(1, "a", 8), 3).unwrap();
    let Step::Append(append) = step(&mut machine, &[]) else { panic!("nothing to append") };
    assert_eq!(append.entries.len(), 1);
    let answers = machine.appended(&[MsgId(512)]).answers;
    let results: Vec<_> = answers.into_iter().map(|answer| only(vec![answer])).collect();
    assert_eq!(results[0].as_ref().map(|s| (s.seq, s.duplicate)), Ok((2, false)));
    assert_eq!(results[1].as_ref().map(|s| (s.seq, s.msg_id, s.duplicate)), Ok((2, MsgId(512), true)));
    let conflict = results[2].unwrap_err();
    assert_eq!((conflict.reason, conflict.first.unwrap().msg_id), (Reason::CmidConflict, MsgId(512)));
}

#[test]
fn a_cmid_that_the_window_does_not_cover_is_looked_up() {
    let mut machine: Machine<u32> = Machine::new(GROUP, Limits { window: 1, ..Limits::default() });
    let tail = Tail { head_seq: 50, recent_from: 50, ..Tail::default() };
    let loaded = Loaded { tail, directory_version: 1, changes: vec![change(1, &[1], &[])], ..Loaded::default() };
    machine.loaded(loaded);
    step(&mut machine, &[]);
    machine.appended(&[MsgId(256)]);
    machine.offer(send(1, "old", 7), 1).unwrap();
    let lookups = machine.begin().unwrap();
    assert_eq!(lookups, [Lookup::Send { sender: Uid(1), cmid: Cmid::parse("old").unwrap() }]);
    let first = mynah_types::FirstAnswer { seq: 3, msg_id: MsgId(9), ctime: 5, content_hash: 7 };
    let Step::Ready(answers) = machine.decide(1000, lookups, vec![Fact::Send(Some(first))]) else { panic!("doubled") };
    assert_eq!(only(answers), Ok(Sent { msg_id: MsgId(9), seq: 3, ctime: 5, duplicate: true }));
}

#[test]
fn an_append_of_unknown_outcome_answers_as_a_duplicate_if_it_was_written() {
    let mut machine = group(&[1]);
    machine.offer(send(1, "a", 7), 1).unwrap();
    step(&mut machine, &[]);
    machine.failed();
    assert!(machine.needs_load());
    let first = mynah_types::FirstAnswer { seq: 2, msg_id: MsgId(512), ctime: 1000, content_hash: 7 };
    let recent = vec![mynah_types::RecentSend { sender: Uid(1), cmid: Cmid::parse("a").unwrap(), first }];
    let tail = Tail { head_seq: 2, recent, recent_from: 1, ..Tail::default() };
    machine.loaded(Loaded { tail, directory_version: 1, ..Loaded::default() });
    let Step::Ready(answers) = step(&mut machine, &[]) else { panic!("written twice") };
    assert_eq!(only(answers).map(|s| (s.seq, s.duplicate)), Ok((2, true)));
}

#[test]
fn changes_apply_once_in_order_and_a_gap_is_filled_or_refused() {
    let mut machine = group(&[1]);
    machine.offer(Command::Apply(vec![change(3, &[3], &[])]), 1).unwrap();
    let lookups = machine.begin().unwrap();
    assert_eq!(lookups, [Lookup::Changes { after: 1 }]);
    let missing = vec![change(2, &[2], &[]), change(3, &[3], &[])];
    let Step::Append(append) = machine.decide(1000, lookups, vec![Fact::Changes(missing)]) else { panic!("nothing") };
    assert_eq!(append.entries.iter().map(|e| e.member_version).collect::<Vec<_>>(), [2, 3]);
    let done = machine.appended(&[MsgId(512), MsgId(768)]);
    assert_eq!(done.answers, [(1, Answer::Applied(Ok(3)))]);
    machine.offer(Command::Apply(vec![change(2, &[2], &[])]), 1).unwrap();
    assert!(matches!(step(&mut machine, &[]), Step::Ready(_)), "an old change made an entry");
}

#[test]
fn a_directory_older_than_the_log_decides_nothing() {
    let mut machine: Machine<u32> = Machine::new(GROUP, Limits::default());
    let mut tail = Tail { head_seq: 9, recent_from: 1, ..Tail::default() };
    tail.meta.member_version = 4;
    machine.loaded(Loaded { tail, directory_version: 3, ..Loaded::default() });
    machine.offer(send(1, "a", 7), 1).unwrap();
    let Step::Ready(answers) = step(&mut machine, &[]) else { panic!("appended") };
    assert_eq!(only(answers), Err(Refusal::from(Reason::Unavailable)));
}

#[test]
fn what_the_log_has_applied_is_not_applied_again_by_who_loads_it() {
    let mut machine: Machine<u32> = Machine::new(GROUP, Limits::default());
    let mut tail = Tail { head_seq: 100_000, recent_from: 100_000, ..Tail::default() };
    tail.meta.member_version = 4;
    machine.loaded(Loaded { tail, directory_version: 5, changes: vec![change(5, &[1], &[])], ..Loaded::default() });
    machine.offer(Command::Apply(vec![change(4, &[9], &[]), change(5, &[1], &[])]), 1).unwrap();
    let Step::Append(append) = step(&mut machine, &[]) else { panic!("nothing to append") };
    assert_eq!(append.entries.iter().map(|e| (e.seq, e.member_version)).collect::<Vec<_>>(), [(100_001, 5)]);
}

#[test]
fn a_dissolution_ends_sending_and_a_retry_of_before_gets_its_answer() {
    let mut machine = group(&[1, 2]);
    let first = sent(&mut machine, send(1, "a", 7), 512);
    machine.offer(Command::Apply(vec![Change { dissolved: true, ..change(2, &[], &[]) }]), 1).unwrap();
    step(&mut machine, &[]);
    machine.appended(&[MsgId(768)]);
    for (cmid, expected) in [("b", Err(Refusal::from(Reason::GroupNotFound))), ("a", Ok(Sent { duplicate: true, ..first }))] {
        machine.offer(send(1, cmid, 7), 1).unwrap();
        let Step::Ready(answers) = step(&mut machine, &[]) else { panic!("appended") };
        assert_eq!(only(answers), expected);
    }
}

#[test]
fn two_senders_may_use_the_same_cmid() {
    let mut machine = group(&[1, 2]);
    let of_one = sent(&mut machine, send(1, "a", 7), 512);
    let of_two = sent(&mut machine, send(2, "a", 7), 768);
    assert_eq!((of_one.seq, of_two.seq, of_two.duplicate), (2, 3, false));
    machine.offer(send(2, "a", 7), 1).unwrap();
    let Step::Ready(answers) = step(&mut machine, &[]) else { panic!("appended twice") };
    assert_eq!(only(answers), Ok(Sent { duplicate: true, ..of_two }));
}

#[test]
fn times_never_fall_when_the_clock_steps_back() {
    let mut machine = group(&[1]);
    let mut at = |now, cmid, id| {
        machine.offer(send(1, cmid, 7), 1).unwrap();
        let lookups = machine.begin().unwrap();
        assert!(matches!(machine.decide(now, lookups, Vec::new()), Step::Append(_)));
        only(machine.appended(&[MsgId(id)]).answers).unwrap().ctime
    };
    assert_eq!([at(5000, "a", 512), at(3000, "b", 768), at(6000, "c", 1024)], [5000, 5000, 6000]);
}

#[test]
fn a_full_queue_gives_the_command_back() {
    let mut machine: Machine<u32> = Machine::new(GROUP, Limits { pending: 1, ..Limits::default() });
    machine.offer(send(1, "a", 7), 1).unwrap();
    assert!(machine.offer(send(1, "b", 7), 2).is_err());
}

fn feed() -> Machine<u32> {
    let limits = Limits { feed_entries: 10, ..Limits::default() };
    let mut machine = Machine::new(ConversationKey::Feed(Uid(7)), limits);
    machine.loaded(Loaded { tail: Tail { recent_from: 1, ..Tail::default() }, ..Loaded::default() });
    machine
}

fn post(ids: std::ops::RangeInclusive<u64>) -> Command {
    let item = |id| PostItem { id: Cmid::parse(&format!("e{id}")).unwrap(), payload: Bytes::from_static(b"event") };
    Command::Post(ids.map(item).collect())
}

/// Posts, and tells the seqs that came of it and from where entries are dropped.
fn posted(machine: &mut Machine<u32>, command: Command, facts: &[Fact]) -> (Vec<Seq>, Seq) {
    machine.offer(command, 1).unwrap();
    match step(machine, facts) {
        Step::Append(append) => {
            let ids: Vec<MsgId> = append.entries.iter().map(|entry| MsgId(entry.seq * 256)).collect();
            let answers = machine.appended(&ids).answers;
            assert_eq!(answers, [(1, Answer::Posted(Ok(())))]);
            (append.entries.iter().map(|entry| entry.seq).collect(), append.drop_below)
        }
        Step::Ready(answers) => {
            assert_eq!(answers, [(1, Answer::Posted(Ok(())))]);
            (Vec::new(), 0)
        }
    }
}

#[test]
fn an_event_comes_into_a_feed_once_however_often_it_is_posted() {
    let mut machine = feed();
    assert_eq!(posted(&mut machine, post(1..=3), &[]).0, [1, 2, 3]);
    assert_eq!(posted(&mut machine, post(2..=4), &[Fact::KeptFrom(1)]).0, [4]);
    assert_eq!(posted(&mut machine, post(1..=4), &[Fact::KeptFrom(1)]).0, [] as [Seq; 0]);
    // A feed takes no event by way of a group, and a group none by way of a feed.
    let mut group = group(&[1]);
    group.offer(post(1..=1), 1).unwrap();
    let Step::Ready(answers) = step(&mut group, &[Fact::KeptFrom(1)]) else { panic!("a group took it") };
    assert_eq!(answers, [(1, Answer::Posted(Err(Reason::ConversationNotFound.into())))]);
}

#[test]
fn an_event_that_the_window_does_not_cover_is_looked_up() {
    let mut machine: Machine<u32> = Machine::new(ConversationKey::Feed(Uid(7)), Limits { window: 1, ..Limits::default() });
    machine.loaded(Loaded { tail: Tail { head_seq: 50, recent_from: 50, ..Tail::default() }, ..Loaded::default() });
    let first = mynah_types::FirstAnswer { seq: 3, msg_id: MsgId(9), ctime: 5, content_hash: 0 };
    let facts = [Fact::Send(Some(first)), Fact::Send(None), Fact::KeptFrom(1)];
    assert_eq!(posted(&mut machine, post(1..=2), &facts).0, [51]);
}

#[test]
fn a_feed_keeps_its_newest_events_and_none_that_are_too_old() {
    let mut machine = feed();
    let (mut first, mut dropped) = (1, Vec::new());
    for id in 1..=200 {
        let (_, below) = posted(&mut machine, post(id..=id), &[Fact::KeptFrom(first)]);
        if below > 0 {
            assert!(below > first && below <= id, "{below} at {id}");
            first = below;
            dropped.push(below);
        }
        assert!(id - first < 10 + 64, "{id} entries from {first}");
    }
    assert!(dropped.len() == 2, "many at a time: {dropped:?}");
    // By age: all but the newest are too old, and the newest always stays.
    assert_eq!(posted(&mut machine, post(201..=201), &[Fact::KeptFrom(201)]).1, 200);
}

fn hide(machine: &mut Machine<u32>, uid: u64, hidden: bool, open: Option<Seq>) -> Result<Vec<mynah_types::Hidden>, Refusal> {
    machine.offer(Command::Hide(HideCommand { uid: Uid(uid), hidden }), 1).unwrap();
    let (rows, answers) = match step(machine, &[Fact::Hidden(open)]) {
        Step::Append(append) => (append.hidden, machine.appended(&[]).answers),
        Step::Ready(answers) => (Vec::new(), answers),
    };
    let Some((_, Answer::Hidden(outcome))) = answers.into_iter().next() else { panic!("another answer") };
    outcome.map(|()| rows.into_iter().map(|(_, row)| row).collect())
}

#[test]
fn a_shield_begins_behind_the_head_and_ends_with_it() {
    use mynah_types::Hidden;
    let mut machine = group(&[1, 2]);
    assert_eq!(hide(&mut machine, 2, true, None), Ok(vec![Hidden { from: 2, until: None }]));
    assert_eq!(hide(&mut machine, 2, true, Some(2)), Ok(vec![]), "it is up");
    sent(&mut machine, send(1, "a", 7), 512);
    assert_eq!(hide(&mut machine, 2, false, Some(2)), Ok(vec![Hidden { from: 2, until: Some(2) }]));
    assert_eq!(hide(&mut machine, 2, false, None), Ok(vec![]), "it is down");
    assert_eq!(hide(&mut machine, 9, true, None), Err(Refusal::from(Reason::NotInNamedGroup)));
    // Who left and came back begins anew: the open stretch is of his earlier stay.
    for (version, joined, left, id) in [(2, &[][..], &[2][..], 768), (3, &[2], &[], 1024)] {
        machine.offer(Command::Apply(vec![change(version, joined, left)]), 1).unwrap();
        step(&mut machine, &[]);
        machine.appended(&[MsgId(id)]);
    }
    assert_eq!(hide(&mut machine, 2, true, Some(2)), Ok(vec![Hidden { from: 5, until: None }]));
    // Up and down in one batch leaves an empty stretch, which the log takes out.
    machine.offer(Command::Hide(HideCommand { uid: Uid(1), hidden: true }), 1).unwrap();
    machine.offer(Command::Hide(HideCommand { uid: Uid(1), hidden: false }), 2).unwrap();
    let Step::Append(append) = step(&mut machine, &[Fact::Hidden(None)]) else { panic!("nothing to write") };
    assert_eq!(append.hidden, [(Uid(1), Hidden { from: 5, until: Some(4) })]);
}

#[test]
fn words_refuse_what_may_be_sent_otherwise_and_no_retry() {
    let mut machine = group(&[1]);
    let first = sent(&mut machine, send(1, "a", 7), 512);
    let sensitive = |sender, cmid| match send(sender, cmid, 7) {
        Command::Send(mut send) => {
            send.items[0].sensitive = true;
            Command::Send(send)
        }
        other => other,
    };
    for (command, expected) in [
        (sensitive(1, "a"), Ok(Sent { duplicate: true, ..first })),
        (sensitive(1, "b"), Err(Refusal::from(Reason::SensitiveWord))),
        (sensitive(2, "c"), Err(Refusal::from(Reason::SenderNotMember))),
    ] {
        machine.offer(command, 1).unwrap();
        let Step::Ready(answers) = step(&mut machine, &[]) else { panic!("appended") };
        assert_eq!(only(answers), expected);
    }
}

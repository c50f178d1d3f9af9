//! The rules.

use std::collections::{BTreeMap, HashMap};

use crate::calls::calls;
use crate::notes::{Conversation, Oracle, Seen, View, What};
use crate::verdict::Verdict;

pub(crate) fn judge(oracle: &Oracle) -> Verdict {
    let mut verdict = Verdict::default();
    for (id, conversation) in &oracle.conversations {
        let log = one_entry_a_place(id, conversation, &mut verdict);
        order(id, conversation, &log, &mut verdict);
        acknowledged(id, conversation, &log, &mut verdict);
        let called = calls(id, conversation, &log, &mut verdict);
        views(id, conversation, &log, &called, &mut verdict);
        verdict.refused += conversation.refusals.len() as u64;
        conversation.refusals.iter().for_each(|refusal| verdict.tell(|| format!("{id}: {refusal}")));
    }
    verdict
}

/// Every viewer sees the same entry at a place.
fn one_entry_a_place<'a>(id: &str, conversation: &'a Conversation, verdict: &mut Verdict) -> BTreeMap<u64, &'a Seen> {
    let mut log = BTreeMap::new();
    for (seq, seen) in &conversation.entries {
        if seen.len() > 1 {
            verdict.reordered += 1;
            verdict.tell(|| format!("{id} has {} entries at {seq}: {seen:?}", seen.len()));
        }
        log.extend(seen.first().map(|first| (*seq, first)));
    }
    log
}

/// Ids rise with places, a message has one place, a sender's messages lie in the order in which he sent them.
fn order(id: &str, conversation: &Conversation, log: &BTreeMap<u64, &Seen>, verdict: &mut Verdict) {
    let mut places: HashMap<(&str, &str), u64> = HashMap::new();
    let mut newest: HashMap<&str, u64> = HashMap::new();
    let mut id_before = 0;
    for (seq, seen) in log {
        if seen.msg_id <= id_before {
            verdict.reordered += 1;
            verdict.tell(|| format!("{id} has at {seq} the id {}, after {id_before}", seen.msg_id));
        }
        id_before = seen.msg_id;
        let What::Message { sender, cmid, content } = &seen.what else { continue };
        if let Some(before) = places.insert((sender, cmid), *seq) {
            verdict.doubled += 1;
            verdict.tell(|| format!("{id} has {sender}'s {cmid} at {before} and at {seq}"));
            continue;
        }
        let Some(offer) = conversation.offers.get(&(sender.clone(), cmid.clone())) else { continue };
        if offer.content != *content {
            verdict.reordered += 1;
            verdict.tell(|| format!("{id} has {content:?} for {sender}'s {cmid}, which was {:?}", offer.content));
        }
        if offer.refused {
            verdict.denied += 1;
            verdict.tell(|| format!("{id} has at {seq} {sender}'s {cmid}, which was refused"));
        }
        if offer.abandoned {
            continue;
        }
        let last = newest.entry(sender).or_default();
        if offer.ordinal <= *last {
            verdict.reordered += 1;
            verdict.tell(|| format!("{id} has {sender}'s message number {} at {seq}, after number {last}", offer.ordinal));
        }
        *last = offer.ordinal.max(*last);
    }
}

/// What was acknowledged lies where the answer said, however often it was answered.
fn acknowledged(id: &str, conversation: &Conversation, log: &BTreeMap<u64, &Seen>, verdict: &mut Verdict) {
    for ((sender, cmid), offer) in &conversation.offers {
        let Some(first) = offer.acks.first() else { continue };
        if offer.acks.iter().any(|ack| ack != first) {
            verdict.doubled += 1;
            verdict.tell(|| format!("{id}: {sender}'s {cmid} was answered in more than one way: {:?}", offer.acks));
        }
        let Some(seen) = log.get(&first.seq) else {
            // Those who must have it are judged one by one; where nobody must, whoever holds the range whole tells.
            let covered = |view: &View| view.covered.iter().any(|(from, to)| (*from..=*to).contains(&first.seq));
            if conversation.open && conversation.views.values().any(covered) {
                verdict.lost += 1;
                verdict.tell(|| format!("{id}: {sender}'s {cmid} was acknowledged at {first:?}, where nothing lies"));
            }
            continue;
        };
        let is_it = matches!(&seen.what, What::Message { sender: s, cmid: c, .. } if s == sender && c == cmid);
        if !is_it || seen.msg_id != first.msg_id {
            verdict.lost += 1;
            verdict.tell(|| format!("{id}: {sender}'s {cmid} was acknowledged at {first:?}, where {seen:?} lies"));
        }
    }
}

/// Who must have an acknowledged message, has it; who was told to hold a range whole, does; nobody has what is not for him. `called` are the
/// places of what calls were answered with.
fn views(id: &str, conversation: &Conversation, log: &BTreeMap<u64, &Seen>, called: &[u64], verdict: &mut Verdict) {
    let id_at = |seq: u64| log.get(&seq).map(|seen| seen.msg_id);
    let sent = conversation.offers.values().filter_map(|offer| Some(offer.acks.first()?.seq));
    let acked: Vec<u64> = sent.chain(called.iter().copied()).collect();
    for (viewer, duties) in &conversation.duties {
        let must = |seq: u64| duties.iter().any(|duty| duty.holds(seq, id_at(seq)));
        let has = |seq: u64| conversation.views.get(viewer).is_some_and(|view| view.seqs.contains(&seq));
        for seq in acked.iter().filter(|seq| must(**seq) && !has(**seq)) {
            verdict.lost += 1;
            verdict.tell(|| format!("{id}: {viewer} never got the acknowledged message at {seq}"));
        }
    }
    for (viewer, view) in &conversation.views {
        let rights = conversation.rights.get(viewer);
        let may = |seq: u64| conversation.open || rights.is_some_and(|r| r.iter().any(|right| right.holds(seq, id_at(seq))));
        for seq in view.seqs.iter().filter(|seq| !may(**seq)) {
            verdict.leaked += 1;
            verdict.tell(|| format!("{id}: {viewer} saw {seq}, which is not for him"));
        }
        let duties = conversation.duties.get(viewer);
        let must = |seq: u64| conversation.open || duties.is_some_and(|d| d.iter().any(|duty| duty.holds(seq, id_at(seq))));
        for (from, to) in &view.covered {
            let missing = log.range(*from..=*to).map(|(seq, _)| *seq).filter(|seq| must(*seq) && !view.seqs.contains(seq));
            for seq in missing {
                verdict.lost += 1;
                verdict.tell(|| format!("{id}: {viewer} was told to hold {from} to {to}, and has not {seq}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notes::Ack;

    fn message(seq: u64, msg_id: u64, cmid: &str) -> Seen {
        Seen { seq, msg_id, what: What::Message { sender: "ann".into(), cmid: cmid.into(), content: cmid.into() } }
    }

    /// Ann sends a and b to Tom, who gets both.
    fn good() -> Oracle {
        let mut oracle = Oracle::new();
        for viewer in ["ann", "tom"] {
            oracle.must_see("c", viewer, 1, u64::MAX);
            oracle.covered("c", viewer, 1, 2);
        }
        for (seq, cmid) in [(1, "a"), (2, "b")] {
            oracle.offer("c", "ann", cmid, cmid);
            oracle.ack("c", "ann", cmid, Ack { seq, msg_id: seq * 10 });
            for viewer in ["ann", "tom"] {
                oracle.saw("c", viewer, message(seq, seq * 10, cmid));
            }
        }
        oracle
    }

    fn found(oracle: &Oracle) -> [bool; 6] {
        let Verdict { lost, doubled, reordered, denied, leaked, refused, .. } = oracle.judge();
        [lost, doubled, reordered, denied, leaked, refused].map(|count| count > 0)
    }

    const CLEAN: [bool; 6] = [false; 6];
    const LOST: [bool; 6] = [true, false, false, false, false, false];
    const DOUBLED: [bool; 6] = [false, true, false, false, false, false];
    const REORDERED: [bool; 6] = [false, false, true, false, false, false];
    const DENIED: [bool; 6] = [false, false, false, true, false, false];
    const LEAKED: [bool; 6] = [false, false, false, false, true, false];
    const REFUSED: [bool; 6] = [false, false, false, false, false, true];

    #[test]
    fn a_good_run_is_clean_and_repeats_of_the_same_are_no_fault() {
        let mut oracle = good();
        oracle.saw("c", "tom", message(1, 10, "a"));
        oracle.ack("c", "ann", "a", Ack { seq: 1, msg_id: 10 });
        assert_eq!(found(&oracle), CLEAN);
    }

    #[test]
    fn an_acknowledged_message_that_one_viewer_lacks_is_lost() {
        let mut oracle = good();
        oracle.offer("c", "ann", "d", "d");
        oracle.ack("c", "ann", "d", Ack { seq: 3, msg_id: 30 });
        oracle.saw("c", "ann", message(3, 30, "d"));
        assert_eq!(found(&oracle), LOST);
    }

    #[test]
    fn a_range_that_is_not_whole_is_lost_even_without_an_acknowledgement() {
        let mut oracle = good();
        oracle.saw("c", "ann", message(3, 30, "never acknowledged"));
        assert_eq!(found(&oracle), CLEAN);
        oracle.covered("c", "tom", 1, 3);
        assert_eq!(found(&oracle), LOST);
    }

    #[test]
    fn another_message_where_the_answer_said_is_lost() {
        let mut oracle = good();
        oracle.offer("c", "ann", "d", "d");
        oracle.ack("c", "ann", "d", Ack { seq: 2, msg_id: 20 });
        assert_eq!(found(&oracle), LOST);
    }

    #[test]
    fn one_message_at_two_places_or_with_two_answers_is_doubled() {
        let mut oracle = good();
        oracle.saw("c", "tom", message(3, 30, "a"));
        assert_eq!(found(&oracle), DOUBLED);
        let mut oracle = good();
        oracle.ack("c", "ann", "a", Ack { seq: 3, msg_id: 30 });
        assert_eq!(found(&oracle), DOUBLED);
    }

    #[test]
    fn two_entries_at_a_place_or_ids_or_messages_out_of_order_are_reordered() {
        let mut oracle = good();
        oracle.saw("c", "tom", Seen { seq: 2, msg_id: 21, what: What::Other("x".into()) });
        assert_eq!(found(&oracle), REORDERED);
        let mut oracle = good();
        oracle.saw("c", "tom", message(3, 15, "x"));
        assert_eq!(found(&oracle), REORDERED);
        let mut oracle = Oracle::new();
        oracle.may_see("c", "tom", 1, 9);
        oracle.offer("c", "ann", "a", "a");
        oracle.offer("c", "ann", "b", "b");
        oracle.saw("c", "tom", message(1, 10, "b"));
        oracle.saw("c", "tom", message(2, 20, "a"));
        assert_eq!(found(&oracle), REORDERED);
    }

    #[test]
    fn what_is_seen_by_a_stranger_or_beyond_the_leaving_is_leaked() {
        let mut oracle = good();
        oracle.saw("c", "eve", message(1, 10, "a"));
        assert_eq!(found(&oracle), LEAKED);
        let mut oracle = Oracle::new();
        oracle.may_see("c", "tom", 1, 1);
        oracle.saw("c", "tom", message(1, 10, "a"));
        assert_eq!(found(&oracle), CLEAN);
        oracle.saw("c", "tom", message(2, 20, "b"));
        assert_eq!(found(&oracle), LEAKED);
    }

    #[test]
    fn what_was_refused_and_is_there_is_denied() {
        let mut oracle = good();
        oracle.refused("c", "ann", "a");
        assert_eq!(found(&oracle), DENIED);
    }

    #[test]
    fn what_was_refused_with_nothing_against_it_is_a_fault() {
        let mut oracle = good();
        oracle.offer("c", "ann", "d", "d");
        oracle.refused("c", "ann", "d");
        assert_eq!(found(&oracle), CLEAN);
        oracle.offer("c", "ann", "e", "e");
        oracle.refused_wrongly("c", "ann", "e", "803005");
        assert_eq!(found(&oracle), REFUSED);
    }

    #[test]
    fn a_room_is_open_to_all_and_nobody_has_to_see_it_but_who_stays() {
        let mut oracle = Oracle::new();
        oracle.open_to_all("r");
        oracle.offer("r", "ann", "a", "a");
        oracle.ack("r", "ann", "a", Ack { seq: 1, msg_id: 10 });
        oracle.saw("r", "tom", message(1, 10, "a"));
        assert_eq!(found(&oracle), CLEAN);
        oracle.offer("r", "ann", "b", "b");
        oracle.ack("r", "ann", "b", Ack { seq: 2, msg_id: 20 });
        assert_eq!(found(&oracle), CLEAN);
        oracle.must_see("r", "tom", 3, u64::MAX);
        assert_eq!(found(&oracle), CLEAN);
        oracle.must_see("r", "tom", 2, u64::MAX);
        assert_eq!(found(&oracle), LOST);
        oracle.saw("r", "tom", message(2, 20, "b"));
        assert_eq!(found(&oracle), CLEAN);
        oracle.covered("r", "eve", 1, 2);
        assert_eq!(found(&oracle), LOST);
    }
}

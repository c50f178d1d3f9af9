//! The rules for messages that an app's server sends: a call has one message at most, and exactly one if it was answered.

use std::collections::{BTreeMap, HashMap};

use crate::notes::{Conversation, Seen, What};
use crate::verdict::Verdict;

/// Judges the calls of a conversation. Returns the places of what they were answered with.
pub(crate) fn calls(id: &str, conversation: &Conversation, log: &BTreeMap<u64, &Seen>, verdict: &mut Verdict) -> Vec<u64> {
    let mut places: HashMap<&str, u64> = HashMap::new();
    let mut newest: HashMap<&str, u64> = HashMap::new();
    for (seq, seen) in log {
        let What::Message { sender, content, .. } = &seen.what else { continue };
        let Some(call) = conversation.calls.get(content) else { continue };
        if let Some(before) = places.insert(content, *seq) {
            verdict.doubled += 1;
            verdict.tell(|| format!("{id} has the one call {content} at {before} and at {seq}"));
            continue;
        }
        if call.sender != *sender {
            verdict.reordered += 1;
            verdict.tell(|| format!("{id} has {content} at {seq} as {sender}'s, which is {}'s", call.sender));
        }
        if call.refused {
            verdict.denied += 1;
            verdict.tell(|| format!("{id} has at {seq} the call {content}, which was or had to be refused"));
        }
        // What was not answered may take effect later.
        if call.ids.is_empty() {
            continue;
        }
        let last = newest.entry(&call.sender).or_default();
        if call.ordinal < *last {
            verdict.reordered += 1;
            verdict.tell(|| format!("{id} has {}'s call number {} at {seq}, after number {last}", call.sender, call.ordinal));
        }
        *last = call.ordinal.max(*last);
    }
    let mut answered = Vec::new();
    for (content, call) in &conversation.calls {
        let Some(first) = call.ids.first() else { continue };
        let place = places.get(content.as_str()).copied();
        match place.and_then(|seq| log.get(&seq)) {
            Some(seen) if seen.msg_id == *first => answered.extend(place),
            seen => {
                verdict.lost += 1;
                verdict.tell(|| format!("{id}: the call {content} was answered with {first}, and there is {seen:?}"));
            }
        }
    }
    answered
}

#[cfg(test)]
mod tests {
    use crate::{Oracle, Seen, What};

    fn message(seq: u64, sender: &str, content: &str) -> Seen {
        // The server gives it an id of its own.
        let cmid = format!("made up {seq}");
        Seen { seq, msg_id: seq * 10, what: What::Message { sender: sender.into(), cmid, content: content.into() } }
    }

    /// The server says a, of which it hears, and b, of which it does not; Tom sees them in these places.
    fn seen_at(places: &[(u64, &str)]) -> Oracle {
        let mut oracle = Oracle::new();
        oracle.must_see("c", "tom", 1, u64::MAX);
        for content in ["a", "b"] {
            oracle.call("c", "server", content);
        }
        oracle.call_answered("c", "a", 10);
        for (seq, content) in places {
            oracle.saw("c", "tom", message(*seq, "server", content));
        }
        oracle
    }

    #[test]
    fn a_call_that_was_answered_is_there_once_and_one_that_was_not_at_most_once() {
        assert!(seen_at(&[(1, "a"), (2, "b")]).judge().is_clean());
        assert!(seen_at(&[(1, "a")]).judge().is_clean());
        assert_eq!(seen_at(&[(2, "b")]).judge().lost, 1);
        assert_eq!(seen_at(&[(1, "a"), (2, "a")]).judge().doubled, 1);
        assert_eq!(seen_at(&[(1, "a"), (2, "b"), (3, "b")]).judge().doubled, 1);
        assert_eq!(seen_at(&[(2, "a")]).judge().lost, 1, "another id than the answer said");
    }

    #[test]
    fn who_must_have_what_a_call_said_has_it() {
        let mut oracle = seen_at(&[(1, "a")]);
        oracle.must_see("c", "ann", 1, u64::MAX);
        assert_eq!(oracle.judge().lost, 1);
    }

    #[test]
    fn calls_that_were_answered_lie_in_their_order() {
        let mut oracle = seen_at(&[(1, "a"), (2, "d"), (3, "b")]);
        oracle.call("c", "server", "d");
        oracle.call_answered("c", "d", 20);
        assert!(oracle.judge().is_clean(), "b was not answered");
        oracle.call_answered("c", "b", 30);
        assert_eq!(oracle.judge().reordered, 1);
    }

    #[test]
    fn a_call_that_is_refused_is_not_there_and_one_that_need_not_be_is_a_fault() {
        let mut oracle = seen_at(&[(1, "a")]);
        oracle.call_refused("c", "b");
        assert!(oracle.judge().is_clean());
        oracle.saw("c", "tom", message(2, "server", "b"));
        assert_eq!(oracle.judge().denied, 1);
        let mut oracle = seen_at(&[(1, "a")]);
        oracle.call_refused_wrongly("c", "b", "803005");
        assert_eq!(oracle.judge().refused, 1);
    }

    #[test]
    fn a_stay_is_what_lies_between_what_was_said_before_and_after() {
        let mut oracle = seen_at(&[(1, "a"), (2, "b"), (3, "x"), (4, "y")]);
        oracle.offer("c", "server", "made up 3", "x");
        oracle.ack("c", "server", "made up 3", crate::Ack { seq: 3, msg_id: 30 });
        oracle.saw("c", "guest", message(2, "server", "b"));
        assert_eq!(oracle.judge().leaked, 1, "he never was in");
        oracle.stay("c", "guest", (10, 40), (30, 30));
        assert_eq!((oracle.judge().leaked, oracle.judge().lost), (0, 1), "x was said while he was in");
        oracle.saw("c", "guest", message(3, "server", "x"));
        assert!(oracle.has("c", "guest", 30) && !oracle.has("c", "guest", 40));
        oracle.saw("c", "guest", message(4, "server", "y"));
        assert_eq!((oracle.judge().leaked, oracle.judge().lost), (1, 0), "y was said after it");
    }
}

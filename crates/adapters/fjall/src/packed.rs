//! Numbers and conversations in as few bytes as they need, in the order of what they name.
//!
//! The engine keeps a key or a value of at most 20 bytes in its index itself; a longer one costs an allocation, and a pointer to follow for
//! each comparison.

use mynah_types::{ConversationKey, Seq, Uid};

/// A number in as few bytes as it needs: how many follow, then they, so that longer is greater.
pub(crate) fn push(into: &mut Vec<u8>, number: u64) {
    let bytes = number.to_be_bytes();
    let used = bytes.iter().skip_while(|byte| **byte == 0);
    into.push(u8::try_from(used.clone().count()).unwrap_or(8));
    into.extend(used);
}

/// Reads what [`push`] wrote; the second value is what follows.
fn take(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (count, rest) = bytes.split_first()?;
    let (used, rest) = rest.split_at_checked(usize::from(*count))?;
    let number = used.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte));
    (*count <= 8).then_some((number, rest))
}

/// A conversation in few bytes. None is the beginning of another.
pub(crate) fn conversation(key: ConversationKey) -> Vec<u8> {
    let (kind, first, second) = match key {
        ConversationKey::Single(a, b) => (b's', a.0, Some(b.0)),
        ConversationKey::Group(id) => (b'g', id, None),
        ConversationKey::Room(id) => (b'r', id, None),
        ConversationKey::Feed(uid) => (b'f', uid.0, None),
    };
    let mut bytes = Vec::with_capacity(20);
    bytes.push(kind);
    push(&mut bytes, first);
    second.into_iter().for_each(|second| push(&mut bytes, second));
    bytes
}

/// Reads what [`conversation`] wrote; the second value is what follows.
fn take_conversation(bytes: &[u8]) -> Option<(ConversationKey, &[u8])> {
    let (kind, rest) = bytes.split_first()?;
    let (first, rest) = take(rest)?;
    Some(match kind {
        b's' => {
            let (second, rest) = take(rest)?;
            (ConversationKey::Single(Uid(first), Uid(second)), rest)
        }
        b'g' => (ConversationKey::Group(first), rest),
        b'r' => (ConversationKey::Room(first), rest),
        b'f' => (ConversationKey::Feed(Uid(first)), rest),
        _ => return None,
    })
}

/// A place in a conversation.
pub(crate) fn place(key: ConversationKey, seq: Seq) -> Vec<u8> {
    let mut bytes = conversation(key);
    push(&mut bytes, seq);
    bytes
}

/// Reads what [`place`] wrote; none if more follows.
pub(crate) fn read_place(bytes: &[u8]) -> Option<(ConversationKey, Seq)> {
    let (key, rest) = take_conversation(bytes)?;
    take(rest).filter(|(_, rest)| rest.is_empty()).map(|(seq, _)| (key, seq))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBERS: [u64; 9] = [0, 1, 255, 256, 65_535, 65_536, 1 << 40, u64::MAX - 1, u64::MAX];

    #[test]
    fn no_conversation_is_the_beginning_of_another() {
        let keys: Vec<_> =
            NUMBERS.iter().flat_map(|a| NUMBERS.map(|b| conversation(ConversationKey::single(Uid(*a), Uid(b))))).collect();
        assert!(keys.iter().all(|a| keys.iter().all(|b| a == b || !b.starts_with(a))));
    }

    #[test]
    fn what_was_written_reads() {
        for a in NUMBERS {
            for key in [
                ConversationKey::Single(Uid(a), Uid(7)),
                ConversationKey::Group(a),
                ConversationKey::Room(a),
                ConversationKey::Feed(Uid(a)),
            ] {
                assert_eq!(read_place(&place(key, a)), Some((key, a)));
            }
        }
        assert!([&b""[..], b"s", b"x\x01\x01", b"g\x09\x01"].iter().all(|bytes| read_place(bytes).is_none()));
    }
}

//! Moving a read position: it only rises, and never past what the reader may see.

use std::collections::BTreeMap;

use mynah_types::{ConversationKey, Position, Reason};

use super::Draft;
use crate::conversation::command::{Fact, Lookup, ReadCommand, ReadDone, Refusal};
use crate::conversation::state::State;

pub(super) fn decide(
    state: &State,
    draft: &mut Draft,
    read: ReadCommand,
    facts: &BTreeMap<Lookup, Fact>,
) -> Result<ReadDone, Refusal> {
    let visible = match state.key {
        ConversationKey::Single(a, b) => (read.uid == a || read.uid == b).then_some(state.head_seq),
        ConversationKey::Feed(uid) => (uid == read.uid).then_some(state.head_seq),
        ConversationKey::Group(_) => state.member(read.uid).map(|m| m.until_seq.unwrap_or(state.head_seq)),
        // Rooms have no unread.
        ConversationKey::Room(_) => None,
    };
    let visible = visible.ok_or(Reason::ConversationNotFound)?;
    let Some(Fact::ReadMark(stored)) = facts.get(&Lookup::ReadMark(read.uid)) else {
        return Err(Reason::Unavailable.into());
    };
    let stands = draft.read_marks.get(&read.uid).copied().unwrap_or(*stored);
    let wanted = read.read_seq.min(visible);
    if wanted <= stands {
        return Ok(ReadDone { read_seq: stands, moved: false });
    }
    draft.read_marks.insert(read.uid, wanted);
    draft.mark(read.uid, Position { read_seq: wanted, ..Position::default() });
    Ok(ReadDone { read_seq: wanted, moved: true })
}

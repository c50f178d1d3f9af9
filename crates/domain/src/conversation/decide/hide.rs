//! A member's shield: what is said while it is up is not for him, whenever he reads.

use std::collections::BTreeMap;

use mynah_types::{ConversationKind, Hidden, Reason};

use super::{Draft, alive};
use crate::conversation::command::{Fact, HideCommand, Lookup, Refusal};
use crate::conversation::state::State;

pub(super) fn decide(state: &State, draft: &mut Draft, hide: HideCommand, facts: &BTreeMap<Lookup, Fact>) -> Result<(), Refusal> {
    if state.key.kind() != ConversationKind::Group {
        return Err(Reason::ConversationNotFound.into());
    }
    alive(state)?;
    let member = state.current_member(hide.uid).ok_or(Reason::NotInNamedGroup)?;
    let stored = match facts.get(&Lookup::Hidden(hide.uid)) {
        Some(Fact::Hidden(open)) => *open,
        _ => return Err(Reason::Unavailable.into()),
    };
    // A stretch of an earlier stay is none of this one.
    let open = draft.hiding.get(&hide.uid).copied().unwrap_or(stored).filter(|from| *from > member.from_seq);
    let row = match (open, hide.hidden) {
        (None, true) => Hidden { from: state.head_seq + 1, until: None },
        (Some(from), false) => Hidden { from, until: Some(state.head_seq) },
        (None, false) | (Some(_), true) => return Ok(()),
    };
    draft.append.hidden.retain(|(uid, hidden)| *uid != hide.uid || hidden.from != row.from);
    draft.append.hidden.push((hide.uid, row));
    draft.hiding.insert(hide.uid, row.until.is_none().then_some(row.from));
    Ok(())
}

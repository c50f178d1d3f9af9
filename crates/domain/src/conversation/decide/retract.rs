//! Taking a message back: an entry of the same order, so that a device that was away learns it by the same sync.

use std::collections::BTreeMap;

use mynah_types::{ConversationKind, EntryKind, Reason, Seq};

use super::{Draft, NewEntry, alive};
use crate::conversation::command::{Fact, Lookup, Refusal, RetractCommand, TargetFact};
use crate::conversation::state::State;

/// Refusals come in the API's order: no such message, not the sender, taken back before, too late.
pub(super) fn decide(
    state: &mut State,
    draft: &mut Draft,
    retract: &RetractCommand,
    facts: &BTreeMap<Lookup, Fact>,
) -> Result<Seq, Refusal> {
    let target = check(state, draft, retract, facts)?;
    draft.retracted.insert(target.seq);
    Ok(draft.push(
        state,
        NewEntry {
            sender: retract.actor,
            cmid: None,
            content_hash: 0,
            kind: EntryKind::Retract { msg_id: retract.msg_id, seq: target.seq },
            payload: retract.payload.clone(),
            origin_conn: retract.origin_conn,
        },
    ))
}

fn check(state: &State, draft: &Draft, retract: &RetractCommand, facts: &BTreeMap<Lookup, Fact>) -> Result<TargetFact, Reason> {
    alive(state)?;
    if state.key.kind() == ConversationKind::Room {
        return Err(Reason::RetractNotFound);
    }
    let Some(Fact::Target(Some(target))) = facts.get(&Lookup::Target(retract.msg_id)) else {
        return Err(Reason::RetractNotFound);
    };
    if !matches!(target.kind, EntryKind::Message { .. }) {
        return Err(Reason::RetractNotFound);
    }
    if target.sender != retract.actor {
        return Err(Reason::RetractNotSender);
    }
    if target.retracted || draft.retracted.contains(&target.seq) {
        return Err(Reason::RetractedBefore);
    }
    if draft.now.saturating_sub(target.ctime) > draft.limits.retract_within_ms {
        return Err(Reason::RetractTooLate);
    }
    let group = state.key.kind() == ConversationKind::Group;
    if group && !retract.privileged && state.current_member(retract.actor).is_none() {
        return Err(Reason::SenderNotMember);
    }
    Ok(*target)
}

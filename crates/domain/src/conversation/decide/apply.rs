//! Membership: committed changes become entries, each version once and in order; from its entry on the new list decides.

use std::collections::BTreeMap;

use mynah_types::{ConversationKind, EntryKind, MemberChange, Membership, Reason, Role, Seq, Uid};

use super::{Draft, NewEntry};
use crate::conversation::command::{Change, Fact, Lookup, Refusal};
use crate::conversation::state::State;

/// Applies what is new of `changes`; what was applied before is passed over. A gap is filled from the facts, or refused.
pub(super) fn decide(
    state: &mut State,
    draft: &mut Draft,
    changes: &[Change],
    facts: &BTreeMap<Lookup, Fact>,
) -> Result<u64, Refusal> {
    if !matches!(state.key.kind(), ConversationKind::Group | ConversationKind::Room) {
        return Err(Reason::Invalid.into());
    }
    if state.directory_behind {
        return Err(Reason::Unavailable.into());
    }
    if changes.first().is_some_and(|c| c.version > state.meta.member_version + 1)
        && let Some(Fact::Changes(missing)) = facts.get(&Lookup::Changes { after: state.meta.member_version })
    {
        missing.iter().for_each(|change| apply_next(state, draft, change));
    }
    for change in changes {
        apply_next(state, draft, change);
    }
    match changes.last() {
        // An earlier version is still missing: the directory hands over again.
        Some(last) if last.version > state.meta.member_version => Err(Reason::NotOwner.into()),
        _ => Ok(state.meta.member_version),
    }
}

fn apply_next(state: &mut State, draft: &mut Draft, change: &Change) {
    if change.version != state.meta.member_version + 1 || state.meta.dissolved {
        return;
    }
    state.meta.member_version = change.version;
    state.meta.dissolved = change.dissolved;
    // A change without a payload (rooms) makes no entry: joins count from the entry that comes next.
    let seq = if change.payload.is_empty() { state.head_seq + 1 } else { append(state, draft, change) };
    for (uid, role, silenced) in &change.joined {
        join(state, draft, seq, change.version, (*uid, *role, *silenced));
    }
    for (uid, role, silenced) in &change.changed {
        if let Some(member) = state.members.get_mut(uid) {
            member.role = *role;
            member.silenced = *silenced;
            draft.append.members.push((*uid, *member));
        }
    }
    for uid in &change.left {
        if let Some(member) = state.members.get_mut(uid).filter(|m| m.is_current()) {
            // The one who goes still sees that he went.
            member.until_seq = Some(if change.payload.is_empty() { state.head_seq } else { seq });
            draft.append.members.push((*uid, *member));
        }
    }
    draft.append.meta = Some(state.meta);
}

fn append(state: &mut State, draft: &mut Draft, change: &Change) -> Seq {
    let seq = draft.push(
        state,
        NewEntry {
            sender: change.actor,
            cmid: None,
            content_hash: 0,
            kind: EntryKind::Event,
            payload: change.payload.clone(),
            origin_conn: 0,
        },
    );
    if let Some(last) = draft.deliver.last_mut() {
        last.change = MemberChange {
            added: change.joined.iter().map(|(uid, _, _)| *uid).collect(),
            removed: change.left.clone(),
            outside: Vec::new(),
            dissolved: change.dissolved,
        };
    }
    seq
}

fn join(state: &mut State, draft: &mut Draft, seq: Seq, version: u64, (uid, role, silenced): (Uid, Role, bool)) {
    let fresh = Membership { from_version: version, from_seq: seq, until_seq: None, role, silenced };
    let row = match state.members.get(&uid) {
        // Already in: what he could see he still sees.
        Some(old) if old.is_current() => Membership { role, silenced, ..*old },
        Some(_) | None => fresh,
    };
    state.members.insert(uid, row);
    draft.append.members.push((uid, row));
}

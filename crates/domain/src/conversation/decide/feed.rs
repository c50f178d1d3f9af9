//! A user's feed: events that concern him alone, each once, the newest kept.

use std::collections::BTreeMap;

use mynah_types::{ConversationKind, EntryKind, FirstAnswer, MsgId, Reason, Uid};

use super::{Draft, NewEntry};
use crate::conversation::command::{Fact, Lookup, PostItem, Refusal};
use crate::conversation::state::State;

/// The system: the sender of all events.
const SYSTEM: Uid = Uid(0);
/// Entries that may lie beyond the bound before they are dropped together.
const SLACK: u64 = 64;

/// What is known of the ids beyond the window, and from where entries are young enough.
pub(super) fn lookups<'a>(state: &State, items: &'a [PostItem]) -> impl Iterator<Item = Lookup> + use<'a> {
    let in_window: Vec<bool> =
        items.iter().map(|item| state.window.proves_absence() || state.window.get(SYSTEM, &item.id).is_some()).collect();
    let unknown = items.iter().zip(in_window).filter(|(_, known)| !known);
    let sends = unknown.map(|(item, _)| Lookup::Send { sender: SYSTEM, cmid: item.id.clone() });
    let kept = Lookup::KeptFrom { from: state.meta.min_seq.max(1), to: state.head_seq };
    sends.chain((state.head_seq > 0).then_some(kept))
}

pub(super) fn decide(
    state: &mut State,
    draft: &mut Draft,
    items: &[PostItem],
    facts: &BTreeMap<Lookup, Fact>,
) -> Result<(), Refusal> {
    if state.key.kind() != ConversationKind::Feed {
        return Err(Reason::ConversationNotFound.into());
    }
    for item in items {
        let before = Lookup::Send { sender: SYSTEM, cmid: item.id.clone() };
        let posted = state.window.get(SYSTEM, &item.id).is_some() || matches!(facts.get(&before), Some(Fact::Send(Some(_))));
        if !posted {
            post(state, draft, item);
        }
    }
    drop_old(state, draft, facts);
    Ok(())
}

fn post(state: &mut State, draft: &mut Draft, item: &PostItem) {
    let seq = draft.push(
        state,
        NewEntry {
            sender: SYSTEM,
            cmid: Some(item.id.clone()),
            content_hash: 0,
            kind: EntryKind::Event,
            payload: item.payload.clone(),
            origin_conn: 0,
        },
    );
    let first = FirstAnswer { seq, msg_id: MsgId(0), ctime: state.head_ctime, content_hash: 0 };
    state.window.insert(SYSTEM, item.id.clone(), first);
}

/// Drops what is too old, and, many at a time, what is beyond the bound. The head as it was before the batch always stays.
fn drop_old(state: &mut State, draft: &mut Draft, facts: &BTreeMap<Lookup, Fact>) {
    let is_kept = |fact: &&Fact| matches!(fact, Fact::KeptFrom(_));
    let young = match facts.values().find(is_kept) {
        Some(Fact::KeptFrom(seq)) => *seq,
        _ => 0,
    };
    let beyond = state.head_seq.saturating_sub(draft.limits.feed_entries);
    let first = state.meta.min_seq.max(1);
    let crowded = if beyond >= first + SLACK { beyond + 1 } else { 0 };
    let min_seq = young.max(crowded).min(draft.append.expected_head);
    if min_seq > first {
        state.meta.min_seq = min_seq;
        draft.append.meta = Some(state.meta);
        draft.append.drop_below = min_seq;
    }
}

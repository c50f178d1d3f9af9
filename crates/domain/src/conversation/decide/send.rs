//! What a send means: known before? may he? then it is the next entry.

use std::collections::BTreeMap;

use mynah_types::{ConversationKey, ConversationKind, EntryKind, FirstAnswer, Position, Reason, Uid};

use super::{Draft, HeldItem, NewEntry, alive};
use crate::conversation::command::{Fact, Lookup, Refusal, SendCommand, SendItem};
use crate::conversation::state::State;

/// Decides the items in order; each stands alone.
///
/// Dedupe comes before everything: a retry gets the first answer, whatever has changed since (promise 3).
pub(super) fn decide(state: &mut State, draft: &mut Draft, send: &SendCommand, facts: &BTreeMap<Lookup, Fact>) -> Vec<HeldItem> {
    let mut items = Vec::with_capacity(send.items.len());
    for item in &send.items {
        let decided = match known(state, send.sender, item, facts) {
            Some(first) if first.content_hash != item.content_hash => HeldItem::Conflict(first),
            Some(first) if first.seq > draft.append.expected_head => HeldItem::New { seq: first.seq, duplicate: true },
            Some(first) => HeldItem::Known(first),
            // Words come last: who may not send at all is told that.
            None => match may_send(state, send).and(passes(item)) {
                Ok(()) => append(state, draft, send, item),
                Err(reason) => HeldItem::Refused(Refusal::from(reason)),
            },
        };
        items.push(decided);
    }
    items
}

fn known(state: &State, sender: Uid, item: &SendItem, facts: &BTreeMap<Lookup, Fact>) -> Option<FirstAnswer> {
    state.window.get(sender, &item.cmid).or_else(|| {
        let lookup = Lookup::Send { sender, cmid: item.cmid.clone() };
        match facts.get(&lookup) {
            Some(Fact::Send(first)) => *first,
            _ => None,
        }
    })
}

fn may_send(state: &State, send: &SendCommand) -> Result<(), Reason> {
    alive(state)?;
    match state.key {
        ConversationKey::Single(a, b) => {
            let rights = state.rights.ok_or(Reason::Unavailable)?;
            // The peer's word counts: `b` when `a` sends.
            let (exists, blocked) =
                if send.sender == a { (rights.b_exists, rights.b_blocks_a) } else { (rights.a_exists, rights.a_blocks_b) };
            match () {
                () if send.sender != a && send.sender != b => Err(Reason::ConversationNotFound),
                () if !exists => Err(Reason::UserNotFound),
                () if blocked && !send.privileged => Err(Reason::Blacklisted),
                () => Ok(()),
            }
        }
        ConversationKey::Group(_) if send.privileged => Ok(()),
        ConversationKey::Group(_) => match state.current_member(send.sender) {
            None => Err(Reason::SenderNotMember),
            Some(member) if member.silenced => Err(Reason::Silenced),
            Some(_) => Ok(()),
        },
        ConversationKey::Room(_) if send.privileged => Ok(()),
        ConversationKey::Room(_) => match state.current_member(send.sender) {
            Some(member) if member.silenced => Err(Reason::RoomMuted),
            None if !send.in_room => Err(Reason::SenderNotInRoom),
            Some(_) | None => Ok(()),
        },
        // Only the system writes to a feed, and not by a send.
        ConversationKey::Feed(_) => Err(Reason::ConversationNotFound),
    }
}

fn passes(item: &SendItem) -> Result<(), Reason> {
    if item.sensitive { Err(Reason::SensitiveWord) } else { Ok(()) }
}

fn append(state: &mut State, draft: &mut Draft, send: &SendCommand, item: &SendItem) -> HeldItem {
    let seq = draft.push(
        state,
        NewEntry {
            sender: send.sender,
            cmid: Some(item.cmid.clone()),
            content_hash: item.content_hash,
            kind: EntryKind::Message { unread_delta: item.unread_delta, no_offline: item.no_offline },
            payload: item.payload.clone(),
            origin_conn: send.origin_conn,
        },
    );
    let first = FirstAnswer { seq, msg_id: mynah_types::MsgId(0), ctime: state.head_ctime, content_hash: item.content_hash };
    state.window.insert(send.sender, item.cmid.clone(), first);
    if state.key.kind() != ConversationKind::Room {
        // Sending moves one's own read position in the same append.
        draft.mark(send.sender, Position { own_seq: seq, ..Position::default() });
    }
    if state.key.kind() == ConversationKind::Group {
        for uid in item.mentions.iter().filter(|uid| state.current_member(**uid).is_some()) {
            draft.mark(*uid, Position { at_me_seq: seq, ..Position::default() });
        }
        if item.mention_all {
            state.meta.at_all_seq = seq;
            draft.append.meta = Some(state.meta);
        }
    }
    HeldItem::New { seq, duplicate: false }
}

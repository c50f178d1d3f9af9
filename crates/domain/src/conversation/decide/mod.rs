//! Deciding: one function per command, each a check of rights in the settled order and, if it passes, additions to the draft.

mod apply;
mod feed;
mod hide;
mod read;
mod retract;
mod send;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use mynah_types::{
    Cmid, ConversationAppend, ConversationKind, Entry, EntryKind, FirstAnswer, MemberChange, Millis, MsgId, Position, Reason,
    Seq, Uid,
};

use super::command::{Answer, Command, Fact, Lookup, Refusal};
use super::machine::{Deliverable, Limits};
use super::state::State;

/// What a batch has come to so far.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) append: ConversationAppend,
    pub(crate) deliver: Vec<Deliverable>,
    pub(crate) held: Vec<Held>,
    now: Millis,
    limits: Limits,
    retracted: BTreeSet<Seq>,
    read_marks: BTreeMap<Uid, Seq>,
    /// Where the open stretches of members begin who hide, as far as this batch decided it.
    hiding: BTreeMap<Uid, Option<Seq>>,
}

/// An answer that waits for the append.
#[derive(Debug)]
pub(crate) enum Held {
    Sent(Vec<HeldItem>),
    Plain(Answer),
}

/// One send's answer, before its id is known.
#[derive(Debug)]
pub(crate) enum HeldItem {
    Known(FirstAnswer),
    New { seq: Seq, duplicate: bool },
    Conflict(FirstAnswer),
    Refused(Refusal),
}

/// The parts of an entry that its command gives.
struct NewEntry {
    sender: Uid,
    cmid: Option<Cmid>,
    content_hash: u64,
    kind: EntryKind,
    payload: Bytes,
    origin_conn: u64,
}

impl Draft {
    pub(crate) fn new(state: &State, now: Millis, limits: Limits) -> Self {
        Self {
            append: ConversationAppend::empty(state.key, state.head_seq),
            deliver: Vec::new(),
            held: Vec::new(),
            now,
            limits,
            retracted: BTreeSet::new(),
            read_marks: BTreeMap::new(),
            hiding: BTreeMap::new(),
        }
    }

    /// Whether there is nothing to write.
    pub(crate) fn is_empty(&self) -> bool {
        let a = &self.append;
        a.entries.is_empty() && a.positions.is_empty() && a.members.is_empty() && a.meta.is_none() && a.hidden.is_empty()
    }

    /// Hands the additions over; what is left answers and delivers.
    pub(crate) fn take_append(&mut self) -> ConversationAppend {
        let left = ConversationAppend::empty(self.append.key, self.append.expected_head);
        std::mem::replace(&mut self.append, left)
    }

    /// Adds the next entry of the conversation; returns its seq.
    fn push(&mut self, state: &mut State, new: NewEntry) -> Seq {
        if state.head_seq == 0
            && let mynah_types::ConversationKey::Single(a, b) = state.key
        {
            self.append.listed_for.push(a);
            if b != a {
                self.append.listed_for.push(b);
            }
        }
        state.head_seq += 1;
        state.head_ctime = state.head_ctime.max(self.now);
        if state.key.kind() != ConversationKind::Room {
            state.cum_unread += u64::from(new.kind.unread_delta());
        }
        let entry = Entry {
            seq: state.head_seq,
            msg_id: MsgId(0),
            ctime: state.head_ctime,
            sender: new.sender,
            cmid: new.cmid,
            content_hash: new.content_hash,
            member_version: state.meta.member_version,
            cum_unread: state.cum_unread,
            kind: new.kind,
            payload: new.payload,
        };
        self.append.entries.push(entry.clone());
        self.deliver.push(Deliverable { entry, change: MemberChange::default(), origin_conn: new.origin_conn });
        state.head_seq
    }

    fn mark(&mut self, uid: Uid, position: Position) {
        self.append.positions.push((uid, position));
    }
}

/// What a batch needs to know beyond the state.
pub(crate) fn lookups<'a>(state: &State, commands: impl Iterator<Item = &'a Command>) -> Vec<Lookup> {
    let mut wanted = BTreeSet::new();
    let mut version = state.meta.member_version;
    for command in commands {
        match command {
            Command::Send(send) if !state.window.proves_absence() => {
                let unknown = send.items.iter().filter(|i| state.window.get(send.sender, &i.cmid).is_none());
                wanted.extend(unknown.map(|i| Lookup::Send { sender: send.sender, cmid: i.cmid.clone() }));
            }
            Command::Retract(retract) => _ = wanted.insert(Lookup::Target(retract.msg_id)),
            Command::Read(read) => _ = wanted.insert(Lookup::ReadMark(read.uid)),
            Command::Apply(changes) => {
                if changes.first().is_some_and(|c| c.version > version + 1) {
                    wanted.insert(Lookup::Changes { after: version });
                }
                version = changes.last().map_or(version, |c| c.version.max(version));
            }
            Command::RightsChanged => _ = wanted.insert(Lookup::Rights),
            Command::Post(items) => wanted.extend(feed::lookups(state, items)),
            Command::Hide(hide) => _ = wanted.insert(Lookup::Hidden(hide.uid)),
            Command::Send(_) => {}
        }
    }
    wanted.into_iter().collect()
}

/// Decides one command against the state, which moves on as if the draft were written.
pub(crate) fn decide(state: &mut State, draft: &mut Draft, command: &Command, facts: &BTreeMap<Lookup, Fact>) -> Held {
    match command {
        Command::Send(send) => Held::Sent(send::decide(state, draft, send, facts)),
        Command::Retract(retract) => Held::Plain(Answer::Retracted(retract::decide(state, draft, retract, facts))),
        Command::Read(read) => Held::Plain(Answer::Read(read::decide(state, draft, *read, facts))),
        Command::Apply(changes) => Held::Plain(Answer::Applied(apply::decide(state, draft, changes, facts))),
        Command::Post(items) => Held::Plain(Answer::Posted(feed::decide(state, draft, items, facts))),
        Command::Hide(hide) => Held::Plain(Answer::Hidden(hide::decide(state, draft, *hide, facts))),
        Command::RightsChanged => {
            if let Some(Fact::Rights(rights)) = facts.get(&Lookup::Rights) {
                state.rights = Some(*rights);
            }
            Held::Plain(Answer::Noted(Ok(())))
        }
    }
}

/// The conversation exists and may be decided on.
fn alive(state: &State) -> Result<(), Reason> {
    if state.directory_behind {
        return Err(Reason::Unavailable);
    }
    let missing = state.meta.dissolved || state.meta.member_version == 0;
    match state.key.kind() {
        ConversationKind::Group if missing => Err(Reason::GroupNotFound),
        ConversationKind::Room if missing => Err(Reason::RoomNotFound),
        ConversationKind::Group | ConversationKind::Room | ConversationKind::Single | ConversationKind::Feed => Ok(()),
    }
}

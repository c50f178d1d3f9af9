//! An append as the arrays that the database's function takes: a letter and a name there, a struct and a field here, in one order.

use mynah_types::{Cmid, ConversationAppend, ConversationKey, Entry, EntryKind, Membership, Meta, Position, Progress, Role, Uid};
use tokio_postgres::types::ToSql;

/// How a kind of entry is stored.
pub(crate) const MESSAGE: i16 = 1;
pub(crate) const EVENT: i16 = 2;
pub(crate) const RETRACT: i16 = 3;
/// How a role is stored.
pub(crate) const MEMBER: i16 = 0;
pub(crate) const KEEPER: i16 = 1;
pub(crate) const OWNER: i16 = 2;

/// No conversation has this head: it is stored as -1.
const NO_HEAD: u64 = u64::MAX;

macro_rules! columns {
    ($name:ident<$life:lifetime> { $($field:ident: $type:ty),+ $(,)? }) => {
        #[derive(Default)]
        struct $name<$life> {
            $($field: Vec<$type>,)+
            key: Vec<&$life [u8]>,
            // What a row belongs to, counted from 1.
            part: Vec<i32>,
        }

        impl<$life> $name<$life> {
            fn of(&mut self, part: i32, key: &$life [u8]) {
                self.part.push(part);
                self.key.push(key);
            }

            fn columns<'s>(&'s self, all: &mut Vec<&'s (dyn ToSql + Sync)>) {
                all.extend([&self.part as &(dyn ToSql + Sync), &self.key]);
                $(all.push(&self.$field);)+
            }
        }
    };
}

columns!(Conversations<'a> { head: i64, first: Option<i64>, last: Option<i64>, drop: i64 });
columns!(Entries<'a> {
    seq: i64, kind: i16, no_offline: bool, msg_id: i64, ctime: i64, sender: i64, content_hash: i64, member_version: i64,
    cum_unread: i64, unread_delta: i64, target_id: i64, target_seq: i64, cmid: Option<&'a str>, payload: &'a [u8],
});
columns!(Positions<'a> { uid: i64, read: i64, own: i64, deleted: i64, at_me: i64 });
columns!(Members<'a> { uid: i64, version: i64, from: i64, until: Option<i64>, role: i16, silenced: bool });
columns!(Metas<'a> { member_version: i64, dissolved: bool, at_all: i64, min: i64 });
columns!(Stretches<'a> { uid: i64, from: i64, until: Option<i64> });
columns!(Listed<'a> { uid: i64 });

/// All arrays of an append.
#[derive(Default)]
pub(crate) struct Columns<'a> {
    shards: Vec<i32>,
    tokens: Vec<Vec<u8>>,
    delivered: Vec<Option<i64>>,
    published: Vec<Option<i64>>,
    conversations: Conversations<'a>,
    entries: Entries<'a>,
    positions: Positions<'a>,
    members: Members<'a>,
    metas: Metas<'a>,
    stretches: Stretches<'a>,
    listed: Listed<'a>,
}

/// How many arrays there are.
pub(crate) const COLUMNS: usize = 4 + 6 + 16 + 7 + 8 + 6 + 5 + 3;

impl<'a> Columns<'a> {
    pub(crate) fn params(&self) -> Vec<&(dyn ToSql + Sync)> {
        let mut all: Vec<&(dyn ToSql + Sync)> = vec![&self.shards, &self.tokens, &self.delivered, &self.published];
        self.conversations.columns(&mut all);
        self.entries.columns(&mut all);
        self.positions.columns(&mut all);
        self.members.columns(&mut all);
        self.metas.columns(&mut all);
        self.stretches.columns(&mut all);
        self.listed.columns(&mut all);
        all
    }

    /// Begins a shard; returns what its conversations name it by.
    pub(crate) fn shard(&mut self, shard: i32, token: [u8; 16], progress: Option<Progress>) -> i32 {
        self.shards.push(shard);
        self.tokens.push(token.to_vec());
        self.delivered.push(progress.map(|p| p.delivered.0.cast_signed()));
        self.published.push(progress.map(|p| p.published.0.cast_signed()));
        i32::try_from(self.shards.len()).unwrap_or(i32::MAX)
    }

    /// A conversation that cannot fit: it is asked about only to learn who owns the shard.
    pub(crate) fn misfit(&mut self, owner: i32, key: &'a [u8]) {
        self.begin(owner, key, &ConversationAppend::empty(ConversationKey::Group(0), NO_HEAD));
    }

    /// A conversation with all that it adds.
    pub(crate) fn conversation(&mut self, owner: i32, key: &'a [u8], append: &'a ConversationAppend) {
        let part = self.begin(owner, key, append);
        for entry in &append.entries {
            self.entry(part, key, entry);
        }
        for (uid, position) in &append.positions {
            self.position(part, key, *uid, position);
        }
        for (uid, member) in &append.members {
            self.member(part, key, *uid, member);
        }
        if let Some(meta) = &append.meta {
            self.meta(part, key, meta);
        }
        for (uid, hidden) in &append.hidden {
            self.stretches.of(part, key);
            self.stretches.uid.push(uid.0.cast_signed());
            self.stretches.from.push(hidden.from.cast_signed());
            self.stretches.until.push(hidden.until.map(u64::cast_signed));
        }
        for uid in &append.listed_for {
            self.listed.of(part, key);
            self.listed.uid.push(uid.0.cast_signed());
        }
    }

    fn begin(&mut self, owner: i32, key: &'a [u8], append: &ConversationAppend) -> i32 {
        let counter = |entry: &Entry| entry.msg_id.counter().cast_signed();
        let rows = &mut self.conversations;
        rows.of(owner, key);
        rows.head.push(append.expected_head.cast_signed());
        rows.first.push(append.entries.first().map(counter));
        rows.last.push(append.entries.last().map(counter));
        rows.drop.push(i64::try_from(append.drop_below).unwrap_or(i64::MAX));
        i32::try_from(rows.head.len()).unwrap_or(i32::MAX)
    }

    fn entry(&mut self, part: i32, key: &'a [u8], entry: &'a Entry) {
        let (kind, delta, no_offline, target) = match entry.kind {
            EntryKind::Message { unread_delta, no_offline } => (MESSAGE, unread_delta, no_offline, (0, 0)),
            EntryKind::Event => (EVENT, 0, false, (0, 0)),
            EntryKind::Retract { msg_id, seq } => (RETRACT, 0, false, (msg_id.0, seq)),
        };
        let rows = &mut self.entries;
        rows.of(part, key);
        rows.seq.push(entry.seq.cast_signed());
        rows.kind.push(kind);
        rows.no_offline.push(no_offline);
        rows.msg_id.push(entry.msg_id.0.cast_signed());
        rows.ctime.push(entry.ctime.cast_signed());
        rows.sender.push(entry.sender.0.cast_signed());
        rows.content_hash.push(entry.content_hash.cast_signed());
        rows.member_version.push(entry.member_version.cast_signed());
        rows.cum_unread.push(entry.cum_unread.cast_signed());
        rows.unread_delta.push(delta.into());
        rows.target_id.push(target.0.cast_signed());
        rows.target_seq.push(target.1.cast_signed());
        rows.cmid.push(entry.cmid.as_ref().map(Cmid::as_str));
        rows.payload.push(&entry.payload);
    }

    fn position(&mut self, part: i32, key: &'a [u8], uid: Uid, position: &Position) {
        let rows = &mut self.positions;
        rows.of(part, key);
        rows.uid.push(uid.0.cast_signed());
        rows.read.push(position.read_seq.cast_signed());
        rows.own.push(position.own_seq.cast_signed());
        rows.deleted.push(position.deleted_to.cast_signed());
        rows.at_me.push(position.at_me_seq.cast_signed());
    }

    fn member(&mut self, part: i32, key: &'a [u8], uid: Uid, member: &Membership) {
        let rows = &mut self.members;
        rows.of(part, key);
        rows.uid.push(uid.0.cast_signed());
        rows.version.push(member.from_version.cast_signed());
        rows.from.push(member.from_seq.cast_signed());
        rows.until.push(member.until_seq.map(u64::cast_signed));
        rows.role.push(match member.role {
            Role::Member => MEMBER,
            Role::Keeper => KEEPER,
            Role::Owner => OWNER,
        });
        rows.silenced.push(member.silenced);
    }

    fn meta(&mut self, part: i32, key: &'a [u8], meta: &Meta) {
        let rows = &mut self.metas;
        rows.of(part, key);
        rows.member_version.push(meta.member_version.cast_signed());
        rows.dissolved.push(meta.dissolved);
        rows.at_all.push(meta.at_all_seq.cast_signed());
        rows.min.push(meta.min_seq.cast_signed());
    }
}

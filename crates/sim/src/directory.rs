//! Groups and their committed changes.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use mynah_domain::conversation::Change;
use mynah_types::{ConversationKey, Role, Uid};

#[derive(Default)]
pub(crate) struct Group {
    /// Members now, with the version that brought each.
    pub(crate) members: BTreeMap<Uid, u64>,
    pub(crate) changes: Vec<Change>,
    /// The version that the owner said he applied.
    pub(crate) applied: u64,
}

#[derive(Default)]
pub(crate) struct Directory {
    pub(crate) groups: BTreeMap<ConversationKey, Group>,
}

impl Directory {
    /// Commits a change: the next version.
    pub(crate) fn change(&mut self, key: ConversationKey, joined: &BTreeSet<Uid>, left: &BTreeSet<Uid>) {
        let group = self.groups.entry(key).or_default();
        let version = u64::try_from(group.changes.len()).unwrap_or(0) + 1;
        for uid in joined {
            group.members.insert(*uid, version);
        }
        for uid in left {
            group.members.remove(uid);
        }
        group.changes.push(Change {
            version,
            joined: joined.iter().map(|uid| (*uid, Role::Member, false)).collect(),
            left: left.iter().copied().collect(),
            changed: Vec::new(),
            dissolved: false,
            payload: Bytes::from_static(b"change"),
            actor: Uid(0),
        });
    }

    /// Changes above a version, and the newest version.
    pub(crate) fn changes(&self, key: ConversationKey, after: u64) -> (Vec<Change>, u64) {
        let changes = self.groups.get(&key).map(|group| group.changes.as_slice()).unwrap_or_default();
        let newer = changes.iter().filter(|change| change.version > after).cloned().collect();
        (newer, changes.last().map_or(0, |change| change.version))
    }
}

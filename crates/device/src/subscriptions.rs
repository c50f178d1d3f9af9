//! Which users here hear of which groups, by group and by user: who comes or goes costs what he is in, however many groups there are.

use std::collections::{HashMap, HashSet};

use mynah_domain::audience::Audience;
use mynah_types::{ConversationKey, MemberChange, Uid};

/// Groups with somebody who is connected here, or who left while he was.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    groups: HashMap<ConversationKey, Audience>,
    /// The groups that know of a user; one of them may have forgotten him.
    of: HashMap<Uid, HashSet<ConversationKey>>,
}

impl Subscriptions {
    pub(crate) fn get(&self, key: ConversationKey) -> Option<&Audience> {
        self.groups.get(&key)
    }

    pub(crate) fn get_mut(&mut self, key: ConversationKey) -> Option<&mut Audience> {
        self.groups.get_mut(&key)
    }

    /// Subscribes a user, unless he is known to have left since. True if he is the group's first here.
    pub(crate) fn join(&mut self, key: ConversationKey, uid: Uid, since: u64) -> bool {
        self.of.entry(uid).or_default().insert(key);
        self.groups.entry(key).or_default().join(uid, since)
    }

    /// The groups that a user is subscribed to, each with the version since when.
    pub(crate) fn of(&self, uid: Uid) -> Vec<(ConversationKey, u64)> {
        let known = self.of.get(&uid).into_iter().flatten();
        known.filter_map(|key| Some((*key, self.groups.get(key)?.since(uid)?))).collect()
    }

    /// Ends a subscription, unless it began anew since. True if nobody here hears of the group any more.
    pub(crate) fn leave(&mut self, key: ConversationKey, uid: Uid, since: u64) -> bool {
        let is_known = self.groups.get(&key).is_some_and(|group| group.since(uid) == Some(since));
        if let Some(known) = self.of.get_mut(&uid).filter(|_| is_known) {
            known.remove(&key);
            if known.is_empty() {
                self.of.remove(&uid);
            }
        }
        is_known && self.disconnect(key, uid)
    }

    /// Forgets a user; returns the groups that nobody here hears of any more.
    pub(crate) fn forget(&mut self, uid: Uid) -> Vec<ConversationKey> {
        let known = self.of.remove(&uid).unwrap_or_default();
        known.into_iter().filter(|key| self.disconnect(*key, uid)).collect()
    }

    /// Applies a change; returns who hears of it, and whether this gateway begins to hear of the group with it.
    pub(crate) fn record(
        &mut self,
        key: ConversationKey,
        version: u64,
        change: &MemberChange,
        is_here: impl Fn(Uid) -> bool,
    ) -> (Vec<Uid>, bool) {
        for uid in change.added.iter().chain(&change.removed).chain(&change.outside).filter(|uid| is_here(**uid)) {
            self.of.entry(*uid).or_default().insert(key);
        }
        let group = self.groups.entry(key).or_default();
        let was_empty = group.is_empty();
        let hear = group.record(version, change, is_here);
        let begins = was_empty && !group.is_empty();
        if change.dissolved || group.is_forgettable() {
            self.groups.remove(&key);
        }
        (hear, begins)
    }

    /// True if the user was the last one who heard of the group here.
    fn disconnect(&mut self, key: ConversationKey, uid: Uid) -> bool {
        let Some(group) = self.groups.get_mut(&key) else { return false };
        let ended = group.disconnect(uid) && group.is_empty();
        if group.is_forgettable() {
            self.groups.remove(&key);
        }
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(gid: u64) -> ConversationKey {
        ConversationKey::Group(gid)
    }

    #[test]
    fn by_user_and_by_group_tell_the_same_whatever_happens() {
        let mut all = Subscriptions::default();
        // A fixed sequence of joins, leaves, records and ends.
        let mut step: u64 = 1;
        for version in 1..20_000 {
            step = step.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (key, uid) = (group((step >> 33) % 20), Uid((step >> 40) % 30 + 1));
            match step >> 61 {
                0 | 1 => _ = all.join(key, uid, version),
                2 => {
                    let since = all.get(key).and_then(|group| group.since(uid)).unwrap_or_default();
                    let last = all.get(key).is_some_and(|group| group.members().eq([uid]));
                    assert_eq!(all.leave(key, uid, since), last);
                }
                3 => assert!(all.forget(uid).iter().all(|key| all.get(*key).is_none_or(Audience::is_empty))),
                4 => _ = all.record(key, version, &MemberChange { added: vec![uid], ..MemberChange::default() }, |_| true),
                5 => _ = all.record(key, version, &MemberChange { dissolved: true, ..MemberChange::default() }, |_| true),
                _ => _ = all.record(key, version, &MemberChange { removed: vec![uid], ..MemberChange::default() }, |_| true),
            }
            let mut found: Vec<_> = all.of(uid).into_iter().map(|(key, _)| key).collect();
            found.sort_unstable();
            let knows = |key: &ConversationKey| all.get(*key).is_some_and(|group| group.since(uid).is_some());
            assert_eq!(found, (0..20).map(group).filter(knows).collect::<Vec<_>>());
        }
        (1..=30).for_each(|uid| _ = all.forget(Uid(uid)));
        assert!(all.groups.is_empty() && all.of.is_empty(), "nothing is kept for those who are gone");
    }
}

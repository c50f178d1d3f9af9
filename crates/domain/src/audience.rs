//! Which of the users connected here hear of a group: pure bookkeeping by membership versions.
//!
//! Records may be repeated and lists may be read late: a record of before a join is not for the joiner, and a list of before a removal
//! does not bring back who left (interleavings item 11).

use std::collections::HashMap;

use mynah_types::Uid;

/// A group's members who are connected here, and those who left while they were.
#[derive(Debug, Default)]
pub struct Audience {
    since: HashMap<Uid, u64>,
    left: HashMap<Uid, u64>,
}

impl Audience {
    /// Subscribes a user whose membership began with version `since`, unless he is known to have left since. True if he is the first.
    pub fn join(&mut self, uid: Uid, since: u64) -> bool {
        if self.left.get(&uid).is_some_and(|left| *left >= since) {
            return false;
        }
        let first = self.since.is_empty();
        let known = self.since.entry(uid).or_insert(since);
        *known = since.max(*known);
        first
    }

    /// A user is not connected here any more. True if he was subscribed.
    pub fn disconnect(&mut self, uid: Uid) -> bool {
        self.left.remove(&uid);
        self.since.remove(&uid).is_some()
    }

    /// Takes a record of membership version `version` and tells who hears of it: those who come and those who go with it both do.
    pub fn record(&mut self, version: u64, added: &[Uid], removed: &[Uid], is_here: impl Fn(Uid) -> bool) -> Vec<Uid> {
        for uid in added.iter().filter(|uid| is_here(**uid)) {
            self.since.insert(*uid, version);
            self.left.remove(uid);
        }
        let hear = self.since.iter().filter(|(_, since)| **since <= version).map(|(uid, _)| *uid).collect();
        for uid in removed.iter().filter(|uid| is_here(**uid)) {
            // An older record, delivered again, does not undo a later join.
            if self.since.get(uid).is_none_or(|since| *since <= version) {
                self.since.remove(uid);
                self.left.insert(*uid, version);
            }
        }
        hear
    }

    /// Nobody here hears of the group.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.since.is_empty()
    }

    /// Nothing has to be remembered of the group.
    #[must_use]
    pub fn is_forgettable(&self) -> bool {
        self.since.is_empty() && self.left.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hears(audience: &mut Audience, version: u64, added: &[u64], removed: &[u64]) -> Vec<u64> {
        let uids = |ids: &[u64]| ids.iter().map(|id| Uid(*id)).collect::<Vec<_>>();
        let mut hear: Vec<u64> =
            audience.record(version, &uids(added), &uids(removed), |_| true).iter().map(|uid| uid.0).collect();
        hear.sort_unstable();
        hear
    }

    #[test]
    fn who_comes_and_who_goes_hears_of_it_and_nothing_beyond() {
        let mut audience = Audience::default();
        audience.join(Uid(1), 1);
        assert_eq!(hears(&mut audience, 1, &[], &[]), [1]);
        assert_eq!(hears(&mut audience, 2, &[2], &[]), [1, 2]);
        assert_eq!(hears(&mut audience, 3, &[], &[2]), [1, 2]);
        assert_eq!(hears(&mut audience, 3, &[], &[]), [1]);
    }

    #[test]
    fn an_older_list_does_not_bring_back_who_left() {
        let mut audience = Audience::default();
        audience.join(Uid(1), 1);
        hears(&mut audience, 2, &[2], &[]);
        hears(&mut audience, 3, &[], &[2]);
        audience.join(Uid(2), 2);
        assert_eq!(hears(&mut audience, 3, &[], &[]), [1]);
        audience.join(Uid(2), 4);
        assert_eq!(hears(&mut audience, 4, &[], &[]), [1, 2]);
    }

    #[test]
    fn a_record_of_before_the_join_is_not_for_the_joiner() {
        let mut audience = Audience::default();
        audience.join(Uid(1), 1);
        audience.join(Uid(2), 5);
        assert_eq!(hears(&mut audience, 4, &[], &[]), [1]);
    }
}

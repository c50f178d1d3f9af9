//! Which of the users connected here hear of a group: pure bookkeeping by membership versions.
//!
//! Records may be repeated and lists may be read late: a record of before a join is not for the joiner, and a list of before a removal
//! does not bring back who left.

use std::collections::{BTreeMap, BTreeSet};

use mynah_types::{Entry, MemberChange, Membership, Uid};

/// What an event did to the membership, by the rows as they are now: for a record that is made from the log again.
///
/// The rows hold each user's latest stay only. Who came back later was out at this version, whatever the event did to him.
#[must_use]
pub fn changed_by(event: &Entry, members: &[(Uid, Membership)]) -> MemberChange {
    let those = |is: &dyn Fn(&Membership) -> bool| members.iter().filter(|(_, m)| is(m)).map(|(uid, _)| *uid).collect();
    MemberChange {
        added: those(&|m| m.from_seq == event.seq),
        removed: those(&|m| m.until_seq == Some(event.seq)),
        outside: those(&|m| m.from_version > event.member_version),
        dissolved: false,
    }
}

/// A group's members who are connected here, and those who left while they were.
#[derive(Debug, Default)]
pub struct Audience {
    since: BTreeMap<Uid, u64>,
    left: BTreeMap<Uid, u64>,
    /// Members who get no messages of it, only its events.
    shielded: BTreeSet<Uid>,
    /// Newest version of any record.
    newest: u64,
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

    /// Raises or lowers a subscriber's shield. True if it was up and is not any more.
    pub fn shield(&mut self, uid: Uid, up: bool) -> bool {
        if up && self.since.contains_key(&uid) {
            self.shielded.insert(uid);
            return false;
        }
        !up && self.shielded.remove(&uid)
    }

    /// The version with which a subscriber's membership began.
    #[must_use]
    pub fn since(&self, uid: Uid) -> Option<u64> {
        self.since.get(&uid).copied()
    }

    /// Those who are subscribed.
    pub fn members(&self) -> impl Iterator<Item = Uid> + '_ {
        self.since.keys().copied()
    }

    /// A user is not connected here any more. True if he was subscribed.
    pub fn disconnect(&mut self, uid: Uid) -> bool {
        self.left.remove(&uid);
        self.shielded.remove(&uid);
        self.since.remove(&uid).is_some()
    }

    /// Takes a message of membership version `version` and tells who hears of it: those who were members then, but for the shielded.
    pub fn message(&mut self, version: u64) -> Vec<Uid> {
        self.newest = version.max(self.newest);
        let members = self.since.iter().filter(|(_, since)| **since <= version).map(|(uid, _)| *uid);
        members.filter(|uid| !self.shielded.contains(uid)).collect()
    }

    /// Takes an event of membership version `version` and tells who hears of it: those who come and those who go with it both do.
    pub fn record(&mut self, version: u64, change: &MemberChange, is_here: impl Fn(Uid) -> bool) -> Vec<Uid> {
        // An older record, delivered again, does not bring back who has left since.
        let added = if version < self.newest { &[] } else { change.added.as_slice() };
        self.newest = version.max(self.newest);
        for uid in added.iter().filter(|uid| is_here(**uid)) {
            let since = self.since.entry(*uid).or_insert(version);
            *since = version.max(*since);
            self.left.remove(uid);
        }
        let mut hear: Vec<Uid> = self.since.iter().filter(|(_, since)| **since <= version).map(|(uid, _)| *uid).collect();
        // Who logged in between the change's commit and its entry is no subscriber, and what came in between is his all the same.
        hear.extend(change.removed.iter().filter(|uid| is_here(**uid) && !self.since.contains_key(uid)));
        for uid in change.removed.iter().chain(&change.outside).filter(|uid| is_here(**uid)) {
            // An older record, delivered again, does not undo a later join.
            if self.since.get(uid).is_none_or(|since| *since <= version) {
                self.since.remove(uid);
                // The shield goes with the membership.
                self.shielded.remove(uid);
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
        let change = MemberChange { added: uids(added), removed: uids(removed), ..MemberChange::default() };
        let mut hear: Vec<u64> = audience.record(version, &change, |_| true).iter().map(|uid| uid.0).collect();
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
    fn who_is_shielded_hears_of_events_and_of_no_message() {
        let mut audience = Audience::default();
        audience.join(Uid(1), 1);
        audience.join(Uid(2), 1);
        assert!(!audience.shield(Uid(2), true) && !audience.shield(Uid(3), true));
        assert_eq!((audience.message(1), hears(&mut audience, 1, &[], &[])), (vec![Uid(1)], vec![1, 2]));
        assert!(audience.shield(Uid(2), false) && !audience.shield(Uid(2), false));
        assert_eq!(audience.message(1), [Uid(1), Uid(2)]);
        audience.shield(Uid(2), true);
        hears(&mut audience, 2, &[], &[2]);
        hears(&mut audience, 3, &[2], &[]);
        assert_eq!(audience.message(3), [Uid(1), Uid(2)], "the shield went with the membership");
    }

    #[test]
    fn who_goes_hears_of_it_even_if_his_login_found_him_gone() {
        let mut audience = Audience::default();
        audience.join(Uid(1), 1);
        assert_eq!(hears(&mut audience, 2, &[], &[2]), [1, 2]);
    }

    #[test]
    fn an_older_record_does_not_bring_back_who_left() {
        let mut audience = Audience::default();
        audience.join(Uid(1), 1);
        assert_eq!(hears(&mut audience, 2, &[2], &[]), [1, 2]);
        assert_eq!(hears(&mut audience, 3, &[], &[2]), [1, 2]);
        assert_eq!(hears(&mut audience, 2, &[2], &[]), [1]);
        assert_eq!(hears(&mut audience, 3, &[], &[]), [1]);
    }

    #[test]
    fn who_came_back_later_was_out_in_between() {
        let mut audience = Audience::default();
        audience.join(Uid(1), 1);
        audience.join(Uid(2), 1);
        let event = |seq, member_version| Entry {
            seq,
            msg_id: mynah_types::MsgId(seq),
            ctime: 1,
            sender: Uid(0),
            cmid: None,
            content_hash: 0,
            member_version,
            cum_unread: 0,
            kind: mynah_types::EntryKind::Event,
            payload: Default::default(),
        };
        let row = |from_version, from_seq| {
            let role = mynah_types::Role::Member;
            Membership { from_version, from_seq, until_seq: None, role, silenced: false }
        };
        let rows = [(Uid(1), row(1, 1)), (Uid(2), row(3, 7))];
        let removal = changed_by(&event(5, 2), &rows);
        assert_eq!(audience.record(2, &removal, |_| true), [Uid(1), Uid(2)]);
        assert_eq!(hears(&mut audience, 2, &[], &[]), [1]);
        let back = changed_by(&event(7, 3), &rows);
        assert_eq!(back.added, [Uid(2)]);
        assert_eq!(audience.record(3, &back, |_| true), [Uid(1), Uid(2)]);
    }

    #[test]
    fn a_record_of_before_the_join_is_not_for_the_joiner() {
        let mut audience = Audience::default();
        audience.join(Uid(1), 1);
        audience.join(Uid(2), 5);
        assert_eq!(hears(&mut audience, 4, &[], &[]), [1]);
    }
}

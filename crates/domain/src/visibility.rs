//! What of a conversation one user may see: pure, from rows of the log.

use mynah_types::{ConversationKey, Hidden, Membership, Position, Seq, Uid};

/// The part of a conversation that a viewer may see, both ends inclusive. Empty if `to < from`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// First visible entry: the latest join, or the first of all.
    pub from: Seq,
    /// Last visible entry: the head, or the entry of his removal.
    pub to: Seq,
}

/// The view of `uid`; none if the conversation is not one of his, or does not exist: the same for both.
#[must_use]
pub fn view(key: ConversationKey, uid: Uid, head: Seq, member: Option<&Membership>) -> Option<View> {
    let all = Some(View { from: 1, to: head });
    match key {
        ConversationKey::Single(a, b) => all.filter(|_| head > 0 && (a == uid || b == uid)),
        ConversationKey::Feed(owner) => all.filter(|_| owner == uid),
        ConversationKey::Group(_) => member.map(|m| View { from: m.from_seq, to: m.until_seq.unwrap_or(head) }),
        // Rooms are read from inside only, by history.
        ConversationKey::Room(_) => None,
    }
}

/// Whether the viewer does not want to see what was said at a place. Stretches that are open belong to the stay that they began in.
#[must_use]
pub fn hides(hidden: &[Hidden], view: View, seq: Seq) -> bool {
    hidden.iter().any(|h| match h.until {
        Some(until) => h.from <= seq && seq <= until,
        None => h.from > view.from && h.from <= seq,
    })
}

/// What counts as unread above a floor: stretches as (above, up to), in order, without what the viewer hides.
#[must_use]
pub fn unread_stretches(hidden: &[Hidden], view: View, floor: Seq) -> Vec<(Seq, Seq)> {
    let mut stretches = Vec::new();
    let mut above = floor;
    for h in hidden.iter().filter(|h| h.until.is_some() || h.from > view.from) {
        if h.from > above + 1 && above < view.to {
            stretches.push((above, (h.from - 1).min(view.to)));
        }
        above = above.max(h.until.unwrap_or(view.to));
    }
    if above < view.to {
        stretches.push((above, view.to));
    }
    stretches
}

/// Everything up to this seq is read: by the user's word, by his own sending, or because it is none of his.
#[must_use]
pub fn read_floor(view: View, position: &Position) -> Seq {
    position.read_seq.max(position.own_seq).max(position.deleted_to).max(view.from.saturating_sub(1))
}

/// What a page proves: from the first seq to the last everything is in it or none of the viewer's. `ends` are its first and last entry.
///
/// What lies below the viewer's part counts as covered; a page of the latest leaves an explicit gap below itself.
#[must_use]
pub fn cover(view: View, after: Seq, latest: bool, limit: usize, ends: Option<(Seq, Seq)>) -> (Seq, Seq) {
    match ends {
        Some((first, _)) if latest => {
            let whole = first <= view.from.max(after + 1);
            (if whole { after + 1 } else { first }, view.to)
        }
        Some((_, last)) => (after + 1, last),
        // Nothing to see above `after`, or no room for it.
        None if limit == 0 => (after + 1, after),
        None => (after + 1, view.to.max(after)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mynah_types::Role;

    fn member(from_seq: Seq, until_seq: Option<Seq>) -> Membership {
        Membership { from_version: 1, from_seq, until_seq, role: Role::Member, silenced: false }
    }

    #[test]
    fn a_member_sees_from_his_join_to_his_removal() {
        let key = ConversationKey::Group(10_000_001);
        assert_eq!(view(key, Uid(1), 9, Some(&member(4, None))), Some(View { from: 4, to: 9 }));
        assert_eq!(view(key, Uid(1), 9, Some(&member(4, Some(6)))), Some(View { from: 4, to: 6 }));
        assert_eq!(view(key, Uid(1), 9, None), None);
    }

    #[test]
    fn what_is_hidden_neither_shows_nor_counts() {
        let view = View { from: 4, to: 20 };
        let of = |from, until| Hidden { from, until };
        let hidden = [of(6, Some(8)), of(12, Some(12)), of(15, None)];
        let seen: Vec<Seq> = (4..=20).filter(|seq| !hides(&hidden, view, *seq)).collect();
        assert_eq!(seen, [4, 5, 9, 10, 11, 13, 14]);
        assert_eq!(unread_stretches(&hidden, view, 3), [(3, 5), (8, 11), (12, 14)]);
        assert_eq!(unread_stretches(&hidden, view, 7), [(8, 11), (12, 14)]);
        assert_eq!(unread_stretches(&hidden, view, 13), [(13, 14)]);
        assert_eq!(unread_stretches(&hidden, view, 16), []);
        // An open stretch of an earlier stay hides nothing of this one.
        let rejoined = View { from: 16, to: 20 };
        assert!((16..=20).all(|seq| !hides(&hidden, rejoined, seq)));
        assert_eq!(unread_stretches(&hidden, rejoined, 15), [(15, 20)]);
        assert_eq!(unread_stretches(&[], view, 3), [(3, 20)]);
    }

    #[test]
    fn a_single_chat_is_its_two_users_alone() {
        let key = ConversationKey::single(Uid(1), Uid(2));
        assert_eq!(view(key, Uid(2), 3, None), Some(View { from: 1, to: 3 }));
        assert_eq!(view(key, Uid(3), 3, None), None);
        assert_eq!(view(key, Uid(1), 0, None), None);
    }

    #[test]
    fn a_page_covers_what_it_shows_and_what_is_none_of_the_viewers() {
        let view = View { from: 4, to: 9 };
        assert_eq!(cover(view, 0, false, 3, Some((4, 6))), (1, 6));
        assert_eq!(cover(view, 9, false, 3, None), (10, 9));
        assert_eq!(cover(view, 2, false, 0, None), (3, 2));
        assert_eq!(cover(view, 0, true, 3, Some((7, 9))), (7, 9));
        assert_eq!(cover(view, 0, true, 9, Some((4, 9))), (1, 9));
    }

    #[test]
    fn a_joiner_owes_nothing_of_before() {
        let floor = read_floor(View { from: 100, to: 120 }, &Position::default());
        assert_eq!(floor, 99);
    }
}

//! The lists that users ask for at the end: each conversation in which something was said is there, with the right unread count.

use super::Judge;
use super::view::View;

impl Judge {
    /// The local user at `at` was told how many of a conversation he has not read.
    pub(crate) fn unread(&mut self, at: usize, user: u32, conv: u32, head: u64, unread: u64) {
        let Some((view, _)) = self.view(at, conv) else { return };
        view.listed = true;
        if view.have != head {
            return;
        }
        view.compared = true;
        // A mark without an answer may have been taken, or not.
        if u64::from(view.unread) == unread || view.since_mark.is_some_and(|since| u64::from(since) == unread) {
            return;
        }
        let right = view.unread;
        self.findings.unread += 1;
        self.findings.tell(|| format!("user {user} was told of {unread} unread in conversation {conv}, which are {right}"));
    }

    /// The local user at `at` asks for his list from its beginning.
    pub(crate) fn asks_for_list(&mut self, at: usize) {
        for view in self.views.get_mut(at).into_iter().flatten() {
            (view.listed, view.compared) = (false, false);
        }
    }

    /// Conversations of the local user at `at` in which something was said, and which his list did not name as they stand. Rooms are in
    /// no list.
    fn unlisted(&self, at: usize) -> impl Iterator<Item = &View> {
        let views = self.views.get(at).map_or(&[][..], Vec::as_slice);
        views.iter().filter(|view| {
            let of = self.conversations.get(view.conv as usize);
            let said = of.is_some_and(|c| c.head > view.base && !c.is_room());
            said && !view.compared
        })
    }

    /// Whether the list of the local user at `at` named all that it has to.
    pub(crate) fn is_listed(&self, at: usize) -> bool {
        self.unlisted(at).next().is_none()
    }

    /// The local user at `at` asks no more. What his list did not name has no unread count; answers how many it named otherwise than
    /// they stand, which cannot be compared.
    pub(crate) fn asked_for_lists(&mut self, at: usize) -> u64 {
        let unlisted: Vec<(u32, u32, bool)> = self.unlisted(at).map(|view| (view.user, view.conv, view.listed)).collect();
        for (user, conv, _) in unlisted.iter().filter(|(_, _, listed)| !listed) {
            self.findings.unread += 1;
            self.findings.tell(|| format!("the list of user {user} does not name conversation {conv}"));
        }
        unlisted.iter().filter(|(_, _, listed)| *listed).count() as u64
    }
}

//! Targets that sends of this gateway named before. A name's user or group is asked of the directory once.
//!
//! A name is somebody else's only after a deletion. That puts the user's devices out by a call to every gateway before it is answered, and the
//! call makes each forget him, too; where it did not get through, the change that is told makes up for it. What the router knows better (nobody is
//! there, the message came before) makes a name doubtful: it is asked for again.

use std::sync::Arc;

use mynah_proto::device::Target;
use mynah_types::{ConversationKey, Uid};
use quick_cache::sync::Cache;
use quick_cache::{Equivalent, UnitWeighter};

/// Targets that are kept; beyond it those that are named least are forgotten. About 300 bytes each.
const MOST: u64 = 65_536;
/// Room that is made at once.
const FIRST: usize = 1024;

/// A user or group of the sender's own app.
#[derive(Debug, Clone)]
pub(crate) enum To {
    User(Uid),
    Group(u64),
}

/// What a name stands for.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) to: To,
    pub(crate) target: Arc<Target>,
}

impl Known {
    /// The conversation of somebody with it.
    pub(crate) fn conversation(&self, of: Uid) -> ConversationKey {
        match self.to {
            To::User(peer) => ConversationKey::single(of, peer),
            To::Group(gid) => ConversationKey::Group(gid),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Name {
    app_id: u64,
    target_type: Box<str>,
    id: Box<str>,
}

/// A name as it is asked for. Hashes like [`Name`]: field by field, in its order.
#[derive(Debug, Clone, Copy, Hash)]
pub(crate) struct Asked<'a> {
    /// The sender's app.
    pub(crate) app_id: u64,
    /// `single` or `group`.
    pub(crate) target_type: &'a str,
    pub(crate) id: &'a str,
}

impl Equivalent<Name> for Asked<'_> {
    fn equivalent(&self, name: &Name) -> bool {
        (self.app_id, self.target_type, self.id) == (name.app_id, &*name.target_type, &*name.id)
    }
}

pub(crate) struct Targets {
    known: Cache<Name, Known>,
    /// The users among them that nothing was heard of since: a name of any other counts for nothing.
    unchanged: Cache<Uid, ()>,
}

impl Default for Targets {
    fn default() -> Self {
        let (known, unchanged) =
            (Cache::with_weighter(FIRST, MOST, UnitWeighter), Cache::with_weighter(FIRST, MOST, UnitWeighter));
        Self { known, unchanged }
    }
}

impl Targets {
    pub(crate) fn get(&self, asked: Asked<'_>) -> Option<Known> {
        self.known.get(&asked).filter(|known| match known.to {
            To::User(uid) => self.unchanged.get(&uid).is_some(),
            To::Group(_) => true,
        })
    }

    pub(crate) fn keep(&self, asked: Asked<'_>, known: Known) {
        if let To::User(uid) = known.to {
            self.unchanged.insert(uid, ());
        }
        self.known.insert(Name { app_id: asked.app_id, target_type: asked.target_type.into(), id: asked.id.into() }, known);
    }

    /// Forgets a name, and every other one of the same user.
    pub(crate) fn forget(&self, asked: Asked<'_>) {
        if let Some((_, Known { to: To::User(uid), .. })) = self.known.remove(&asked) {
            self.forget_user(uid);
        }
    }

    /// The directory says that the user changed: he may be gone, and his name another's.
    pub(crate) fn forget_user(&self, uid: Uid) {
        self.unchanged.remove(&uid);
    }

    pub(crate) fn forget_all(&self) {
        self.known.clear();
        self.unchanged.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: Asked<'_> = Asked { app_id: 1, target_type: "single", id: "tommy" };

    fn known(uid: u64) -> Known {
        Known { to: To::User(Uid(uid)), target: Arc::default() }
    }

    #[test]
    fn a_name_is_kept_by_app_and_type_until_it_is_doubtful() {
        let targets = Targets::default();
        targets.keep(ASKED, known(7));
        assert_eq!(targets.get(ASKED).unwrap().conversation(Uid(3)), ConversationKey::single(Uid(3), Uid(7)));
        assert!(targets.get(Asked { app_id: 2, ..ASKED }).is_none());
        assert!(targets.get(Asked { target_type: "group", ..ASKED }).is_none());
        targets.forget(ASKED);
        assert!(targets.get(ASKED).is_none());
    }

    #[test]
    fn a_user_who_changed_is_forgotten_by_his_uid() {
        let targets = Targets::default();
        targets.keep(ASKED, known(7));
        targets.forget_user(Uid(8));
        assert!(targets.get(ASKED).is_some());
        let alias = Asked { id: "Tommy", ..ASKED };
        targets.keep(alias, known(7));
        targets.forget_user(Uid(7));
        assert!(targets.get(ASKED).is_none() && targets.get(alias).is_none());
    }

    /// Whichever of the two is forgotten first for want of room: a change is never missed.
    #[test]
    fn a_name_does_not_outlive_what_tells_of_its_changes() {
        let targets = Targets::default();
        targets.keep(ASKED, known(7));
        targets.unchanged.clear();
        assert!(targets.known.get(&ASKED).is_some());
        assert!(targets.get(ASKED).is_none());
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let targets = Targets::default();
        for uid in 0..2 * MOST {
            targets.keep(Asked { id: &uid.to_string(), ..ASKED }, known(uid));
        }
        assert!(u64::try_from(targets.known.len().max(targets.unchanged.len())).unwrap() <= MOST);
    }
}

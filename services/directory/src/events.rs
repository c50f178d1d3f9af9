//! Events: those of groups, as entries of their conversations, and those of one user, for his feed.

use bytes::Bytes;
use mynah_ports::directory_store::{FeedEvents, RosterKind, User};
use mynah_proto::device::entry::Kind;
use mynah_proto::device::{Entry, Event, Party, Target};
use mynah_types::{AppId, Uid};
use prost::Message as _;

use crate::cross::Apps;

/// What happened, with JMessage's number of it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Happened {
    /// The group was made, with these other members.
    Created,
    /// These came in.
    Added,
    /// These went out.
    Removed,
    /// The group is gone.
    Dissolved,
    /// Its name, description or picture is another.
    InfoChanged,
    /// These may read but not send.
    Silenced,
    /// These may send again.
    Unsilenced,
    /// It has another owner.
    OwnerChanged,
    /// A chatroom: these may listen but not speak.
    Muted,
    /// A chatroom: these may speak again.
    Unmuted,
}

impl Happened {
    fn number(self) -> u32 {
        match self {
            Self::Created => 8,
            Self::Dissolved => 9,
            Self::Added => 10,
            Self::Removed => 11,
            Self::InfoChanged => 12,
            Self::Silenced | Self::Unsilenced => 65,
            Self::OwnerChanged => 82,
            Self::Muted => 135,
            Self::Unmuted => 136,
        }
    }

    fn extra(self) -> u32 {
        match self {
            Self::Dissolved => 69,
            Self::Silenced => 1,
            Self::Unsilenced => 2,
            Self::Created
            | Self::Added
            | Self::Removed
            | Self::InfoChanged
            | Self::OwnerChanged
            | Self::Muted
            | Self::Unmuted => 0,
        }
    }
}

/// An event of a group or chatroom. Names are those of now: readers see them as they were.
pub(crate) struct GroupEvent<'a> {
    /// Of the group and of everybody who is named.
    pub(crate) apps: &'a Apps,
    /// The group's app.
    pub(crate) app: AppId,
    pub(crate) kind: RosterKind,
    pub(crate) gid: u64,
    pub(crate) group_name: &'a str,
    pub(crate) happened: Happened,
    /// Who did it; none: the system.
    pub(crate) from: Option<&'a User>,
    /// Whom it concerns.
    pub(crate) to: Vec<&'a User>,
    pub(crate) new_owner: Option<&'a User>,
}

impl GroupEvent<'_> {
    /// The payload of the entry.
    pub(crate) fn payload(&self) -> Bytes {
        let gid = self.gid.to_string();
        let event = Event {
            event_type: self.happened.number(),
            extra: self.happened.extra(),
            to: self.to.iter().map(|user| party(self.apps, user)).collect(),
            group_name: self.group_name.to_owned(),
            new_owner: self.new_owner.map(|user| party(self.apps, user)),
            gid: if self.kind == RosterKind::Group { gid.clone() } else { String::new() },
            ..Event::default()
        };
        let entry = Entry {
            from: Some(self.from.map_or_else(system, |user| party(self.apps, user))),
            target: Some(Target {
                r#type: if self.kind == RosterKind::Group { "group" } else { "chatroom" }.into(),
                id: gid,
                appkey: self.apps.key(self.app).to_owned(),
                name: self.group_name.to_owned(),
            }),
            kind: Some(Kind::Event(event)),
            ..Entry::default()
        };
        entry.encode_to_vec().into()
    }
}

/// An event for a user's feed.
pub(crate) struct SelfEvent<'a> {
    /// Of everybody who is named.
    apps: &'a Apps,
    /// Whose feed.
    owner: &'a User,
    event_type: u32,
    extra: u32,
    /// Who did it; none: the app's server.
    from: Option<&'a User>,
    to: Vec<&'a User>,
    gids: &'a [u64],
}

/// What became of a friendship, or of what is noted of it: JMessage's `extra` of its own events of this kind.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Friendship {
    Made = 5,
    Ended = 6,
    Noted = 7,
}

impl<'a> SelfEvent<'a> {
    fn of(apps: &'a Apps, owner: &'a User, event_type: u32, extra: u32) -> Self {
        Self { apps, owner, event_type, extra, from: None, to: Vec::new(), gids: &[] }
    }

    /// Friendships of a user changed: he hears of all in one event, each of the others of his own.
    pub(crate) fn friends(apps: &'a Apps, user: &'a User, peers: &[&'a User], what: Friendship) -> FeedEvents {
        let mut events = vec![Self { to: peers.to_vec(), ..Self::of(apps, user, 7, what as u32) }.told()];
        if !matches!(what, Friendship::Noted) {
            let each = peers.iter().map(|peer| Self { from: Some(user), ..Self::of(apps, peer, 7, what as u32) }.told());
            events.extend(each);
        }
        events
    }

    /// The event that each friend of a deleted user gets.
    pub(crate) fn farewell(apps: &'a Apps, user: &'a User) -> (Uid, Bytes) {
        Self { from: Some(user), ..Self::of(apps, user, 7, Friendship::Ended as u32) }.told()
    }

    /// A user's blacklist changed.
    pub(crate) fn blacklist(apps: &'a Apps, user: &'a User, added: &[&'a User], removed: &[&'a User]) -> FeedEvents {
        let of = |extra, to: &[&'a User]| Self { to: to.to_vec(), ..Self::of(apps, user, 38, extra) }.told();
        let added = (!added.is_empty()).then(|| of(1, added));
        let removed = (!removed.is_empty()).then(|| of(2, removed));
        added.into_iter().chain(removed).collect()
    }

    /// Whom a user does not want to be disturbed by changed; `global`: everybody, or nobody any more.
    pub(crate) fn dnd(
        apps: &'a Apps,
        user: &'a User,
        users: [&[&'a User]; 2],
        groups: [&'a [u64]; 2],
        global: Option<bool>,
    ) -> FeedEvents {
        let mut events = Vec::new();
        for (extra, to) in (31..).zip(users).filter(|(_, to)| !to.is_empty()) {
            events.push(Self { to: to.to_vec(), ..Self::of(apps, user, 37, extra) }.told());
        }
        for (extra, gids) in (33..).zip(groups).filter(|(_, gids)| !gids.is_empty()) {
            events.push(Self { gids, ..Self::of(apps, user, 37, extra) }.told());
        }
        events.extend(global.map(|on| Self::of(apps, user, 37, if on { 35 } else { 36 }).told()));
        events
    }

    /// A user's shields changed.
    pub(crate) fn shields(apps: &'a Apps, user: &'a User, up: &'a [u64], down: &'a [u64]) -> FeedEvents {
        let of = |extra, gids| Self { gids, ..Self::of(apps, user, 39, extra) }.told();
        let (up, down) = ((!up.is_empty()).then(|| of(1, up)), (!down.is_empty()).then(|| of(2, down)));
        up.into_iter().chain(down).collect()
    }

    /// The app's server changed a user's profile.
    pub(crate) fn profile(apps: &'a Apps, user: &'a User) -> FeedEvents {
        vec![Self::of(apps, user, 40, 0).told()]
    }

    /// One group stands in `gid`; several in `description`, separated by commas.
    fn told(self) -> (Uid, Bytes) {
        let gids: Vec<String> = self.gids.iter().map(u64::to_string).collect();
        let event = Event {
            event_type: self.event_type,
            extra: self.extra,
            to: self.to.iter().map(|user| party(self.apps, user)).collect(),
            description: if gids.len() > 1 { gids.join(",") } else { String::new() },
            gid: if gids.len() == 1 { gids.concat() } else { String::new() },
            ..Event::default()
        };
        let entry = Entry {
            from: Some(self.from.map_or_else(system, |user| party(self.apps, user))),
            target: Some(Target {
                r#type: "feed".into(),
                id: self.owner.username.to_string(),
                appkey: self.apps.key(self.owner.app).to_owned(),
                name: String::new(),
            }),
            kind: Some(Kind::Event(event)),
            ..Entry::default()
        };
        (self.owner.uid, entry.encode_to_vec().into())
    }
}

fn system() -> Party {
    Party { r#type: "system".into(), ..Party::default() }
}

fn party(apps: &Apps, user: &User) -> Party {
    Party {
        username: user.username.to_string(),
        appkey: apps.key(user.app).to_owned(),
        name: user.profile.nickname.clone().unwrap_or_default(),
        r#type: "user".into(),
        profile_mtime: user.mtime,
        ..Party::default()
    }
}

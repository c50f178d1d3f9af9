//! The membership events of groups, as entries of their conversations. Chatrooms have none.

use bytes::Bytes;
use mynah_ports::directory_store::{App, User};
use mynah_proto::device::entry::Kind;
use mynah_proto::device::{Entry, Event, Party, Target};
use prost::Message as _;

/// What happened, with JMessage's number of it (device-semantics 1.16).
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
        }
    }

    fn extra(self) -> u32 {
        match self {
            Self::Dissolved => 69,
            Self::Silenced => 1,
            Self::Unsilenced => 2,
            Self::Created | Self::Added | Self::Removed | Self::InfoChanged | Self::OwnerChanged => 0,
        }
    }
}

/// An event of a group. Names are those of now: readers see them as they were.
pub(crate) struct GroupEvent<'a> {
    pub(crate) app: &'a App,
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
        let system = || Party { r#type: "system".into(), ..Party::default() };
        let event = Event {
            event_type: self.happened.number(),
            extra: self.happened.extra(),
            to: self.to.iter().map(|user| party(self.app, user)).collect(),
            group_name: self.group_name.to_owned(),
            new_owner: self.new_owner.map(|user| party(self.app, user)),
            gid: gid.clone(),
            ..Event::default()
        };
        let entry = Entry {
            from: Some(self.from.map_or_else(system, |user| party(self.app, user))),
            target: Some(Target {
                r#type: "group".into(),
                id: gid,
                appkey: self.app.key.to_string(),
                name: self.group_name.to_owned(),
            }),
            kind: Some(Kind::Event(event)),
            ..Entry::default()
        };
        entry.encode_to_vec().into()
    }
}

fn party(app: &App, user: &User) -> Party {
    Party {
        username: user.username.to_string(),
        appkey: app.key.to_string(),
        name: user.profile.nickname.clone().unwrap_or_default(),
        r#type: "user".into(),
        profile_mtime: user.mtime,
        ..Party::default()
    }
}

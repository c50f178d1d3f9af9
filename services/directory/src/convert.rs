//! From the store's records to the wire, and from its errors to failures.

use mynah_ports::directory_store::{App, Change, Error, Member, Profile, Refusal, Roster, RosterKind, Switch, User};
use mynah_proto::{Failure, directory as wire, router};
use mynah_types::{Reason, Role};

use crate::cross::Apps;

pub(crate) fn app(app: &App) -> wire::App {
    wire::App {
        app_id: app.id.0,
        appkey: app.key.to_string(),
        name: app.name.clone(),
        demo: app.demo,
        multi_device: app.rules.multi_device.as_str().to_owned(),
        require_signature: app.rules.signature.as_str().to_owned(),
        max_group_members: app.rules.max_group_members,
        max_groups_per_user: app.rules.max_groups_per_user,
        max_room_members: app.rules.max_room_members,
        device_registration: app.rules.device_registration,
    }
}

/// `apps`: holds the user's.
pub(crate) fn user(apps: &Apps, user: &User) -> wire::User {
    wire::User {
        uid: user.uid.0,
        username: user.username.to_string(),
        appkey: apps.key(user.app).to_owned(),
        admin: user.admin,
        disabled: user.disabled,
        profile: Some(profile(&user.profile)),
        ctime_ms: user.ctime,
        mtime_ms: user.mtime,
    }
}

fn profile(profile: &Profile) -> wire::Profile {
    wire::Profile {
        nickname: profile.nickname.clone(),
        avatar: profile.avatar.clone(),
        birthday: profile.birthday.clone(),
        signature: profile.signature.clone(),
        gender: profile.gender.map(u32::from),
        region: profile.region.clone(),
        address: profile.address.clone(),
        extras: profile.extras.as_ref().map(|json| json.clone().into_bytes()),
    }
}

/// `owner`: none while a deleted owner's group passes on. `apps`: holds the group's and the owner's.
pub(crate) fn group(apps: &Apps, roster: &Roster, owner: Option<&User>) -> wire::Group {
    wire::Group {
        gid: roster.id,
        app_id: roster.app.0,
        appkey: apps.key(roster.app).to_owned(),
        name: roster.name.clone(),
        desc: roster.desc.clone(),
        avatar: roster.avatar.clone(),
        flag: u32::from(roster.flag),
        owner: owner.map(|owner| user(apps, owner)),
        max_members: apps.get(roster.app).map_or(0, |app| app.rules.max_group_members),
        ctime_ms: roster.ctime,
        mtime_ms: roster.mtime,
        version: roster.version,
        member_since_version: 0,
        shielded: false,
    }
}

/// `apps`: holds the room's and the owner's.
pub(crate) fn room(apps: &Apps, roster: &Roster, owner: Option<&User>) -> wire::Room {
    wire::Room {
        room_id: roster.id,
        app_id: roster.app.0,
        appkey: apps.key(roster.app).to_owned(),
        name: roster.name.clone(),
        description: roster.desc.clone(),
        owner: owner.map(|owner| user(apps, owner)),
        max_members: apps.get(roster.app).map_or(0, |app| app.rules.max_room_members),
        members: roster.members,
        ctime_ms: roster.ctime,
    }
}

pub(crate) fn group_member(apps: &Apps, member: &Member, of: &User) -> wire::GroupMember {
    wire::GroupMember { user: Some(user(apps, of)), role: role(member.role), silenced: member.silenced, joined_ms: member.joined }
}

pub(crate) fn room_member(apps: &Apps, member: &Member, of: &User) -> wire::RoomMember {
    wire::RoomMember { user: Some(user(apps, of)), muted: member.silenced, entered_ms: member.joined }
}

pub(crate) fn change(change: Change) -> router::Change {
    let member = |uid: mynah_types::Uid, r, silenced| router::Member { uid: uid.0, role: role(r), silenced };
    router::Change {
        version: change.version,
        joined: change.joined.into_iter().map(|(uid, r)| member(uid, r, false)).collect(),
        left: change.left.into_iter().map(|uid| uid.0).collect(),
        changed: change.changed.into_iter().map(|(uid, r, silenced)| member(uid, r, silenced)).collect(),
        dissolved: change.dissolved,
        payload: change.payload,
        actor_uid: change.actor.0,
    }
}

fn role(role: Role) -> u32 {
    match role {
        Role::Member => 0,
        Role::Keeper => 1,
        Role::Owner => 2,
    }
}

/// The failure for a group or chatroom that is not there.
pub(crate) fn no_roster(kind: RosterKind) -> Failure {
    match kind {
        RosterKind::Group => Failure::new(Reason::GroupNotFound, "no such group"),
        RosterKind::Room => Failure::new(Reason::RoomNotFound, "no such chatroom"),
    }
}

/// The failure of what is not done, since its caller would not hear of it.
pub(crate) fn too_late() -> Failure {
    Failure::new(Reason::Unavailable, "there was no time left to do it: try again")
}

/// The failure of a store's error. Refusals that mean something else in a call are told apart before they come here.
pub(crate) fn store(error: Error) -> Failure {
    match error {
        Error::Unavailable(why) => {
            tracing::warn!(error = %why, "the directory's store does not answer");
            metrics::counter!("mynah_directory_store_failures_total").increment(1);
            Failure::new(Reason::Unavailable, "the store does not answer: try again")
        }
        Error::TooLate => too_late(),
        Error::Overloaded => Failure::new(Reason::Overloaded, "the store has too much to do: try again").retry_after(500),
        Error::Damaged(why) => {
            tracing::error!(error = %why, "the directory's store is damaged");
            metrics::counter!("mynah_directory_store_failures_total").increment(1);
            Failure::new(Reason::Internal, "internal error")
        }
        Error::Refused(refusal) => refused(&refusal),
    }
}

const MOVED: &str = "changed at the same time by another call: try again";

/// Nothing was done, because another process changed the group or chatroom first.
pub(crate) fn has_moved(failure: &Failure) -> bool {
    failure.why() == Reason::Unavailable && failure.message == MOVED
}

fn refused(refusal: &Refusal) -> Failure {
    let (reason, message) = match refusal {
        Refusal::UsersGone(_) => (Reason::NamedUserNotFound, "a named user does not exist any more"),
        Refusal::UserDisabled => (Reason::UserDisabled, "the user is disabled"),
        Refusal::PasswordMoved => (Reason::BadPassword, "the password was changed meanwhile"),
        Refusal::DeviceConflict => (Reason::DeviceConflict, "another device is logged in"),
        Refusal::AlreadyBlacklisted(_) => (Reason::AlreadyBlacklisted, "already in the blacklist"),
        Refusal::SwitchStands(Switch::DndUser(_), true) => (Reason::DndUserOn, "duplicate add user"),
        Refusal::SwitchStands(Switch::DndUser(_), false) => (Reason::DndUserOff, "user is not exist in setting"),
        Refusal::SwitchStands(Switch::DndGroup(_), true) => (Reason::DndGroupOn, "duplicate add group"),
        Refusal::SwitchStands(Switch::DndGroup(_), false) => (Reason::DndGroupOff, "group is not exist in setting"),
        Refusal::SwitchStands(Switch::Shield(_), true) => (Reason::ShieldOn, "group shield already open"),
        Refusal::SwitchStands(Switch::Shield(_), false) => (Reason::ShieldOff, "group shield already closed"),
        Refusal::SwitchStands(Switch::DndAll, _) => (Reason::DndGlobalOn, "already open global"),
        Refusal::AlreadyFriends(_) => (Reason::AlreadyFriends, "friends already"),
        Refusal::NotFriends(_) => (Reason::NotFriends, "no friends"),
        Refusal::TooManyFriends(_) => (Reason::Invalid, "parameter invalid: body a user would have too many friends"),
        Refusal::TooManyWords => (Reason::Invalid, "parameter invalid: body the app would have more than 100 words"),
        Refusal::NoSuchWord => (Reason::Invalid, "parameter invalid: old_word is no word of the app"),
        Refusal::NotBlacklisted(_) => (Reason::NotBlacklisted, "not in the blacklist"),
        Refusal::VersionMoved => (Reason::Unavailable, MOVED),
        Refusal::RosterGone => (Reason::GroupNotFound, "no such group"),
        Refusal::RosterFull => (Reason::GroupFull, "no room for so many members"),
        Refusal::TooManyGroups(_) => (Reason::TooManyGroups, "a user is in as many groups as he may be"),
    };
    Failure::new(reason, message)
}

/// A refusal that the user the call is about is gone.
pub(crate) fn store_about_user(error: Error) -> Failure {
    match error {
        Error::Refused(Refusal::UsersGone(_)) => no_user(),
        other => store(other),
    }
}

/// The failure for the user that a call is about.
pub(crate) fn no_user() -> Failure {
    Failure::new(Reason::UserNotFound, "no such user")
}

//! Apps, users and device sessions as the store keeps them.

use mynah_types::{AppId, AppKey, Millis, Uid, Username};

/// How many devices of one user may be logged in at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MultiDevice {
    /// One in all.
    One,
    /// One of each class: mobile (a, i), pc (w, m), web (j, x).
    #[default]
    Class,
    /// Any number.
    Many,
}

/// Which devices must prove with a signature that the app's own server let them in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SignatureRule {
    /// Platforms j and x.
    #[default]
    Web,
    /// All.
    All,
    /// None.
    Never,
}

/// What an operator may set for an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppRules {
    /// How many devices a user may have.
    pub multi_device: MultiDevice,
    /// Who must sign.
    pub signature: SignatureRule,
    /// Members of a group, the owner included.
    pub max_group_members: u32,
    /// Groups that one user may be in.
    pub max_groups_per_user: u32,
    /// Members of a chatroom, the owner included.
    pub max_room_members: u32,
    /// Devices may register users.
    pub device_registration: bool,
}

impl Default for AppRules {
    fn default() -> Self {
        Self {
            multi_device: MultiDevice::default(),
            signature: SignatureRule::default(),
            max_group_members: 500,
            max_groups_per_user: 500,
            max_room_members: 10_000,
            device_registration: true,
        }
    }
}

/// An app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct App {
    /// Its number.
    pub id: AppId,
    /// Its public key.
    pub key: AppKey,
    /// Its name, for people.
    pub name: String,
    /// Digest of its master secret.
    pub secret_digest: Vec<u8>,
    /// The master secret, encrypted by the service.
    pub secret_sealed: Vec<u8>,
    /// Made for a first look: its page may sign for its visitors.
    pub demo: bool,
    /// Nobody may use it.
    pub disabled: bool,
    /// Its rules.
    pub rules: AppRules,
    /// When it was made.
    pub ctime: Millis,
}

/// An app to be made.
#[derive(Debug, Clone)]
pub struct NewApp {
    /// Its public key.
    pub key: AppKey,
    /// Its name.
    pub name: String,
    /// Digest of its master secret.
    pub secret_digest: Vec<u8>,
    /// The master secret, encrypted.
    pub secret_sealed: Vec<u8>,
    /// Whether it is the demo app.
    pub demo: bool,
    /// Its rules.
    pub rules: AppRules,
    /// Now.
    pub ctime: Millis,
}

/// What a user tells of himself. None: not given; in an update an empty text clears.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Profile {
    /// Display name.
    pub nickname: Option<String>,
    /// Media id or address of a picture.
    pub avatar: Option<String>,
    /// As `yyyy-MM-dd`.
    pub birthday: Option<String>,
    /// A line about himself.
    pub signature: Option<String>,
    /// 0 unknown, 1 male, 2 female.
    pub gender: Option<u8>,
    /// Region.
    pub region: Option<String>,
    /// Address.
    pub address: Option<String>,
    /// Compact JSON object.
    pub extras: Option<String>,
}

/// A living user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// His number, never used again.
    pub uid: Uid,
    /// His app.
    pub app: AppId,
    /// His name, unique among the living of the app.
    pub username: Username,
    /// May send by the REST API to anybody.
    pub admin: bool,
    /// May not log in.
    pub disabled: bool,
    /// What he tells of himself.
    pub profile: Profile,
    /// When he was registered.
    pub ctime: Millis,
    /// When his profile last changed.
    pub mtime: Millis,
}

/// A user to be registered.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// His name.
    pub username: Username,
    /// Stored form of his password.
    pub password: String,
    /// Whether he is an admin.
    pub admin: bool,
    /// His profile.
    pub profile: Profile,
}

/// SHA-256 of a session's token: the token itself is never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenDigest(pub [u8; 32]);

/// Whether a session may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionState {
    /// It may, until it expires.
    Live,
    /// It was ended.
    Revoked,
}

/// A device's session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its number, never used again.
    pub id: u64,
    /// Its app.
    pub app: AppId,
    /// Its user.
    pub uid: Uid,
    /// The platform letter: a, i, w, m, j or x.
    pub platform: char,
    /// The device's own id; may be empty.
    pub device_id: String,
    /// Whether it may be used.
    pub state: SessionState,
    /// When it began.
    pub ctime: Millis,
    /// When it was last used, to about an hour.
    pub last_used: Millis,
    /// When it ends by itself.
    pub expires: Millis,
}

/// A login to be made: the caller has checked the password.
#[derive(Debug, Clone)]
pub struct Login {
    /// The user's app.
    pub app: AppId,
    /// The user.
    pub uid: Uid,
    /// The stored password that was checked: another one by now refuses the login.
    pub verified: String,
    /// Digest of the new token.
    pub token: TokenDigest,
    /// The platform letter.
    pub platform: char,
    /// The device's own id; an empty one equals no other.
    pub device_id: String,
    /// How many devices may be in.
    pub rule: MultiDevice,
    /// Whether other devices may be put out.
    pub kick_others: bool,
    /// Now.
    pub now: Millis,
    /// The day of it, days since 1970 in the zone that is set: the user counts as active then.
    pub day: u64,
    /// When the session ends if it is not used.
    pub expires: Millis,
}

/// Where an app's server is told of messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callback {
    /// The app.
    pub app: AppId,
    /// Where to.
    pub url: String,
    /// What signs it, sealed.
    pub secret: Vec<u8>,
    /// What signed it before, sealed: both sign while the secret is being replaced.
    pub before: Option<Vec<u8>>,
    /// The app's own credentials are sent along.
    pub with_master_secret: bool,
    /// The address may be a private one.
    pub allow_private: bool,
}

/// How an app grew on a day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Growth {
    /// Users, admins not counted, that are there still, made on the day or before.
    pub users: u64,
    /// Those of them that were made on the day.
    pub new_users: u64,
    /// Users who logged in on the day.
    pub logged_in: u64,
    /// Groups that are there still, made on the day or before.
    pub groups: u64,
    /// Those of them that were made on the day.
    pub new_groups: u64,
}

/// A day, and the time that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day {
    /// Days since 1970 in the zone that is set.
    pub number: u64,
    /// Its first millisecond.
    pub from: Millis,
    /// The first millisecond after it.
    pub until: Millis,
}

/// What a login did.
#[derive(Debug, Clone)]
pub struct LoginOutcome {
    /// The new session.
    pub session: Session,
    /// Sessions of other devices that it put out.
    pub kicked: Vec<Session>,
    /// Sessions of the same device that it took the place of.
    pub replaced: Vec<Session>,
}

/// The newest login of a platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRecord {
    /// The platform letter.
    pub platform: char,
    /// The device's own id.
    pub device_id: String,
    /// The session it made.
    pub session_id: u64,
    /// That session is live.
    pub login: bool,
    /// When.
    pub last_login: Millis,
}

/// Something that a user switches on for himself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Switch {
    /// Another user does not disturb him.
    DndUser(Uid),
    /// A group does not disturb him.
    DndGroup(u64),
    /// Nobody disturbs him.
    DndAll,
    /// He gets no messages of a group.
    Shield(u64),
}

/// A friend, and what the user notes of him; empty for nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Friend {
    /// The friend.
    pub user: User,
    /// What the user calls him.
    pub note_name: String,
    /// What else the user notes.
    pub others: String,
}

/// A change of what a user notes of a friend; none stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FriendNote {
    /// The friend.
    pub peer: Uid,
    /// What the user calls him.
    pub note_name: Option<String>,
    /// What else the user notes.
    pub others: Option<String>,
}

/// What decides whether two users may write to one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rights {
    /// a has b in his blacklist.
    pub a_blocks_b: bool,
    /// b has a in his blacklist.
    pub b_blocks_a: bool,
    /// a is a living user.
    pub a_exists: bool,
    /// b is a living user.
    pub b_exists: bool,
}

impl MultiDevice {
    /// Whether a login on `new` puts out a session of another device on `old`.
    #[must_use]
    pub fn puts_out(self, new: char, old: char) -> bool {
        match self {
            Self::One => true,
            Self::Class => class_of(new) == class_of(old),
            Self::Many => false,
        }
    }

    /// The setting's text form.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::Class => "class",
            Self::Many => "many",
        }
    }

    /// Reads the text form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::One, Self::Class, Self::Many].into_iter().find(|rule| rule.as_str() == text)
    }
}

impl SignatureRule {
    /// The setting's text form.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::All => "all",
            Self::Never => "never",
        }
    }

    /// Reads the text form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Web, Self::All, Self::Never].into_iter().find(|rule| rule.as_str() == text)
    }
}

impl DeviceRecord {
    /// The class of the platform: records of one class compete.
    #[must_use]
    pub fn class(&self) -> &'static str {
        class_of(self.platform)
    }
}

fn class_of(platform: char) -> &'static str {
    match platform {
        'a' | 'i' => "mobile",
        'w' | 'm' => "pc",
        _ => "web",
    }
}

/// What is known of an uploaded file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// Its name in the media store, and its id for clients.
    pub id: String,
    /// Its app.
    pub app: AppId,
    /// image, file or voice.
    pub kind: String,
    /// What the uploader calls it.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// CRC-32 (IEEE) of the bytes.
    pub crc32: u32,
    /// Digest of the bytes, in text form.
    pub hash: String,
    /// Lower-case extension; empty if there is none.
    pub format: String,
    /// Of an image; 0 otherwise.
    pub width: u32,
    /// Of an image; 0 otherwise.
    pub height: u32,
    /// When it was uploaded.
    pub ctime: Millis,
}

/// What the store says of a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remembered {
    /// It was not seen before.
    New,
    /// It was.
    Seen,
    /// No room until some expire.
    Full,
}

/// A shield of which the router is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShieldNote {
    /// The user.
    pub uid: Uid,
    /// The group.
    pub gid: u64,
    /// The shield is up.
    pub up: bool,
    /// Another one after each change, and always a higher one.
    pub number: u64,
    /// The router was told once; it is to be told again, lest a word that was late came last.
    pub again: bool,
}

/// What becomes of a shield's note when the router was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// It is done.
    Done,
    /// The router is told again at this time, as it stands then.
    AgainAt(Millis),
    /// It was told again by the note of this number: done, if it did not change since.
    Again(u64),
}

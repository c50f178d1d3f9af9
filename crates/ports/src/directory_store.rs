//! The directory's durable store: apps, users, device sessions, blacklists, groups and chatrooms with their change rows.
//!
//! Promises of every adapter (the contract suite holds each):
//! - a call that answered is durable, and takes effect as a whole or not at all; a refusal has no effect;
//! - what must not be decided twice is decided inside the transaction: names, session rules, quotas, versions;
//! - lists come in creation order, and their totals cost the same however long they are;
//! - reads see every change that was answered before they began, those of another process too.
//!
//! Callers see to it that no text that is to be kept holds a NUL.
//!
//! Groups and chatrooms are both *rosters*: versioned lists of members. The caller decides a change and composes it with its
//! event; the store takes it only if the roster still has the version that the caller saw.

mod records;
mod roster;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use mynah_types::{AppId, AppKey, Millis, Uid, Username};

pub use records::{
    App, AppRules, Callback, Day, DeviceRecord, Friend, FriendNote, Growth, Login, LoginOutcome, Media, MultiDevice, NewApp,
    NewUser, Profile, Remembered, Rights, Session, SessionState, ShieldNote, SignatureRule, Switch, TokenDigest, Told, User,
};
pub use roster::{Change, ChangeLimits, Details, FirstPayload, Member, NewRoster, Roster, RosterChange, RosterKind};

/// Why the store cannot answer, or does not.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine is not reachable or refuses work. A write may or may not have happened: repeat it.
    #[error("directory store unavailable: {0}")]
    Unavailable(String),
    /// Its queue is full; nothing was done.
    #[error("directory store overloaded")]
    Overloaded,
    /// It would not be durable for certain before the caller gives it up ([`crate::deadline`]); nothing was done.
    #[error("too late to be done before it is given up")]
    TooLate,
    /// Stored data contradicts itself: someone must look. Nothing was done.
    #[error("directory store damaged: {0}")]
    Damaged(String),
    /// The state of things forbids it. Nothing was done.
    #[error("refused: {0:?}")]
    Refused(Refusal),
}

/// Why a write was refused, found out inside its transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// These users are not there (any more).
    UsersGone(Vec<Uid>),
    /// The user is disabled.
    UserDisabled,
    /// The password was changed after the caller checked it.
    PasswordMoved,
    /// The login would put out another device and may not.
    DeviceConflict,
    /// These are in the blacklist already.
    AlreadyBlacklisted(Vec<Uid>),
    /// These are not in the blacklist.
    NotBlacklisted(Vec<Uid>),
    /// This switch is on or off already, as it was to be.
    SwitchStands(Switch, bool),
    /// These are friends already.
    AlreadyFriends(Vec<Uid>),
    /// These are no friends.
    NotFriends(Vec<Uid>),
    /// These users would have more friends than they may.
    TooManyFriends(Vec<Uid>),
    /// The app would have more words than it may.
    TooManyWords,
    /// The app has no such word.
    NoSuchWord,
    /// The roster has another version than the caller saw: load it and decide again.
    VersionMoved,
    /// No such roster, or it is dissolved.
    RosterGone,
    /// It would have more members than it may.
    RosterFull,
    /// These users are in as many groups as they may be.
    TooManyGroups(Vec<Uid>),
}

/// Events for users' feeds, noted in the same step as what they tell of. They wait in [`DirectoryStore::pending_feeds`].
pub type FeedEvents = Vec<(Uid, Bytes)>;

/// The directory's store.
#[async_trait]
pub trait DirectoryStore: Send + Sync + 'static {
    // ---- apps ----

    /// Makes an app. With `only_if_first`: none if there is an app already.
    async fn create_app(&self, app: NewApp, only_if_first: bool) -> Result<Option<App>, Error>;

    /// The app of a key.
    async fn app_by_key(&self, key: &AppKey) -> Result<Option<App>, Error>;

    /// The app of a number.
    async fn app(&self, id: AppId) -> Result<Option<App>, Error>;

    /// Every app, in creation order.
    async fn apps(&self) -> Result<Vec<App>, Error>;

    /// Replaces everything of an app that may change: its secret, its rules, its name, whether it is disabled. False: no such app.
    async fn update_app(&self, app: &App) -> Result<bool, Error>;

    /// Opens or closes the registration of users by devices, and nothing else of the app. False: no such app.
    async fn set_device_registration(&self, app: AppId, open: bool) -> Result<bool, Error>;

    /// Lets an app's server act on another app's users, or no more.
    async fn set_grant(&self, app: AppId, target: AppId, given: bool) -> Result<(), Error>;

    /// The apps that an app's server may act on, in creation order.
    async fn grants(&self, app: AppId) -> Result<Vec<AppId>, Error>;

    /// Notes a web signature by the digest of what makes it one of its kind, until `expires`. Signatures that have not expired are
    /// kept in 256 parts by the first byte, `most / 256` in each, give or take one for each call under way.
    async fn remember_signature(&self, digest: [u8; 32], now: Millis, expires: Millis, most: u32) -> Result<Remembered, Error>;

    // ---- sensitive words ----

    /// Adds words to an app's list, all or nothing; it may hold `most`. Words that are there already are passed over.
    async fn add_words(&self, app: AppId, words: Vec<String>, most: u32, now: Millis) -> Result<(), Error>;

    /// Takes words off the list; those that are not there are passed over.
    async fn remove_words(&self, app: AppId, words: Vec<String>) -> Result<(), Error>;

    /// Puts a word in the place of another. If the new one is listed already, the old one only goes.
    async fn replace_word(&self, app: AppId, old: String, new: String, now: Millis) -> Result<(), Error>;

    /// Words in the order they came, with the time of each, and how many there are in all.
    async fn list_words(&self, app: AppId, start: u64, count: u32) -> Result<(u64, Vec<(String, Millis)>), Error>;

    /// Switches the filter on or off. False: no such app.
    async fn set_word_filter(&self, app: AppId, on: bool) -> Result<bool, Error>;

    /// Whether the filter is on, and all words.
    async fn word_filter(&self, app: AppId) -> Result<(bool, Vec<String>), Error>;

    // ---- media ----

    /// Sets or takes away an app's callback.
    async fn set_callback(&self, app: AppId, callback: Option<Callback>) -> Result<(), Error>;

    /// Every app's callback, in the order of apps.
    async fn callbacks(&self) -> Result<Vec<Callback>, Error>;

    /// Notes an uploaded file; its id was never used.
    async fn add_media(&self, media: Media) -> Result<(), Error>;

    /// What is known of a file, of whatever app.
    async fn media(&self, id: &str) -> Result<Option<Media>, Error>;

    // ---- users ----

    /// Registers users in the order given: none where the name is taken by a living user or by an earlier one of the list.
    async fn insert_users(&self, app: AppId, users: Vec<NewUser>, now: Millis) -> Result<Vec<Option<Uid>>, Error>;

    /// The living users with these names, in any order.
    async fn users_by_name(&self, app: AppId, names: &[Username]) -> Result<Vec<User>, Error>;

    /// The living users with these uids, in any order, of any app.
    async fn users_by_uid(&self, uids: &[Uid]) -> Result<Vec<User>, Error>;

    /// The stored form of a living user's password.
    async fn password(&self, uid: Uid) -> Result<Option<String>, Error>;

    /// Living users or admins of an app in creation order, and how many there are in all.
    async fn list_users(&self, app: AppId, admins: bool, start: u64, count: u32) -> Result<(u64, Vec<User>), Error>;

    /// Takes over what the profile gives; an empty value clears.
    async fn update_profile(&self, uid: Uid, profile: Profile, now: Millis, tell: FeedEvents) -> Result<(), Error>;

    /// Sets the password and revokes the user's sessions but `keep`, in one step. Answers the sessions revoked.
    /// With `verified`: only if the stored password is still this one.
    async fn set_password(
        &self,
        uid: Uid,
        password: String,
        verified: Option<String>,
        keep: Option<u64>,
        now: Millis,
    ) -> Result<Vec<Session>, Error>;

    /// Puts another hash of the same password in the place of the stored one; sessions live on. False: another one is stored by now.
    async fn rehash_password(&self, uid: Uid, stored: String, rehashed: String) -> Result<bool, Error>;

    /// Disables (and revokes all sessions, in one step) or enables a user. Answers the sessions revoked.
    async fn set_disabled(&self, uid: Uid, disabled: bool, now: Millis) -> Result<Vec<Session>, Error>;

    /// Marks users as deleted, in one step for all: their names are free, their sessions revoked, their blacklist rows and those
    /// that name them gone, and each waits in [`DirectoryStore::pending_deletions`] until his rosters are left. `farewells` holds, by
    /// the deleted user, the event for each of his friends.
    async fn delete_users(&self, uids: &[Uid], now: Millis, farewells: FeedEvents) -> Result<Vec<Session>, Error>;

    /// Users that are deleted but may still be in rosters, the longest waiting first.
    async fn pending_deletions(&self, limit: usize) -> Result<Vec<User>, Error>;

    /// A deleted user has left his rosters.
    async fn finish_deletion(&self, uid: Uid) -> Result<(), Error>;

    // ---- device sessions ----

    /// Makes a session and revokes those that the app's rule puts out, in one step.
    async fn login(&self, login: Login) -> Result<LoginOutcome, Error>;

    /// The session of a token, whatever its state.
    async fn session(&self, token: &TokenDigest) -> Result<Option<Session>, Error>;

    /// Notes that a session was used, and until when it lives. A revoked one stays revoked.
    /// `day`: as in [`Login::day`].
    async fn touch_session(&self, session_id: u64, now: Millis, day: u64, expires: Millis) -> Result<(), Error>;

    /// Revokes one session of a user, or all. Answers those revoked.
    async fn revoke_sessions(&self, uid: Uid, session_id: Option<u64>, now: Millis) -> Result<Vec<Session>, Error>;

    /// The newest record of each platform of each user, in platform order.
    async fn devices(&self, uids: &[Uid], now: Millis) -> Result<Vec<(Uid, Vec<DeviceRecord>)>, Error>;

    /// How an app grew, one answer per day.
    async fn growth(&self, app: AppId, days: Vec<Day>) -> Result<Vec<Growth>, Error>;

    /// Those of these sessions that are revoked. One that is forgotten is none of them.
    async fn revoked_sessions(&self, session_ids: &[u64]) -> Result<Vec<u64>, Error>;

    /// A number above every one that was given before in the deployment, across restarts.
    async fn next_generation(&self) -> Result<u64, Error>;

    /// Forgets sessions that ended before `now`, at most `limit`. Answers how many.
    /// Who was active more than two months ago is forgotten with it, and signatures that expired.
    async fn purge_sessions(&self, now: Millis, limit: usize) -> Result<usize, Error>;

    // ---- relations ----

    /// Adds to and removes from a user's blacklist, all or nothing, and notes for the router that the pairs changed.
    /// A repeat of a change whose note still waits is no refusal. Answers the number of the notes: those of a user rise.
    async fn change_blacklist(&self, uid: Uid, add: &[Uid], remove: &[Uid], now: Millis, tell: FeedEvents) -> Result<u64, Error>;

    /// The living users in a blacklist, in the order they were added.
    async fn blacklist(&self, uid: Uid) -> Result<Vec<User>, Error>;

    /// Switches on and off, all or nothing. A switch that stands as wanted is a refusal, but for switching everybody off, and for a
    /// shield whose change the router has not confirmed. Shields are noted for the router.
    async fn change_switches(&self, uid: Uid, changes: Vec<(Switch, bool)>, tell: FeedEvents) -> Result<(), Error>;

    /// What a user has switched on.
    async fn switches(&self, uid: Uid) -> Result<Vec<Switch>, Error>;

    /// Makes a user and others friends of one another, all or nothing; each may have `most` friends.
    async fn add_friends(&self, uid: Uid, peers: &[Uid], most: u32, now: Millis, tell: FeedEvents) -> Result<(), Error>;

    /// Ends friendships on both sides, all or nothing.
    async fn remove_friends(&self, uid: Uid, peers: &[Uid], tell: FeedEvents) -> Result<(), Error>;

    /// Changes what a user notes of friends, all or nothing.
    async fn note_friends(&self, uid: Uid, notes: Vec<FriendNote>, tell: FeedEvents) -> Result<(), Error>;

    /// The living friends of a user, in the order they were made.
    async fn friends(&self, uid: Uid) -> Result<Vec<Friend>, Error>;

    /// Who of two users exists, and blocks the other.
    async fn pair_rights(&self, a: Uid, b: Uid) -> Result<Rights, Error>;

    /// Pairs whose change the router has not confirmed, as (user, the others, the highest number of their notes).
    async fn pending_relations(&self, limit: usize) -> Result<Vec<(Uid, Vec<Uid>, u64)>, Error>;

    /// The router was told of these pairs after the note of this number: notes up to it are done, newer ones wait.
    async fn finish_relations(&self, uid: Uid, peers: &[Uid], number: u64) -> Result<(), Error>;

    /// Shields of which the router is to be told by now, the longest waiting first.
    async fn pending_shields(&self, now: Millis, limit: usize) -> Result<Vec<ShieldNote>, Error>;

    /// The router confirmed that a user's shield against a group is up, or not. If it stands otherwise by now, it waits still, or again:
    /// another process may have told the router before, and been confirmed.
    async fn finish_shield(&self, uid: Uid, gid: u64, up: bool, told: Told) -> Result<(), Error>;

    /// Users whose feeds wait for events, the longest waiting first.
    async fn pending_feeds(&self, limit: usize) -> Result<Vec<Uid>, Error>;

    /// A user's waiting events in the order they happened, each with its number, at most `limit`.
    async fn feed_events(&self, uid: Uid, limit: usize) -> Result<Vec<(u64, Bytes)>, Error>;

    /// A user's events up to this number are in his feed.
    async fn finish_feed(&self, uid: Uid, number: u64) -> Result<(), Error>;

    // ---- groups and chatrooms ----

    /// Makes a roster with its first change. The id comes from the one sequence of the deployment, from 10,000,001 up.
    async fn create_roster(&self, roster: NewRoster) -> Result<Roster, Error>;

    /// A roster, a dissolved one too.
    async fn roster(&self, id: u64) -> Result<Option<Roster>, Error>;

    /// Commits a change: members, counters, version + 1 and the change row, in one step. Answers the roster as it is then.
    async fn commit_change(&self, change: RosterChange) -> Result<Roster, Error>;

    /// Living rosters of an app in creation order, and how many there are in all.
    async fn list_rosters(&self, app: AppId, kind: RosterKind, start: u64, count: u32) -> Result<(u64, Vec<Roster>), Error>;

    /// Members, the owner first, then in the order they came; `count` of them from `start`.
    async fn members(&self, id: u64, start: u64, count: u32) -> Result<Vec<Member>, Error>;

    /// Those of the users that are members.
    async fn member_rows(&self, id: u64, uids: &[Uid]) -> Result<Vec<Member>, Error>;

    /// Living rosters that a user is in, in the order he came in, with his member row.
    async fn rosters_of(&self, uid: Uid, kind: RosterKind) -> Result<Vec<(Roster, Member)>, Error>;

    /// Changes above a version, in order, at most `limit`.
    async fn changes(&self, id: u64, after: u64, limit: usize) -> Result<Vec<Change>, Error>;

    /// The router confirmed every change up to this version. A stored mark that is higher stays.
    async fn set_applied(&self, id: u64, version: u64) -> Result<(), Error>;

    /// Rosters with changes that the router has not confirmed, the longest waiting first.
    async fn pending_rosters(&self, limit: usize) -> Result<Vec<Roster>, Error>;

    /// The same of one owner.
    async fn pending_of(&self, owner: Uid, kind: RosterKind) -> Result<Vec<Roster>, Error>;

    /// How many rosters wait for the router.
    async fn pending_count(&self) -> Result<u64, Error>;

    // ---- processes ----

    /// Whether it is this process's turn at some work, for as long as `lease` from now on by the store's clock: of several processes one
    /// at a time, and the same one while it asks again in time. A store that serves one process gives it every turn.
    async fn take_turn(&self, work: &str, process: u64, lease: Duration) -> Result<bool, Error> {
        let _ = (work, process, lease);
        Ok(true)
    }
}

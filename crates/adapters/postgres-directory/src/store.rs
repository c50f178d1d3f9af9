//! The port, call by call.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use mynah_ports::directory_store::{
    App, Callback, Change, Day, DeviceRecord, DirectoryStore, Error, FeedEvents, Friend, FriendNote, Growth, Login, LoginOutcome,
    Media, Member, NewApp, NewRoster, NewUser, Profile, Remembered, Rights, Roster, RosterChange, RosterKind, Session,
    ShieldNote, Switch, TokenDigest, Told, User,
};
use mynah_postgres_tls::Address;
use mynah_types::{AppId, AppKey, Millis, Uid, Username};

use crate::engine::Engine;
use crate::errors::OpenError;
use crate::generations::Generations;
use crate::{
    activity, apps, callbacks, feeds, friends, media, relations, rosters, schema, sessions, signatures, switches, turns, users,
    words,
};

/// The directory's store in a PostgreSQL database.
pub struct PostgresDirectory {
    engine: Engine,
    generations: Generations,
}

impl PostgresDirectory {
    /// Connects to `postgres://user:password@host:port/database` and brings the schema up to date. Safe with several starters.
    ///
    /// # Errors
    /// As with [`PostgresDirectory::open_at`], and when the address does not read.
    pub async fn open(url: &str, connections: usize) -> Result<Self, OpenError> {
        let unreadable = |error| OpenError::Unfit(format!("the address of PostgreSQL is none: {error}"));
        Self::open_at(&Address::read(url, None).map_err(unreadable)?, connections).await
    }

    /// Connects to where the address says, encrypted if it says so, and brings the schema up to date. Safe with several starters.
    /// At most `connections` are open at once; whoever finds none free within 2 s is refused as overload.
    ///
    /// # Errors
    /// When the database cannot be reached, was made by a newer version, or does not keep what it answers.
    pub async fn open_at(address: &Address, connections: usize) -> Result<Self, OpenError> {
        let engine = Engine::new(address, connections)?;
        schema::migrate(&engine).await?;
        Ok(Self { engine, generations: Generations::default() })
    }
}

#[async_trait]
impl DirectoryStore for PostgresDirectory {
    async fn create_app(&self, app: NewApp, only_if_first: bool) -> Result<Option<App>, Error> {
        writing!(self.engine, |tx| apps::create(&tx, &app, only_if_first))
    }

    async fn app_by_key(&self, key: &AppKey) -> Result<Option<App>, Error> {
        reading!(self.engine, |conn| apps::by_key(conn, key))
    }

    async fn app(&self, id: AppId) -> Result<Option<App>, Error> {
        reading!(self.engine, |conn| apps::by_id(conn, id))
    }

    async fn apps(&self) -> Result<Vec<App>, Error> {
        reading!(self.engine, |conn| apps::all(conn))
    }

    async fn update_app(&self, app: &App) -> Result<bool, Error> {
        writing!(self.engine, |tx| apps::update(&tx, app))
    }

    async fn set_device_registration(&self, app: AppId, open: bool) -> Result<bool, Error> {
        writing!(self.engine, |tx| apps::set_device_registration(&tx, app, open))
    }

    async fn set_grant(&self, app: AppId, target: AppId, given: bool) -> Result<(), Error> {
        writing!(self.engine, |tx| apps::set_grant(&tx, app, target, given))
    }

    async fn grants(&self, app: AppId) -> Result<Vec<AppId>, Error> {
        reading!(self.engine, |conn| apps::grants(conn, app))
    }

    async fn remember_signature(&self, digest: [u8; 32], now: Millis, expires: Millis, most: u32) -> Result<Remembered, Error> {
        writing!(self.engine, |tx| signatures::remember(&tx, &digest, now, expires, most))
    }

    async fn add_words(&self, app: AppId, words: Vec<String>, most: u32, now: Millis) -> Result<(), Error> {
        writing!(self.engine, |tx| words::add(&tx, app, &words, most, now))
    }

    async fn remove_words(&self, app: AppId, words: Vec<String>) -> Result<(), Error> {
        writing!(self.engine, |tx| words::remove(&tx, app, &words))
    }

    async fn replace_word(&self, app: AppId, old: String, new: String, now: Millis) -> Result<(), Error> {
        writing!(self.engine, |tx| words::replace(&tx, app, &old, &new, now))
    }

    async fn list_words(&self, app: AppId, start: u64, count: u32) -> Result<(u64, Vec<(String, Millis)>), Error> {
        snapshot!(self.engine, |tx| words::list(&tx, app, start, count))
    }

    async fn set_word_filter(&self, app: AppId, on: bool) -> Result<bool, Error> {
        writing!(self.engine, |tx| words::set_filter(&tx, app, on))
    }

    async fn word_filter(&self, app: AppId) -> Result<(bool, Vec<String>), Error> {
        snapshot!(self.engine, |tx| words::filter(&tx, app))
    }

    async fn set_callback(&self, app: AppId, callback: Option<Callback>) -> Result<(), Error> {
        writing!(self.engine, |tx| callbacks::set(&tx, app, callback.as_ref()))
    }

    async fn callbacks(&self) -> Result<Vec<Callback>, Error> {
        reading!(self.engine, |conn| callbacks::all(conn))
    }

    async fn add_media(&self, media: Media) -> Result<(), Error> {
        writing!(self.engine, |tx| media::add(&tx, &media))
    }

    async fn media(&self, id: &str) -> Result<Option<Media>, Error> {
        reading!(self.engine, |conn| media::by_id(conn, id))
    }

    async fn insert_users(&self, app: AppId, users: Vec<NewUser>, now: Millis) -> Result<Vec<Option<Uid>>, Error> {
        writing!(self.engine, |tx| users::insert(&tx, app, &users, now))
    }

    async fn users_by_name(&self, app: AppId, names: &[Username]) -> Result<Vec<User>, Error> {
        reading!(self.engine, |conn| users::by_name(conn, app, names))
    }

    async fn users_by_uid(&self, uids: &[Uid]) -> Result<Vec<User>, Error> {
        reading!(self.engine, |conn| users::by_uid(conn, uids))
    }

    async fn password(&self, uid: Uid) -> Result<Option<String>, Error> {
        reading!(self.engine, |conn| users::password(conn, uid))
    }

    async fn list_users(&self, app: AppId, admins: bool, start: u64, count: u32) -> Result<(u64, Vec<User>), Error> {
        snapshot!(self.engine, |tx| users::list(&tx, app, admins, start, count))
    }

    async fn update_profile(&self, uid: Uid, profile: Profile, now: Millis, tell: FeedEvents) -> Result<(), Error> {
        writing!(self.engine, |tx| users::update_profile(&tx, uid, &profile, now, &tell))
    }

    async fn set_password(
        &self,
        uid: Uid,
        password: String,
        verified: Option<String>,
        keep: Option<u64>,
        now: Millis,
    ) -> Result<Vec<Session>, Error> {
        writing!(self.engine, |tx| users::set_password(&tx, uid, &password, verified.as_deref(), keep, now))
    }

    async fn rehash_password(&self, uid: Uid, stored: String, rehashed: String) -> Result<bool, Error> {
        writing!(self.engine, |tx| users::rehash(&tx, uid, &stored, &rehashed))
    }

    async fn set_disabled(&self, uid: Uid, disabled: bool, now: Millis) -> Result<Vec<Session>, Error> {
        writing!(self.engine, |tx| users::set_disabled(&tx, uid, disabled, now))
    }

    async fn delete_users(&self, uids: &[Uid], now: Millis, farewells: FeedEvents) -> Result<Vec<Session>, Error> {
        writing!(self.engine, |tx| users::delete(&tx, uids, now, &farewells))
    }

    async fn pending_deletions(&self, limit: usize) -> Result<Vec<User>, Error> {
        reading!(self.engine, |conn| users::pending_deletions(conn, limit))
    }

    async fn finish_deletion(&self, uid: Uid) -> Result<(), Error> {
        settling!(self.engine, |tx| users::finish_deletion(&tx, uid))
    }

    async fn login(&self, login: Login) -> Result<LoginOutcome, Error> {
        writing!(self.engine, |tx| sessions::login(&tx, &login))
    }

    async fn session(&self, token: &TokenDigest) -> Result<Option<Session>, Error> {
        reading!(self.engine, |conn| sessions::by_token(conn, token))
    }

    async fn touch_session(&self, session_id: u64, now: Millis, day: u64, expires: Millis) -> Result<(), Error> {
        writing!(self.engine, |tx| sessions::touch(&tx, session_id, now, day, expires))
    }

    async fn growth(&self, app: AppId, days: Vec<Day>) -> Result<Vec<Growth>, Error> {
        snapshot!(self.engine, |tx| activity::growth(&tx, app, &days))
    }

    async fn revoke_sessions(&self, uid: Uid, session_id: Option<u64>, now: Millis) -> Result<Vec<Session>, Error> {
        writing!(self.engine, |tx| sessions::revoke(&tx, &[uid], session_id, None, now))
    }

    async fn devices(&self, uids: &[Uid], now: Millis) -> Result<Vec<(Uid, Vec<DeviceRecord>)>, Error> {
        reading!(self.engine, |conn| sessions::devices(conn, uids, now))
    }

    async fn revoked_sessions(&self, session_ids: &[u64]) -> Result<Vec<u64>, Error> {
        reading!(self.engine, |conn| sessions::revoked(conn, session_ids))
    }

    async fn next_generation(&self) -> Result<u64, Error> {
        self.generations.next(&self.engine).await
    }

    async fn purge_sessions(&self, now: Millis, limit: usize) -> Result<usize, Error> {
        settling!(self.engine, |tx| sessions::purge(&tx, now, limit))
    }

    async fn change_blacklist(&self, uid: Uid, add: &[Uid], remove: &[Uid], now: Millis, tell: FeedEvents) -> Result<u64, Error> {
        writing!(self.engine, |tx| relations::change(&tx, uid, add, remove, now, &tell))
    }

    async fn change_switches(&self, uid: Uid, changes: Vec<(Switch, bool)>, tell: FeedEvents) -> Result<(), Error> {
        writing!(self.engine, |tx| switches::change(&tx, uid, &changes, &tell))
    }

    async fn switches(&self, uid: Uid) -> Result<Vec<Switch>, Error> {
        reading!(self.engine, |conn| switches::of_user(conn, uid))
    }

    async fn add_friends(&self, uid: Uid, peers: &[Uid], most: u32, now: Millis, tell: FeedEvents) -> Result<(), Error> {
        writing!(self.engine, |tx| friends::add(&tx, uid, peers, most, now, &tell))
    }

    async fn remove_friends(&self, uid: Uid, peers: &[Uid], tell: FeedEvents) -> Result<(), Error> {
        writing!(self.engine, |tx| friends::remove(&tx, uid, peers, &tell))
    }

    async fn note_friends(&self, uid: Uid, notes: Vec<FriendNote>, tell: FeedEvents) -> Result<(), Error> {
        writing!(self.engine, |tx| friends::note(&tx, uid, &notes, &tell))
    }

    async fn friends(&self, uid: Uid) -> Result<Vec<Friend>, Error> {
        reading!(self.engine, |conn| friends::list(conn, uid))
    }

    async fn blacklist(&self, uid: Uid) -> Result<Vec<User>, Error> {
        reading!(self.engine, |conn| relations::blacklist(conn, uid))
    }

    async fn pair_rights(&self, a: Uid, b: Uid) -> Result<Rights, Error> {
        reading!(self.engine, |conn| relations::rights(conn, a, b))
    }

    async fn pending_relations(&self, limit: usize) -> Result<Vec<(Uid, Vec<Uid>, u64)>, Error> {
        reading!(self.engine, |conn| relations::pending(conn, limit))
    }

    async fn finish_relations(&self, uid: Uid, peers: &[Uid], number: u64) -> Result<(), Error> {
        settling!(self.engine, |tx| relations::finish(&tx, uid, peers, number))
    }

    async fn pending_shields(&self, now: Millis, limit: usize) -> Result<Vec<ShieldNote>, Error> {
        reading!(self.engine, |conn| switches::pending_shields(conn, now, limit))
    }

    async fn finish_shield(&self, uid: Uid, gid: u64, up: bool, told: Told) -> Result<(), Error> {
        settling!(self.engine, |tx| switches::finish_shield(&tx, uid, gid, up, told))
    }

    async fn pending_feeds(&self, limit: usize) -> Result<Vec<Uid>, Error> {
        reading!(self.engine, |conn| feeds::pending(conn, limit))
    }

    async fn feed_events(&self, uid: Uid, limit: usize) -> Result<Vec<(u64, Bytes)>, Error> {
        reading!(self.engine, |conn| feeds::of_user(conn, uid, limit))
    }

    async fn finish_feed(&self, uid: Uid, number: u64) -> Result<(), Error> {
        settling!(self.engine, |tx| feeds::finish(&tx, uid, number))
    }

    async fn create_roster(&self, mut roster: NewRoster) -> Result<Roster, Error> {
        let mut payload = Some(std::mem::replace(&mut roster.payload, Box::new(|_| Bytes::new())));
        writing!(self.engine, |tx| rosters::create(&tx, &mut roster, &mut payload))
    }

    async fn roster(&self, id: u64) -> Result<Option<Roster>, Error> {
        reading!(self.engine, |conn| rosters::by_id(conn, id))
    }

    async fn commit_change(&self, change: RosterChange) -> Result<Roster, Error> {
        writing!(self.engine, |tx| rosters::commit_change(&tx, &change))
    }

    async fn list_rosters(&self, app: AppId, kind: RosterKind, start: u64, count: u32) -> Result<(u64, Vec<Roster>), Error> {
        snapshot!(self.engine, |tx| rosters::list(&tx, app, kind, start, count))
    }

    async fn members(&self, id: u64, start: u64, count: u32) -> Result<Vec<Member>, Error> {
        reading!(self.engine, |conn| rosters::members(conn, id, start, count))
    }

    async fn member_rows(&self, id: u64, uids: &[Uid]) -> Result<Vec<Member>, Error> {
        reading!(self.engine, |conn| rosters::member_rows(conn, id, uids))
    }

    async fn rosters_of(&self, uid: Uid, kind: RosterKind) -> Result<Vec<(Roster, Member)>, Error> {
        reading!(self.engine, |conn| rosters::of_user(conn, uid, kind))
    }

    async fn changes(&self, id: u64, after: u64, limit: usize) -> Result<Vec<Change>, Error> {
        reading!(self.engine, |conn| rosters::changes(conn, id, after, limit))
    }

    async fn set_applied(&self, id: u64, version: u64) -> Result<(), Error> {
        settling!(self.engine, |tx| rosters::set_applied(&tx, id, version))
    }

    async fn pending_rosters(&self, limit: usize) -> Result<Vec<Roster>, Error> {
        reading!(self.engine, |conn| rosters::pending(conn, limit))
    }

    async fn pending_of(&self, owner: Uid, kind: RosterKind) -> Result<Vec<Roster>, Error> {
        reading!(self.engine, |conn| rosters::pending_of(conn, owner, kind))
    }

    async fn pending_count(&self) -> Result<u64, Error> {
        reading!(self.engine, |conn| rosters::pending_count(conn))
    }

    async fn take_turn(&self, work: &str, process: u64, lease: Duration) -> Result<bool, Error> {
        settling!(self.engine, |tx| turns::take(&tx, work, process, lease))
    }
}

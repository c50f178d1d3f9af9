//! The port, call by call.

use std::path::Path;

use async_trait::async_trait;
use bytes::Bytes;
use mynah_ports::directory_store::{
    App, Callback, Change, Day, DeviceRecord, DirectoryStore, Error, FeedEvents, Friend, FriendNote, Growth, Login, LoginOutcome,
    Media, Member, NewApp, NewRoster, NewUser, Profile, Remembered, Rights, Roster, RosterChange, RosterKind, Session,
    ShieldNote, Switch, TokenDigest, Told, User,
};
use mynah_types::{AppId, AppKey, Millis, Uid, Username};
use tokio::sync::Mutex;

use crate::engine::{Engine, failed};
use crate::{activity, apps, callbacks, feeds, friends, media, relations, rosters, sessions, signatures, switches, users, words};

/// Generations are given from memory and reserved in blocks: a login by session then costs no write. A restart skips the rest.
const GENERATION_BLOCK: u64 = 1_000_000;

/// The directory's store in one SQLite file.
pub struct SqliteDirectory {
    engine: Engine,
    /// The generations that are reserved and not given yet.
    generations: Mutex<std::ops::Range<u64>>,
}

impl SqliteDirectory {
    /// Opens the file, creates it if it is missing, and brings its schema up to date. Safe with several starters.
    ///
    /// # Errors
    /// When the file cannot be opened or is none of ours, or was made by a newer version.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Ok(Self { engine: Engine::open(path.as_ref())?, generations: Mutex::new(0..0) })
    }
}

#[async_trait]
impl DirectoryStore for SqliteDirectory {
    async fn create_app(&self, app: NewApp, only_if_first: bool) -> Result<Option<App>, Error> {
        self.engine.write(move |conn| apps::create(conn, &app, only_if_first)).await
    }

    async fn app_by_key(&self, key: &AppKey) -> Result<Option<App>, Error> {
        let key = key.clone();
        self.engine.read(move |conn| apps::by_key(conn, &key)).await
    }

    async fn app(&self, id: AppId) -> Result<Option<App>, Error> {
        self.engine.read(move |conn| apps::by_id(conn, id)).await
    }

    async fn apps(&self) -> Result<Vec<App>, Error> {
        self.engine.read(apps::all).await
    }

    async fn update_app(&self, app: &App) -> Result<bool, Error> {
        let app = app.clone();
        self.engine.write(move |conn| apps::update(conn, &app)).await
    }

    async fn set_device_registration(&self, app: AppId, open: bool) -> Result<bool, Error> {
        self.engine.write(move |conn| apps::set_device_registration(conn, app, open)).await
    }

    async fn set_grant(&self, app: AppId, target: AppId, given: bool) -> Result<(), Error> {
        self.engine.write(move |conn| apps::set_grant(conn, app, target, given)).await
    }

    async fn grants(&self, app: AppId) -> Result<Vec<AppId>, Error> {
        self.engine.read(move |conn| apps::grants(conn, app)).await
    }

    async fn remember_signature(&self, digest: [u8; 32], now: Millis, expires: Millis, most: u32) -> Result<Remembered, Error> {
        self.engine.write(move |conn| signatures::remember(conn, &digest, now, expires, most)).await
    }

    async fn add_words(&self, app: AppId, words: Vec<String>, most: u32, now: Millis) -> Result<(), Error> {
        self.engine.write(move |conn| words::add(conn, app, &words, most, now)).await
    }

    async fn remove_words(&self, app: AppId, words: Vec<String>) -> Result<(), Error> {
        self.engine.write(move |conn| words::remove(conn, app, &words)).await
    }

    async fn replace_word(&self, app: AppId, old: String, new: String, now: Millis) -> Result<(), Error> {
        self.engine.write(move |conn| words::replace(conn, app, &old, &new, now)).await
    }

    async fn list_words(&self, app: AppId, start: u64, count: u32) -> Result<(u64, Vec<(String, Millis)>), Error> {
        self.engine.read(move |conn| words::list(conn, app, start, count)).await
    }

    async fn set_word_filter(&self, app: AppId, on: bool) -> Result<bool, Error> {
        self.engine.write(move |conn| words::set_filter(conn, app, on)).await
    }

    async fn word_filter(&self, app: AppId) -> Result<(bool, Vec<String>), Error> {
        self.engine.read(move |conn| words::filter(conn, app)).await
    }

    async fn set_callback(&self, app: AppId, callback: Option<Callback>) -> Result<(), Error> {
        self.engine.write(move |conn| callbacks::set(conn, app, callback.as_ref())).await
    }

    async fn callbacks(&self) -> Result<Vec<Callback>, Error> {
        self.engine.read(callbacks::all).await
    }

    async fn add_media(&self, media: Media) -> Result<(), Error> {
        self.engine.write(move |conn| media::add(conn, &media)).await
    }

    async fn media(&self, id: &str) -> Result<Option<Media>, Error> {
        let id = id.to_owned();
        self.engine.read(move |conn| media::by_id(conn, &id)).await
    }

    async fn insert_users(&self, app: AppId, users: Vec<NewUser>, now: Millis) -> Result<Vec<Option<Uid>>, Error> {
        self.engine.write(move |conn| users::insert(conn, app, &users, now)).await
    }

    async fn users_by_name(&self, app: AppId, names: &[Username]) -> Result<Vec<User>, Error> {
        let names = names.to_vec();
        self.engine.read(move |conn| users::by_name(conn, app, &names)).await
    }

    async fn users_by_uid(&self, uids: &[Uid]) -> Result<Vec<User>, Error> {
        let uids = uids.to_vec();
        self.engine.read(move |conn| users::by_uid(conn, &uids)).await
    }

    async fn password(&self, uid: Uid) -> Result<Option<String>, Error> {
        self.engine.read(move |conn| users::password(conn, uid)).await
    }

    async fn list_users(&self, app: AppId, admins: bool, start: u64, count: u32) -> Result<(u64, Vec<User>), Error> {
        self.engine.read(move |conn| users::list(conn, app, admins, start, count)).await
    }

    async fn update_profile(&self, uid: Uid, profile: Profile, now: Millis, tell: FeedEvents) -> Result<(), Error> {
        self.engine
            .write(move |conn| users::update_profile(conn, uid, &profile, now).and_then(|()| feeds::tell(conn, &tell)))
            .await
    }

    async fn set_password(
        &self,
        uid: Uid,
        password: String,
        verified: Option<String>,
        keep: Option<u64>,
        now: Millis,
    ) -> Result<Vec<Session>, Error> {
        self.engine.write(move |conn| users::set_password(conn, uid, &password, verified.as_deref(), keep, now)).await
    }

    async fn rehash_password(&self, uid: Uid, stored: String, rehashed: String) -> Result<bool, Error> {
        self.engine.write(move |conn| users::rehash(conn, uid, &stored, &rehashed)).await
    }

    async fn set_disabled(&self, uid: Uid, disabled: bool, now: Millis) -> Result<Vec<Session>, Error> {
        self.engine.write(move |conn| users::set_disabled(conn, uid, disabled, now)).await
    }

    async fn delete_users(&self, uids: &[Uid], now: Millis, farewells: FeedEvents) -> Result<Vec<Session>, Error> {
        let uids = uids.to_vec();
        self.engine.write(move |conn| users::delete(conn, &uids, now, &farewells)).await
    }

    async fn pending_deletions(&self, limit: usize) -> Result<Vec<User>, Error> {
        self.engine.read(move |conn| users::pending_deletions(conn, limit)).await
    }

    async fn finish_deletion(&self, uid: Uid) -> Result<(), Error> {
        self.engine.write(move |conn| users::finish_deletion(conn, uid)).await
    }

    async fn login(&self, login: Login) -> Result<LoginOutcome, Error> {
        self.engine.write(move |conn| sessions::login(conn, &login)).await
    }

    async fn session(&self, token: &TokenDigest) -> Result<Option<Session>, Error> {
        let token = *token;
        self.engine.read(move |conn| sessions::by_token(conn, &token)).await
    }

    async fn touch_session(&self, session_id: u64, now: Millis, day: u64, expires: Millis) -> Result<(), Error> {
        self.engine.write(move |conn| sessions::touch(conn, session_id, now, day, expires)).await
    }

    async fn growth(&self, app: AppId, days: Vec<Day>) -> Result<Vec<Growth>, Error> {
        self.engine.read(move |conn| days.iter().map(|day| activity::growth(conn, app, *day)).collect()).await
    }

    async fn revoke_sessions(&self, uid: Uid, session_id: Option<u64>, now: Millis) -> Result<Vec<Session>, Error> {
        self.engine.write(move |conn| sessions::revoke(conn, uid, |s| session_id.is_none_or(|id| id == s.id), now)).await
    }

    async fn devices(&self, uids: &[Uid], now: Millis) -> Result<Vec<(Uid, Vec<DeviceRecord>)>, Error> {
        let uids = uids.to_vec();
        self.engine.read(move |conn| sessions::devices(conn, &uids, now)).await
    }

    async fn revoked_sessions(&self, session_ids: &[u64]) -> Result<Vec<u64>, Error> {
        let session_ids = session_ids.to_vec();
        self.engine.read(move |conn| sessions::revoked(conn, &session_ids)).await
    }

    async fn next_generation(&self) -> Result<u64, Error> {
        let mut reserved = self.generations.lock().await;
        if let Some(next) = reserved.next() {
            return Ok(next);
        }
        let end: u64 = self
            .engine
            .write(|conn| {
                let sql = "UPDATE counters SET value = value + ?1 WHERE name = 'generation' RETURNING value";
                conn.query_row(sql, [GENERATION_BLOCK], |row| row.get(0)).map_err(failed)
            })
            .await?;
        // The counter tells the last number reserved.
        let first = (end + 1).saturating_sub(GENERATION_BLOCK);
        *reserved = first + 1..end + 1;
        Ok(first)
    }

    async fn purge_sessions(&self, now: Millis, limit: usize) -> Result<usize, Error> {
        self.engine.write(move |conn| sessions::purge(conn, now, limit)).await
    }

    async fn change_blacklist(&self, uid: Uid, add: &[Uid], remove: &[Uid], now: Millis, tell: FeedEvents) -> Result<u64, Error> {
        let (add, remove) = (add.to_vec(), remove.to_vec());
        self.engine
            .write(move |conn| {
                relations::change(conn, uid, &add, &remove, now).and_then(|note| feeds::tell(conn, &tell).map(|()| note))
            })
            .await
    }

    async fn change_switches(&self, uid: Uid, changes: Vec<(Switch, bool)>, tell: FeedEvents) -> Result<(), Error> {
        self.engine.write(move |conn| switches::change(conn, uid, &changes).and_then(|()| feeds::tell(conn, &tell))).await
    }

    async fn switches(&self, uid: Uid) -> Result<Vec<Switch>, Error> {
        self.engine.read(move |conn| switches::of_user(conn, uid)).await
    }

    async fn add_friends(&self, uid: Uid, peers: &[Uid], most: u32, now: Millis, tell: FeedEvents) -> Result<(), Error> {
        let peers = peers.to_vec();
        self.engine.write(move |conn| friends::add(conn, uid, &peers, most, now).and_then(|()| feeds::tell(conn, &tell))).await
    }

    async fn remove_friends(&self, uid: Uid, peers: &[Uid], tell: FeedEvents) -> Result<(), Error> {
        let peers = peers.to_vec();
        self.engine.write(move |conn| friends::remove(conn, uid, &peers).and_then(|()| feeds::tell(conn, &tell))).await
    }

    async fn note_friends(&self, uid: Uid, notes: Vec<FriendNote>, tell: FeedEvents) -> Result<(), Error> {
        self.engine.write(move |conn| friends::note(conn, uid, &notes).and_then(|()| feeds::tell(conn, &tell))).await
    }

    async fn friends(&self, uid: Uid) -> Result<Vec<Friend>, Error> {
        self.engine.read(move |conn| friends::list(conn, uid)).await
    }

    async fn blacklist(&self, uid: Uid) -> Result<Vec<User>, Error> {
        self.engine.read(move |conn| relations::blacklist(conn, uid)).await
    }

    async fn pair_rights(&self, a: Uid, b: Uid) -> Result<Rights, Error> {
        self.engine.read(move |conn| relations::rights(conn, a, b)).await
    }

    async fn pending_relations(&self, limit: usize) -> Result<Vec<(Uid, Vec<Uid>, u64)>, Error> {
        self.engine.read(move |conn| relations::pending(conn, limit)).await
    }

    async fn finish_relations(&self, uid: Uid, peers: &[Uid], number: u64) -> Result<(), Error> {
        let peers = peers.to_vec();
        self.engine.write(move |conn| relations::finish(conn, uid, &peers, number)).await
    }

    async fn pending_shields(&self, now: Millis, limit: usize) -> Result<Vec<ShieldNote>, Error> {
        self.engine.read(move |conn| switches::pending_shields(conn, now, limit)).await
    }

    async fn finish_shield(&self, uid: Uid, gid: u64, up: bool, told: Told) -> Result<(), Error> {
        self.engine.write(move |conn| switches::finish_shield(conn, uid, gid, up, told)).await
    }

    async fn pending_feeds(&self, limit: usize) -> Result<Vec<Uid>, Error> {
        self.engine.read(move |conn| feeds::pending(conn, limit)).await
    }

    async fn feed_events(&self, uid: Uid, limit: usize) -> Result<Vec<(u64, Bytes)>, Error> {
        self.engine.read(move |conn| feeds::of_user(conn, uid, limit)).await
    }

    async fn finish_feed(&self, uid: Uid, number: u64) -> Result<(), Error> {
        self.engine.write(move |conn| feeds::finish(conn, uid, number)).await
    }

    async fn create_roster(&self, roster: NewRoster) -> Result<Roster, Error> {
        self.engine.write(move |conn| rosters::create(conn, roster)).await
    }

    async fn roster(&self, id: u64) -> Result<Option<Roster>, Error> {
        self.engine.read(move |conn| rosters::by_id(conn, id)).await
    }

    async fn commit_change(&self, change: RosterChange) -> Result<Roster, Error> {
        self.engine.write(move |conn| rosters::commit_change(conn, &change)).await
    }

    async fn list_rosters(&self, app: AppId, kind: RosterKind, start: u64, count: u32) -> Result<(u64, Vec<Roster>), Error> {
        self.engine.read(move |conn| rosters::list(conn, app, kind, start, count)).await
    }

    async fn members(&self, id: u64, start: u64, count: u32) -> Result<Vec<Member>, Error> {
        self.engine.read(move |conn| rosters::members(conn, id, start, count)).await
    }

    async fn member_rows(&self, id: u64, uids: &[Uid]) -> Result<Vec<Member>, Error> {
        let uids = uids.to_vec();
        self.engine.read(move |conn| rosters::member_rows(conn, id, &uids)).await
    }

    async fn rosters_of(&self, uid: Uid, kind: RosterKind) -> Result<Vec<(Roster, Member)>, Error> {
        self.engine.read(move |conn| rosters::of_user(conn, uid, kind)).await
    }

    async fn changes(&self, id: u64, after: u64, limit: usize) -> Result<Vec<Change>, Error> {
        self.engine.read(move |conn| rosters::changes(conn, id, after, limit)).await
    }

    async fn set_applied(&self, id: u64, version: u64) -> Result<(), Error> {
        self.engine.write(move |conn| rosters::set_applied(conn, id, version)).await
    }

    async fn pending_rosters(&self, limit: usize) -> Result<Vec<Roster>, Error> {
        self.engine.read(move |conn| rosters::pending(conn, limit)).await
    }

    async fn pending_of(&self, owner: Uid, kind: RosterKind) -> Result<Vec<Roster>, Error> {
        self.engine.read(move |conn| rosters::pending_of(conn, owner, kind)).await
    }

    async fn pending_count(&self) -> Result<u64, Error> {
        self.engine.read(rosters::pending_count).await
    }
}

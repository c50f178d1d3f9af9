//! A directory with its surroundings, and short forms of its calls.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use mynah_directory::{Deps, Directory, Operator, SecretKey, Settings};
use mynah_engines::PostgreSql;
use mynah_ports::DirectoryStore;
use mynah_postgres_directory::PostgresDirectory;
use mynah_proto::{DirectoryClient, Failure, GatewayClient, RouterClient, directory as wire};
use mynah_sqlite::SqliteDirectory;
use mynah_types::ManualClock;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::gateway::FakeGateway;
use super::requests::{by_password, members, new_group, new_user};
use super::router::FakeRouter;

/// Cheap hashes, short deadlines.
pub fn quick() -> Settings {
    Settings {
        argon2_memory_kib: 64,
        argon2_iterations: 1,
        handover_deadline: Duration::from_millis(200),
        outbox_backoff_min: Duration::from_millis(5),
        outbox_backoff_max: Duration::from_millis(20),
        outbox_poll: Duration::from_millis(50),
        app_poll: Duration::from_millis(10),
        app_cache: Duration::from_millis(10),
        ..Settings::default()
    }
}

/// A database on the server that all tests share.
fn database() -> String {
    static SERVER: OnceLock<PostgreSql> = OnceLock::new();
    static DATABASES: AtomicU32 = AtomicU32::new(0);
    let server = SERVER.get_or_init(|| PostgreSql::start().unwrap());
    let name = format!("test{}", DATABASES.fetch_add(1, Ordering::Relaxed));
    server.create_database(&name).unwrap();
    server.url(&name)
}

pub const START: u64 = 1_700_000_000_000;

/// A directory and what surrounds it.
pub struct World {
    pub folder: Arc<TempDir>,
    pub store: Arc<dyn DirectoryStore>,
    pub router: FakeRouter,
    pub gateway: FakeGateway,
    pub clock: ManualClock,
    pub directory: Directory,
    /// The same, through the client that other services use.
    pub api: DirectoryClient,
    pub settings: Settings,
    /// Where the store is, if it is PostgreSQL.
    database: Option<String>,
    outbox: Option<JoinHandle<()>>,
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(outbox) = &self.outbox {
            outbox.abort();
        }
    }
}

impl World {
    pub fn new() -> Self {
        Self::with(quick())
    }

    pub fn with(settings: Settings) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        Self::over(folder, FakeRouter::default(), FakeGateway::default(), ManualClock::at(START), settings)
    }

    fn over(folder: Arc<TempDir>, router: FakeRouter, gateway: FakeGateway, clock: ManualClock, settings: Settings) -> Self {
        let store: Arc<dyn DirectoryStore> = Arc::new(SqliteDirectory::open(folder.path().join("directory.db")).unwrap());
        Self::on(store, folder, router, gateway, clock, settings)
    }

    fn on(
        store: Arc<dyn DirectoryStore>,
        folder: Arc<TempDir>,
        router: FakeRouter,
        gateway: FakeGateway,
        clock: ManualClock,
        settings: Settings,
    ) -> Self {
        let directory = Directory::new(Deps {
            store: Arc::clone(&store),
            router: RouterClient::local(router.clone()),
            gateway: GatewayClient::local(gateway.clone()),
            clock: Arc::new(clock.clone()),
            key: SecretKey::open_or_create(&folder.path().join("secret.key")).unwrap(),
            settings: settings.clone(),
        });
        let api = DirectoryClient::local(directory.clone());
        Self { folder, store, router, gateway, clock, directory, api, settings, database: None, outbox: None }
    }

    /// One of several processes on a PostgreSQL database of its own.
    pub async fn of_several(settings: Settings) -> Self {
        Self::over_connections(settings, 8).await
    }

    /// The same, with so many connections to the database.
    pub async fn over_connections(settings: Settings, connections: usize) -> Self {
        let url = database();
        let store = Arc::new(PostgresDirectory::open(&url, connections).await.unwrap());
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let settings = Settings { process: 1, cached_users: 0, cached_rosters: 0, ..settings };
        let (router, gateway, clock) = (FakeRouter::default(), FakeGateway::default(), ManualClock::at(START));
        let mut world = Self::on(store, folder, router, gateway, clock, settings);
        world.database = Some(url);
        world
    }

    /// Another one.
    pub async fn another(&self) -> Self {
        let url = self.database.clone().unwrap();
        let store = Arc::new(PostgresDirectory::open(&url, 8).await.unwrap());
        let (folder, router, gateway) = (Arc::clone(&self.folder), self.router.clone(), self.gateway.clone());
        let settings = Settings { process: self.settings.process + 1, ..self.settings.clone() };
        let mut world = Self::on(store, folder, router, gateway, self.clock.clone(), settings);
        world.database = Some(url);
        world
    }

    /// The process dies and another starts on what is stored: nothing in memory lives on.
    pub fn restart(self) -> Self {
        let (folder, router, gateway) = (Arc::clone(&self.folder), self.router.clone(), self.gateway.clone());
        let (clock, settings) = (self.clock.clone(), self.settings.clone());
        drop(self);
        Self::over(folder, router, gateway, clock, settings)
    }

    pub fn run_outbox(&mut self) {
        let directory = self.directory.clone();
        self.outbox = Some(tokio::spawn(async move { directory.run_outbox().await }));
    }

    /// Another process of the operator, beside the server.
    pub fn operator(&self) -> Operator {
        let store: Arc<dyn DirectoryStore> = match &self.database {
            None => Arc::new(SqliteDirectory::open(self.folder.path().join("directory.db")).unwrap()),
            Some(_) => Arc::clone(&self.store),
        };
        Operator::new(store, self.folder.path().join("secret.key"), Arc::new(self.clock.clone()))
    }

    /// Makes an app and answers its number.
    pub async fn app(&self) -> u64 {
        let made = self.operator().create_app("test").await.unwrap();
        self.api.app_by_key(wire::AppByKeyRequest { appkey: made.appkey, now: false }).await.unwrap().app_id
    }

    /// Sets an app's limits.
    pub async fn limit(&self, app: u64, max_group_members: u32, max_groups_per_user: u32) {
        let mut stored = self.store.app(mynah_types::AppId(app)).await.unwrap().unwrap();
        stored.rules.max_group_members = max_group_members;
        stored.rules.max_room_members = max_group_members;
        stored.rules.max_groups_per_user = max_groups_per_user;
        self.store.update_app(&stored).await.unwrap();
        tokio::time::sleep(self.settings.app_cache).await;
    }

    /// Registers users with the password "password".
    pub async fn users(&self, app: u64, names: &[&str]) -> Vec<u64> {
        let users = names.iter().map(|name| new_user(name)).collect();
        let request = wire::RegisterRequest { app_id: app, users, ..Default::default() };
        let reply = self.api.register(request).await.unwrap();
        reply
            .results
            .iter()
            .map(|result| {
                assert_eq!(result.failure, None);
                result.uid
            })
            .collect()
    }

    pub async fn login(&self, app: u64, name: &str, platform: &str, device: &str) -> wire::LoginReply {
        self.api.login(by_password(app, name, platform, device)).await.unwrap()
    }

    pub async fn login_by_session(&self, app: u64, session: &str, platform: &str) -> Result<wire::LoginReply, Failure> {
        let request = wire::LoginRequest {
            app_id: app,
            session: session.into(),
            platform: platform.into(),
            device_id: "any".into(),
            kick_others: true,
            ..Default::default()
        };
        self.api.login(request).await
    }

    /// Makes a group and answers its gid.
    pub async fn group(&self, app: u64, owner: &str, members: &[&str]) -> u64 {
        self.api.create_group(new_group(app, owner, members)).await.unwrap().gid
    }

    pub async fn add(&self, app: u64, gid: u64, names: &[&str]) -> Result<wire::Done, Failure> {
        self.api.change_members(members(app, gid, names, &[])).await
    }

    pub async fn remove(&self, app: u64, gid: u64, names: &[&str]) -> Result<wire::Done, Failure> {
        self.api.change_members(members(app, gid, &[], names)).await
    }

    pub async fn member_names(&self, app: u64, gid: u64) -> Vec<String> {
        let list = self.api.members(wire::GroupRequest { app_id: app, gid, member_uid: 0 }).await.unwrap();
        list.members.into_iter().map(|member| member.user.unwrap().username).collect()
    }
}

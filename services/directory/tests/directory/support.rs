//! A directory with its surroundings, and short forms of its calls.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use mynah_directory::{Deps, Directory, Operator, SecretKey, Settings};
use mynah_engines::PostgreSql;
use mynah_ports::DirectoryStore;
use mynah_postgres_directory::PostgresDirectory;
use mynah_proto::directory as wire;
use mynah_proto::gateway::gateway_server::Gateway;
use mynah_proto::router::router_server::Router;
use mynah_proto::{DirectoryClient, Failure, GatewayClient, RouterClient, device, gateway, router};
use mynah_sqlite::SqliteDirectory;
use mynah_types::{ManualClock, Reason};
use parking_lot::Mutex;
use prost::Message as _;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tonic::{Request, Response, Status};

type Answer<T> = Result<Response<T>, Status>;

fn unexpected<T>() -> Answer<T> {
    Err(Status::unimplemented("the directory does not call this"))
}

/// How a fake behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    #[default]
    Answers,
    /// Refuses, and does nothing.
    Fails,
    /// Does it, and its answer is lost.
    LosesAnswer,
    /// Never answers, and does nothing.
    Hangs,
}

impl Mode {
    async fn before(self) -> Result<(), Status> {
        match self {
            Self::Answers | Self::LosesAnswer => Ok(()),
            Self::Fails => Err(Failure::new(Reason::Unavailable, "down").into()),
            Self::Hangs => std::future::pending().await,
        }
    }

    fn after<T>(self, reply: T) -> Answer<T> {
        match self {
            Self::LosesAnswer => Err(Failure::new(Reason::Timeout, "lost").into()),
            Self::Answers | Self::Fails | Self::Hangs => Ok(Response::new(reply)),
        }
    }
}

/// A router that applies changes as the real one does: each version once, in order.
#[derive(Clone, Default)]
pub struct FakeRouter(Arc<RouterState>);

#[derive(Default)]
pub struct RouterState {
    pub mode: Mutex<Mode>,
    /// Changes applied, per conversation.
    pub applied: Mutex<BTreeMap<String, Vec<router::Change>>>,
    pub relations: Mutex<Vec<router::RelationChangedRequest>>,
    /// Events posted, in the order of each feed; a repeat of an id is dropped, as the router does.
    pub posted: Mutex<Vec<(String, router::PostItem)>>,
    pub hides: Mutex<Vec<router::HideRequest>>,
    pub calls: Mutex<Vec<String>>,
    /// Asked for the changes while one is applied, as an actor that loads does.
    pub loads_from: Mutex<Option<DirectoryClient>>,
    /// No change is applied before so many conversations are handed over at one time.
    pub together: Mutex<usize>,
    /// Conversations of which a hand-over has come.
    met: watch::Sender<BTreeSet<String>>,
}

impl std::ops::Deref for FakeRouter {
    type Target = RouterState;

    fn deref(&self) -> &RouterState {
        &self.0
    }
}

impl FakeRouter {
    pub fn set(&self, mode: Mode) {
        *self.mode.lock() = mode;
    }

    async fn meet(&self, conv_id: &str) {
        let together = *self.together.lock();
        if together > 0 {
            self.met.send_modify(|met| _ = met.insert(conv_id.into()));
            // The sender is this fake's own.
            _ = self.met.subscribe().wait_for(|met| met.len() >= together).await;
        }
    }

    pub fn versions(&self, conv_id: &str) -> Vec<u64> {
        self.applied.lock().get(conv_id).map(|all| all.iter().map(|c| c.version).collect()).unwrap_or_default()
    }

    /// The members by the changes applied.
    pub fn members(&self, conv_id: &str) -> Vec<u64> {
        let mut members = BTreeSet::new();
        for change in self.applied.lock().get(conv_id).into_iter().flatten() {
            members.extend(change.joined.iter().map(|m| m.uid));
            members.retain(|uid| !change.left.contains(uid) && !change.dissolved);
        }
        members.into_iter().collect()
    }

    /// The events of a user's feed: type, extra, and who is named.
    pub fn feed(&self, uid: u64) -> Vec<(u32, u32, Vec<String>)> {
        let posted = self.posted.lock();
        let of_feed = posted.iter().filter(|(feed, _)| *feed == format!("f.{uid}"));
        of_feed
            .map(|(_, item)| match device::Entry::decode(item.payload.clone()).unwrap().kind {
                Some(device::entry::Kind::Event(e)) => {
                    (e.event_type, e.extra, e.to.into_iter().map(|party| party.username).collect())
                }
                other => panic!("no event: {other:?}"),
            })
            .collect()
    }

    /// The event of one applied version.
    pub fn event(&self, conv_id: &str, version: u64) -> (device::Entry, device::Event) {
        let applied = self.applied.lock();
        let change = applied[conv_id].iter().find(|c| c.version == version).unwrap();
        let entry = device::Entry::decode(change.payload.clone()).unwrap();
        let Some(device::entry::Kind::Event(event)) = entry.kind.clone() else { panic!("no event: {entry:?}") };
        (entry, event)
    }
}

#[tonic::async_trait]
impl Router for FakeRouter {
    async fn apply_change(&self, request: Request<router::ApplyChangeRequest>) -> Answer<router::ApplyChangeReply> {
        let request = request.into_inner();
        self.calls.lock().push(request.conv_id.clone());
        let mode = *self.mode.lock();
        mode.before().await?;
        self.meet(&request.conv_id).await;
        let loads_from = self.loads_from.lock().clone();
        if let Some(directory) = loads_from {
            let conv_id = request.conv_id.clone();
            directory.changes(wire::ChangesRequest { conv_id, after_version: 0 }).await.map_err(Status::from)?;
        }
        let mut applied = self.applied.lock();
        let log = applied.entry(request.conv_id).or_default();
        for change in request.changes {
            let next = log.len() as u64 + 1;
            assert!(change.version <= next, "version {} was handed over before {next}", change.version);
            if change.version == next {
                log.push(change);
            }
        }
        mode.after(router::ApplyChangeReply { applied_version: log.len() as u64 })
    }

    async fn shard_map(&self, _: Request<router::ShardMapRequest>) -> Answer<router::ShardMapReply> {
        Err(Status::unimplemented("not the directory's call"))
    }

    async fn relation_changed(&self, request: Request<router::RelationChangedRequest>) -> Answer<router::RelationChangedReply> {
        let mode = *self.mode.lock();
        mode.before().await?;
        self.relations.lock().push(request.into_inner());
        mode.after(router::RelationChangedReply {})
    }

    async fn post(&self, request: Request<router::PostRequest>) -> Answer<router::PostReply> {
        let mode = *self.mode.lock();
        mode.before().await?;
        let request = request.into_inner();
        let mut posted = self.posted.lock();
        for item in request.items {
            if !posted.iter().any(|(feed, known)| *feed == request.conv_id && known.id == item.id) {
                posted.push((request.conv_id.clone(), item));
            }
        }
        mode.after(router::PostReply {})
    }

    async fn hide(&self, request: Request<router::HideRequest>) -> Answer<router::HideReply> {
        let mode = *self.mode.lock();
        mode.before().await?;
        self.hides.lock().push(request.into_inner());
        mode.after(router::HideReply {})
    }

    async fn send(&self, _: Request<router::SendRequest>) -> Answer<router::SendReply> {
        unexpected()
    }

    async fn retract(&self, _: Request<router::RetractRequest>) -> Answer<router::RetractReply> {
        unexpected()
    }

    async fn read(&self, _: Request<router::ReadRequest>) -> Answer<router::ReadReply> {
        unexpected()
    }

    async fn sync(&self, _: Request<router::SyncRequest>) -> Answer<router::SyncReply> {
        unexpected()
    }

    async fn history(&self, _: Request<router::HistoryRequest>) -> Answer<router::HistoryReply> {
        unexpected()
    }

    async fn heads(&self, _: Request<router::HeadsRequest>) -> Answer<router::HeadsReply> {
        unexpected()
    }

    async fn single_chats(&self, _: Request<router::SingleChatsRequest>) -> Answer<router::SingleChatsReply> {
        unexpected()
    }

    async fn room_tail(&self, _: Request<router::RoomTailRequest>) -> Answer<router::RoomTailReply> {
        unexpected()
    }

    async fn locate(&self, _: Request<router::LocateRequest>) -> Answer<router::LocateReply> {
        unexpected()
    }
}

/// A gateway that notes whom it was to put out.
#[derive(Clone, Default)]
pub struct FakeGateway(Arc<GatewayState>);

#[derive(Default)]
pub struct GatewayState {
    pub mode: Mutex<Mode>,
    /// Calls that came, those that failed too.
    pub tries: Mutex<usize>,
    pub kicks: Mutex<Vec<gateway::KickRequest>>,
    pub refreshes: Mutex<Vec<gateway::RefreshRequest>>,
}

impl std::ops::Deref for FakeGateway {
    type Target = GatewayState;

    fn deref(&self) -> &GatewayState {
        &self.0
    }
}

impl FakeGateway {
    pub fn take(&self) -> Vec<gateway::KickRequest> {
        std::mem::take(&mut *self.kicks.lock())
    }
}

#[tonic::async_trait]
impl Gateway for FakeGateway {
    async fn kick(&self, request: Request<gateway::KickRequest>) -> Answer<gateway::KickReply> {
        *self.tries.lock() += 1;
        let mode = *self.mode.lock();
        mode.before().await?;
        self.kicks.lock().push(request.into_inner());
        mode.after(gateway::KickReply { kicked: 1 })
    }

    async fn deliver(&self, _: Request<gateway::DeliverRequest>) -> Answer<gateway::DeliverReply> {
        unexpected()
    }

    async fn read_changed(&self, _: Request<gateway::ReadChangedRequest>) -> Answer<gateway::ReadChangedReply> {
        unexpected()
    }

    async fn refresh(&self, request: Request<gateway::RefreshRequest>) -> Answer<gateway::RefreshReply> {
        let mode = *self.mode.lock();
        mode.before().await?;
        self.refreshes.lock().push(request.into_inner());
        mode.after(gateway::RefreshReply {})
    }
}

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
        self.api.app_by_key(wire::AppByKeyRequest { appkey: made.appkey }).await.unwrap().app_id
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

pub fn new_user(name: &str) -> wire::NewUser {
    wire::NewUser { username: name.into(), password: "password".into(), ..Default::default() }
}

pub fn by_password(app: u64, name: &str, platform: &str, device: &str) -> wire::LoginRequest {
    wire::LoginRequest {
        app_id: app,
        username: name.into(),
        password: "password".into(),
        platform: platform.into(),
        device_id: device.into(),
        kick_others: true,
        ..Default::default()
    }
}

pub fn named(app: u64, name: &str) -> wire::GetUserRequest {
    wire::GetUserRequest { app_id: app, username: name.into(), uid: 0 }
}

pub fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

pub fn new_group(app: u64, owner: &str, members: &[&str]) -> wire::CreateGroupRequest {
    wire::CreateGroupRequest {
        app_id: app,
        owner: owner.into(),
        name: "the group".into(),
        members: strings(members),
        ..Default::default()
    }
}

pub fn members(app: u64, id: u64, add: &[&str], remove: &[&str]) -> wire::ChangeMembersRequest {
    wire::ChangeMembersRequest { app_id: app, id, add: strings(add), remove: strings(remove), cross: vec![] }
}

/// Why a call was refused.
pub fn why<T: std::fmt::Debug>(outcome: Result<T, Failure>) -> Reason {
    outcome.unwrap_err().why()
}

/// Waits until a condition holds.
pub async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while !holds().await {
        assert!(tokio::time::Instant::now() < deadline, "never came true: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

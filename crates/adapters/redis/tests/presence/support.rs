//! A Redis, namespaces in it, and gateways.

use std::fmt::Debug;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use mynah_engines::Redis;
use mynah_ports::Presence;
use mynah_ports::presence::{Audience, Error, LiveGateway, OnlineDevice};
use mynah_redis::{RedisPresence, Servers, Settings};
use mynah_types::{ConversationKey, GatewayId, Uid};

pub(crate) const ONE: GatewayId = GatewayId(1);
pub(crate) const TWO: GatewayId = GatewayId(2);
pub(crate) const HEARTBEAT: Duration = Duration::from_millis(100);
pub(crate) const LIFETIME: Duration = Duration::from_millis(1500);
pub(crate) const WITHIN: Duration = Duration::from_millis(500);
const SWEEP: Duration = Duration::from_secs(20);
/// What is waited for comes long before.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// An engine that tests share which leave it alone; it ends with the last of them.
pub(crate) struct Shared<T>(Mutex<Weak<T>>);

impl<T> Shared<T> {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Weak::new()))
    }

    pub(crate) fn get(&self, start: impl FnOnce() -> T) -> Arc<T> {
        let mut shared = self.0.lock().unwrap();
        shared.upgrade().unwrap_or_else(|| {
            let engine = Arc::new(start());
            *shared = Arc::downgrade(&engine);
            engine
        })
    }
}

static REDIS: Shared<Redis> = Shared::new();

pub(crate) fn shared() -> Arc<Redis> {
    REDIS.get(|| Redis::start().unwrap())
}

/// A namespace of its own.
pub(crate) fn prefix() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("test{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn single(redis: &Redis) -> Servers {
    Servers::Single(redis.url())
}

pub(crate) fn settings(servers: &Servers, prefix: &str, gateway: Option<GatewayId>) -> Settings {
    let times = Settings {
        heartbeat: HEARTBEAT,
        lifetime: LIFETIME,
        sweep: SWEEP,
        answer_within: WITHIN,
        ..Settings::new(servers.clone(), gateway)
    };
    Settings { prefix: prefix.to_owned(), ..times }
}

pub(crate) fn start(servers: &Servers, prefix: &str, gateway: Option<GatewayId>) -> RedisPresence {
    RedisPresence::start(settings(servers, prefix, gateway)).unwrap()
}

pub(crate) fn device(uid: u64, gateway: GatewayId, conn: u64, generation: u64) -> OnlineDevice {
    OnlineDevice { uid: Uid(uid), conn, gateway, platform: 'a', session_id: uid * 10, generation }
}

/// Looks until it is as it should be.
pub(crate) async fn until<T: Debug, F: Future<Output = T>>(what: &str, look: impl Fn() -> F, is: impl Fn(&T) -> bool) -> T {
    let begun = Instant::now();
    loop {
        let seen = look().await;
        if is(&seen) {
            return seen;
        }
        assert!(begun.elapsed() < PATIENCE, "{what}: still {seen:?}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Waits until the process was told, more often than `seen` times, to read heads again.
pub(crate) async fn repaired(presence: &RedisPresence, seen: u64) -> u64 {
    tokio::time::timeout(PATIENCE, presence.repaired(seen)).await.unwrap()
}

/// Two gateways, each a handle of its own as in a process of its own; reads go to a third.
pub(crate) struct Pair {
    pub(crate) one: RedisPresence,
    pub(crate) two: RedisPresence,
    pub(crate) reader: RedisPresence,
    pub(crate) prefix: String,
    _engine: Option<Arc<dyn Send + Sync>>,
}

pub(crate) fn pair(servers: &Servers) -> Pair {
    pair_with(servers, |settings| settings)
}

/// One whose servers have certificates of an authority.
pub(crate) fn pair_trusting(servers: &Servers, authorities: Option<String>) -> Pair {
    pair_with(servers, |settings| Settings { authorities: authorities.clone(), ..settings })
}

/// One that tells everything again within that time, also what it takes for told.
pub(crate) fn pair_sweeping(servers: &Servers, sweep: Duration) -> Pair {
    pair_with(servers, |settings| Settings { sweep, ..settings })
}

fn pair_with(servers: &Servers, change: impl Fn(Settings) -> Settings) -> Pair {
    let prefix = prefix();
    let told = |gateway| change(settings(servers, &prefix, gateway));
    let handle = |gateway| RedisPresence::start(told(gateway)).unwrap();
    Pair { one: handle(Some(ONE)), two: handle(Some(TWO)), reader: handle(None), prefix, _engine: None }
}

pub(crate) async fn settled(servers: &Servers) -> Pair {
    let pair = pair(servers);
    pair.settled().await;
    pair
}

/// One that keeps its engine.
pub(crate) async fn settled_on(engine: Arc<dyn Send + Sync>, servers: &Servers) -> Pair {
    Pair { _engine: Some(engine), ..settled(servers).await }
}

impl Pair {
    /// Waits until both are alive and audiences are known.
    pub(crate) async fn settled(&self) {
        _ = until("live gateways", || live(&self.reader), |live| live.as_deref().ok() == Some(&[ONE, TWO])).await;
        for nobody in (1 << 40..).take(16).map(ConversationKey::Group) {
            _ = until("a known audience", || self.reader.audience(nobody), |a| matches!(a, Ok(Audience::Known(_)))).await;
        }
    }

    fn of(&self, gateway: GatewayId) -> &RedisPresence {
        if gateway == TWO { &self.two } else { &self.one }
    }
}

#[async_trait]
impl Presence for Pair {
    async fn online(&self, device: OnlineDevice) -> Result<(), Error> {
        self.of(device.gateway).online(device).await
    }

    async fn offline(&self, uid: Uid, gateway: GatewayId, conn: u64) -> Result<(), Error> {
        self.of(gateway).offline(uid, gateway, conn).await
    }

    async fn devices(&self, uids: &[Uid]) -> Result<Vec<OnlineDevice>, Error> {
        self.reader.devices(uids).await
    }

    async fn join_audience(&self, key: ConversationKey, gateway: GatewayId) -> Result<(), Error> {
        self.of(gateway).join_audience(key, gateway).await
    }

    async fn leave_audience(&self, key: ConversationKey, gateway: GatewayId) -> Result<(), Error> {
        self.of(gateway).leave_audience(key, gateway).await
    }

    async fn audience(&self, key: ConversationKey) -> Result<Audience, Error> {
        self.reader.audience(key).await
    }

    async fn gateways(&self) -> Result<Vec<LiveGateway>, Error> {
        self.reader.gateways().await
    }
}

/// Who lives.
pub async fn live(reader: &RedisPresence) -> Result<Vec<GatewayId>, Error> {
    Ok(reader.gateways().await?.into_iter().map(|gateway| gateway.id).collect())
}

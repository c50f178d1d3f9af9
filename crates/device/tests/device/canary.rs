//! Whether a gateway says that work flows while presence does not answer it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use mynah_device::Settings;
use mynah_ports::Presence;
use mynah_ports::presence::{Audience, Error, LiveGateway, OnlineDevice};
use mynah_types::{ConversationKey, GatewayId, Uid};

use crate::support::serve_seeing;

/// Longer than an outcome counts.
const STALE: Duration = Duration::from_millis(3100);

const ANSWERS: u8 = 0;
const IS_AWAY: u8 = 1;
/// Takes what it is told to a place where nobody looks.
const IS_ALONE: u8 = 2;

/// Presence as a gateway reaches it; routers reach it always.
struct View {
    store: Arc<dyn Presence>,
    state: AtomicU8,
}

impl View {
    fn set(&self, state: u8) {
        self.state.store(state, Ordering::Relaxed);
    }
}

#[async_trait::async_trait]
impl Presence for View {
    async fn online(&self, device: OnlineDevice) -> Result<(), Error> {
        match self.state.load(Ordering::Relaxed) {
            IS_AWAY => Err(Error::Unavailable("nobody there".into())),
            IS_ALONE => Ok(()),
            _ => self.store.online(device).await,
        }
    }
    async fn offline(&self, uid: Uid, gateway: GatewayId, conn: u64) -> Result<(), Error> {
        self.store.offline(uid, gateway, conn).await
    }
    async fn devices(&self, uids: &[Uid]) -> Result<Vec<OnlineDevice>, Error> {
        self.store.devices(uids).await
    }
    async fn join_audience(&self, key: ConversationKey, gateway: GatewayId) -> Result<(), Error> {
        self.store.join_audience(key, gateway).await
    }
    async fn leave_audience(&self, key: ConversationKey, gateway: GatewayId) -> Result<(), Error> {
        self.store.leave_audience(key, gateway).await
    }
    async fn audience(&self, key: ConversationKey) -> Result<Audience, Error> {
        self.store.audience(key).await
    }
    async fn gateways(&self) -> Result<Vec<LiveGateway>, Error> {
        self.store.gateways().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_was_heard_of_works_without_presence_while_its_entries_come() {
    let mut seen = None;
    let server =
        serve_seeing(Settings::default(), |store| seen.insert(Arc::new(View { store, state: AtomicU8::new(IS_AWAY) })).clone());
    let (server, router) = server.await;
    let view = seen.unwrap();
    let why = "presence unavailable: nobody there".to_owned();
    assert_eq!(server.devices.canary(&router).await, Err(why.clone()), "nobody has heard of it");
    tokio::time::sleep(STALE).await;
    view.set(ANSWERS);
    assert_eq!(server.devices.canary(&router).await, Ok(None));
    tokio::time::sleep(STALE).await;
    view.set(IS_AWAY);
    assert_eq!(server.devices.canary(&router).await, Ok(Some(why)));
}

/// As where its lease has lapsed: routers do not deliver to it.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_routers_do_not_know_does_not_work_whatever_it_believes() {
    let mut seen = None;
    let server =
        serve_seeing(Settings::default(), |store| seen.insert(Arc::new(View { store, state: AtomicU8::new(IS_ALONE) })).clone());
    let (server, router) = server.await;
    let late = Err("an entry to itself did not arrive in time".to_owned());
    assert_eq!(server.devices.canary(&router).await, late);
    tokio::time::sleep(STALE).await;
    seen.unwrap().set(IS_AWAY);
    assert_eq!(server.devices.canary(&router).await, late);
}

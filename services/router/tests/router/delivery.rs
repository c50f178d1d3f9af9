//! Gateways that refuse, a bus that is away: records get through all the same.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mynah_fjall::{FjallLog, Options};
use mynah_memory::MemoryBus;
use mynah_ports::bus::{Error, FanoutRecord, Receipt};
use mynah_ports::{Bus, Presence as _};
use mynah_proto::{DirectoryClient, GatewayClient, RouterClient};
use mynah_router::{Deps, Gateways, Ownership, Router, Settings};
use mynah_types::SystemClock;
use tokio::sync::mpsc;

use crate::directory::FakeDirectory;
use crate::gateway::{GATEWAY, Recorder, connected};
use crate::{GROUP, SINGLE, World, change, commit, send};

/// The bus of one process, as one that can be away and is told what was handled.
struct Told {
    bus: MemoryBus,
    away: bool,
    handled: mpsc::Sender<()>,
}

impl Told {
    fn new(away: bool) -> (Arc<Self>, mpsc::Receiver<()>) {
        let (handled, told) = mpsc::channel(64);
        (Arc::new(Self { bus: MemoryBus::new(1024), away, handled }), told)
    }
}

#[async_trait]
impl Bus for Told {
    async fn publish(&self, record: FanoutRecord) -> Result<(), Error> {
        if self.away {
            return Err(Error::Unavailable("away".into()));
        }
        self.bus.publish(record).await
    }

    fn keeps(&self) -> bool {
        true
    }

    async fn next(&self, max: usize) -> Option<Vec<FanoutRecord>> {
        self.bus.next(max).await
    }

    fn hold(&self) -> Receipt {
        let handled = self.handled.clone();
        Receipt::new(move || _ = handled.try_send(()))
    }
}

/// User 2 is connected, and his gateway hears of the group.
async fn start(path: &Path, bus: Arc<Told>, gateway: GatewayClient) -> World {
    let (client, directory) = (DirectoryClient::late(), Arc::new(FakeDirectory::default()));
    client.bind(Arc::<FakeDirectory>::clone(&directory));
    let presence = connected(2).await;
    presence.join_audience(GROUP.parse().unwrap(), GATEWAY).await.unwrap();
    let router = Router::start(Deps {
        log: Arc::new(FjallLog::open(path, &Options::default()).unwrap()),
        bus,
        presence,
        directory: client,
        gateways: Gateways::single(GATEWAY, gateway),
        clock: Arc::new(SystemClock),
        ownership: Ownership::Sole,
        settings: Settings::default(),
    });
    World { router: RouterClient::local(router.await.unwrap()), directory }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_refuses_records_is_given_them_again() {
    let folder = tempfile::tempdir().unwrap();
    let (gateway, mut delivered) = Recorder::start(2);
    let world = start(folder.path(), Told::new(false).0, gateway).await;
    world.router.send(send(SINGLE, 1, "a", 1)).await.unwrap();
    assert_eq!(delivered.next().await.seq, 1);
}

/// Whoever comes after a worker that dies begins behind what was handled: that must have arrived.
#[tokio::test(flavor = "multi_thread")]
async fn records_of_the_bus_are_handled_when_the_gateway_has_them_and_not_before() {
    let folder = tempfile::tempdir().unwrap();
    let (bus, mut handled) = Told::new(false);
    let (gateway, mut delivered) = Recorder::start(2);
    let world = start(folder.path(), bus, gateway).await;
    commit(&world, change(1, &[1, 2], &[])).await;
    tokio::time::timeout(Duration::from_secs(10), handled.recv()).await.unwrap().unwrap();
    assert_eq!(delivered.0.try_recv().map(|entry| entry.seq).ok(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_bus_records_of_a_group_go_directly() {
    let folder = tempfile::tempdir().unwrap();
    let (gateway, mut delivered) = Recorder::start(0);
    let world = start(folder.path(), Told::new(true).0, gateway).await;
    commit(&world, change(1, &[1, 2], &[])).await;
    assert_eq!(delivered.next().await.seq, 1);
    // The bus is left alone for a while now.
    commit(&world, change(2, &[], &[2])).await;
    assert_eq!(delivered.next().await.seq, 2);
}

/// Far more at one time than the runtime lets a task do, into a bus with room.
#[tokio::test(flavor = "multi_thread")]
async fn a_busy_groups_messages_are_pushed_in_order() {
    const MESSAGES: u64 = 2000;
    let folder = tempfile::tempdir().unwrap();
    let (gateway, mut delivered) = Recorder::start(0);
    let world = start(folder.path(), Told::new(false).0, gateway).await;
    commit(&world, change(1, &[1, 2], &[])).await;
    let router = world.router.clone();
    let sending = tokio::spawn(async move {
        let one = |number: u64| {
            let router = router.clone();
            async move { router.send(send(GROUP, 1, &format!("m{number}"), number)).await.unwrap() }
        };
        // As many at one time as a mailbox takes.
        for some in (0..MESSAGES).collect::<Vec<_>>().chunks(200) {
            futures_util::future::join_all(some.iter().map(|number| one(*number))).await;
        }
    });
    for seq in 1..=MESSAGES + 1 {
        assert_eq!(delivered.next().await.seq, seq);
    }
    sending.await.unwrap();
}

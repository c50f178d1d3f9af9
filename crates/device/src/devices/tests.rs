use async_trait::async_trait;
use mynah_memory::MemoryPresence;
use mynah_ports::presence::{Audience, Error, LiveGateway, OnlineDevice};
use mynah_types::{SystemClock, Uid};
use tokio::sync::Notify;

use super::*;
use crate::outbound::{Outbound, Window};

const GATEWAY: GatewayId = GatewayId(1);
const ROOM: ConversationKey = ConversationKey::Room(5);

#[test]
fn another_sites_page_may_not_connect() {
    let headers = |origin: &'static str| {
        HeaderMap::from_iter([
            (header::ORIGIN, http::HeaderValue::from_static(origin)),
            (header::HOST, http::HeaderValue::from_static("im.example:8080")),
        ])
    };
    assert!(origin_allowed(&headers("http://im.example:8080"), &[]));
    assert!(!origin_allowed(&headers("http://evil.example"), &[]));
    assert!(origin_allowed(&headers("http://app.example"), &["http://app.example".into()]));
    assert!(origin_allowed(&HeaderMap::new(), &[]));
}

/// Presence to which a leave is long on its way, and a join is not.
struct Slow {
    presence: MemoryPresence,
    may_leave: Arc<Notify>,
}

#[async_trait]
impl Presence for Slow {
    async fn online(&self, device: OnlineDevice) -> Result<(), Error> {
        self.presence.online(device).await
    }

    async fn offline(&self, uid: Uid, gateway: GatewayId, conn: u64) -> Result<(), Error> {
        self.presence.offline(uid, gateway, conn).await
    }

    async fn devices(&self, uids: &[Uid]) -> Result<Vec<OnlineDevice>, Error> {
        self.presence.devices(uids).await
    }

    async fn join_audience(&self, key: ConversationKey, gateway: GatewayId) -> Result<(), Error> {
        self.presence.join_audience(key, gateway).await
    }

    async fn leave_audience(&self, key: ConversationKey, gateway: GatewayId) -> Result<(), Error> {
        self.may_leave.notified().await;
        self.presence.leave_audience(key, gateway).await
    }

    async fn audience(&self, key: ConversationKey) -> Result<Audience, Error> {
        self.presence.audience(key).await
    }

    async fn gateways(&self) -> Result<Vec<LiveGateway>, Error> {
        self.presence.gateways().await
    }
}

/// The last one leaves a room, and somebody enters it before presence has heard of that.
#[tokio::test]
async fn a_leave_that_is_on_its_way_does_not_overtake_the_join_that_follows_it() {
    let may_leave = Arc::new(Notify::new());
    let presence: Arc<dyn Presence> =
        Arc::new(Slow { presence: MemoryPresence::new(vec![GATEWAY]), may_leave: Arc::clone(&may_leave) });
    let directory = DirectoryClient::late();
    let Devices(inner) = Devices::new(Deps {
        router: RouterClient::late(),
        presence: Arc::clone(&presence),
        gateway_id: GATEWAY,
        words: Words::new(directory.clone()),
        directory,
        clock: Arc::new(SystemClock),
        settings: Settings::default(),
    });
    let enter = |conn| {
        let out = Arc::new(Outbound::new(conn, Codec::Json, Window { frames: 1, bytes: 1 }));
        inner.hub.enter_room(ROOM, 1, &out, inner.deps.settings.room_bounds());
    };
    enter(1);
    inner.align_audience(ROOM).await.unwrap();
    assert!(inner.hub.leave_room(ROOM, 1));
    let leaving = inner.align_audience(ROOM);
    let entering = async {
        enter(2);
        inner.align_audience(ROOM).await
    };
    // Each is polled as far as it gets, in this order: the leave waits when the join begins.
    let (left, entered, ()) = futures_util::join!(leaving, entering, async { may_leave.notify_one() });
    left.and(entered).unwrap();
    assert_eq!(presence.audience(ROOM).await.unwrap(), Audience::Known(vec![GATEWAY]));
}

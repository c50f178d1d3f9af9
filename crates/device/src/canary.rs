//! Whether work flows: an entry that this gateway sends itself by the whole path.

use std::time::{Duration, Instant};

use mynah_ports::presence::OnlineDevice;
use mynah_proto::RouterClient;
use mynah_proto::router::{PostItem, PostRequest};
use mynah_types::{ConversationKey, Uid};
use parking_lot::Mutex;
use tokio::sync::{Mutex as AsyncMutex, watch};

use crate::devices::Devices;

/// Nobody's feed carries the entries.
pub(crate) const FEED: ConversationKey = ConversationKey::Feed(Uid::CANARY);
/// An outcome that is younger than this is not had anew.
const FRESH: Duration = Duration::from_secs(3);
/// How long an entry may take to be here again.
const WITHIN: Duration = Duration::from_millis(1500);

/// The entries on their way.
#[derive(Debug, Default)]
pub(crate) struct Canary {
    /// The id of the one that came last.
    pub(crate) came: watch::Sender<String>,
    /// Counts them; one at a time.
    count: AsyncMutex<u64>,
    last: Mutex<Option<(Instant, Result<(), String>)>>,
}

impl Devices {
    /// Sends an entry to nobody and waits until it is delivered here: by router, log, presence and delivery.
    ///
    /// # Errors
    /// What did not work, in words.
    pub async fn canary(&self, router: &RouterClient) -> Result<(), String> {
        let canary = &self.0.canary;
        let mut count = canary.count.lock().await;
        if let Some((_, outcome)) = canary.last.lock().as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
            return outcome.clone();
        }
        *count += 1;
        let outcome = match tokio::time::timeout(WITHIN, self.send_canary(router, *count)).await {
            Ok(outcome) => outcome,
            Err(_) => Err("an entry to itself did not arrive in time".into()),
        };
        *canary.last.lock() = Some((Instant::now(), outcome.clone()));
        outcome
    }

    async fn send_canary(&self, router: &RouterClient, count: u64) -> Result<(), String> {
        let (gateway, presence) = (self.0.deps.gateway_id, &self.0.deps.presence);
        let itself = OnlineDevice { uid: Uid::CANARY, conn: 0, gateway, platform: 'x', session_id: gateway.0, generation: 1 };
        presence.online(itself).await.map_err(|error| error.to_string())?;
        let id = format!("canary-{gateway}-{count}");
        let mut came = self.0.canary.came.subscribe();
        let item = PostItem { id: id.clone(), payload: Vec::new().into() };
        let request = PostRequest { conv_id: FEED.to_string(), items: vec![item] };
        router.post(request).await.map_err(|failure| format!("router: {}", failure.message))?;
        came.wait_for(|came| *came == id).await.map(drop).map_err(|error| error.to_string())
    }
}

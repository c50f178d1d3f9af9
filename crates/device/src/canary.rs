//! Whether work flows: an entry that this gateway sends itself by the whole path.
//!
//! Several at once, to conversations whose shards lie far apart: where one database of the message log is away, the others' conversations
//! go on, and a gateway that serves them works.
//!
//! Where presence does not answer, routers deliver to every gateway that they know. So one that presence knew once goes on by what arrives: if
//! presence is away for all, its entries do; if for this gateway alone, routers count it as gone, and they do not.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::select_ok;

use mynah_ports::presence::OnlineDevice;
use mynah_proto::RouterClient;
use mynah_proto::router::{PostItem, PostRequest};
use mynah_types::{ConversationKey, SHARDS, Uid};
use parking_lot::Mutex;
use tokio::sync::{Mutex as AsyncMutex, watch};

use crate::devices::Devices;

/// Parts of the shards.
const QUARTERS: u16 = 4;
/// Nobody's feeds carry the entries: one in each quarter of the shards.
static FEEDS: LazyLock<Vec<ConversationKey>> = LazyLock::new(|| {
    let quarter = |key: &ConversationKey| key.shard().0 / (SHARDS / QUARTERS);
    let feeds = || (0..).map_while(|nth| Some(ConversationKey::Feed(Uid(Uid::CANARY.0.checked_sub(nth)?))));
    (0..QUARTERS).filter_map(|wanted| feeds().find(|key| quarter(key) == wanted)).collect()
});
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
    last: Mutex<Option<(Instant, Outcome)>>,
    /// Presence was told of this gateway once.
    told: AtomicBool,
}

/// Why presence does not answer, where the entry came all the same; else what did not work.
type Outcome = Result<Option<String>, String>;

/// Whether a conversation carries them.
pub(crate) fn carries(key: ConversationKey) -> bool {
    FEEDS.contains(&key)
}

impl Devices {
    /// Sends entries to nobody and waits until one is delivered here: by router, log, presence and delivery. Says why presence does not
    /// answer, if it came without.
    ///
    /// # Errors
    /// What did not work, in words.
    pub async fn canary(&self, router: &RouterClient) -> Outcome {
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
        if let Ok(without) = &outcome {
            metrics::gauge!("mynah_device_presence_away").set(u8::from(without.is_some()));
        }
        *canary.last.lock() = Some((Instant::now(), outcome.clone()));
        outcome
    }

    async fn send_canary(&self, router: &RouterClient, count: u64) -> Outcome {
        let id = format!("canary-{}-{count}", self.0.deps.gateway_id);
        select_ok(FEEDS.iter().map(|feed| Box::pin(self.send_one(router, *feed, &id)))).await.map(|(without, _)| without)
    }

    async fn send_one(&self, router: &RouterClient, feed: ConversationKey, id: &str) -> Outcome {
        let told = &self.0.canary.told;
        if !told.load(Ordering::Relaxed) {
            // Nobody has heard of this gateway yet: without presence nothing would be delivered to it.
            self.tell_of(feed).await?;
            told.store(true, Ordering::Relaxed);
            return self.send_and_wait(router, feed, id).await.map(|()| None);
        }
        // Beside one another: presence that does not answer takes its time to say so.
        let (told, came) = tokio::join!(self.tell_of(feed), self.send_and_wait(router, feed, id));
        came.map(|()| told.err())
    }

    async fn tell_of(&self, feed: ConversationKey) -> Result<(), String> {
        let ConversationKey::Feed(uid) = feed else { return Err("not a feed".into()) };
        let gateway = self.0.deps.gateway_id;
        let itself = OnlineDevice { uid, conn: 0, gateway, platform: 'x', session_id: gateway.0, generation: 1 };
        self.0.deps.presence.online(itself).await.map_err(|error| error.to_string())
    }

    async fn send_and_wait(&self, router: &RouterClient, feed: ConversationKey, id: &str) -> Result<(), String> {
        let mut came = self.0.canary.came.subscribe();
        let item = PostItem { id: id.into(), payload: Vec::new().into() };
        let request = PostRequest { conv_id: feed.to_string(), items: vec![item] };
        router.post(request).await.map_err(|failure| format!("router: {}", failure.message))?;
        came.wait_for(|came| came == id).await.map(drop).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_quarter_of_the_shards_carries_one() {
        let quarters: Vec<u16> = FEEDS.iter().map(|feed| feed.shard().0 / (SHARDS / QUARTERS)).collect();
        assert_eq!(quarters, [0, 1, 2, 3]);
        assert!(FEEDS.iter().all(|feed| carries(*feed)) && !carries(ConversationKey::Feed(Uid(1))));
    }
}

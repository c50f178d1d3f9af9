//! Feeds: what concerns a user alone is noted with the change that it tells of, and handed to the router in order.

use std::collections::BTreeSet;

use futures_util::{StreamExt as _, stream};
use mynah_proto::Failure;
use mynah_proto::router::{PostItem, PostRequest};
use mynah_types::{ConversationKey, Uid};

use crate::locks::Key;
use crate::{Inner, convert};

/// Events of one hand-over.
const EVENTS: usize = 64;
/// Feeds that are handed over at one time.
const AT_ONCE: usize = 16;

impl Inner {
    /// Hands over what waits for these users. The change that it tells of is made: what does not get through now, the outbox does.
    pub(crate) async fn tell(&self, uids: impl IntoIterator<Item = Uid>) {
        let uids: BTreeSet<Uid> = uids.into_iter().collect();
        let deadline = tokio::time::Instant::now() + self.patience();
        stream::iter(uids)
            .for_each_concurrent(AT_ONCE, |uid| async move {
                let told = tokio::time::timeout_at(deadline, self.tell_one(uid)).await;
                // Whatever went wrong is in the log, and the outbox is awake.
                _ = self.handed_over(told);
            })
            .await;
    }

    /// Hands over a user's events, in order.
    async fn tell_one(&self, uid: Uid) -> Result<(), Failure> {
        let _lock = self.locks.lock(Key::Feed(uid.0), self.patience()).await?;
        loop {
            let events = self.store.feed_events(uid, EVENTS).await.map_err(convert::store)?;
            let Some((last, _)) = events.last() else { return Ok(()) };
            let last = *last;
            let items = events.into_iter().map(|(number, payload)| PostItem { id: format!("e{number}"), payload });
            let request = PostRequest { conv_id: ConversationKey::Feed(uid).to_string(), items: items.collect() };
            self.router.post(request).await?;
            self.store.finish_feed(uid, last).await.map_err(convert::store)?;
        }
    }

    /// True: nothing waits for the user.
    pub(crate) async fn retry_feed(&self, uid: Uid) -> bool {
        self.tell_one(uid).await.is_ok()
    }
}

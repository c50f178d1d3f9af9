//! What runs beside the calls: the rest of their work, apps that an operator disabled, sessions that ended.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use mynah_ports::directory_store::Error;
use mynah_proto::gateway::KickRequest;
use mynah_types::AppId;

use crate::{Inner, convert};

/// Rows taken up in one pass.
const PASS: usize = 1000;

/// Hand-overs under way at one time.
const AT_ONCE: usize = 16;

/// Ended sessions forgotten in one step.
const PURGE: usize = 1000;

/// The work that processes take turns at.
const TURN: &str = "outbox";

/// How often ended sessions are looked for.
const PURGE_EVERY: Duration = Duration::from_secs(600);

impl Inner {
    pub(crate) async fn work_off(&self) {
        let mut backoff = self.settings.outbox_backoff_min;
        loop {
            let left = match self.has_turn().await {
                Ok(true) => tokio::select! {
                    left = self.pass() => left,
                    error = self.keep_turn() => Err(error),
                },
                Ok(false) => Ok(0),
                Err(error) => Err(error),
            };
            let left = left.unwrap_or_else(|error| {
                convert::store(error);
                1
            });
            if left == 0 {
                backoff = self.settings.outbox_backoff_min;
                // Woken by a call that left something, or by the clock, for what another process left.
                _ = tokio::time::timeout(self.settings.outbox_poll, self.wake.notified()).await;
            } else {
                tokio::time::sleep(backoff).await;
                backoff = (backoff * 2).min(self.settings.outbox_backoff_max);
            }
        }
    }

    /// Of several processes one works off what all of them left. Two at one time do no harm, but work in vain.
    async fn has_turn(&self) -> Result<bool, Error> {
        self.store.take_turn(TURN, self.settings.process, self.settings.turn()).await
    }

    /// Keeps the turn during a pass that takes long; returns only why that fails.
    async fn keep_turn(&self) -> Error {
        loop {
            tokio::time::sleep(self.settings.turn() / 3).await;
            if let Err(error) = self.has_turn().await {
                return error;
            }
        }
    }

    /// Tries everything that waits once. Answers how much of it still does.
    async fn pass(&self) -> Result<usize, Error> {
        let left = AtomicUsize::new(0);
        let count = |done: bool| _ = left.fetch_add(usize::from(!done), Ordering::Relaxed);
        // Deletions first: they make changes.
        for user in self.store.pending_deletions(PASS).await? {
            count(self.resume_deletion(&user).await);
        }
        let rosters = self.store.pending_rosters(PASS).await?;
        stream::iter(rosters)
            .for_each_concurrent(AT_ONCE, |roster| async move { count(self.retry_hand_over(roster.id).await) })
            .await;
        let pairs = self.store.pending_relations(PASS).await?;
        stream::iter(pairs)
            .for_each_concurrent(
                AT_ONCE,
                |(uid, peers, number)| async move { count(self.retry_relations(uid, peers, number).await) },
            )
            .await;
        let shields = self.store.pending_shields(self.clock.now_ms(), PASS).await?;
        stream::iter(shields).for_each_concurrent(AT_ONCE, |note| async move { count(self.retry_shield(note).await) }).await;
        let feeds = self.store.pending_feeds(PASS).await?;
        stream::iter(feeds).for_each_concurrent(AT_ONCE, |uid| async move { count(self.retry_feed(uid).await) }).await;
        // The gauge takes a float; so many never wait.
        #[allow(clippy::cast_precision_loss, reason = "a gauge of a small number")]
        metrics::gauge!("mynah_directory_handovers_waiting").set(self.store.pending_count().await? as f64);
        Ok(left.into_inner())
    }

    /// Puts out the devices of apps that are disabled: the operator's command is another process.
    pub(crate) async fn watch_apps(&self) {
        // None at first: an app may have been disabled while no directory ran, and gateways kept its devices.
        let mut known: HashSet<AppId> = HashSet::new();
        loop {
            match self.store.apps().await {
                Ok(apps) => {
                    known.retain(|id| apps.iter().any(|app| app.id == *id && app.disabled));
                    for id in apps.iter().filter(|app| app.disabled).map(|app| app.id) {
                        if !known.contains(&id) && self.put_out_app(id).await {
                            known.insert(id);
                        }
                    }
                }
                Err(error) => _ = convert::store(error),
            }
            tokio::time::sleep(self.settings.app_poll).await;
        }
    }

    async fn put_out_app(&self, id: AppId) -> bool {
        tracing::info!(app = %id, "the app was disabled: its devices are put out");
        self.kick(KickRequest { app_id: id.0, reason: "disabled".into(), ..KickRequest::default() }).await
    }

    pub(crate) async fn purge_sessions(&self) {
        loop {
            match self.store.purge_sessions(self.clock.now_ms(), PURGE).await {
                Ok(PURGE) => continue,
                Ok(_) => {}
                Err(error) => _ = convert::store(error),
            }
            tokio::time::sleep(PURGE_EVERY).await;
        }
    }
}

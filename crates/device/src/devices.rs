//! The device side of a gateway: what is wired, and its endpoint.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use http::{HeaderMap, StatusCode, header};
use mynah_ports::Presence;
use mynah_proto::device::{GoAway, server_frame};
use mynah_proto::router::HeadsRequest;
use mynah_proto::{DirectoryClient, Failure, RouterClient};
use mynah_types::{Clock, ConversationKey, GatewayId};
use mynah_words::Words;
use tokio::sync::{Mutex as AsyncMutex, OnceCell};

use crate::canary::Canary;
use crate::codec::{Codec, Shared};
use crate::connection;
use crate::errors::Close;
use crate::hub::Hub;
use crate::outbound::push;
use crate::resync::Resyncs;
use crate::settings::Settings;
use crate::socket::{Handshake, Socket};
use crate::targets::Targets;

/// Audiences that may be told of, and users whose groups may be read, at one time.
const TURNS: usize = 64;

/// What device connections work with.
pub struct Deps {
    /// Users, sessions, groups, rooms.
    pub directory: DirectoryClient,
    /// Messages and reads.
    pub router: RouterClient,
    /// Who is online.
    pub presence: Arc<dyn Presence>,
    /// This gateway, in this incarnation.
    pub gateway_id: GatewayId,
    /// What the apps do not let through.
    pub words: Words,
    /// Server time.
    pub clock: Arc<dyn Clock>,
    /// Bounds and times.
    pub settings: Settings,
}

pub(crate) struct Inner {
    pub(crate) deps: Deps,
    pub(crate) hub: Hub,
    pub(crate) canary: Canary,
    pub(crate) targets: Targets,
    pub(crate) resyncs: Resyncs,
    next_conn: AtomicU64,
    open: AtomicUsize,
    log_epoch: OnceCell<String>,
    /// One word about a conversation's audience at a time, by shard.
    audiences: Vec<AsyncMutex<()>>,
    /// One reading of a user's groups at a time, by uid.
    readings: Vec<AsyncMutex<()>>,
}

impl Inner {
    /// Tells presence whether this gateway hears of a conversation, as it is now.
    ///
    /// By the state and one at a time: else a leave that is on its way would overtake the join that follows it, and the conversation
    /// would be heard no more.
    pub(crate) async fn align_audience(&self, key: ConversationKey) -> Result<(), mynah_ports::presence::Error> {
        let _turn = match self.audiences.get(usize::from(key.shard().0) % TURNS) {
            Some(turn) => Some(turn.lock().await),
            None => None,
        };
        let (presence, gateway) = (&self.deps.presence, self.deps.gateway_id);
        if self.hub.hears(key) { presence.join_audience(key, gateway).await } else { presence.leave_audience(key, gateway).await }
    }

    /// The same where nobody waits for it: what is left behind costs records that find nobody.
    pub(crate) async fn align_audiences(&self, keys: impl IntoIterator<Item = ConversationKey>) {
        for key in keys {
            if let Err(error) = self.align_audience(key).await {
                tracing::warn!(%error, conversation = %key, "the audience was not told");
            }
        }
    }

    /// The turn to read a user's groups.
    pub(crate) async fn turn(&self, uid: u64) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        let turn = self.readings.get(usize::try_from(uid).unwrap_or(0) % TURNS)?;
        Some(turn.lock().await)
    }

    /// The stored log's identity; asked of the router once.
    pub(crate) async fn log_epoch(&self) -> Result<String, Failure> {
        let asked = async { self.deps.router.heads(HeadsRequest::default()).await.map(|reply| reply.log_epoch) };
        self.log_epoch.get_or_try_init(|| asked).await.cloned()
    }
}

/// The device connections of a gateway; clones share them.
#[derive(Clone)]
pub struct Devices(pub(crate) Arc<Inner>);

impl Devices {
    /// No connections yet.
    #[must_use]
    pub fn new(deps: Deps) -> Self {
        // Connections of two gateways never have one number: a record names the sender's by it.
        let first = std::hash::BuildHasher::hash_one(&std::collections::hash_map::RandomState::new(), deps.gateway_id) >> 1;
        let (next_conn, open) = (AtomicU64::new(first.max(1)), AtomicUsize::new(0));
        let turns = || (0..TURNS).map(|_| AsyncMutex::new(())).collect();
        let (audiences, readings) = (turns(), turns());
        Self(Arc::new(Inner {
            deps,
            hub: Hub::default(),
            canary: Canary::default(),
            targets: Targets::default(),
            resyncs: Resyncs::default(),
            next_conn,
            open,
            log_epoch: OnceCell::new(),
            audiences,
            readings,
        }))
    }

    /// Serves `/v1/ws`.
    pub fn routes(&self) -> Router {
        Router::new().route("/v1/ws", any(upgrade)).with_state(self.clone())
    }

    /// Connections that are open now.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.0.open.load(Ordering::Relaxed)
    }

    /// What came for a while may be missing: the users' groups are read again, and every device looks at everything.
    pub fn look_again(&self) {
        self.0.resync();
    }

    /// Tells every device to reconnect elsewhere, spread over `spread_ms`, and closes.
    pub fn drain(&self, spread_ms: u32) {
        let goaway = GoAway { reason: "drain".into(), spread_ms, ..GoAway::default() };
        let frame = Shared::new(push(server_frame::Body::Goaway(goaway)));
        for out in self.0.hub.all() {
            out.push_beside(&frame);
            out.close(Close::GOAWAY);
        }
    }

    /// Gives devices that were told to go some time to do so.
    pub async fn gone(&self, at_most: Duration) {
        let gone = async {
            while self.connections() > 0 {
                tokio::time::sleep(GONE_EVERY).await;
            }
        };
        if tokio::time::timeout(at_most, gone).await.is_err() {
            tracing::warn!(left = self.connections(), "connections did not close in time");
        }
    }
}

/// How often a drain looks whether the last device is gone.
const GONE_EVERY: Duration = Duration::from_millis(20);

async fn upgrade(State(devices): State<Devices>, headers: HeaderMap, handshake: Handshake) -> Response {
    let settings = &devices.0.deps.settings;
    if !origin_allowed(&headers, &settings.origins) {
        return (StatusCode::FORBIDDEN, "origin not allowed").into_response();
    }
    if devices.connections() >= settings.connections {
        return (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "2")], "too many connections").into_response();
    }
    let Some((codec, name)) = Codec::agreed(&headers) else {
        return (StatusCode::BAD_REQUEST, "no subprotocol of those that are offered is spoken here").into_response();
    };
    let inner = Arc::clone(&devices.0);
    handshake.accept(name, async move |io| {
        inner.open.fetch_add(1, Ordering::Relaxed);
        metrics::gauge!("mynah_device_connections").increment(1.0);
        let conn = inner.next_conn.fetch_add(1, Ordering::Relaxed);
        let socket = Socket::over(io, inner.deps.settings.ws_message).await;
        connection::run(Arc::clone(&inner), socket, conn, codec).await;
        metrics::gauge!("mynah_device_connections").decrement(1.0);
        inner.open.fetch_sub(1, Ordering::Relaxed);
    })
}

/// Browsers send an Origin: it must be of this host, or one of those set.
fn origin_allowed(headers: &HeaderMap, allowed: &[String]) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    let host = headers.get(header::HOST).and_then(|h| h.to_str().ok()).unwrap_or_default();
    let own = origin.split_once("://").is_some_and(|(_, of)| !host.is_empty() && of.eq_ignore_ascii_case(host));
    own || allowed.iter().any(|a| a == "*" || a.eq_ignore_ascii_case(origin))
}

#[cfg(test)]
mod tests;

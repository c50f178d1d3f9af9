//! What is wired, and the `Report` service.

use std::sync::Arc;
use std::time::Duration;

use mynah_ports::{MessageLog, ReportIndex};
use mynah_proto::report::report_server::Report as ReportService;
use mynah_proto::report::{ActivityReply, ActivityRequest, HistoryReply, HistoryRequest, SentReply, SentRequest};
use mynah_proto::{DirectoryClient, Failure};
use mynah_types::{AppKey, Clock, MsgId, Reason};
use tokio::sync::Mutex;
use tonic::{Request, Response, Status};

use crate::callback::Callbacks;
use crate::{history, projector, statistics};

/// How long the log may take to answer who asks whether the service works.
const ANSWER_WITHIN: Duration = Duration::from_millis(1500);

/// What the service works with.
pub struct Deps {
    /// The messages.
    pub log: Arc<dyn MessageLog>,
    /// What is known of them.
    pub index: Arc<dyn ReportIndex>,
    /// Who asked to be told of messages.
    pub directory: DirectoryClient,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Times and bounds.
    pub settings: Settings,
}

/// Times and bounds.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How often the index follows the log when nobody asks.
    pub follow_every: Duration,
    /// How long a question waits for the index to follow.
    pub follow_within: Duration,
    /// How old a message is, at most, when its append begins. One that is older by as long as the oldest append is under way has none
    /// before it any more that is still on its way into the log.
    pub settles_after: Duration,
    /// Days that history goes back.
    pub keep_days: u64,
    /// Minutes east of UTC: where days begin.
    pub zone_minutes: i32,
    /// How long a callback may take.
    pub callback_within: Duration,
    /// The pauses between tries of a callback; the last one again and again.
    pub callback_pauses: Vec<Duration>,
    /// Messages that may wait for an app's callback while it fails. More: the oldest are given up.
    pub callback_queue: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            follow_every: Duration::from_millis(500),
            follow_within: Duration::from_secs(5),
            settles_after: Duration::from_secs(5),
            keep_days: 60,
            zone_minutes: 8 * 60,
            callback_within: Duration::from_secs(5),
            callback_pauses: [1, 5, 30, 300, 1800].map(Duration::from_secs).to_vec(),
            callback_queue: 100_000,
        }
    }
}

pub(crate) struct Inner {
    pub(crate) deps: Deps,
    /// Held while the index follows: one at a time.
    pub(crate) following: Mutex<projector::Positions>,
    pub(crate) callbacks: Callbacks,
    /// Why the index could not follow the last time that it tried by itself.
    pub(crate) stuck: parking_lot::Mutex<Option<String>>,
}

/// The service; clones share it.
#[derive(Clone)]
pub struct Report(pub(crate) Arc<Inner>);

impl Report {
    /// Puts it together.
    #[must_use]
    pub fn new(deps: Deps) -> Self {
        Self(Arc::new(Inner {
            deps,
            following: Mutex::default(),
            callbacks: Callbacks::default(),
            stuck: parking_lot::Mutex::default(),
        }))
    }

    /// Keeps the index near the log, forgets what is too old, and calls back. Never ends.
    pub async fn run(self) {
        projector::run(&self.0).await;
    }

    /// Whether the log and the index answer, and the index followed when it last tried: that goes through every shard, so through each
    /// database of the log, and writes.
    ///
    /// # Errors
    /// What does not work, in words.
    pub async fn works(&self) -> Result<(), String> {
        let Deps { log, index, .. } = &self.0.deps;
        let asked = async { log.find_message(MsgId(1)).await.map_err(|error| error.to_string()) };
        let asked = tokio::time::timeout(ANSWER_WITHIN, asked).await;
        asked.unwrap_or_else(|_| Err("the message log does not answer in time".into()))?;
        index.positions().await.map_err(|error| error.to_string())?;
        self.0.stuck.lock().clone().map_or(Ok(()), Err)
    }
}

/// The index or the log cannot be read now.
pub(crate) fn unreadable(engine: &'static str, error: &dyn std::error::Error) -> Failure {
    metrics::counter!("mynah_report_engine_failures_total", "engine" => engine).increment(1);
    tracing::warn!(%error, engine, "an engine of reports does not answer");
    Failure::new(Reason::Unavailable, format!("the {engine} does not answer: try again"))
}

pub(crate) fn app(appkey: &str) -> Result<AppKey, Failure> {
    AppKey::parse(appkey).map_err(|e| Failure::invalid(e.what, e.why))
}

type Answer<T> = Result<Response<T>, Status>;

fn wrap<T>(result: Result<T, Failure>) -> Answer<T> {
    result.map(Response::new).map_err(Status::from)
}

#[async_trait::async_trait]
impl ReportService for Report {
    async fn history(&self, request: Request<HistoryRequest>) -> Answer<HistoryReply> {
        wrap(history::history(&self.0, request.into_inner()).await)
    }

    async fn sent(&self, request: Request<SentRequest>) -> Answer<SentReply> {
        wrap(statistics::sent(&self.0, request.into_inner()).await)
    }

    async fn activity(&self, request: Request<ActivityRequest>) -> Answer<ActivityReply> {
        wrap(statistics::activity(&self.0, request.into_inner()).await)
    }
}

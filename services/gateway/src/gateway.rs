//! What is wired, and the routes.

use std::sync::Arc;

use axum::Router as Routes;
use axum::extract::{Request, State};
use axum::response::{Redirect, Response};
use axum::routing::get;
use mynah_ports::{MediaStore, Presence};
use mynah_proto::{DirectoryClient, ReportClient, RouterClient};
use mynah_types::Clock;
use mynah_words::Words;
use tokio::sync::Semaphore;

use crate::settings::Settings;
use crate::{media, page, rest};

/// What the HTTP side works with.
pub struct Deps {
    /// Apps, users, groups, rooms.
    pub directory: DirectoryClient,
    /// Messages.
    pub router: RouterClient,
    /// What was said before, and how much.
    pub report: ReportClient,
    /// Who is online.
    pub presence: Arc<dyn Presence>,
    /// Uploaded files.
    pub media: Arc<dyn MediaStore>,
    /// What the apps do not let through.
    pub words: Words,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Bounds and times.
    pub settings: Settings,
}

pub(crate) struct Inner {
    pub(crate) deps: Deps,
    /// Places for requests that are being worked on.
    pub(crate) places: Semaphore,
    /// Places for files that are coming in.
    pub(crate) uploads: Semaphore,
    pub(crate) quotas: rest::Quotas,
}

/// The HTTP side of a gateway; clones share it.
#[derive(Clone)]
pub struct Gateway(pub(crate) Arc<Inner>);

impl Gateway {
    /// Puts it together.
    #[must_use]
    pub fn new(deps: Deps) -> Self {
        let settings = &deps.settings;
        let window_ms = u64::try_from(settings.quota_window.as_millis()).unwrap_or(u64::MAX);
        let quotas = rest::Quotas::new(settings.requests_per_window, settings.sends_per_window, window_ms);
        let (places, uploads) = (Semaphore::new(settings.requests), Semaphore::new(settings.uploads));
        Self(Arc::new(Inner { places, uploads, quotas, deps }))
    }

    /// Everything but device connections: pages under `/ui/`, and the API for every other path.
    pub fn routes(&self) -> Routes {
        Routes::new()
            .route("/", get(|| async { Redirect::to("/ui/") }))
            .merge(page::routes())
            .merge(media::routes())
            .fallback(api)
            .with_state(self.clone())
    }
}

async fn api(State(gateway): State<Gateway>, request: Request) -> Response {
    rest::serve(gateway.0, request).await
}

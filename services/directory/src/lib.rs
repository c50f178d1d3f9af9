//! The user/group service: apps, users, device sessions, blacklists, groups and chatrooms.
//!
//! Owns who exists, who may log in and who is a member of what, behind the generated `Directory` trait. It stores through the
//! `DirectoryStore` port and tells the router of membership and relations, and the gateways of sessions that ended, before it
//! answers. It knows no message, no log, no HTTP and no connection.
//!
//! - A write runs to its end even if its caller goes away: commit, caches, kicks and hand-overs belong together.
//! - A membership change is committed with its change row first and handed to the router then; what the router has not
//!   confirmed is handed over again by [`Directory::run_outbox`].

mod announce;
mod apps;
mod cache;
mod callbacks;
mod convert;
mod cross;
mod deletion;
mod do_not_disturb;
mod edits;
mod events;
mod feed;
mod friends;
mod groups;
mod growth;
mod hashing;
mod import;
mod locks;
mod media;
mod membership;
mod operator;
mod outbox;
mod relations;
mod rooms;
mod secret;
mod service;
mod sessions;
mod settings;
mod shield;
mod signature;
mod users;
mod validate;
mod words;

use std::collections::HashSet;
use std::future::Future;
use std::sync::Arc;

use mynah_ports::{Changes, DirectoryStore, deadline};
use mynah_proto::{Failure, GatewayClient, RouterClient};
use mynah_types::{Clock, Reason};
use parking_lot::Mutex;
use tokio::sync::Notify;

pub use callbacks::CallbackRule;
pub use import::{ImportedPassword, ImportedUser};
pub use operator::{Credentials, Operator, OperatorError};
pub use secret::{KeyError, SecretKey};
pub use settings::Settings;

/// What the directory works with.
pub struct Deps {
    /// Where everything is kept.
    pub store: Arc<dyn DirectoryStore>,
    /// Told of membership and relations.
    pub router: RouterClient,
    /// Told of devices to put out.
    pub gateway: GatewayClient,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Opens the apps' stored secrets.
    pub key: SecretKey,
    /// Costs, lifetimes, bounds.
    pub settings: Settings,
}

/// The service. Clones are handles of one.
#[derive(Clone)]
pub struct Directory(Arc<Inner>);

struct Inner {
    store: Arc<dyn DirectoryStore>,
    router: RouterClient,
    gateway: GatewayClient,
    clock: Arc<dyn Clock>,
    key: SecretKey,
    settings: Settings,
    hashing: hashing::Hashing,
    apps: apps::AppCache,
    users: users::UserCache,
    rosters: membership::RosterCache,
    locks: locks::Locks,
    announcer: announce::Announcer,
    /// Rosters whose creating call has not been answered.
    creating: Arc<Mutex<HashSet<u64>>>,
    /// Something is left for the outbox.
    wake: Notify,
}

impl Directory {
    /// Puts the service together. It does nothing by itself: run [`Directory::run_outbox`] beside it.
    #[must_use]
    pub fn new(deps: Deps) -> Self {
        Self::with(deps, None)
    }

    /// The same, which tells other processes of changes.
    #[must_use]
    pub fn announcing(deps: Deps, changes: Arc<dyn Changes>) -> Self {
        Self::with(deps, Some(changes))
    }

    fn with(deps: Deps, changes: Option<Arc<dyn Changes>>) -> Self {
        let Deps { store, router, gateway, clock, key, settings } = deps;
        Self(Arc::new(Inner {
            hashing: hashing::Hashing::new(&settings),
            apps: apps::AppCache::new(settings.app_cache),
            users: users::UserCache::new(settings.cached_users),
            rosters: membership::RosterCache::new(settings.cached_rosters),
            locks: locks::Locks::default(),
            announcer: announce::Announcer::new(changes),
            creating: Arc::default(),
            wake: Notify::new(),
            store,
            router,
            gateway,
            clock,
            key,
            settings,
        }))
    }

    /// Works off what is left: changes and relations that the router has not confirmed, deleted users who are still in groups,
    /// ended sessions; puts out the devices of apps that an operator disabled; and tells of changes. Runs until it is dropped.
    pub async fn run_outbox(&self) {
        let inner = &self.0;
        tokio::join!(inner.work_off(), inner.watch_apps(), inner.purge_sessions(), inner.announcer.run());
    }

    /// Runs a change of a group or chatroom as a write, and decides it again while another process changes the same one first.
    async fn decided<R, T, F, Fut>(&self, request: R, change: F) -> Result<T, Failure>
    where
        R: Clone + Send + 'static,
        T: Send + 'static,
        F: Fn(Arc<Inner>, R) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        let decide = move |inner: Arc<Inner>| async move {
            for _ in 1..membership::DECISIONS {
                let attempt = change(Arc::clone(&inner), request.clone());
                match attempt.await {
                    Err(failure) if convert::has_moved(&failure) => {}
                    done => return done,
                }
            }
            change(inner, request).await
        };
        self.detached(decide).await
    }

    /// Runs a write in a task of its own, so that a caller that goes away cannot stop it half-way.
    async fn detached<T, F, Fut>(&self, write: F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: FnOnce(Arc<Inner>) -> Fut,
        Fut: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        let task = tokio::spawn(deadline::until(deadline::get(), write(Arc::clone(&self.0))));
        task.await.unwrap_or_else(|error| {
            tracing::error!(%error, "a directory write did not end");
            Err(Failure::new(Reason::Internal, "internal error"))
        })
    }
}

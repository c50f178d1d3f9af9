//! Past one app: who may act on whose users, and the keys under which users of several apps are shown.

use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use mynah_ports::directory_store::{App, User};
use mynah_proto::{Failure, directory as wire};
use mynah_types::{AppId, Reason};

use crate::{Inner, apps, convert};

/// Apps by their numbers, as far as something that is shown needs them.
pub(crate) struct Apps(HashMap<AppId, Arc<App>>);

impl Apps {
    /// One app alone.
    pub(crate) fn one(app: &Arc<App>) -> Self {
        Self(HashMap::from([(app.id, Arc::clone(app))]))
    }

    /// The key of an app; empty if it is not among these.
    pub(crate) fn key(&self, app: AppId) -> &str {
        self.0.get(&app).map_or("", |app| app.key.as_str())
    }

    pub(crate) fn get(&self, app: AppId) -> Option<&App> {
        self.0.get(&app).map(Arc::as_ref)
    }
}

impl Inner {
    /// The apps of these numbers.
    pub(crate) async fn apps_of(&self, ids: HashSet<AppId>) -> Result<Apps, Failure> {
        let mut found = HashMap::with_capacity(ids.len());
        for id in ids {
            found.insert(id, self.app(id.0).await?);
        }
        Ok(Apps(found))
    }

    /// Users as others see them, each under his own app's key.
    pub(crate) async fn shown(&self, users: &[impl Borrow<User> + Sync]) -> Result<Vec<wire::User>, Failure> {
        let apps = self.apps_of(apps_with(users.iter().map(Borrow::borrow))).await?;
        Ok(users.iter().map(|user| convert::user(&apps, user.borrow())).collect())
    }

    /// An app that another one's server may act on. Unknown, disabled and not granted are one answer.
    pub(crate) async fn other_app(&self, app: &Arc<App>, appkey: &str) -> Result<Arc<App>, Failure> {
        let denied = || Failure::new(Reason::CrossAppDenied, "no auth to operating other appkey");
        if appkey == app.key.as_str() {
            return Ok(Arc::clone(app));
        }
        let other = match self.app_of_key(appkey).await {
            Ok(other) => other,
            Err(failure) if failure.why() == Reason::AppNotFound => return Err(denied()),
            Err(failure) => return Err(failure),
        };
        let granted = self.store.grants(app.id).await.map_err(convert::store)?.contains(&other.id);
        if granted && apps::enabled(&other).is_ok() { Ok(other) } else { Err(denied()) }
    }

    /// Whether users of two apps may write to one another: one of the apps was granted the other. What one is sent he may look at.
    pub(crate) async fn speak(&self, one: AppId, other: AppId) -> Result<bool, Failure> {
        let granted = async |app, target| self.store.grants(app).await.map(|granted| granted.contains(&target));
        Ok(granted(one, other).await.map_err(convert::store)? || granted(other, one).await.map_err(convert::store)?)
    }

    pub(crate) async fn cross_app(&self, request: wire::CrossAppRequest) -> Result<wire::App, Failure> {
        let app = self.app(request.app_id).await?;
        Ok(convert::app(&*self.other_app(&app, &request.appkey).await?))
    }

    /// The users that a call names: its own app's, and those of others. `pick` takes one list of each.
    pub(crate) async fn named_across(
        &self,
        app: &Arc<App>,
        field: &str,
        own: &[String],
        cross: &[wire::CrossNames],
        pick: fn(&wire::CrossNames) -> &[String],
        most: usize,
    ) -> Result<Vec<Arc<User>>, Failure> {
        let names: usize = cross.iter().map(|one| pick(one).len()).sum::<usize>() + own.len();
        if names > most {
            return Err(Failure::invalid(field, format!("must name at most {most} users")));
        }
        let mut users = match own {
            [] => Vec::new(),
            names => self.users_named(app.id, field, names, most).await?,
        };
        for one in cross {
            let other = self.other_app(app, &one.appkey).await?;
            if !pick(one).is_empty() {
                users.extend(self.users_named(other.id, field, pick(one), most).await?);
            }
        }
        // The same app may come twice.
        let mut seen = HashSet::with_capacity(users.len());
        users.retain(|user| seen.insert(user.uid));
        Ok(users)
    }
}

/// The apps of these users.
pub(crate) fn apps_with<'a>(users: impl IntoIterator<Item = &'a User>) -> HashSet<AppId> {
    users.into_iter().map(|user| user.app).collect()
}

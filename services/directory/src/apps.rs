//! Apps: who calls, and whose pages may connect.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mynah_ports::changes::Subject;
use mynah_ports::directory_store::{App, Remembered};
use mynah_proto::{Failure, directory as wire};
use mynah_types::{AppId, AppKey, Reason};
use parking_lot::Mutex;
use subtle::ConstantTimeEq as _;

use crate::convert;
use crate::secret::{digest, hex, random};
use crate::signature::{Signed, remembered_as, same};
use crate::{Inner, signature};

/// Apps kept; beyond that all are forgotten and read again.
const KEPT: usize = 10_000;

/// Apps as they were a moment ago: an operator changes them from another process.
pub(crate) struct AppCache {
    lifetime: Duration,
    apps: Mutex<(HashMap<AppKey, Kept>, HashMap<AppId, Kept>)>,
}

#[derive(Clone)]
struct Kept {
    app: Arc<App>,
    until: Instant,
}

impl AppCache {
    pub(crate) fn new(lifetime: Duration) -> Self {
        Self { lifetime, apps: Mutex::default() }
    }

    fn by_key(&self, key: &AppKey) -> Option<Arc<App>> {
        fresh(self.apps.lock().0.get(key))
    }

    fn by_id(&self, id: AppId) -> Option<Arc<App>> {
        fresh(self.apps.lock().1.get(&id))
    }

    /// Keeps an app that was asked for at `asked`: its age counts from then.
    fn keep(&self, app: App, asked: Instant) -> Arc<App> {
        let kept = Kept { app: Arc::new(app), until: asked + self.lifetime };
        let mut apps = self.apps.lock();
        if apps.1.len() >= KEPT {
            *apps = Default::default();
        }
        apps.0.insert(kept.app.key.clone(), kept.clone());
        apps.1.insert(kept.app.id, kept.clone());
        kept.app
    }
}

fn fresh(kept: Option<&Kept>) -> Option<Arc<App>> {
    kept.filter(|kept| Instant::now() < kept.until).map(|kept| Arc::clone(&kept.app))
}

impl AppCache {
    /// Forgets an app that was changed here.
    fn forget(&self, app: &App) {
        let mut apps = self.apps.lock();
        apps.0.remove(&app.key);
        apps.1.remove(&app.id);
    }
}

impl Inner {
    pub(crate) async fn set_registration(&self, request: wire::SetRegistrationRequest) -> Result<wire::Done, Failure> {
        let app = self.app(request.app_id).await?;
        let found = self.store.set_device_registration(app.id, request.open).await.map_err(convert::store)?;
        self.apps.forget(&app);
        self.announcer.tell(Subject::App(app.id), 0);
        if found { Ok(wire::Done {}) } else { Err(no_app()) }
    }

    /// The app that a call acts in.
    pub(crate) async fn app(&self, id: u64) -> Result<Arc<App>, Failure> {
        let id = AppId(id);
        if let Some(app) = self.apps.by_id(id) {
            return Ok(app);
        }
        self.app_now(id).await
    }

    /// The same as it is stored at this moment: another process may have changed it since this one looked.
    pub(crate) async fn app_now(&self, id: AppId) -> Result<Arc<App>, Failure> {
        let asked = Instant::now();
        let app = self.store.app(id).await.map_err(convert::store)?.ok_or_else(no_app)?;
        Ok(self.apps.keep(app, asked))
    }

    /// An enabled app, by its key.
    pub(crate) async fn app_of_key(&self, key: &str) -> Result<Arc<App>, Failure> {
        let key = AppKey::parse(key).map_err(|_| no_app())?;
        let app = match self.apps.by_key(&key) {
            Some(app) => app,
            None => {
                let asked = Instant::now();
                let app = self.store.app_by_key(&key).await.map_err(convert::store)?.ok_or_else(no_app)?;
                self.apps.keep(app, asked)
            }
        };
        Ok(app)
    }

    pub(crate) async fn app_by_key(&self, request: wire::AppByKeyRequest) -> Result<wire::App, Failure> {
        let mut app = self.app_of_key(&request.appkey).await?;
        if request.now {
            app = self.app_now(app.id).await?;
        }
        enabled(&app)?;
        Ok(convert::app(&app))
    }

    pub(crate) async fn authenticate(&self, request: wire::AuthenticateRequest) -> Result<wire::App, Failure> {
        let app = self.app_of_key(&request.appkey).await?;
        let given = digest(&request.master_secret);
        if !bool::from(given.as_slice().ct_eq(&app.secret_digest)) {
            return Err(Failure::new(Reason::BadCredentials, "wrong master secret"));
        }
        enabled(&app)?;
        Ok(convert::app(&app))
    }

    pub(crate) async fn check_signature(&self, request: wire::CheckSignatureRequest) -> Result<wire::App, Failure> {
        let app = self.app_of_key(&request.appkey).await?;
        enabled(&app)?;
        let secret = self.secret_of(&app)?;
        let signed = Signed { appkey: app.key.as_str(), random_str: &request.random_str, timestamp: &request.timestamp };
        let expected = match request.alg.as_str() {
            "" | "md5" => signed.md5(&secret),
            "hmac-sha256" => signed.hmac_sha256(&secret),
            _ => return Err(Failure::invalid("alg", "must be md5 or hmac-sha256")),
        };
        let wrong = || Failure::new(Reason::BadCredentials, "wrong signature");
        if !same(&expected, &request.signature) {
            return Err(wrong());
        }
        // Only what was signed is looked at and remembered: nobody else can fill the memory.
        let signed_at: u64 = request.timestamp.parse().map_err(|_| wrong())?;
        let (now, validity) = (self.clock.now_ms(), self.settings.signature_validity_ms);
        if now.abs_diff(signed_at) > validity {
            return Err(Failure::new(Reason::SignatureExpired, "the signature is too old, or from the future"));
        }
        let (name, expires) = (remembered_as(app.id, &request.random_str), signed_at.saturating_add(validity + 1));
        let most = self.settings.signatures_remembered;
        match self.store.remember_signature(name, now, expires, most).await.map_err(convert::store)? {
            Remembered::New => Ok(convert::app(&app)),
            Remembered::Seen => Err(Failure::new(Reason::SignatureExpired, "the signature was used before")),
            Remembered::Full => Err(Failure::new(Reason::Overloaded, "too many signatures").retry_after(1000)),
        }
    }

    /// Only the demo app's page is signed for by the server itself: every other app proves its visitors by its own server.
    pub(crate) async fn sign_demo(&self) -> Result<wire::SignDemoReply, Failure> {
        let apps = self.store.apps().await.map_err(convert::store)?;
        let app = apps.into_iter().find(|app| app.demo && !app.disabled).ok_or_else(no_app)?;
        let secret = self.secret_of(&app)?;
        let random_str = hex(&random::<16>());
        let timestamp = self.clock.now_ms().to_string();
        let signed = signature::Signed { appkey: app.key.as_str(), random_str: &random_str, timestamp: &timestamp };
        let signature = signed.md5(&secret);
        Ok(wire::SignDemoReply { appkey: app.key.to_string(), random_str, timestamp, signature, app_id: app.id.0 })
    }

    fn secret_of(&self, app: &App) -> Result<String, Failure> {
        self.key.open(app.key.as_str(), &app.secret_sealed).ok_or_else(|| {
            tracing::error!(app = %app.key, "the master secret does not open: it was stored under another key file");
            Failure::new(Reason::Internal, "internal error")
        })
    }
}

pub(crate) fn enabled(app: &App) -> Result<(), Failure> {
    if app.disabled { Err(Failure::new(Reason::AppDisabled, "the app is disabled")) } else { Ok(()) }
}

fn no_app() -> Failure {
    Failure::new(Reason::AppNotFound, "no such app")
}

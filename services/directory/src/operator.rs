//! The operator's commands on apps. They need no server, and work beside a running one.

use std::path::PathBuf;
use std::sync::Arc;

use mynah_ports::DirectoryStore;
use mynah_ports::directory_store::{App, AppRules, Error, NewApp};
use mynah_types::{AppKey, Clock};

use crate::secret::{KeyError, SecretKey, digest, hex_key};

/// Longest name of an app, in bytes.
const NAME: usize = 128;

/// Why a command did nothing.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] Error),
    /// The key file does not serve.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// No such app.
    #[error("no app has the key {0}")]
    NoApp(String),
    /// The app has no callback.
    #[error("the app {0} has no callback")]
    NoCallback(String),
    /// The address does not serve.
    #[error(
        "a callback's address must begin with https:// (http:// only with --allow-private) and hold at most 2048 visible characters"
    )]
    Url,
    /// What is stored was sealed with another key file.
    #[error("the key file does not open the callback's secret of {0}")]
    Sealed(String),
    /// The name does not serve.
    #[error("the name of an app must be 1 to {NAME} bytes without control characters")]
    Name,
}

/// What an app's server calls with. Told once: only a digest and a sealed form are kept.
#[derive(Clone)]
pub struct Credentials {
    /// The app's public key.
    pub appkey: String,
    /// The secret.
    pub master_secret: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("appkey", &self.appkey).field("master_secret", &"***").finish()
    }
}

/// Makes and changes apps.
#[derive(Clone)]
pub struct Operator {
    pub(crate) store: Arc<dyn DirectoryStore>,
    key_file: PathBuf,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Operator {
    /// Works on `store`, with the key file made at its first need.
    pub fn new(store: Arc<dyn DirectoryStore>, key_file: impl Into<PathBuf>, clock: Arc<dyn Clock>) -> Self {
        Self { store, key_file: key_file.into(), clock }
    }

    /// Makes an app.
    ///
    /// # Errors
    /// When the name does not serve, or store or key file do not.
    pub async fn create_app(&self, name: &str) -> Result<Credentials, OperatorError> {
        let (app, credentials) = self.new_app(name, false)?;
        self.store.create_app(app, false).await?;
        Ok(credentials)
    }

    /// Makes the demo app, if the store has no app at all.
    ///
    /// # Errors
    /// When store or key file do not serve.
    pub async fn ensure_demo_app(&self) -> Result<Option<Credentials>, OperatorError> {
        let (app, credentials) = self.new_app("demo", true)?;
        Ok(self.store.create_app(app, true).await?.map(|_| credentials))
    }

    /// Every app, in creation order.
    ///
    /// # Errors
    /// When the store does not serve.
    pub async fn list_apps(&self) -> Result<Vec<App>, OperatorError> {
        Ok(self.store.apps().await?)
    }

    /// Gives an app another secret; the old one is worth nothing within a second.
    ///
    /// # Errors
    /// When there is no such app, or store or key file do not serve.
    pub async fn rotate_secret(&self, appkey: &str) -> Result<Credentials, OperatorError> {
        let mut app = self.app(appkey).await?;
        let credentials = Credentials { appkey: app.key.to_string(), master_secret: hex_key() };
        app.secret_digest = digest(&credentials.master_secret).to_vec();
        app.secret_sealed = self.key()?.seal(&credentials.appkey, &credentials.master_secret);
        self.update(&app).await?;
        Ok(credentials)
    }

    /// Disables an app: its server and its devices are refused, and those connected are put out, within a second.
    ///
    /// # Errors
    /// When there is no such app, or the store does not serve.
    pub async fn disable_app(&self, appkey: &str) -> Result<(), OperatorError> {
        let mut app = self.app(appkey).await?;
        app.disabled = true;
        self.update(&app).await
    }

    /// Sets an app's rules.
    ///
    /// # Errors
    /// When there is no such app, or the store does not serve.
    pub async fn set_rules(&self, appkey: &str, rules: AppRules) -> Result<(), OperatorError> {
        let mut app = self.app(appkey).await?;
        app.rules = rules;
        self.update(&app).await
    }

    /// Lets an app's server act on the users, groups and chatrooms of another app, or no more. One direction: the other app's server
    /// may do nothing by it.
    ///
    /// # Errors
    /// When there is no such app, or the store does not serve.
    pub async fn set_grant(&self, appkey: &str, target: &str, given: bool) -> Result<(), OperatorError> {
        let (app, target) = (self.app(appkey).await?, self.app(target).await?);
        Ok(self.store.set_grant(app.id, target.id, given).await?)
    }

    /// The keys of the apps that an app's server may act on.
    ///
    /// # Errors
    /// When there is no such app, or the store does not serve.
    pub async fn grants(&self, appkey: &str) -> Result<Vec<String>, OperatorError> {
        let app = self.app(appkey).await?;
        let (granted, apps) = (self.store.grants(app.id).await?, self.store.apps().await?);
        Ok(apps.into_iter().filter(|app| granted.contains(&app.id)).map(|app| app.key.to_string()).collect())
    }

    pub(crate) async fn app(&self, appkey: &str) -> Result<App, OperatorError> {
        let no_app = || OperatorError::NoApp(appkey.to_owned());
        let key = AppKey::parse(appkey).map_err(|_| no_app())?;
        self.store.app_by_key(&key).await?.ok_or_else(no_app)
    }

    async fn update(&self, app: &App) -> Result<(), OperatorError> {
        if self.store.update_app(app).await? { Ok(()) } else { Err(OperatorError::NoApp(app.key.to_string())) }
    }

    fn new_app(&self, name: &str, demo: bool) -> Result<(NewApp, Credentials), OperatorError> {
        if name.is_empty() || name.len() > NAME || name.chars().any(char::is_control) {
            return Err(OperatorError::Name);
        }
        let credentials = Credentials { appkey: hex_key(), master_secret: hex_key() };
        // What hex_key makes is a key.
        let key = AppKey::parse(&credentials.appkey).map_err(|_| OperatorError::NoApp(credentials.appkey.clone()))?;
        let app = NewApp {
            key,
            name: name.to_owned(),
            secret_digest: digest(&credentials.master_secret).to_vec(),
            secret_sealed: self.key()?.seal(&credentials.appkey, &credentials.master_secret),
            demo,
            rules: AppRules::default(),
            ctime: self.clock.now_ms(),
        };
        Ok((app, credentials))
    }

    pub(crate) fn key(&self) -> Result<SecretKey, OperatorError> {
        Ok(SecretKey::open_or_create(&self.key_file)?)
    }
}

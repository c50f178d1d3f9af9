//! Where apps' servers are told of messages: the operator's commands, and what the report service reads.

use mynah_ports::directory_store::{App, Callback};
use mynah_proto::{Failure, directory as wire};

use crate::operator::{Operator, OperatorError};
use crate::secret::hex_key;
use crate::{Inner, convert};

/// Longest address, in bytes.
const URL: usize = 2048;

/// How an app's callback is set.
#[derive(Debug, Clone)]
pub struct CallbackRule {
    /// `https://…`; `http://…` only where private addresses are allowed.
    pub url: String,
    /// The app's own credentials are sent along, as the hosted service does.
    pub with_master_secret: bool,
    /// The address may be a private one.
    pub allow_private: bool,
}

/// The name under which a callback's secret is sealed.
fn sealed_as(appkey: &str) -> String {
    format!("callback {appkey}")
}

impl Operator {
    /// Sets an app's callback. Answers the secret that signs it: a new one if there was none.
    ///
    /// # Errors
    /// When there is no such app, the address does not serve, or store or key file do not.
    pub async fn set_callback(&self, appkey: &str, rule: CallbackRule) -> Result<String, OperatorError> {
        let schemes: &[&str] = if rule.allow_private { &["https://", "http://"] } else { &["https://"] };
        let in_form = rule.url.len() <= URL && rule.url.bytes().all(|byte| byte.is_ascii_graphic());
        if !in_form || !schemes.iter().any(|scheme| rule.url.len() > scheme.len() && rule.url.starts_with(scheme)) {
            return Err(OperatorError::Url);
        }
        let app = self.app(appkey).await?;
        let (secret, before) = match self.callback_of(&app).await? {
            Some(callback) => (self.opened(&app, &callback)?, callback.before),
            None => (hex_key(), None),
        };
        let CallbackRule { url, with_master_secret, allow_private } = rule;
        let sealed = self.key()?.seal(&sealed_as(app.key.as_str()), &secret);
        let callback = Callback { app: app.id, url, secret: sealed, before, with_master_secret, allow_private };
        self.store.set_callback(app.id, Some(callback)).await?;
        Ok(secret)
    }

    /// Gives an app's callback another secret. Both sign until the next call with `done`.
    ///
    /// # Errors
    /// When the app has no callback, or store or key file do not serve.
    pub async fn rotate_callback(&self, appkey: &str, done: bool) -> Result<String, OperatorError> {
        let app = self.app(appkey).await?;
        let callback = self.callback_of(&app).await?.ok_or_else(|| OperatorError::NoCallback(appkey.to_owned()))?;
        let old = self.opened(&app, &callback)?;
        let (secret, callback) = if done {
            (old, Callback { before: None, ..callback })
        } else {
            let secret = hex_key();
            let sealed = self.key()?.seal(&sealed_as(app.key.as_str()), &secret);
            (secret, Callback { before: Some(callback.secret), secret: sealed, ..callback })
        };
        self.store.set_callback(app.id, Some(callback)).await?;
        Ok(secret)
    }

    /// Takes an app's callback away; what waits for it stays until there is one again, or is pushed out.
    ///
    /// # Errors
    /// When there is no such app, or the store does not serve.
    pub async fn remove_callback(&self, appkey: &str) -> Result<(), OperatorError> {
        let app = self.app(appkey).await?;
        Ok(self.store.set_callback(app.id, None).await?)
    }

    /// An app's callback.
    ///
    /// # Errors
    /// When there is no such app, or the store does not serve.
    pub async fn callback(&self, appkey: &str) -> Result<Option<CallbackRule>, OperatorError> {
        let app = self.app(appkey).await?;
        let found = self.callback_of(&app).await?;
        Ok(found.map(|Callback { url, with_master_secret, allow_private, .. }| CallbackRule {
            url,
            with_master_secret,
            allow_private,
        }))
    }

    async fn callback_of(&self, app: &App) -> Result<Option<Callback>, OperatorError> {
        Ok(self.store.callbacks().await?.into_iter().find(|callback| callback.app == app.id))
    }

    fn opened(&self, app: &App, callback: &Callback) -> Result<String, OperatorError> {
        let opened = self.key()?.open(&sealed_as(app.key.as_str()), &callback.secret);
        opened.ok_or_else(|| OperatorError::Sealed(app.key.to_string()))
    }
}

impl Inner {
    /// Every callback of an app that is in service.
    pub(crate) async fn callbacks(&self) -> Result<wire::CallbacksReply, Failure> {
        let mut callbacks = Vec::new();
        for callback in self.store.callbacks().await.map_err(convert::store)? {
            let app = self.app(callback.app.0).await?;
            let name = sealed_as(app.key.as_str());
            let Some(secret) = self.key.open(&name, &callback.secret).filter(|_| !app.disabled) else { continue };
            let before = callback.before.and_then(|sealed| self.key.open(&name, &sealed));
            let master_secret = self.key.open(app.key.as_str(), &app.secret_sealed).filter(|_| callback.with_master_secret);
            callbacks.push(wire::Callback {
                appkey: app.key.to_string(),
                url: callback.url,
                secrets: [Some(secret), before].into_iter().flatten().collect(),
                master_secret: master_secret.unwrap_or_default(),
                allow_private: callback.allow_private,
            });
        }
        Ok(wire::CallbacksReply { callbacks })
    }
}

//! Password hashes, in a bounded pool away from the async threads.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use md5::{Digest as _, Md5};
use mynah_proto::Failure;
use mynah_types::Reason;
use subtle::ConstantTimeEq as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

use crate::secret::{hex, random};
use crate::settings::Settings;

/// How long a refused caller is asked to wait, in milliseconds: a queue drains in a few seconds.
const RETRY_AFTER_MS: u32 = 1000;

/// Begins the stored form of a password whose MD5 was imported.
const MD5: &str = "$md5$";

/// An imported Argon2id hash, if it is one that can be verified here at a bearable cost.
pub(crate) fn imported(text: String) -> Option<String> {
    const MOST_KIB: u32 = 1 << 20;
    const MOST_PASSES: u32 = 100;
    let hash = PasswordHash::new(&text).ok()?;
    let params = Params::try_from(&hash).ok()?;
    let bearable = params.m_cost() <= MOST_KIB && params.t_cost() <= MOST_PASSES && params.p_cost() <= 16;
    let whole = hash.algorithm.as_str() == "argon2id" && hash.hash.is_some() && hash.salt.is_some();
    (bearable && whole).then_some(text)
}

/// Whether a stored password is to be hashed anew once it is known.
pub(crate) fn is_weak(stored: &str) -> bool {
    stored.starts_with(MD5)
}

/// The lower-hex MD5 form of a password: what JMessage's SDKs send, and what is hashed.
#[derive(Clone)]
pub(crate) struct Md5Form(String);

impl Md5Form {
    /// The form of a plain password.
    pub(crate) fn of_plain(password: &str) -> Self {
        Self(hex(&Md5::digest(password.as_bytes())))
    }

    /// A form as a client sent it; none if it is not 32 hex digits.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let good = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
        good.then(|| Self(text.to_ascii_lowercase()))
    }

    /// As an imported one is stored until its user logs in.
    pub(crate) fn stored(&self) -> String {
        format!("{MD5}{}", self.0)
    }
}

/// The pool. Logins pass by registrations: those may have at most as many hashes in the queue as run at one time.
pub(crate) struct Hashing {
    argon2: Argon2<'static>,
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    bulk: Arc<Semaphore>,
    registrations: Arc<Semaphore>,
    threads: usize,
}

impl Hashing {
    pub(crate) fn new(settings: &Settings) -> Self {
        // Settings are checked before they come here; values that Argon2 does not take fall back to its defaults.
        let params = Params::new(settings.argon2_memory_kib, settings.argon2_iterations, 1, None).unwrap_or_default();
        let threads = settings.hashing_threads.max(1);
        Self {
            argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
            running: Arc::new(Semaphore::new(threads)),
            waiting: Arc::new(Semaphore::new(settings.hashing_queue)),
            bulk: Arc::new(Semaphore::new(threads)),
            registrations: Arc::new(Semaphore::new(settings.registrations)),
            threads,
        }
    }

    /// How many hashes run at one time.
    pub(crate) fn threads(&self) -> usize {
        self.threads
    }

    /// A place for a registration call, held while it hashes.
    pub(crate) fn registration(&self) -> Result<OwnedSemaphorePermit, Failure> {
        place(&self.registrations)
    }

    /// Hashes for a registration: one of many.
    pub(crate) async fn hash_bulk(&self, form: Md5Form) -> Result<String, Failure> {
        let _bulk = acquire(&self.bulk).await?;
        self.run(move |argon2| hash(&argon2, &form)).await
    }

    /// Hashes for a caller who waits.
    pub(crate) async fn hash(&self, form: Md5Form) -> Result<String, Failure> {
        let _place = place(&self.waiting)?;
        self.run(move |argon2| hash(&argon2, &form)).await
    }

    /// Whether `form` is the password that is stored as `stored`. The stored text names its own costs.
    pub(crate) async fn verify(&self, form: Md5Form, stored: String) -> Result<bool, Failure> {
        if let Some(md5) = stored.strip_prefix(MD5) {
            return Ok(bool::from(md5.as_bytes().ct_eq(form.0.as_bytes())));
        }
        let _place = place(&self.waiting)?;
        self.run(move |argon2| {
            let stored = PasswordHash::new(&stored).map_err(|e| broken(&e))?;
            Ok(argon2.verify_password(form.0.as_bytes(), &stored).is_ok())
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(Argon2<'static>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let permit = acquire(&self.running).await?;
        let argon2 = self.argon2.clone();
        // The permit goes along: a caller that leaves does not free a thread that still works.
        let task = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work(argon2)
        });
        task.await.unwrap_or_else(|e| Err(broken(&e)))
    }
}

fn hash(argon2: &Argon2<'_>, form: &Md5Form) -> Result<String, Failure> {
    let salt = random::<16>();
    argon2.hash_password_with_salt(form.0.as_bytes(), &salt).map(|hash| hash.to_string()).map_err(|e| broken(&e))
}

fn place(places: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Failure> {
    Arc::clone(places).try_acquire_owned().map_err(|error| match error {
        TryAcquireError::NoPermits => {
            metrics::counter!("mynah_directory_hashing_refused_total").increment(1);
            Failure::new(Reason::Overloaded, "too many passwords wait to be checked").retry_after(RETRY_AFTER_MS)
        }
        TryAcquireError::Closed => broken(&error),
    })
}

async fn acquire(semaphore: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Failure> {
    Arc::clone(semaphore).acquire_owned().await.map_err(|e| broken(&e))
}

fn broken(error: &dyn std::fmt::Display) -> Failure {
    tracing::error!(%error, "password hashing failed");
    Failure::new(Reason::Internal, "internal error")
}

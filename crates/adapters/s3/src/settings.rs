use std::fmt;
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::{BackoffConfig, Certificate, ClientOptions, RetryConfig};

/// Further attempts of a call, while its time lasts.
const RETRIES: usize = 3;
/// The pause before the first of them.
const RETRY_AFTER: Duration = Duration::from_millis(50);

/// Which bucket, and how long to wait for it.
#[derive(Clone)]
pub struct Settings {
    /// `https://host:port`, where the certificate's chain and the host's name are verified, or `http://host:port`, in the clear.
    pub endpoint: String,
    /// The PEM of the authorities whose certificates count with `https://`. None: the system's.
    pub authorities: Option<String>,
    /// The store's name of its region.
    pub region: String,
    /// The bucket, which is there already.
    pub bucket: String,
    /// The first part of each object's name: letters, digits and `/`. Empty: none.
    pub prefix: String,
    /// The id of the access key.
    pub access_key: String,
    /// The secret access key.
    pub secret_key: String,
    /// How long a call, or a pause of a stream, may take before it fails.
    pub answer_within: Duration,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Settings");
        shown.field("endpoint", &self.endpoint).field("region", &self.region).field("bucket", &self.bucket);
        shown.field("prefix", &self.prefix).field("answer_within", &self.answer_within).finish_non_exhaustive()
    }
}

impl Settings {
    /// A bucket with everything else as usual.
    pub fn new(
        endpoint: impl Into<String>,
        bucket: impl Into<String>,
        access_key: impl Into<String>,
        secret_key: impl Into<String>,
    ) -> Self {
        Self {
            endpoint: endpoint.into(),
            authorities: None,
            region: "us-east-1".to_owned(),
            bucket: bucket.into(),
            prefix: String::new(),
            access_key: access_key.into(),
            secret_key: secret_key.into(),
            answer_within: Duration::from_secs(20),
        }
    }

    /// Whether connections are encrypted.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.endpoint.starts_with("https://")
    }

    fn check(&self) -> Result<(), InvalidSettings> {
        let is_part = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric());
        let rules = [
            (self.is_encrypted() || self.endpoint.starts_with("http://"), "the endpoint is no https:// or http:// address"),
            (!self.bucket.is_empty(), "no bucket is named"),
            (self.prefix.is_empty() || self.prefix.split('/').all(is_part), "the prefix has another character or an empty part"),
            (!self.access_key.is_empty() && !self.secret_key.is_empty(), "the access key is not given"),
            (!self.answer_within.is_zero(), "a time is 0"),
        ];
        match rules.iter().find(|(kept, _)| !kept) {
            Some((_, why)) => Err(InvalidSettings((*why).to_owned())),
            None => Ok(()),
        }
    }

    /// Whose certificates count: those that are given and no others, or the system's.
    fn trust(&self) -> Result<ClientOptions, InvalidSettings> {
        let Some(pem) = self.authorities.as_ref().filter(|_| self.is_encrypted()) else { return Ok(ClientOptions::new()) };
        let wrong = |why: &dyn fmt::Display| InvalidSettings(format!("the authorities' PEM does not read: {why}"));
        let authorities = Certificate::from_pem_bundle(pem.as_bytes()).map_err(|error| wrong(&error))?;
        if authorities.is_empty() {
            return Err(wrong(&"it holds no certificate"));
        }
        let options = ClientOptions::new().with_no_system_certificates(true);
        Ok(authorities.into_iter().fold(options, ClientOptions::with_root_certificate))
    }

    pub(crate) fn store(&self) -> Result<AmazonS3, InvalidSettings> {
        self.check()?;
        // The client asks for a TLS provider whatever the address is. One that the process has stays.
        _ = rustls::crypto::ring::default_provider().install_default();
        // A whole file may take long to read: what is bounded is a pause.
        let client = self
            .trust()?
            // Over TLS once is over TLS always, wherever an answer points to.
            .with_allow_http(!self.is_encrypted())
            .with_connect_timeout(self.answer_within)
            .with_read_timeout(self.answer_within)
            .with_timeout_disabled();
        let backoff = BackoffConfig { init_backoff: RETRY_AFTER, ..BackoffConfig::default() };
        let retry = RetryConfig { backoff, max_retries: RETRIES, retry_timeout: self.answer_within };
        let builder =
            AmazonS3Builder::new().with_endpoint(&self.endpoint).with_region(&self.region).with_bucket_name(&self.bucket);
        let builder = builder.with_access_key_id(&self.access_key).with_secret_access_key(&self.secret_key);
        let store = builder.with_client_options(client).with_retry(retry).build();
        store.map_err(|error| InvalidSettings(error.to_string()))
    }
}

/// Settings that no store can be opened with.
#[derive(Debug, thiserror::Error)]
#[error("media settings: {0}")]
pub struct InvalidSettings(pub String);

//! An authority of a test's own, and certificates for servers on loopback.

use std::fs;
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, chown};
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use time::{Duration, OffsetDateTime};

use crate::EngineError;

/// The only name in a server's certificate. `localhost` is not: who calls it so finds a certificate of another host.
const HOST: &str = "127.0.0.1";

/// An authority, which lives as long as the test.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A server's certificate of an [`Authority`], its key, and the authority's own certificate: each as PEM.
#[derive(Debug, Clone)]
pub struct Certificate {
    pub(crate) authority: String,
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    /// A new one, that nobody trusts yet.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn new() -> Result<Self, EngineError> {
        let mut params = CertificateParams::new(Vec::new()).map_err(failed)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().map_err(failed)?;
        // A name of its own, so that another authority is not taken for this one with a damaged signature.
        let own: String = key.public_key_raw().iter().rev().take(8).map(|byte| format!("{byte:02x}")).collect();
        params.distinguished_name.push(DnType::CommonName, format!("authority {own}"));
        CertifiedIssuer::self_signed(params, key).map(Self).map_err(failed)
    }

    /// Its certificate, for those who are to trust it.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for a server that is reached as 127.0.0.1.
    ///
    /// # Errors
    /// As with [`Authority::new`].
    pub fn certificate(&self) -> Result<Certificate, EngineError> {
        self.certificate_until(OffsetDateTime::now_utc() + Duration::days(1))
    }

    /// One whose time is over since yesterday.
    ///
    /// # Errors
    /// As with [`Authority::new`].
    pub fn expired_certificate(&self) -> Result<Certificate, EngineError> {
        self.certificate_until(OffsetDateTime::now_utc() - Duration::days(1))
    }

    fn certificate_until(&self, end: OffsetDateTime) -> Result<Certificate, EngineError> {
        let mut params = CertificateParams::new(vec![HOST.to_owned()]).map_err(failed)?;
        (params.not_before, params.not_after) = (end - Duration::days(30), end);
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.signed_by(&key, &self.0).map_err(failed)?.pem();
        Ok(Certificate { authority: self.pem(), certificate, key: key.serialize_pem() })
    }
}

impl Certificate {
    /// Writes `authority.pem`, `certificate.pem` and `key.pem`, which only their owner reads.
    pub(crate) fn write(&self, folder: &Path, owner: Option<(u32, u32)>) -> Result<(), EngineError> {
        let parts = [("authority.pem", &self.authority), ("certificate.pem", &self.certificate), ("key.pem", &self.key)];
        for (name, text) in parts {
            let path = folder.join(name);
            let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
            io::Write::write_all(&mut file, text.as_bytes())?;
            if let Some((uid, gid)) = owner {
                chown(&path, Some(uid), Some(gid))?;
            }
        }
        Ok(())
    }
}

fn failed(error: rcgen::Error) -> EngineError {
    EngineError::System(io::Error::other(error))
}

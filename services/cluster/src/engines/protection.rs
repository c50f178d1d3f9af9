//! How connections to engines are protected: read once, refused by name, told in the log.

use std::path::Path;

use mynah_kafka::{Login, Mechanism, Security};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::kinds::{KafkaSasl, KafkaSecurity};
use crate::process::Outcome;
use crate::settings::Settings;

/// Kafka's. What cannot be had is refused, and nothing that was given is left out silently.
pub(crate) fn kafka(settings: &Settings, authorities: Option<String>) -> Outcome<Security> {
    let (tls, login) = match settings.kafka_security {
        KafkaSecurity::Plaintext => (false, false),
        KafkaSecurity::Ssl => (true, false),
        KafkaSecurity::SaslPlaintext => (false, true),
        KafkaSecurity::SaslSsl => (true, true),
    };
    Ok(Security { tls, authorities, login: login_to_kafka(settings, login)? })
}

/// The authorities' PEM, which holds what it should.
pub(crate) fn authorities(settings: &Settings) -> Outcome<Option<String>> {
    let Some(path) = &settings.engines_tls_ca else { return Ok(None) };
    let pem = read(path).map_err(|why| format!("bad settings:\n  engines_tls_ca: {}: {why}", path.display()))?;
    Ok(Some(pem))
}

fn read(path: &Path) -> Result<String, String> {
    let pem = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|error| format!("it does not read as PEM: {error}"))?;
        roots.add(certificate).map_err(|error| format!("it holds what is no authority's certificate: {error}"))?;
    }
    if roots.is_empty() { Err("it holds no certificate".into()) } else { Ok(pem) }
}

fn login_to_kafka(settings: &Settings, wanted: bool) -> Outcome<Option<Login>> {
    let (user, password) = (settings.kafka_user.clone(), settings.kafka_password.clone());
    match (wanted, user.is_empty(), password.is_empty()) {
        (false, true, true) => return Ok(None),
        (true, false, false) => {}
        (false, ..) => {
            return Err("bad settings:\n  kafka_user, kafka_password: nobody logs in, since kafka_security says no sasl".into());
        }
        (true, ..) => {
            return Err("bad settings:\n  kafka_user, kafka_password: must be set, since kafka_security says sasl".into());
        }
    }
    let mechanism = match settings.kafka_sasl {
        KafkaSasl::Plain => Mechanism::Plain,
        KafkaSasl::ScramSha256 => Mechanism::ScramSha256,
        KafkaSasl::ScramSha512 => Mechanism::ScramSha512,
    };
    Ok(Some(Login { mechanism, user, password }))
}

/// Says how an engine is reached, so that what a handshake says later can be understood.
pub(crate) fn tell(settings: &Settings, named_by: &str, encrypted: bool) {
    match (encrypted, &settings.engines_tls_ca) {
        (true, Some(path)) => {
            tracing::info!(named_by, engines_tls_ca = %path.display(), "over TLS: only certificates of these authorities count");
        }
        (true, None) => {
            tracing::info!(named_by, "over TLS: certificates of the system's authorities count, engines_tls_ca is empty")
        }
        (false, Some(_)) => tracing::warn!(named_by, "in the clear, although engines_tls_ca is set"),
        (false, None) => {}
    }
}

/// Why something is waited for, and which setting to look at when it is a certificate.
pub(crate) fn hinted(why: String) -> String {
    let is_of_tls = ["TLS", "certificate"].iter().any(|word| why.contains(word));
    if is_of_tls { format!("{why} (whose certificates count is told by engines_tls_ca)") } else { why }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn refusal(settings: &Settings) -> String {
        authorities(settings).and_then(|pem| kafka(settings, pem)).err().unwrap().to_string()
    }

    #[test]
    fn a_login_is_what_kafka_security_says_and_nothing_is_left_out_silently() {
        let sasl = Settings { kafka_security: KafkaSecurity::SaslSsl, kafka_user: "anna".into(), ..Settings::default() };
        assert!(refusal(&sasl).contains("kafka_user, kafka_password: must be set"));
        let whole = Settings { kafka_password: "pw".into(), ..sasl };
        let security = kafka(&whole, None).unwrap();
        assert!(security.tls && security.login.is_some_and(|login| login.mechanism == Mechanism::ScramSha512));
        for security in [KafkaSecurity::Plaintext, KafkaSecurity::Ssl] {
            assert!(refusal(&Settings { kafka_security: security, ..whole.clone() }).contains("nobody logs in"));
        }
        let security = kafka(&Settings::default(), None).unwrap();
        assert!(!security.tls && security.login.is_none());
    }

    #[test]
    fn authorities_are_there_or_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let settings = Settings { engines_tls_ca: Some(path.clone()), ..Settings::default() };
        assert!(refusal(&settings).contains("engines_tls_ca: "));
        for (text, why) in
            [("", "no certificate"), ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "no authority")]
        {
            std::fs::write(&path, text).unwrap();
            assert!(refusal(&settings).contains(why), "{text}: {}", refusal(&settings));
        }
        std::fs::write(&path, mynah_engines::Authority::new().unwrap().pem()).unwrap();
        assert!(authorities(&settings).unwrap().is_some());
    }
}

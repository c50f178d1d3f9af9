//! What every client of the brokers has in common: where they are, and how connections to them are protected.

use rdkafka::config::ClientConfig;

use crate::settings::{Login, Mechanism, Settings};

/// The beginning of each client's settings.
pub(crate) fn config(settings: &Settings) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &settings.brokers).set("reconnect.backoff.max.ms", "1000");
    let security = &settings.security;
    let protocol = match (security.tls, &security.login) {
        (false, None) => "plaintext",
        (true, None) => "ssl",
        (false, Some(_)) => "sasl_plaintext",
        (true, Some(_)) => "sasl_ssl",
    };
    config.set("security.protocol", protocol);
    if security.tls {
        // As the library has it by itself today; what is verified is not left to that.
        config.set("enable.ssl.certificate.verification", "true").set("ssl.endpoint.identification.algorithm", "https");
        if let Some(pem) = &security.authorities {
            config.set("ssl.ca.pem", pem);
        }
    }
    if let Some(login) = &security.login {
        set_login(&mut config, login);
    }
    config
}

fn set_login(config: &mut ClientConfig, login: &Login) {
    let mechanism = match login.mechanism {
        Mechanism::Plain => "PLAIN",
        Mechanism::ScramSha256 => "SCRAM-SHA-256",
        Mechanism::ScramSha512 => "SCRAM-SHA-512",
    };
    config.set("sasl.mechanism", mechanism).set("sasl.username", &login.user).set("sasl.password", &login.password);
}

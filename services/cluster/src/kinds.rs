//! Settings that are one of a few words.

use std::str::FromStr;

/// How Redis is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedisMode {
    /// One server.
    Single,
    /// Sentinels name the master.
    Sentinel,
    /// A cluster.
    Cluster,
}

impl FromStr for RedisMode {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "single" => Ok(Self::Single),
            "sentinel" => Ok(Self::Sentinel),
            "cluster" => Ok(Self::Cluster),
            _ => Err(()),
        }
    }
}

/// How connections to Kafka are protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KafkaSecurity {
    /// Not at all.
    Plaintext,
    /// Over TLS.
    Ssl,
    /// With a login, in the clear.
    SaslPlaintext,
    /// With a login, over TLS.
    SaslSsl,
}

impl FromStr for KafkaSecurity {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "plaintext" => Ok(Self::Plaintext),
            "ssl" => Ok(Self::Ssl),
            "sasl_plaintext" => Ok(Self::SaslPlaintext),
            "sasl_ssl" => Ok(Self::SaslSsl),
            _ => Err(()),
        }
    }
}

/// How a process logs in to Kafka.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KafkaSasl {
    /// The password as it is.
    Plain,
    /// A proof of the password.
    ScramSha256,
    /// The same with a longer digest.
    ScramSha512,
}

impl FromStr for KafkaSasl {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "plain" => Ok(Self::Plain),
            "scram-sha-256" => Ok(Self::ScramSha256),
            "scram-sha-512" => Ok(Self::ScramSha512),
            _ => Err(()),
        }
    }
}

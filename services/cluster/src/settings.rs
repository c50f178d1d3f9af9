//! The settings of the distributed shape. One table for all its binaries, so that one file, or one ConfigMap, serves a deployment.

use std::net::SocketAddr;
use std::path::PathBuf;

use mynah_postgres_log::Databases;
use mynah_runtime::settings::Key;
use mynah_settings::{HasProduct, Product, list, parse, within};

use crate::kinds::{KafkaSasl, KafkaSecurity, RedisMode};

/// Everything that can be set.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What the product does.
    pub product: Product,
    /// The process's own name: the same whenever it starts.
    pub name: String,
    /// Address of the service between processes.
    pub grpc_listen: SocketAddr,
    /// Where other processes reach it.
    pub advertise: String,
    /// Where the directories are.
    pub directories: Vec<String>,
    /// Where routers are.
    pub routers: Vec<String>,
    /// Where the report services are.
    pub reports: Vec<String>,
    /// The directory's database.
    pub directory_database: String,
    /// The message log's databases.
    pub log_database: Databases,
    /// Synchronous replicas that each of the message log's databases must have.
    pub log_sync_replicas: u32,
    /// Connections to a database.
    pub database_connections: usize,
    /// Redis servers.
    pub redis: Vec<String>,
    /// What they are.
    pub redis_mode: RedisMode,
    /// The master's name, by which sentinels know it.
    pub redis_master: String,
    /// First part of keys and topics.
    pub prefix: String,
    /// Kafka brokers.
    pub kafka: String,
    /// How connections to them are protected.
    pub kafka_security: KafkaSecurity,
    /// How a process logs in to them.
    pub kafka_sasl: KafkaSasl,
    /// The name that it logs in with.
    pub kafka_user: String,
    /// The password.
    pub kafka_password: String,
    /// Partitions of a topic that is made.
    pub kafka_partitions: u16,
    /// Copies of each record in it.
    pub kafka_replicas: u8,
    /// How long a fan-out worker lives without a heartbeat, in milliseconds.
    pub kafka_session_ms: u64,
    /// Storage of files: its endpoint. None: a folder.
    pub s3_endpoint: String,
    /// Its region.
    pub s3_region: String,
    /// Its bucket.
    pub s3_bucket: String,
    /// The id of its access key.
    pub s3_access_key: String,
    /// The access key.
    pub s3_secret_key: String,
    /// Certificates of the authorities that engines' certificates are of. None: the system's.
    pub engines_tls_ca: Option<PathBuf>,
    /// Folder of files, where there is no S3; and of the report's index.
    pub data_dir: PathBuf,
    /// The file that seals the apps' secrets.
    pub secret_key_file: PathBuf,
    /// How long a router lives without a heartbeat, in milliseconds.
    pub lease_ms: u64,
    /// How long a gateway does.
    pub presence_ms: u64,
    /// Certificate of the authority of the inside.
    pub tls_ca: Option<PathBuf>,
    /// This process's certificate.
    pub tls_cert: Option<PathBuf>,
    /// Its key.
    pub tls_key: Option<PathBuf>,
    /// The name in every certificate of the inside.
    pub tls_name: String,
    /// The collector of traces.
    pub otlp_endpoint: String,
    /// The part of requests whose trace is sampled.
    pub trace_ratio: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            product: Product::default(),
            name: String::new(),
            grpc_listen: SocketAddr::from(([127, 0, 0, 1], 7100)),
            advertise: String::new(),
            directories: Vec::new(),
            routers: Vec::new(),
            reports: Vec::new(),
            directory_database: String::new(),
            log_database: Databases::default(),
            log_sync_replicas: 0,
            database_connections: 8,
            redis: Vec::new(),
            redis_mode: RedisMode::Single,
            redis_master: "mymaster".into(),
            prefix: "mynah".into(),
            kafka: String::new(),
            kafka_security: KafkaSecurity::Plaintext,
            kafka_sasl: KafkaSasl::ScramSha512,
            kafka_user: String::new(),
            kafka_password: String::new(),
            kafka_partitions: 32,
            kafka_replicas: 3,
            kafka_session_ms: 6000,
            s3_endpoint: String::new(),
            s3_region: "us-east-1".into(),
            s3_bucket: String::new(),
            s3_access_key: String::new(),
            s3_secret_key: String::new(),
            engines_tls_ca: None,
            data_dir: "data".into(),
            secret_key_file: "secret.key".into(),
            lease_ms: 3000,
            presence_ms: 5000,
            tls_ca: None,
            tls_cert: None,
            tls_key: None,
            tls_name: "mynah".into(),
            otlp_endpoint: String::new(),
            trace_ratio: 0.01,
        }
    }
}

impl HasProduct for Settings {
    fn product(&mut self) -> &mut Product {
        &mut self.product
    }
}

impl Settings {
    /// Where other processes reach this one.
    #[must_use]
    pub fn address(&self) -> String {
        if self.advertise.is_empty() { self.grpc_listen.to_string() } else { self.advertise.clone() }
    }

    /// What must be told, and is not.
    ///
    /// # Errors
    /// The settings, by name, that are empty.
    pub fn require(&self, named: &[(&str, bool)]) -> Result<(), String> {
        let mut missing: Vec<&str> = named.iter().filter(|(_, given)| !given).map(|(name, _)| *name).collect();
        if self.advertise.is_empty() && self.grpc_listen.ip().is_unspecified() {
            missing.push("advertise (grpc_listen names no address that others could reach)");
        }
        if missing.is_empty() { Ok(()) } else { Err(format!("bad settings:\n  must be set: {}", missing.join(", "))) }
    }
}

/// The table: each row is the file's key, the environment's variable and the flag.
#[must_use]
#[allow(clippy::too_many_lines, reason = "a table: one row a setting")]
pub fn keys() -> Vec<Key<Settings>> {
    let mut keys: Vec<Key<Settings>> = vec![
        Key {
            name: "name",
            help: "The process's own name, the same whenever it starts, like router-0; routers keep their shards by it [default: none]",
            set: |s, v| text(v, &mut s.name),
        },
        Key {
            name: "grpc_listen",
            help: "Address of the service between processes [default: 127.0.0.1:7100]",
            set: |s, v| parse(v, "an address and a port, like 127.0.0.1:7100", &mut s.grpc_listen),
        },
        Key {
            name: "advertise",
            help: "Host and port by which other processes reach this one; empty: as grpc_listen says [default: none]",
            set: |s, v| text(v, &mut s.advertise),
        },
        Key {
            name: "directories",
            help: "Where the directories are: names or addresses with ports, with commas; a name may stand for many [default: none]",
            set: |s, v| list(v, &mut s.directories),
        },
        Key {
            name: "routers",
            help: "Where routers are, at least one that lives, like directories [default: none]",
            set: |s, v| list(v, &mut s.routers),
        },
        Key {
            name: "reports",
            help: "Where the report services are, like directories [default: none]",
            set: |s, v| list(v, &mut s.reports),
        },
        Key {
            name: "directory_database",
            help: "The directory's PostgreSQL database: postgres://user:password@host:port/database [default: none]",
            set: |s, v| text(v, &mut s.directory_database),
        },
        Key {
            name: "log_database",
            help: "The message log's PostgreSQL database: postgres://user:password@host:port/database; or several, each with its shards \
                   of 0 to 255, fixed once written: 0-127=postgres://...,128-255=postgres://... [default: none]",
            set: |s, v| databases(v, &mut s.log_database),
        },
        Key {
            name: "log_sync_replicas",
            help: "Synchronous replicas that each of the message log's databases must have; with fewer a router is not ready, since what it \
                   acknowledges would be lost with one machine [default: 0]",
            set: |s, v| within(v, 0..=10, &mut s.log_sync_replicas),
        },
        Key {
            name: "database_connections",
            help: "Connections that a process opens to a database for reads [default: 8]",
            set: |s, v| within(v, 1..=1000, &mut s.database_connections),
        },
        Key {
            name: "redis",
            help: "Redis servers: redis://[user:password@]host:port/[database], over TLS rediss://…, with commas [default: none]",
            set: |s, v| list(v, &mut s.redis),
        },
        Key {
            name: "redis_mode",
            help: "What the Redis servers are: single, sentinel or cluster [default: single]",
            set: |s, v| parse(v, "single, sentinel or cluster", &mut s.redis_mode),
        },
        Key {
            name: "redis_master",
            help: "The name by which sentinels know the master [default: mymaster]",
            set: |s, v| text(v, &mut s.redis_master),
        },
        Key {
            name: "prefix",
            help: "First part of the names of Redis keys and Kafka topics [default: mynah]",
            set: |s, v| text(v, &mut s.prefix),
        },
        Key {
            name: "kafka",
            help: "Some Kafka brokers: host:port, with commas [default: none]",
            set: |s, v| text(v, &mut s.kafka),
        },
        Key {
            name: "kafka_security",
            help: "How connections to Kafka are protected: plaintext, ssl, sasl_plaintext or sasl_ssl; with ssl the brokers' certificates \
                   and names are verified, always [default: plaintext]",
            set: |s, v| parse(v, "plaintext, ssl, sasl_plaintext or sasl_ssl", &mut s.kafka_security),
        },
        Key {
            name: "kafka_sasl",
            help: "How a process logs in to Kafka where kafka_security says sasl: plain, scram-sha-256 or scram-sha-512 \
                   [default: scram-sha-512]",
            set: |s, v| parse(v, "plain, scram-sha-256 or scram-sha-512", &mut s.kafka_sasl),
        },
        Key {
            name: "kafka_user",
            help: "The name to log in to Kafka with [default: none]",
            set: |s, v| text(v, &mut s.kafka_user),
        },
        Key {
            name: "kafka_password",
            help: "The password to log in to Kafka with [default: none]",
            set: |s, v| text(v, &mut s.kafka_password),
        },
        Key {
            name: "kafka_partitions",
            help: "Partitions of a Kafka topic that is made: the most fan-out workers that can share it [default: 32]",
            set: |s, v| within(v, 1..=1000, &mut s.kafka_partitions),
        },
        Key {
            name: "kafka_replicas",
            help: "Copies of each record in a Kafka topic that is made [default: 3]",
            set: |s, v| within(v, 1..=10, &mut s.kafka_replicas),
        },
        Key {
            name: "kafka_session_ms",
            help: "How long a fan-out worker that died keeps its partitions, in milliseconds; brokers allow no less than their \
                   group.min.session.timeout.ms [default: 6000]",
            set: |s, v| within(v, 1000..=300_000, &mut s.kafka_session_ms),
        },
        Key {
            name: "s3_endpoint",
            help: "S3-compatible storage of uploaded files: https://host:port, or http://host:port in the clear; empty: files lie in data_dir [default: none]",
            set: |s, v| text(v, &mut s.s3_endpoint),
        },
        Key {
            name: "s3_region",
            help: "The storage's name of its region [default: us-east-1]",
            set: |s, v| text(v, &mut s.s3_region),
        },
        Key { name: "s3_bucket", help: "The bucket of uploaded files [default: none]", set: |s, v| text(v, &mut s.s3_bucket) },
        Key {
            name: "s3_access_key",
            help: "The id of the storage's access key [default: none]",
            set: |s, v| text(v, &mut s.s3_access_key),
        },
        Key {
            name: "s3_secret_key",
            help: "The storage's access key [default: none]",
            set: |s, v| text(v, &mut s.s3_secret_key),
        },
        Key {
            name: "engines_tls_ca",
            help: "PEM file of the authorities whose certificates count at engines over TLS (databases with ?sslmode=require or \
                   verify-full, which mean the same; rediss://; https://; kafka_security), and no others; empty: the system's \
                   [default: none]",
            set: |s, v| path(v, &mut s.engines_tls_ca),
        },
        Key {
            name: "data_dir",
            help: "Folder of the report's index, and of uploaded files where there is no S3 [default: data]",
            set: |s, v| parse(v, "a path", &mut s.data_dir),
        },
        Key {
            name: "secret_key_file",
            help: "The 32 bytes that seal the apps' secrets in the database; the same for every directory [default: secret.key]",
            set: |s, v| parse(v, "a path", &mut s.secret_key_file),
        },
        Key {
            name: "lease_ms",
            help: "How long a router owns its shards without a heartbeat, in milliseconds; it beats three times as often [default: 3000]",
            set: |s, v| within(v, 600..=60_000, &mut s.lease_ms),
        },
        Key {
            name: "presence_ms",
            help: "How long a gateway's devices are online without its heartbeat, in milliseconds; it beats five times as often [default: 5000]",
            set: |s, v| within(v, 500..=60_000, &mut s.presence_ms),
        },
        Key {
            name: "tls_ca",
            help: "PEM file of the authority of the inside: with it, processes call one another over mutual TLS [default: none]",
            set: |s, v| path(v, &mut s.tls_ca),
        },
        Key {
            name: "tls_cert",
            help: "PEM file of this process's certificate [default: none]",
            set: |s, v| path(v, &mut s.tls_cert),
        },
        Key { name: "tls_key", help: "PEM file of its key [default: none]", set: |s, v| path(v, &mut s.tls_key) },
        Key {
            name: "tls_name",
            help: "The name that every certificate of the inside holds [default: mynah]",
            set: |s, v| text(v, &mut s.tls_name),
        },
        Key {
            name: "otlp_endpoint",
            help: "Collector of traces, by OTLP over gRPC: http://host:port; empty: there are none [default: none]",
            set: |s, v| text(v, &mut s.otlp_endpoint),
        },
        Key {
            name: "trace_ratio",
            help: "The part of requests that is traced, 0 to 1, where the caller says nothing; one that comes in a sampled trace always is [default: 0.01]",
            set: |s, v| ratio(v, &mut s.trace_ratio),
        },
    ];
    keys.extend(mynah_settings::keys());
    keys
}

#[allow(clippy::unnecessary_wraps, reason = "the form of a row")]
fn text(value: &str, into: &mut String) -> Result<(), String> {
    value.trim().clone_into(into);
    Ok(())
}

fn databases(value: &str, into: &mut Databases) -> Result<(), String> {
    *into = value.parse()?;
    Ok(())
}

fn ratio(value: &str, into: &mut f64) -> Result<(), String> {
    let given = value.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
    *into = given.ok_or("must be a number from 0 to 1")?;
    Ok(())
}

#[allow(clippy::unnecessary_wraps, reason = "the form of a row")]
fn path(value: &str, into: &mut Option<PathBuf>) -> Result<(), String> {
    *into = (!value.is_empty()).then(|| value.into());
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use mynah_runtime::settings::{Sources, read, untrue_defaults};

    #[test]
    fn the_help_tells_the_true_defaults() {
        assert_eq!(untrue_defaults(&keys()), Vec::<&str>::new());
    }

    #[test]
    fn databases_that_do_not_hold_each_shard_once_are_told_with_the_setting() {
        let told = |value: &str| {
            let environment = vec![("MYNAH_LOG_DATABASE".into(), value.into())];
            let read = read(&keys(), &Sources { file: None, environment, flags: Vec::new() });
            read.map(|settings| settings.log_database.iter().count()).map_err(|problems| problems.to_string())
        };
        assert_eq!(told("postgres://a/log"), Ok(1));
        assert_eq!(told("0-99=postgres://a/log,100-255=postgres://b/log"), Ok(2));
        // Without the addresses, which hold passwords.
        let wrong = told("0-99=postgres://mynah:secret@a/log,101-255=postgres://b/log").unwrap_err();
        assert_eq!(wrong, "bad settings:\n  MYNAH_LOG_DATABASE: shard 100 has no database");
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = keys().iter().map(|key| key.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}

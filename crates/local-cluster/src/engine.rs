//! The engines, by their names.

use mynah_engines::{Authority, Certificate, Kafka, PostgreSql, Redis, S3, Signal};
use mynah_types::SHARDS;

use crate::{EngineStatus, Error};

/// The bucket of uploaded files.
pub(crate) const BUCKET: &str = "mynah";

/// All that a deployment needs.
#[derive(Debug)]
pub(crate) struct Engines {
    /// Of the directory, and of the message log's first database.
    pub(crate) postgresql: PostgreSql,
    /// Of its further ones, a server each: `postgresql-2` and so on.
    logs: Vec<PostgreSql>,
    pub(crate) kafka: Kafka,
    pub(crate) redis: Redis,
    pub(crate) s3: S3,
    /// The authority of their certificates, as PEM, where they speak TLS.
    pub(crate) authority: Option<String>,
}

impl Engines {
    /// Starts them beside one another: Kafka takes the longest. The message log has as many databases as told, at least one.
    pub(crate) fn start(over_tls: bool, log_databases: usize) -> Result<Self, Error> {
        let authority = over_tls.then(Authority::new).transpose()?;
        let certificate = authority.as_ref().map(Authority::certificate).transpose()?;
        let (of_kafka, of_s3) = (certificate.clone(), certificate.clone());
        let kafka = std::thread::spawn(move || of_kafka.as_ref().map_or_else(Kafka::start, Kafka::start_secured));
        let s3 = std::thread::spawn(move || of_s3.as_ref().map_or_else(S3::start, S3::start_tls));
        let (postgresql, redis) = databases(certificate.as_ref())?;
        for database in ["directory", "log"] {
            postgresql.create_database(database)?;
        }
        let further = || certificate.as_ref().map_or_else(PostgreSql::start, PostgreSql::start_tls);
        let logs = (1..log_databases).map(|_| further()).collect::<Result<Vec<_>, _>>()?;
        for further in &logs {
            further.create_database("log")?;
        }
        let gone = |_| Error::Other("an engine's start ended badly".into());
        let s3 = s3.join().map_err(gone)??;
        s3.make_bucket(BUCKET)?;
        let kafka = kafka.join().map_err(gone)??;
        Ok(Self { postgresql, logs, kafka, redis, s3, authority: authority.map(|authority| authority.pem()) })
    }

    /// Where a database is reached.
    pub(crate) fn database(&self, server: &PostgreSql, name: &str) -> String {
        let url = server.url(name);
        if self.authority.is_some() { format!("{url}?sslmode=verify-full") } else { url }
    }

    /// Where Kafka is reached, and the settings of that.
    pub(crate) fn kafka(&self) -> Vec<(&'static str, String)> {
        let Some(brokers) = self.kafka.brokers_by("SASL_SSL") else { return vec![("kafka", self.kafka.brokers())] };
        let login = self.kafka.login();
        vec![
            ("kafka", brokers),
            ("kafka_security", "sasl_ssl".into()),
            ("kafka_user", login.user.into()),
            ("kafka_password", login.password.into()),
        ]
    }

    /// The servers of the message log's databases, in the order of their shards.
    pub(crate) fn log_servers(&self) -> impl Iterator<Item = &PostgreSql> {
        std::iter::once(&self.postgresql).chain(&self.logs)
    }

    /// The ports of the message log's databases, or of what stands before them, as a setting.
    pub(crate) fn log_database(&self, ports: &[u16]) -> String {
        let (count, all) = (ports.len(), usize::from(SHARDS));
        let address = |server: &PostgreSql, port: &u16| {
            self.database(server, "log").replace(&format!(":{}/", server.port()), &format!(":{port}/"))
        };
        let addresses = self.log_servers().zip(ports).map(|(server, port)| address(server, port));
        let ranges = (0..count).map(|nth| format!("{}-{}=", nth * all / count, (nth + 1) * all / count - 1));
        let several = ranges.zip(addresses).map(|(range, address)| if count == 1 { address } else { range + &address });
        several.collect::<Vec<_>>().join(",")
    }

    pub(crate) fn status(&self) -> Vec<EngineStatus> {
        let of = |name: &str, pid, port| EngineStatus { name: name.into(), pid, port };
        let mut all = vec![
            of("postgresql", self.postgresql.pid(), self.postgresql.port()),
            of("kafka", self.kafka.pid(), self.kafka.port()),
            of("redis", self.redis.pid(), self.redis.port()),
            of("s3", self.s3.pid(), self.s3.port()),
        ];
        all.extend(self.logs.iter().zip(2..).map(|(log, nth)| of(&format!("postgresql-{nth}"), log.pid(), log.port())));
        all
    }

    /// A further database of the message log.
    fn log(&mut self, name: &str) -> Option<&mut PostgreSql> {
        let nth: usize = name.strip_prefix("postgresql-")?.parse().ok()?;
        self.logs.get_mut(nth.checked_sub(2)?)
    }

    /// False if no engine has this name.
    pub(crate) fn kill(&mut self, name: &str) -> bool {
        match name {
            "postgresql" => self.postgresql.kill(),
            "kafka" => self.kafka.kill(),
            "redis" => self.redis.kill(),
            "s3" => self.s3.kill(),
            _ => return self.log(name).map(PostgreSql::kill).is_some(),
        }
        true
    }

    pub(crate) fn restart(&mut self, name: &str) -> Result<bool, Error> {
        match name {
            "postgresql" => self.postgresql.restart()?,
            "kafka" => self.kafka.restart()?,
            "redis" => self.redis.restart()?,
            "s3" => {
                self.s3.restart()?;
                // It keeps nothing.
                self.s3.make_bucket(BUCKET)?;
            }
            _ => match self.log(name) {
                Some(log) => log.restart()?,
                None => return Ok(false),
            },
        }
        Ok(true)
    }

    pub(crate) fn signal(&mut self, name: &str, signal: Signal) -> bool {
        match (name, signal == Signal::STOP) {
            ("postgresql", _) => self.postgresql.signal(signal),
            ("kafka", true) => self.kafka.pause(),
            ("kafka", false) => self.kafka.resume(),
            ("redis", _) => self.redis.signal(signal),
            ("s3", _) => self.s3.signal(signal),
            _ => return self.log(name).map(|log| log.signal(signal)).is_some(),
        }
        true
    }
}

fn databases(certificate: Option<&Certificate>) -> Result<(PostgreSql, Redis), Error> {
    Ok(match certificate {
        Some(certificate) => (PostgreSql::start_tls(certificate)?, Redis::start_tls(certificate)?),
        None => (PostgreSql::start()?, Redis::start()?),
    })
}

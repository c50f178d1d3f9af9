//! The engines, by their names.

use mynah_engines::{Kafka, PostgreSql, Redis, S3, Signal};

use crate::{EngineStatus, Error};

/// The bucket of uploaded files.
pub(crate) const BUCKET: &str = "mynah";

/// All that a deployment needs.
#[derive(Debug)]
pub(crate) struct Engines {
    pub(crate) postgresql: PostgreSql,
    pub(crate) kafka: Kafka,
    pub(crate) redis: Redis,
    pub(crate) s3: S3,
}

impl Engines {
    /// Starts them beside one another: Kafka takes the longest.
    pub(crate) fn start() -> Result<Self, Error> {
        let kafka = std::thread::spawn(Kafka::start);
        let s3 = std::thread::spawn(S3::start);
        let (postgresql, redis) = (PostgreSql::start()?, Redis::start()?);
        for database in ["directory", "log"] {
            postgresql.create_database(database)?;
        }
        let gone = |_| Error::Other("an engine's start ended badly".into());
        let s3 = s3.join().map_err(gone)??;
        s3.make_bucket(BUCKET)?;
        let kafka = kafka.join().map_err(gone)??;
        Ok(Self { postgresql, kafka, redis, s3 })
    }

    pub(crate) fn status(&self) -> Vec<EngineStatus> {
        let of = |name: &str, pid, port| EngineStatus { name: name.into(), pid, port };
        vec![
            of("postgresql", self.postgresql.pid(), self.postgresql.port()),
            of("kafka", self.kafka.pid(), self.kafka.port()),
            of("redis", self.redis.pid(), self.redis.port()),
            of("s3", self.s3.pid(), self.s3.port()),
        ]
    }

    /// False if no engine has this name.
    pub(crate) fn kill(&mut self, name: &str) -> bool {
        match name {
            "postgresql" => self.postgresql.kill(),
            "kafka" => self.kafka.kill(),
            "redis" => self.redis.kill(),
            "s3" => self.s3.kill(),
            _ => return false,
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
            _ => return Ok(false),
        }
        Ok(true)
    }

    pub(crate) fn signal(&self, name: &str, signal: Signal) -> bool {
        match (name, signal == Signal::STOP) {
            ("postgresql", _) => self.postgresql.signal(signal),
            ("kafka", true) => self.kafka.pause(),
            ("kafka", false) => self.kafka.resume(),
            ("redis", _) => self.redis.signal(signal),
            ("s3", _) => self.s3.signal(signal),
            _ => return false,
        }
        true
    }
}

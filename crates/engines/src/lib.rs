//! Real engines for tests and for a deployment on one machine: started on loopback, on ports and folders of their own, ended when
//! they are dropped.
//!
//! It owns how each engine is found, started and ended. It knows no adapter and nothing of ours. An engine that is not installed is an
//! error, never a reason to pass over a test. Those that speak TLS have a certificate that the test makes.

mod certificates;
mod kafka;
mod postgres;
mod process;
mod redis;
mod redis_groups;
mod s3;

pub use certificates::{Authority, Certificate};
pub use kafka::{Kafka, KafkaLogin};
pub use postgres::PostgreSql;
pub use process::{Process, free_port};
pub use redis::Redis;
pub use redis_groups::{RedisCluster, RedisSentinel};
pub use rustix::process::Signal;
pub use s3::S3;

/// Why an engine does not run.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Its program is not on this machine.
    #[error("{program} is not installed: {hint}")]
    Missing {
        /// The program that was looked for.
        program: String,
        /// What brings it.
        hint: String,
    },
    /// It did not start, or did not answer in time.
    #[error("{program} did not start: {why}")]
    Start {
        /// The program.
        program: String,
        /// What is known: its last output.
        why: String,
    },
    /// A folder or socket cannot be had.
    #[error("{0}")]
    System(#[from] std::io::Error),
}

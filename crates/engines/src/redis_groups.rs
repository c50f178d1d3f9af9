//! Redis in its two shapes of several servers: a cluster of masters, and a master with a replica under a sentinel.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::redis::{HINT, PROGRAM, READY_WITHIN, ask, tls_settings};
use crate::{Certificate, EngineError, Process, Redis, free_port};

/// The slots of a cluster.
const SLOTS: usize = 16384;
/// The pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The name under which the sentinel knows its master.
const MASTER: &str = "mynah";

/// Three masters that share the slots. A killed one comes back empty, with its slots.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<Redis>,
}

impl RedisCluster {
    /// Starts and joins them.
    ///
    /// # Errors
    /// When they are not installed, do not start or do not find each other.
    pub fn start() -> Result<Self, EngineError> {
        Self::start_as(None)
    }

    /// The same over TLS, among themselves too.
    ///
    /// # Errors
    /// As with [`RedisCluster::start`].
    pub fn start_tls(certificate: &Certificate) -> Result<Self, EngineError> {
        Self::start_as(Some(certificate))
    }

    fn start_as(certificate: Option<&Certificate>) -> Result<Self, EngineError> {
        let mut nodes = Vec::new();
        let mut buses = Vec::new();
        for _ in 0..3 {
            let bus = free_port()?.to_string();
            let flags = ["--cluster-enabled", "yes", "--cluster-require-full-coverage", "no", "--cluster-node-timeout", "2000"];
            let tls = if certificate.is_some() { "yes" } else { "no" };
            let further = flags.into_iter().chain(["--cluster-port", &bus, "--tls-cluster", tls]).map(str::to_owned).collect();
            nodes.push(Redis::start_with(certificate, |_| further)?);
            buses.push(bus);
        }
        let share = SLOTS.div_ceil(nodes.len());
        for (at, node) in nodes.iter().enumerate() {
            let (from, to) = (at * share, SLOTS.min((at + 1) * share) - 1);
            done(node, &format!("CLUSTER SET-CONFIG-EPOCH {}", at + 1))?;
            done(node, &format!("CLUSTER ADDSLOTSRANGE {from} {to}"))?;
            if let (Some(first), Some(bus)) = (nodes.first().filter(|_| at > 0), buses.get(at)) {
                done(first, &format!("CLUSTER MEET 127.0.0.1 {} {bus}", node.client_port()))?;
            }
        }
        for node in &nodes {
            let all = "for _, line in ipairs({'cluster_slots_ok:16384', 'cluster_known_nodes:3', 'cluster_state:ok'}) do \
                       if not string.find(redis.call('CLUSTER', 'INFO'), line, 1, true) then return 0 end end return 1";
            await_answer(node.port(), &format!("EVAL \"{all}\" 0"), ":1")?;
        }
        Ok(Self { nodes })
    }

    /// Where clients find them.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(Redis::url).collect()
    }

    /// The nodes.
    pub fn nodes(&mut self) -> &mut [Redis] {
        &mut self.nodes
    }
}

/// A master is down when it does not answer for so long.
const QUICKLY: Duration = Duration::from_millis(500);

/// A master, its replica, and a sentinel that makes the replica the master when the master is gone.
#[derive(Debug)]
pub struct RedisSentinel {
    servers: [Redis; 2],
    _sentinel: Process,
    url: String,
    _folder: tempfile::TempDir,
}

impl RedisSentinel {
    /// Starts them and waits until the sentinel knows the replica.
    ///
    /// # Errors
    /// When they are not installed or do not start.
    pub fn start() -> Result<Self, EngineError> {
        Self::start_as(None, QUICKLY)
    }

    /// The same for tests that want no other master, however slow the machine.
    ///
    /// # Errors
    /// As with [`RedisSentinel::start`].
    pub fn start_patient() -> Result<Self, EngineError> {
        Self::start_as(None, Duration::from_secs(600))
    }

    /// The same over TLS, among themselves too.
    ///
    /// # Errors
    /// As with [`RedisSentinel::start`].
    pub fn start_tls(certificate: &Certificate) -> Result<Self, EngineError> {
        Self::start_as(Some(certificate), QUICKLY)
    }

    /// A master that does not answer for so long is down.
    fn start_as(certificate: Option<&Certificate>, down_after: Duration) -> Result<Self, EngineError> {
        let flags = ["--repl-diskless-sync-delay", "0"];
        let further = |_: &std::path::Path| flags.map(str::to_owned).to_vec();
        let master = Redis::start_with(certificate, further)?;
        let of = ["--replicaof".to_owned(), "127.0.0.1".to_owned(), master.client_port().to_string()];
        let replica = Redis::start_with(certificate, |folder| further(folder).into_iter().chain(of).collect())?;
        await_answer(
            replica.port(),
            "EVAL \"return redis.call('INFO', 'replication'):find('master_link_status:up') and 1 or 0\" 0",
            ":1",
        )?;

        let (folder, port) = (tempfile::tempdir()?, free_port()?);
        let (mut tls, mut url) = (String::new(), format!("redis://127.0.0.1:{port}/"));
        if let Some(certificate) = certificate {
            let port = free_port()?;
            certificate.write(folder.path(), None)?;
            tls = tls_settings(folder.path(), port).into_iter().map(|(name, value)| format!("{name} {value}\n")).collect();
            url = format!("rediss://127.0.0.1:{port}/");
        }
        let config = folder.path().join("sentinel.conf");
        let lines = format!(
            "bind 127.0.0.1\nport {port}\n{tls}sentinel monitor {MASTER} 127.0.0.1 {} 1\n\
             sentinel down-after-milliseconds {MASTER} {}\nsentinel failover-timeout {MASTER} 3000\n",
            master.client_port(),
            down_after.as_millis()
        );
        std::fs::write(&config, lines)?;
        let mut command = Command::new(PROGRAM);
        command.arg(&config).arg("--sentinel").arg("--dir").arg(folder.path());
        let ready = || ask(port, "PING").is_ok_and(|answer| answer.starts_with("+PONG"));
        let sentinel = Process::start(&mut command, HINT, &folder.path().join("log"), READY_WITHIN, ready)?;
        await_answer(port, &format!("SENTINEL REPLICAS {MASTER}"), "*1")?;
        Ok(Self { servers: [master, replica], _sentinel: sentinel, url, _folder: folder })
    }

    /// Where clients find the sentinel.
    #[must_use]
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// The name of the master there.
    #[must_use]
    pub fn master(&self) -> &'static str {
        MASTER
    }

    /// The master at the start, and its replica.
    pub fn servers(&mut self) -> &mut [Redis; 2] {
        &mut self.servers
    }
}

fn done(node: &Redis, command: &str) -> Result<(), EngineError> {
    let answer = ask(node.port(), command)?;
    if answer.starts_with("+OK") { Ok(()) } else { Err(EngineError::System(std::io::Error::other(answer))) }
}

fn await_answer(port: u16, command: &str, expected: &str) -> Result<(), EngineError> {
    let until = Instant::now() + READY_WITHIN;
    loop {
        // A server whose part changes cuts its clients off.
        let answer = ask(port, command).unwrap_or_else(|error| error.to_string());
        if answer.trim_end() == expected {
            return Ok(());
        }
        if Instant::now() > until {
            return Err(EngineError::Start { program: PROGRAM.to_owned(), why: format!("{command}: {answer}") });
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_serves_and_takes_a_node_back() {
        let mut cluster = RedisCluster::start().unwrap();
        let node = cluster.nodes().last_mut().unwrap();
        node.restart().unwrap();
        await_answer(node.port(), "DBSIZE", ":0").unwrap();
    }

    #[test]
    fn a_replica_follows_its_master() {
        let mut group = RedisSentinel::start().unwrap();
        let [master, replica] = group.servers();
        done(master, "SET here 1").unwrap();
        await_answer(replica.port(), "EXISTS here", ":1").unwrap();
        master.kill();
        await_answer(replica.port(), "EVAL \"return redis.call('INFO', 'replication'):find('role:master') and 1 or 0\" 0", ":1")
            .unwrap();
    }
}

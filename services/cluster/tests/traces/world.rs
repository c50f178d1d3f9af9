//! The distributed shape: two gateways, a directory and a router as processes, on engines of their own.

use std::net::TcpStream as StdStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use mynah_engines::{Kafka, PostgreSql, Process, Redis, free_port};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A cold start of everything on a busy machine.
const WITHIN: Duration = Duration::from_secs(90);
const EVERY: Duration = Duration::from_millis(50);

pub struct Gateway {
    pub http: String,
    ops: String,
}

pub struct World {
    pub appkey: String,
    secret: String,
    pub gateways: Vec<Gateway>,
    router_ops: String,
    // In this order: processes end before what they work with.
    _processes: Vec<Process>,
    _engines: (PostgreSql, Redis, Kafka),
    folder: tempfile::TempDir,
}

fn address() -> String {
    format!("127.0.0.1:{}", free_port().unwrap())
}

impl World {
    pub async fn start(collector: &str) -> Self {
        let (postgres, redis, kafka) = (PostgreSql::start().unwrap(), Redis::start().unwrap(), Kafka::start().unwrap());
        postgres.create_database("directory").unwrap();
        postgres.create_database("log").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("secret.key");
        std::fs::write(&key, [7; 32]).unwrap();
        let (directory, router, router_ops) = (address(), address(), address());
        // The same for every process: the table of settings is one.
        let common = [
            ("DIRECTORIES", directory.clone()),
            ("ROUTERS", router.clone()),
            // Nobody asks for reports here.
            ("REPORTS", address()),
            ("DIRECTORY_DATABASE", postgres.url("directory")),
            ("LOG_DATABASE", postgres.url("log")),
            ("REDIS", redis.url()),
            ("KAFKA", kafka.brokers()),
            ("KAFKA_PARTITIONS", "4".into()),
            ("KAFKA_REPLICAS", "1".into()),
            ("SECRET_KEY_FILE", key.display().to_string()),
            ("DATA_DIR", folder.path().display().to_string()),
            ("ARGON2_MEMORY_KIB", "8".into()),
            ("DRAIN_SPREAD_MS", "100".into()),
            ("OTLP_ENDPOINT", collector.into()),
            ("TRACE_RATIO", "1".into()),
        ];
        let command = |program: &str| {
            let mut command = Command::new(program);
            command.envs(common.iter().map(|(name, value)| (format!("MYNAH_{name}"), value)));
            command
        };
        let serve = |program: &str, name: &str, grpc: &str, ops: &str, http: &str| {
            let mut command = command(program);
            command.args(["--name", name, "--grpc-listen", grpc, "--ops-listen", ops, "--http-listen", http]);
            started(&mut command, &folder.path().join(name), grpc)
        };
        let mut processes = vec![
            serve(env!("CARGO_BIN_EXE_directory"), "directory-1", &directory, &address(), &address()),
            serve(env!("CARGO_BIN_EXE_router"), "router-1", &router, &router_ops, &address()),
        ];
        let gateways: Vec<Gateway> = (0..2).map(|_| Gateway { http: address(), ops: address() }).collect();
        for (place, gateway) in gateways.iter().enumerate() {
            let name = format!("gateway-{}", place + 1);
            processes.push(serve(env!("CARGO_BIN_EXE_gateway"), &name, &address(), &gateway.ops, &gateway.http));
        }
        let made = command(env!("CARGO_BIN_EXE_directory")).args(["app", "create", "--json"]).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let app: Value = serde_json::from_slice(&made.stdout).unwrap();
        let (appkey, secret) = (app["appkey"].as_str().unwrap().to_owned(), app["master_secret"].as_str().unwrap().to_owned());
        let engines = (postgres, redis, kafka);
        let world = Self { appkey, secret, gateways, router_ops, _processes: processes, _engines: engines, folder };
        for gateway in &world.gateways {
            world
                .until(async || {
                    let (status, why) = http("GET", &gateway.ops, "/readyz", &[], "").await;
                    if status == 200 { Ok(()) } else { Err(why) }
                })
                .await;
        }
        world
    }

    pub async fn users(&self, names: &[&str]) {
        let users: Vec<Value> = names.iter().map(|name| json!({"username": name, "password": "secret"})).collect();
        self.api("POST", "/v1/users/", &json!(users), None).await;
    }

    pub async fn group(&self, owner: &str, members: &[&str]) -> String {
        let group = json!({"owner_username": owner, "name": "hikers", "members_username": members, "desc": "Sundays"});
        self.api("POST", "/v1/groups/", &group, None).await["gid"].to_string()
    }

    /// Sends a message at the first gateway; its id.
    pub async fn send(&self, message: &Value, traceparent: Option<&str>) -> u64 {
        self.api("POST", "/v1/messages", message, traceparent).await["msg_id"].as_u64().unwrap()
    }

    /// Sends messages until Kafka takes a record: while it does not, groups go another way.
    pub async fn until_the_bus_works(&self, message: &Value) {
        let taken = async || {
            self.send(message, None).await;
            let (_, metrics) = http("GET", &self.router_ops, "/metrics", &[], "").await;
            let published = metrics.lines().filter(|line| line.starts_with("mynah_bus_published_total"));
            let count: f64 = published.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum();
            if count > 0.0 { Ok(()) } else { Err("nothing is published".into()) }
        };
        self.until(taken).await;
    }

    async fn until(&self, holds: impl AsyncFn() -> Result<(), String>) {
        let end = Instant::now() + WITHIN;
        while let Err(why) = holds().await {
            assert!(Instant::now() < end, "not in time: {why}\n{}", self.logs());
            tokio::time::sleep(EVERY).await;
        }
    }

    /// What the processes said last.
    fn logs(&self) -> String {
        let logs = std::fs::read_dir(self.folder.path()).unwrap().flatten().map(|entry| entry.path());
        let tail = |path: std::path::PathBuf| {
            let text = std::fs::read(&path).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())?;
            let lines: Vec<&str> = text.lines().collect();
            Some(format!("== {}\n{}\n", path.display(), lines.get(lines.len().saturating_sub(8)..)?.join("\n")))
        };
        logs.filter_map(tail).collect()
    }

    async fn api(&self, method: &str, path: &str, body: &Value, traceparent: Option<&str>) -> Value {
        let credentials = BASE64_STANDARD.encode(format!("{}:{}", self.appkey, self.secret));
        let mut headers = vec![("Authorization", format!("Basic {credentials}")), ("Content-Type", "application/json".into())];
        headers.extend(traceparent.map(|text| ("traceparent", text.to_owned())));
        let (status, body) = http(method, &self.gateways[0].http, path, &headers, &body.to_string()).await;
        assert!((200..300).contains(&status), "{method} {path}: {status} {body}");
        serde_json::from_str(&body).unwrap()
    }
}

fn started(command: &mut Command, log: &Path, address: &str) -> Process {
    Process::start(command, "a binary of this crate", log, WITHIN, || StdStream::connect(address).is_ok()).unwrap()
}

/// One request on a connection of its own.
async fn http(method: &str, address: &str, path: &str, headers: &[(&str, String)], body: &str) -> (u16, String) {
    let Ok(mut stream) = TcpStream::connect(address).await else { return (0, String::new()) };
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

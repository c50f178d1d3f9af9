//! A deployment of two gateways and one router, and its app's own server.

use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use mynah_local_cluster::{Cluster, Plan};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How long Kafka may take to have a topic.
const WITHIN: Duration = Duration::from_secs(60);

pub struct World {
    pub appkey: String,
    secret: String,
    /// Addresses of the gateways.
    pub gateways: Vec<String>,
    cluster: Cluster,
    _folder: tempfile::TempDir,
}

impl World {
    /// Every request is traced, unless its caller does not want it.
    pub fn start(collector: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let binaries = Path::new(env!("CARGO_BIN_EXE_router")).parent().unwrap().to_owned();
        let settings = [("otlp_endpoint", collector), ("trace_ratio", "1"), ("argon2_memory_kib", "8"), ("drain_spread_ms", "0")];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let plan = Plan {
            binaries,
            skewed: None,
            folder: folder.path().to_owned(),
            gateways: 2,
            directories: 1,
            routers: 1,
            over_tls: false,
            log_databases: 1,
            settings,
        };
        let cluster = Cluster::start(plan).unwrap();
        let status = cluster.status();
        let gateways = status.gateways.into_iter().map(|gateway| gateway.http).collect();
        Self { appkey: status.app.appkey, secret: status.app.master_secret, gateways, cluster, _folder: folder }
    }

    pub async fn users(&self, names: &[&str]) {
        let users: Vec<Value> = names.iter().map(|name| json!({"username": name, "password": "secret"})).collect();
        self.api("/v1/users/", &json!(users), None).await;
    }

    pub async fn group(&self, owner: &str, members: &[&str]) -> String {
        let group = json!({"owner_username": owner, "name": "hikers", "members_username": members, "desc": "Sundays"});
        self.api("/v1/groups/", &group, None).await["gid"].to_string()
    }

    pub async fn room(&self, owner: &str) -> String {
        let room = json!({"owner_username": owner, "name": "lobby"});
        self.api("/v1/chatroom/", &room, None).await["chatroom_id"].to_string()
    }

    /// Sends a message at the first gateway; its id.
    pub async fn send(&self, message: &Value, traceparent: Option<&str>) -> u64 {
        self.api("/v1/messages", message, traceparent).await["msg_id"].as_u64().unwrap()
    }

    /// Sends messages until Kafka takes a record: while it does not, groups go another way.
    pub async fn until_the_bus_works(&self, message: &Value) {
        let until = Instant::now() + WITHIN;
        let published = || self.cluster.metric("router-1", "mynah_bus_published_total{topic=\"mynah.fanout\"}").unwrap_or(0.0);
        while published() == 0.0 {
            assert!(Instant::now() < until, "nothing is published");
            self.send(message, None).await;
        }
    }

    /// Tells a process to end, and waits until it has.
    pub fn stop(&mut self, name: &str) {
        self.cluster.stop(name).unwrap();
    }

    async fn api(&self, path: &str, body: &Value, traceparent: Option<&str>) -> Value {
        let credentials = BASE64_STANDARD.encode(format!("{}:{}", self.appkey, self.secret));
        let trace = traceparent.map(|text| format!("traceparent: {text}\r\n")).unwrap_or_default();
        let (address, body) = (&self.gateways[0], body.to_string());
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nAuthorization: Basic {credentials}\r\n{trace}\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 20"), "{path}: {answer}");
        serde_json::from_str(body).unwrap()
    }
}

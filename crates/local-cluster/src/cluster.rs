//! The deployment.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use mynah_engines::{PostgreSql, Signal};

use crate::engine::{BUCKET, Engines};
use crate::member::{Kind, Member, command};
use crate::wire::Wire;
use crate::{App, Error, GatewayStatus, MemberStatus, RouterStatus, Status};

/// How long the whole may take until work flows.
const FLOWS_WITHIN: Duration = Duration::from_secs(60);
/// The pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What a deployment is.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where the binaries are.
    pub binaries: PathBuf,
    /// Binaries of another version, for the second process of each kind that this folder has one of.
    pub skewed: Option<PathBuf>,
    /// Where logs and keys go.
    pub folder: PathBuf,
    /// Gateways.
    pub gateways: usize,
    /// Directories.
    pub directories: usize,
    /// Routers.
    pub routers: usize,
    /// Engines are reached over TLS only, Kafka with a login too.
    pub over_tls: bool,
    /// Databases of the message log, each on a server of its own: `postgresql`, which has the directory's as well, then `postgresql-2`
    /// and so on. The shards are shared among them.
    pub log_databases: usize,
    /// Settings of all processes, beside those that make them one deployment.
    pub settings: Vec<(String, String)>,
}

/// A running deployment. It ends when it is dropped.
#[derive(Debug)]
pub struct Cluster {
    // Before the engines: processes end first.
    members: Vec<Member>,
    engines: Engines,
    plan: Plan,
    settings: BTreeMap<String, String>,
    app: App,
}

impl Cluster {
    /// Starts engines and processes, makes an app, and returns when every gateway says that work flows.
    ///
    /// # Errors
    /// When a part does not start, or work does not flow in time.
    pub fn start(plan: Plan) -> Result<Self, Error> {
        // Otherwise all would be of one version, and nobody would know.
        let second = [Kind::Gateway, Kind::Directory, Kind::Router];
        if let Some(folder) = plan.skewed.as_ref().filter(|folder| !second.iter().any(|kind| folder.join(kind.name()).exists())) {
            return Err(format!("{} has no gateway, directory or router", folder.display()).into());
        }
        std::fs::create_dir_all(plan.folder.join("logs"))?;
        let engines = Engines::start(plan.over_tls, plan.log_databases)?;
        let mut members = Vec::new();
        for (kind, count) in
            [(Kind::Router, plan.routers), (Kind::Directory, plan.directories), (Kind::Report, 1), (Kind::Gateway, plan.gateways)]
        {
            for number in 1..=count {
                members.push(Member::new(kind, number)?);
            }
        }
        let settings = settings(&plan, &engines, &members)?;
        let app = make_app(&plan, &settings)?;
        let mut cluster = Self { members, engines, plan, settings, app };
        for at in 0..cluster.members.len() {
            cluster.start_at(at)?;
        }
        cluster.flows()?;
        Ok(cluster)
    }

    /// Returns when every gateway that runs says that work flows.
    ///
    /// # Errors
    /// When one does not in time.
    pub fn flows(&self) -> Result<(), Error> {
        let until = Instant::now() + FLOWS_WITHIN;
        for member in self.members.iter().filter(|m| m.kind == Kind::Gateway && m.pid() != 0) {
            while !member.is_ready() {
                if Instant::now() > until {
                    let (_, why) = crate::member::get(member.ops, "/readyz").unwrap_or_default();
                    return Err(format!("{} is not ready: {why}", member.name).into());
                }
                std::thread::sleep(LOOK_EVERY);
            }
        }
        Ok(())
    }

    /// The settings that make its processes one deployment.
    #[must_use]
    pub fn settings(&self) -> &BTreeMap<String, String> {
        &self.settings
    }

    /// The app that was made.
    #[must_use]
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Everything as it is now.
    #[must_use]
    pub fn status(&self) -> Status {
        let of = |kind| self.members.iter().filter(move |m| m.kind == kind);
        let ops = |m: &Member| format!("127.0.0.1:{}", m.ops);
        let plain = |kind| -> Vec<MemberStatus> {
            let member = |m: &Member| MemberStatus { name: m.name.clone(), ops: ops(m), pid: m.pid(), ready: m.is_ready() };
            of(kind).map(member).collect()
        };
        Status {
            app: self.app.clone(),
            gateways: of(Kind::Gateway)
                .map(|m| GatewayStatus {
                    name: m.name.clone(),
                    http: format!("127.0.0.1:{}", m.http),
                    ops: ops(m),
                    pid: m.pid(),
                    ready: m.is_ready(),
                })
                .collect(),
            directories: plain(Kind::Directory),
            routers: of(Kind::Router)
                .map(|m| RouterStatus { name: m.name.clone(), ops: ops(m), pid: m.pid(), ready: m.is_ready(), shards: shards(m) })
                .collect(),
            reports: plain(Kind::Report),
            engines: self.engines.status(),
            logs: self.plan.folder.join("logs").display().to_string(),
        }
    }

    /// Kills a part at once.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn kill(&mut self, name: &str) -> Result<(), Error> {
        if self.engines.kill(name) {
            return Ok(());
        }
        self.member(name)?.kill();
        Ok(())
    }

    /// Asks a process to end, and waits until it has. An engine is killed.
    ///
    /// # Errors
    /// When there is none of that name, or it does not end in time.
    pub fn stop(&mut self, name: &str) -> Result<(), Error> {
        if self.engines.kill(name) {
            return Ok(());
        }
        self.member(name)?.stop()
    }

    /// Stops a part where it is: connections stay, nothing answers.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn pause(&mut self, name: &str) -> Result<(), Error> {
        self.signal(name, Signal::STOP)
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn resume(&mut self, name: &str) -> Result<(), Error> {
        self.signal(name, Signal::CONT)
    }

    /// Starts a part again; a name that is one above the last of its kind makes a further one.
    ///
    /// # Errors
    /// When no such part can be, or it does not start.
    pub fn start_one(&mut self, name: &str) -> Result<(), Error> {
        if self.engines.restart(name)? {
            return Ok(());
        }
        let at = match self.members.iter().position(|m| m.name == name) {
            Some(at) => at,
            None => self.add(name)?,
        };
        self.start_at(at)
    }

    /// Cuts a router off from the message log's databases: connections stay, nothing passes.
    ///
    /// # Errors
    /// When it is no router.
    pub fn cut(&mut self, name: &str) -> Result<(), Error> {
        self.wires(name)?.iter().for_each(Wire::cut);
        Ok(())
    }

    /// Ends the partition. What was under way is lost.
    ///
    /// # Errors
    /// When it is no router.
    pub fn heal(&mut self, name: &str) -> Result<(), Error> {
        self.wires(name)?.iter().for_each(Wire::heal);
        Ok(())
    }

    fn wires(&mut self, name: &str) -> Result<&[Wire], Error> {
        match self.member(name)?.wires.as_slice() {
            [] => Err(format!("{name} has no wire to cut").into()),
            wires => Ok(wires),
        }
    }

    /// Empties Redis.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn flush_redis(&self) -> Result<(), Error> {
        Ok(self.engines.redis.flush()?)
    }

    /// Names of the running processes of a kind.
    #[must_use]
    pub fn names(&self, kind: Kind) -> Vec<String> {
        self.members.iter().filter(|m| m.kind == kind && m.pid() != 0).map(|m| m.name.clone()).collect()
    }

    /// A figure of a process's metrics.
    #[must_use]
    pub fn metric(&self, name: &str, metric: &str) -> Option<f64> {
        self.members.iter().find(|m| m.name == name)?.metric(metric)
    }

    fn add(&mut self, name: &str) -> Result<usize, Error> {
        let kinds = [Kind::Gateway, Kind::Directory, Kind::Router];
        let next = kinds.into_iter().find_map(|kind| {
            let number = 1 + self.members.iter().filter(|m| m.kind == kind).count();
            (name == format!("{}-{number}", kind.name())).then_some((kind, number))
        });
        let (kind, number) = next.ok_or_else(|| format!("there is no {name}, and it is not the next of its kind"))?;
        self.members.push(Member::new(kind, number)?);
        Ok(self.members.len() - 1)
    }

    fn start_at(&mut self, at: usize) -> Result<(), Error> {
        let Some(member) = self.members.get_mut(at) else { return Ok(()) };
        let binary = binary(&self.plan, member);
        let mut settings = self.settings.clone();
        if member.kind == Kind::Router {
            if member.wires.is_empty() {
                member.wires = self.engines.log_servers().map(|log| Wire::start(log.port())).collect::<Result<_, _>>()?;
            }
            let ports: Vec<u16> = member.wires.iter().map(|wire| wire.port).collect();
            settings.insert("log_database".into(), self.engines.log_database(&ports));
        }
        settings.insert("data_dir".into(), self.plan.folder.join(&member.name).display().to_string());
        member.start(&binary, &settings, &self.plan.folder.join("logs"))
    }

    fn member(&mut self, name: &str) -> Result<&mut Member, Error> {
        self.members.iter_mut().find(|m| m.name == name).ok_or_else(|| format!("there is no {name}").into())
    }

    fn signal(&mut self, name: &str, signal: Signal) -> Result<(), Error> {
        if !self.engines.signal(name, signal) {
            self.member(name)?.signal(signal);
        }
        Ok(())
    }
}

fn binary(plan: &Plan, member: &Member) -> PathBuf {
    let name = member.kind.name();
    let skewed = plan.skewed.as_ref().filter(|_| member.name == format!("{name}-2")).map(|folder| folder.join(name));
    skewed.filter(|binary| binary.exists()).unwrap_or_else(|| plan.binaries.join(name))
}

/// Shards that a router takes calls for.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count")]
fn shards(member: &Member) -> u32 {
    member.metric("mynah_router_shards_owned ").map_or(0, |shards| shards as u32)
}

/// What makes the processes one deployment.
fn settings(plan: &Plan, engines: &Engines, members: &[Member]) -> Result<BTreeMap<String, String>, Error> {
    let of = |kind| members.iter().filter(|m| m.kind == kind).map(Member::grpc).collect::<Vec<_>>().join(",");
    let key = plan.folder.join("secret.key");
    if !key.exists() {
        let mut bytes = [0; 32];
        std::io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, &mut bytes)?;
        std::fs::write(&key, bytes)?;
    }
    let own = [
        ("directories", of(Kind::Directory)),
        ("routers", of(Kind::Router)),
        ("reports", of(Kind::Report)),
        ("directory_database", engines.database(&engines.postgresql, "directory")),
        ("log_database", engines.log_database(&engines.log_servers().map(PostgreSql::port).collect::<Vec<_>>())),
        ("redis", engines.redis.url()),
        ("kafka_replicas", "1".into()),
        ("kafka_partitions", "8".into()),
        ("s3_endpoint", engines.s3.url()),
        ("s3_bucket", BUCKET.into()),
        ("s3_access_key", "mynah".into()),
        ("s3_secret_key", "mynah-secret".into()),
        ("secret_key_file", key.display().to_string()),
    ];
    let mut own: Vec<_> = own.into_iter().chain(engines.kafka()).collect();
    if let Some(authority) = &engines.authority {
        let path = plan.folder.join("engines.pem");
        std::fs::write(&path, authority)?;
        own.push(("engines_tls_ca", path.display().to_string()));
    }
    let own = own.into_iter().map(|(name, value)| (name.to_owned(), value));
    Ok(own.chain(plan.settings.iter().cloned()).collect())
}

fn make_app(plan: &Plan, settings: &BTreeMap<String, String>) -> Result<App, Error> {
    let mut make = command(&plan.binaries.join(Kind::Directory.name()), settings);
    let output = make.args(["app", "create", "--name", "local", "--json"]).output()?;
    let failed = || String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        return Err(failed().into());
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("the new app does not read: {error}: {}", failed()).into())
}

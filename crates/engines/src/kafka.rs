//! Apache Kafka: one node that is controller and broker, on the jars that Maven brings.

use std::fs;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::{Certificate, EngineError, Process, Signal, free_port};

const VERSION: &str = "4.1.0";
const HINT: &str = "it needs a Java runtime of version 17 or newer";
/// A cold start of the virtual machine on a busy machine.
const START_WITHIN: Duration = Duration::from_secs(90);
/// Any valid cluster id.
const CLUSTER: &str = "bXluYWgtdGVzdHMtMDAwMQ";

/// The name and password that a secured broker knows.
#[derive(Debug, Clone, Copy)]
pub struct KafkaLogin {
    /// The name.
    pub user: &'static str,
    /// The password.
    pub password: &'static str,
}

const LOGIN: KafkaLogin = KafkaLogin { user: "mynah", password: "a-secret-of-tests" };
/// The listeners of a secured broker, in the order of its ports.
const SECURED: [&str; 3] = ["SSL", "SASL_PLAINTEXT", "SASL_SSL"];

/// A running broker.
#[derive(Debug)]
pub struct Kafka {
    // Before the folder: the process ends first.
    process: Process,
    guard: Child,
    jars: PathBuf,
    folder: TempDir,
    port: u16,
    controller: u16,
    secured: Option<[u16; 3]>,
}

impl Kafka {
    /// Starts a broker with an empty log; topics have to be created.
    ///
    /// # Errors
    /// When Java or Maven is missing, the jars cannot be had, or it does not serve in time.
    pub fn start() -> Result<Self, EngineError> {
        Self::start_as("broker,controller", 1, free_port()?, None)
    }

    /// Starts a broker that listens over TLS, for those who log in, and for those who do so over TLS, too. It knows PLAIN, SCRAM-SHA-256
    /// and SCRAM-SHA-512.
    ///
    /// # Errors
    /// As with [`Kafka::start`].
    pub fn start_secured(certificate: &Certificate) -> Result<Self, EngineError> {
        Self::start_as("broker,controller", 1, free_port()?, Some(certificate))
    }

    /// Where a secured broker is reached by `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`: `host:port`. None for another name, or another broker.
    #[must_use]
    pub fn brokers_by(&self, protocol: &str) -> Option<String> {
        let port = SECURED.iter().zip(self.secured?).find(|(name, _)| **name == protocol)?.1;
        Some(format!("{}:{port}", Ipv4Addr::LOCALHOST))
    }

    /// Whom a secured broker lets in.
    #[must_use]
    pub fn login(&self) -> KafkaLogin {
        LOGIN
    }

    /// Starts another broker beside this one, which stays the only controller. It may take a moment until it is given partitions.
    ///
    /// # Errors
    /// As with [`Kafka::start`].
    pub fn start_beside(&self) -> Result<Self, EngineError> {
        Self::start_as("broker", 2, self.controller, None)
    }

    fn start_as(roles: &str, id: u8, controller: u16, certificate: Option<&Certificate>) -> Result<Self, EngineError> {
        let jars = jars()?;
        let folder = tempfile::tempdir()?;
        let port = free_port()?;
        let secured = certificate.map(|_| Ok::<_, EngineError>([free_port()?, free_port()?, free_port()?])).transpose()?;
        let mut properties = properties(folder.path(), roles, id, &listeners(port, secured), controller);
        let mut format = java(&jars, folder.path());
        format.args(["kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", "server.properties"]);
        if let Some(certificate) = certificate {
            let keystore = folder.path().join("keystore.pem");
            fs::write(&keystore, format!("{}{}", certificate.key, certificate.certificate))?;
            properties.push_str(&security(&keystore));
            for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
                format.args(["--add-scram", &format!("{mechanism}=[name={},password={}]", LOGIN.user, LOGIN.password)]);
            }
        }
        fs::write(folder.path().join("server.properties"), properties)?;
        run(&mut format, HINT)?;
        let process = serve(&jars, folder.path(), port)?;
        let guard = guard(&process, folder.path())?;
        Ok(Self { process, guard, jars, folder, port, controller, secured })
    }

    /// Its process id; 0 after it was killed.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Its port on loopback.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it is reached: `host:port`.
    #[must_use]
    pub fn brokers(&self) -> String {
        format!("{}:{}", Ipv4Addr::LOCALHOST, self.port)
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        // First: what it guards may be another's process id soon.
        _ = self.guard.kill();
        _ = self.guard.wait();
        self.process.kill();
    }

    /// Stops it where it is: connections stay and nothing answers.
    pub fn pause(&self) {
        self.process.signal(Signal::STOP);
    }

    /// Lets it go on after a pause.
    pub fn resume(&self) {
        self.process.signal(Signal::CONT);
    }

    /// Starts it again after [`Kafka::kill`], at the same address with the same data.
    ///
    /// # Errors
    /// When it does not serve in time.
    pub fn restart(&mut self) -> Result<(), EngineError> {
        self.kill();
        self.process = serve(&self.jars, self.folder.path(), self.port)?;
        self.guard = guard(&self.process, self.folder.path())?;
        Ok(())
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        // A paused process cannot end gracefully, and nobody needs it to.
        self.kill();
    }
}

/// Ends the broker and removes its folder when this process ends without dropping it, as tests end that share it in a static.
fn guard(process: &Process, folder: &Path) -> Result<Child, EngineError> {
    let mut shell = Command::new("sh");
    shell.args(["-c", "cat >/dev/null; kill -9 \"$1\"; rm -rf \"$2\"", "sh"]).arg(process.pid().to_string()).arg(folder);
    // The pipe is closed when this process is gone, however it ends.
    Ok(shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?)
}

/// Where clients are listened to.
fn listeners(port: u16, secured: Option<[u16; 3]>) -> String {
    let further = secured.into_iter().flat_map(|ports| SECURED.into_iter().zip(ports));
    let all = [("PLAINTEXT", port)].into_iter().chain(further);
    all.map(|(name, port)| format!("{name}://{}:{port}", Ipv4Addr::LOCALHOST)).collect::<Vec<_>>().join(",")
}

/// The certificate, and who is let in.
fn security(keystore: &Path) -> String {
    let KafkaLogin { user, password } = LOGIN;
    let plain = format!("org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}=\"{password}\";");
    let mut lines = vec![
        String::new(),
        "ssl.keystore.type=PEM".to_owned(),
        format!("ssl.keystore.location={}", keystore.display()),
        "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512".to_owned(),
    ];
    for listener in ["sasl_plaintext", "sasl_ssl"] {
        lines.push(format!("listener.name.{listener}.plain.sasl.jaas.config={plain}"));
        for scram in ["scram-sha-256", "scram-sha-512"] {
            let module = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
            lines.push(format!("listener.name.{listener}.{scram}.sasl.jaas.config={module}"));
        }
    }
    lines.join("\n")
}

fn properties(folder: &Path, roles: &str, id: u8, listeners: &str, controller: u16) -> String {
    let host = Ipv4Addr::LOCALHOST;
    let quorum = if roles.contains("controller") { format!(",CONTROLLER://{host}:{controller}") } else { String::new() };
    let data = folder.join("data");
    let lines = [
        format!("process.roles={roles}"),
        format!("node.id={id}"),
        format!("controller.quorum.voters=1@{host}:{controller}"),
        format!("listeners={listeners}{quorum}"),
        format!("advertised.listeners={listeners}"),
        "controller.listener.names=CONTROLLER".to_owned(),
        format!(
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,{}",
            SECURED.map(|name| format!("{name}:{name}")).join(",")
        ),
        format!("log.dirs={}", data.display()),
        "auto.create.topics.enable=false".to_owned(),
        "offsets.topic.num.partitions=1".to_owned(),
        "offsets.topic.replication.factor=1".to_owned(),
        "transaction.state.log.num.partitions=1".to_owned(),
        "transaction.state.log.replication.factor=1".to_owned(),
        "transaction.state.log.min.isr=1".to_owned(),
        "group.initial.rebalance.delay.ms=0".to_owned(),
        "group.min.session.timeout.ms=1000".to_owned(),
        "num.io.threads=2".to_owned(),
        "num.network.threads=2".to_owned(),
        "log.cleaner.dedupe.buffer.size=8388608".to_owned(),
    ];
    lines.join("\n")
}

fn java(jars: &Path, folder: &Path) -> Command {
    let mut java = Command::new("java");
    java.args(["-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"]).arg(jars.join("*")).current_dir(folder);
    java
}

fn serve(jars: &Path, folder: &Path, port: u16) -> Result<Process, EngineError> {
    let mut command = java(jars, folder);
    command.args(["kafka.Kafka", "server.properties"]);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let ready = || TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_ok();
    Process::start(&mut command, HINT, &folder.join("output.log"), START_WITHIN, ready)
}

/// The folder with the jars, under the build's own; Maven fills it once.
fn jars() -> Result<PathBuf, EngineError> {
    let cache = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/engines");
    let jars = cache.join(format!("kafka-{VERSION}"));
    if jars.is_dir() {
        return Ok(jars);
    }
    fs::create_dir_all(&cache)?;
    // Beside the cache and moved in whole: a test that runs at the same time never sees half of it.
    let work = tempfile::tempdir_in(&cache)?;
    fs::write(work.path().join("pom.xml"), pom())?;
    let mut maven = Command::new("mvn");
    maven.args(["-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=jars"]).current_dir(work.path());
    run(&mut maven, "Maven brings the jars of Apache Kafka")?;
    match fs::rename(work.path().join("jars"), &jars) {
        Err(error) if !jars.is_dir() => Err(error.into()),
        _ => Ok(jars),
    }
}

fn pom() -> String {
    format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\">\n\
         <modelVersion>4.0.0</modelVersion>\n\
         <groupId>mynah</groupId><artifactId>kafka-engine</artifactId><version>1</version><packaging>pom</packaging>\n\
         <dependencies><dependency>\n\
         <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{VERSION}</version>\n\
         </dependency></dependencies>\n\
         </project>\n"
    )
}

/// Runs a program to its end.
fn run(command: &mut Command, hint: &str) -> Result<(), EngineError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|error| match error.kind() {
        ErrorKind::NotFound => EngineError::Missing { program: program.clone(), hint: hint.to_owned() },
        _ => EngineError::System(error),
    })?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(EngineError::Start { program, why: String::from_utf8_lossy(&said).into_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_named_with_what_brings_it() {
        let missing = run(&mut Command::new("no-such-program"), HINT).unwrap_err().to_string();
        assert_eq!(missing, format!("no-such-program is not installed: {HINT}"));
    }

    #[test]
    fn a_program_that_fails_tells_why() {
        let failed = run(Command::new("sh").args(["-c", "echo reason; exit 1"]), HINT).unwrap_err().to_string();
        assert!(failed.contains("reason"), "{failed}");
    }
}

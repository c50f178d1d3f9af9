//! An S3-compatible server: moto's, which keeps everything in memory. A killed one comes back empty.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::{Certificate, EngineError, Process, free_port};

/// Names the program where it is neither on the path nor in the folder below.
const VARIABLE: &str = "MYNAH_MOTO_SERVER";
const PROGRAM: &str = "moto_server";
/// In the user's folder.
const FOLDER: &str = ".cache/mynah/engines/moto";
const HINT: &str = "python3 -m venv ~/.cache/mynah/engines/moto && ~/.cache/mynah/engines/moto/bin/pip install 'moto[server]'";
/// How long the server may take to start.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How long it may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// A running S3-compatible server. It takes any key.
#[derive(Debug)]
pub struct S3 {
    process: Process,
    port: u16,
    tls: Option<Arc<ClientConfig>>,
    folder: tempfile::TempDir,
}

impl S3 {
    /// Starts a server on a port of its own.
    ///
    /// # Errors
    /// When it is not installed or does not start.
    pub fn start() -> Result<Self, EngineError> {
        let (folder, port) = (tempfile::tempdir()?, free_port()?);
        Ok(Self { process: launch(&folder, port, None)?, port, tls: None, folder })
    }

    /// Starts a server that speaks TLS only.
    ///
    /// # Errors
    /// As with [`S3::start`].
    pub fn start_tls(certificate: &Certificate) -> Result<Self, EngineError> {
        let (folder, port) = (tempfile::tempdir()?, free_port()?);
        certificate.write(folder.path(), None)?;
        let tls = Some(trusting(certificate)?);
        Ok(Self { process: launch(&folder, port, tls.as_ref())?, port, tls, folder })
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

    /// Where clients find it.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    /// Makes a bucket.
    ///
    /// # Errors
    /// When it does not answer, or the bucket is there.
    pub fn make_bucket(&self, bucket: &str) -> Result<(), EngineError> {
        self.ask("PUT", &format!("/{bucket}")).map(drop)
    }

    /// How many objects and unfinished uploads lie in a bucket, to 1000 of each.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn count(&self, bucket: &str) -> Result<(usize, usize), EngineError> {
        let objects = self.ask("GET", &format!("/{bucket}?list-type=2"))?;
        let uploads = self.ask("GET", &format!("/{bucket}?uploads"))?;
        Ok((objects.matches("<Key>").count(), uploads.matches("<UploadId>").count()))
    }

    fn ask(&self, method: &str, path: &str) -> Result<String, EngineError> {
        ask(self.port, self.tls.as_ref(), method, path)
    }

    /// Kills it at once: all that it held is gone.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again on the same port, empty; kills it first if it runs.
    ///
    /// # Errors
    /// When it does not start.
    pub fn restart(&mut self) -> Result<(), EngineError> {
        self.process.kill();
        self.process = launch(&self.folder, self.port, self.tls.as_ref())?;
        Ok(())
    }

    /// Sends the server a signal: stop, continue.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }
}

fn program() -> PathBuf {
    let named = std::env::var_os(VARIABLE).map(PathBuf::from);
    let own = std::env::home_dir().map(|home| home.join(FOLDER).join("bin").join(PROGRAM)).filter(|own| own.exists());
    named.or(own).unwrap_or_else(|| PathBuf::from(PROGRAM))
}

fn launch(folder: &tempfile::TempDir, port: u16, tls: Option<&Arc<ClientConfig>>) -> Result<Process, EngineError> {
    let mut command = Command::new(program());
    command.args(["--host", "127.0.0.1", "--port"]).arg(port.to_string());
    if tls.is_some() {
        command.arg("--ssl-cert").arg(folder.path().join("certificate.pem")).arg("--ssl-key").arg(folder.path().join("key.pem"));
    }
    let ready = || ask(port, tls, "GET", "/").is_ok();
    Process::start(&mut command, HINT, &folder.path().join("log"), READY_WITHIN, ready)
}

/// How a client is set up that trusts the certificate's authority.
fn trusting(certificate: &Certificate) -> Result<Arc<ClientConfig>, EngineError> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(certificate.authority.as_bytes()).map_err(other)?).map_err(other)?;
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(other)?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

fn other(error: impl std::error::Error + Send + Sync + 'static) -> EngineError {
    EngineError::System(std::io::Error::other(error))
}

/// One request without a body, and its answer's.
fn ask(port: u16, tls: Option<&Arc<ClientConfig>>, method: &str, path: &str) -> Result<String, EngineError> {
    let stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), ANSWER_WITHIN)?;
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    // The server finds out which service is meant by the form of the credentials.
    let credential = "Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nauthorization: AWS4-HMAC-SHA256 {credential}\r\n\
         content-length: 0\r\nconnection: close\r\n\r\n"
    );
    let answer = match tls {
        Some(tls) => {
            let host = ServerName::IpAddress(Ipv4Addr::LOCALHOST.into());
            let connection = ClientConnection::new(Arc::clone(tls), host).map_err(other)?;
            exchange(StreamOwned::new(connection, stream), &head)?
        }
        None => exchange(stream, &head)?,
    };
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.split(' ').nth(1) == Some("200") => Ok(body.to_owned()),
        _ => Err(EngineError::System(std::io::Error::other(answer))),
    }
}

fn exchange(mut stream: impl Read + Write, head: &str) -> std::io::Result<String> {
    stream.write_all(head.as_bytes())?;
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        // Over TLS the server leaves without a word.
        Err(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => Err(error),
        _ => Ok(String::from_utf8_lossy(&answer).into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_buckets_until_it_is_killed() {
        let mut s3 = S3::start().unwrap();
        s3.make_bucket("here").unwrap();
        assert_eq!(s3.count("here").unwrap(), (0, 0));
        s3.restart().unwrap();
        assert!(s3.count("here").is_err());
    }
}

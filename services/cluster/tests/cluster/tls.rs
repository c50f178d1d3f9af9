//! Mutual TLS between the processes.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use mynah_engines::free_port;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::support::{binaries, deployment_with};

/// An authority and a certificate of it for every process, as files.
fn certificates(folder: &Path, name: &str) -> Vec<(String, String)> {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let files = [("tls_ca", authority.pem()), ("tls_cert", certificate.pem()), ("tls_key", key.serialize_pem())];
    let write = |(setting, text): (&str, String)| {
        let path = folder.join(format!("{setting}.pem"));
        std::fs::write(&path, text).unwrap();
        (setting.to_owned(), path.display().to_string())
    };
    files.into_iter().map(write).collect()
}

/// Work flows with certificates, which a canary through every process shows; and who has none of the same authority is not heard.
#[tokio::test(flavor = "multi_thread")]
async fn processes_call_one_another_over_mutual_tls() {
    let deployment = deployment_with(1, 2, |folder| certificates(folder, "mynah")).await;
    let strange = tempfile::tempdir().unwrap();
    let mut stranger = Command::new(binaries().join("gateway"));
    let ops = free_port().unwrap();
    for (setting, value) in certificates(strange.path(), "mynah") {
        stranger.env(format!("MYNAH_{}", setting.to_ascii_uppercase()), value);
    }
    let seen = deployment.cluster.settings();
    for (setting, value) in seen.iter().filter(|(setting, _)| !setting.starts_with("tls_")) {
        stranger.env(format!("MYNAH_{}", setting.to_ascii_uppercase()), value);
    }
    let address = |port: u16| format!("127.0.0.1:{port}");
    stranger.env("MYNAH_OPS_LISTEN", address(ops)).env("MYNAH_HTTP_LISTEN", address(free_port().unwrap()));
    stranger.env("MYNAH_GRPC_LISTEN", address(free_port().unwrap())).env("MYNAH_DATA_DIR", strange.path());
    let log = strange.path().join("log");
    let said =
        || mynah_local_cluster::get(ops, "/readyz").is_some_and(|(status, text)| status == 503 && text.contains("directory:"));
    let started = mynah_engines::Process::start(&mut stranger, "", &log, Duration::from_secs(60), said);
    assert!(started.is_ok(), "{started:?}");
}

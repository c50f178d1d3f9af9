//! Mutual TLS between the processes.

use std::path::Path;

use mynah_proto::router::ShardMapRequest;
use mynah_proto::router::router_client::RouterClient;
use mynah_rpc::{Channels, Tls};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::support::deployment_with;

/// The name in each certificate.
const NAME: &str = "mynah";

/// An authority, a certificate of it, and its key.
struct Certificates([String; 3]);

impl Certificates {
    fn new() -> Self {
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![NAME.to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
        Self([authority.pem(), certificate.pem(), key.serialize_pem()])
    }

    /// As files and settings.
    fn settings(&self, folder: &Path) -> Vec<(String, String)> {
        let write = |(setting, text): (&str, &String)| {
            let path = folder.join(format!("{setting}.pem"));
            std::fs::write(&path, text).unwrap();
            (setting.to_owned(), path.display().to_string())
        };
        ["tls_ca", "tls_cert", "tls_key"].into_iter().zip(&self.0).map(write).collect()
    }

    fn channels(&self) -> Channels {
        let [authority, certificate, key] = &self.0;
        Channels::new(Some(Tls::new(authority, certificate, key, NAME))).unwrap()
    }
}

async fn answers(channels: &Channels, router: &str) -> bool {
    RouterClient::new(channels.to(router).unwrap()).shard_map(ShardMapRequest {}).await.is_ok()
}

/// Work flows with certificates, which a canary through every process shows. Who has none, or one of another authority, is not heard.
#[tokio::test(flavor = "multi_thread")]
async fn processes_call_one_another_over_mutual_tls() {
    let (own, strange) = (Certificates::new(), Certificates::new());
    let deployment = deployment_with(1, 2, 1, |folder| own.settings(folder)).await;
    let router = deployment.cluster.settings()["routers"].split(',').next().unwrap().to_owned();
    assert!(answers(&own.channels(), &router).await);
    assert!(!answers(&strange.channels(), &router).await, "of another authority");
    assert!(!answers(&Channels::new(None).unwrap(), &router).await, "without a certificate");
}

//! Whose certificates count.

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// Nobody's.
pub(crate) fn none() -> RootCertStore {
    RootCertStore::empty()
}

/// Those of the PEM, and no others; without one, the system's.
pub(crate) fn read(pem: Option<&str>) -> Result<RootCertStore, String> {
    let roots = match pem {
        Some(pem) => given(pem)?,
        None => system(),
    };
    match (roots.is_empty(), pem) {
        (false, _) => Ok(roots),
        (true, Some(_)) => Err("the authorities' PEM holds no certificate".into()),
        (true, None) => Err("the system has no certificates of authorities, and no others are given".into()),
    }
}

fn given(pem: &str) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|error| format!("the authorities' PEM does not read: {error}"))?;
        roots.add(certificate).map_err(|error| format!("the authorities' PEM holds what is no authority: {error}"))?;
    }
    Ok(roots)
}

/// What the system trusts. Single files that do not read leave the others what they are.
fn system() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

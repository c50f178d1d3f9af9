//! Credentials: HTTP Basic, appKey and masterSecret.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use http::{HeaderMap, header};
use mynah_proto::directory::{App, AuthenticateRequest};
use mynah_types::Reason;

use super::refusal::Refusal;
use crate::gateway::Inner;

/// Longest header that can hold credentials.
const LONGEST: usize = 512;

/// The app of a call.
pub(crate) async fn app(gateway: &Inner, headers: &HeaderMap) -> Result<App, Refusal> {
    let given = headers.get(header::AUTHORIZATION).map(http::HeaderValue::as_bytes).unwrap_or_default();
    if given.trim_ascii().is_empty() {
        return Err(Refusal::new(401, 899_007, "Missing authen info"));
    }
    let (appkey, master_secret) = basic(given).ok_or_else(failed)?;
    match gateway.deps.directory.authenticate(AuthenticateRequest { appkey, master_secret }).await {
        Ok(app) => Ok(app),
        Err(failure) => Err(match failure.why() {
            Reason::AppNotFound | Reason::AppDisabled => Refusal::new(401, 899_009, "Appkey not exit"),
            Reason::BadCredentials => failed(),
            _ => failure.into(),
        }),
    }
}

fn failed() -> Refusal {
    Refusal::new(401, 899_008, "Basic authentication failed")
}

fn basic(header: &[u8]) -> Option<(String, String)> {
    let text = std::str::from_utf8(header).ok().filter(|text| text.len() <= LONGEST)?.trim();
    let (scheme, rest) = text.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let encoded = rest.trim();
    let bytes = STANDARD.decode(encoded).or_else(|_| STANDARD_NO_PAD.decode(encoded)).ok()?;
    let pair = String::from_utf8(bytes).ok()?;
    let (key, secret) = pair.split_once(':')?;
    Some((key.into(), secret.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_well_formed_basic_credentials_are_read() {
        let pair = Some(("key".to_owned(), "secret".to_owned()));
        assert_eq!(basic(b"Basic a2V5OnNlY3JldA=="), pair);
        assert_eq!(basic(b"bAsIc   a2V5OnNlY3JldA "), pair);
        for bad in ["Bearer a2V5OnNlY3JldA==", "Basic", "Basic !!!", "Basic a2V5", "a2V5OnNlY3JldA=="] {
            assert_eq!(basic(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(basic(&[b"Basic ", [b'A'; 600].as_slice()].concat()), None);
    }
}

//! The web signature: proof by an app's own server that a page may connect.

use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::{Digest as _, Md5};
use mynah_types::AppId;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::secret::{digest, hex};

/// What is signed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signed<'a> {
    pub(crate) appkey: &'a str,
    pub(crate) random_str: &'a str,
    /// Milliseconds as the decimal text that is sent.
    pub(crate) timestamp: &'a str,
}

impl Signed<'_> {
    /// JMessage's signature: lower-hex MD5 over the fields in this order, nothing encoded, the secret last.
    pub(crate) fn md5(self, secret: &str) -> String {
        hex(&Md5::digest(format!("{}&key={secret}", self.text()).as_bytes()))
    }

    /// The same text without the secret, under HMAC-SHA-256 with the secret as key.
    pub(crate) fn hmac_sha256(self, secret: &str) -> String {
        #[allow(clippy::expect_used, reason = "HMAC takes keys of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
        mac.update(self.text().as_bytes());
        hex(&mac.finalize().into_bytes())
    }

    fn text(self) -> String {
        format!("appkey={}&timestamp={}&random_str={}", self.appkey, self.timestamp, self.random_str)
    }
}

/// Compares hex texts of any case in constant time.
pub(crate) fn same(expected: &str, given: &str) -> bool {
    expected.as_bytes().ct_eq(given.to_ascii_lowercase().as_bytes()).into()
}

/// What the store remembers a signature by: a random string is good once in its app.
pub(crate) fn remembered_as(app: AppId, random_str: &str) -> [u8; 32] {
    digest(&format!("{app}/{random_str}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_input_gives_the_documented_signature() {
        let signed = Signed { appkey: "25b693b31d2c2ad5f072ef0c", random_str: "022cd9fd995849b", timestamp: "1507791639926" };
        let expected = "5d59c510eaeddb178c591226438d97ba";
        assert_eq!(signed.md5("bc2efab258f2019727a4f36l"), expected);
        assert!(same(expected, "5D59C510EAEDDB178C591226438D97BA"));
        assert!(!same(expected, "5d59c510eaeddb178c591226438d97bb"));
        assert!(!same(expected, ""));
    }

    #[test]
    fn hmac_follows_its_rfc() {
        // RFC 4231, test case 2, through the same primitive.
        let mut mac = Hmac::<Sha256>::new_from_slice(b"Jefe").unwrap();
        mac.update(b"what do ya want for nothing?");
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(hex(&mac.finalize().into_bytes()), expected);
    }
}

//! The web signature: proof by an app's own server that a page may connect.

use std::collections::HashMap;

use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::{Digest as _, Md5};
use mynah_types::{AppId, Millis};
use parking_lot::Mutex;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::secret::hex;

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

/// Random strings of signatures that were accepted: each is good once.
pub(crate) struct Seen {
    capacity: usize,
    until: Mutex<HashMap<(AppId, String), Millis>>,
}

/// What the memory says of a random string.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Remembered {
    New,
    Seen,
    /// No room until some expire.
    Full,
}

impl Seen {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity, until: Mutex::default() }
    }

    /// Notes a random string until `until`.
    pub(crate) fn remember(&self, app: AppId, random_str: &str, now: Millis, until: Millis) -> Remembered {
        let mut seen = self.until.lock();
        if seen.len() >= self.capacity {
            seen.retain(|_, until| *until > now);
        }
        let key = (app, random_str.to_owned());
        if seen.get(&key).is_some_and(|until| *until > now) {
            return Remembered::Seen;
        }
        if seen.len() >= self.capacity {
            return Remembered::Full;
        }
        seen.insert(key, until);
        Remembered::New
    }
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

    #[test]
    fn a_random_string_is_good_once_and_the_memory_is_bounded() {
        let seen = Seen::new(2);
        let app = AppId(1);
        assert_eq!(seen.remember(app, "a", 0, 10), Remembered::New);
        assert_eq!(seen.remember(app, "a", 5, 15), Remembered::Seen);
        assert_eq!(seen.remember(AppId(2), "a", 5, 20), Remembered::New);
        assert_eq!(seen.remember(app, "c", 5, 15), Remembered::Full);
        assert_eq!(seen.remember(app, "c", 11, 21), Remembered::New);
        assert_eq!(seen.remember(app, "a", 30, 40), Remembered::New);
    }
}

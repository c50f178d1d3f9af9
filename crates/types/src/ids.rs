//! Identifiers. Constructors check; behind the edge of a service no bare string or integer names a thing.

use std::fmt;

use crate::{SHARDS, ShardId};

/// Position of an entry in its conversation: 1, 2, 3 … without a gap. 0 means "before the first entry".
pub type Seq = u64;

/// Why a text or number is no identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {why}")]
pub struct InvalidId {
    /// Which identifier it should have been, e.g. `username`.
    pub what: &'static str,
    /// The rule that it breaks.
    pub why: &'static str,
}

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number_id! {
    /// An app (tenant) of this deployment: the directory's number for it, from 1 up.
    AppId
}
number_id! {
    /// One registration of a user: immutable, unique in the deployment, never used again. 0 is nobody (the system).
    Uid
}
number_id! {
    /// A gateway process, in one incarnation.
    GatewayId
}
number_id! {
    /// A router process, in one incarnation.
    RouterId
}
number_id! {
    /// Identifies a message in the deployment: `counter of the shard × SHARDS + shard`, below 2^53.
    MsgId
}

impl Uid {
    /// Nobody, to whom gateways send entries that show whether work flows; some numbers below it are nobody's too. No registration
    /// reaches them.
    pub const CANARY: Self = Self(i64::MAX.cast_unsigned());
}

impl MsgId {
    /// Largest value that a JSON number carries exactly.
    pub const MAX: u64 = (1 << 53) - 1;

    /// The id that a shard's counter gives.
    #[must_use]
    pub fn compose(counter: u64, shard: ShardId) -> Self {
        Self(counter * u64::from(SHARDS) + u64::from(shard.0))
    }

    /// The shard that gave this id.
    #[must_use]
    pub fn shard(self) -> ShardId {
        // The remainder is below SHARDS, which fits.
        ShardId(u16::try_from(self.0 % u64::from(SHARDS)).unwrap_or(0))
    }

    /// The shard's counter inside this id.
    #[must_use]
    pub fn counter(self) -> u64 {
        self.0 / u64::from(SHARDS)
    }
}

/// Random value that names one ownership of a shard: what assigns is what fences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct OwnerToken(pub u128);

/// An app's public key: exactly 24 characters of `0-9a-f`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppKey(Box<str>);

impl AppKey {
    /// Checks the form.
    ///
    /// # Errors
    /// When the text is not 24 lower-case hex digits.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let hex = text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if text.len() == 24 && hex {
            Ok(Self(text.into()))
        } else {
            Err(InvalidId { what: "appkey", why: "must be 24 characters of 0-9a-f" })
        }
    }

    /// The text form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A user's or admin's name in its app: 4–128 bytes, ASCII, case-sensitive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Username(Box<str>);

impl Username {
    /// Checks the form.
    ///
    /// # Errors
    /// When the length is out of 4–128, the first character no letter or digit, or another character not of `a-zA-Z0-9_.-@`.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let bad = |why| Err(InvalidId { what: "username", why });
        if !(4..=128).contains(&text.len()) {
            return bad("must be 4 to 128 bytes");
        }
        if !text.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric) {
            return bad("must start with a letter or digit");
        }
        if !text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-@".contains(&b)) {
            return bad("may hold letters, digits, _ . - @ only");
        }
        Ok(Self(text.into()))
    }

    /// The text form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A client message id: 1–64 bytes, chosen by the sender before its first try; unique per (sender, conversation).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cmid(Box<str>);

impl Cmid {
    /// Checks the form.
    ///
    /// # Errors
    /// When it is empty, longer than 64 bytes, or holds control characters.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        if text.is_empty() || text.len() > 64 {
            return Err(InvalidId { what: "cmid", why: "must be 1 to 64 bytes" });
        }
        if text.chars().any(char::is_control) {
            return Err(InvalidId { what: "cmid", why: "must not hold control characters" });
        }
        Ok(Self(text.into()))
    }

    /// The text form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AppKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn msg_id_tells_its_shard_and_counter() {
        let id = MsgId::compose(77, ShardId(201));
        assert_eq!((id.shard(), id.counter()), (ShardId(201), 77));
    }

    #[test]
    fn usernames_follow_the_contract() {
        for good in ["tom1", "a.b-c_d@e", "1234", &"x".repeat(128)] {
            assert!(Username::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "tom", "_tom", ".tom1", "to m1", "tömm1", "tom,1", &"x".repeat(129)] {
            assert!(Username::parse(bad).is_err(), "{bad}");
        }
    }
}

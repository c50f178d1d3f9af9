//! The address of a database, and what it says about TLS.

use std::error::Error as _;
use std::fmt;

use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

use crate::Connector;
use crate::authorities;

/// Where a database is, and how its connections are protected.
#[derive(Clone)]
pub struct Address {
    /// The address, with its `sslmode` settled.
    pub config: Config,
    /// Makes connections as the address asks for.
    pub connector: Connector,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address").field("sslmode", &self.config.get_ssl_mode()).finish_non_exhaustive()
    }
}

/// Why an address cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// It does not read.
    #[error("{0}")]
    Unreadable(String),
    /// A way of TLS that is not to be had.
    #[error(
        "sslmode={0} is not supported: disable is in the clear, require and verify-full both verify the certificate and the host's name"
    )]
    Mode(String),
    /// It names a certificate.
    #[error("{0} does not belong into the address: the authorities whose certificates count are a setting of their own")]
    File(String),
    /// `sslmode` outside of a URL.
    #[error("sslmode is read in an address of the form postgres://user:password@host/database?sslmode=… only")]
    NoUrl,
    /// The authorities cannot be had.
    #[error("{0}")]
    Authorities(String),
}

impl Address {
    /// Reads an address such as `postgres://user:password@host/database?sslmode=verify-full`. `authorities` is the PEM of those whose
    /// certificates count; none: the system's.
    ///
    /// `sslmode=require` and `verify-full` mean the same: the certificate's chain and the host's name are verified, always. `disable`, and
    /// no `sslmode`, is in the clear. Whatever may be in the clear without being asked to (`allow`, `prefer`), or leaves the name out
    /// (`verify-ca`), is refused.
    ///
    /// # Errors
    /// See [`AddressError`].
    pub fn read(url: &str, authorities: Option<&str>) -> Result<Self, AddressError> {
        let (rest, mode) = mode(url)?;
        let mut config: Config = rest.parse().map_err(|error| AddressError::Unreadable(text(&error)))?;
        config.ssl_mode(mode);
        // In the clear nobody counts: a handshake that would be tried all the same fails.
        let roots = match mode {
            SslMode::Disable => authorities::none(),
            _ => authorities::read(authorities).map_err(AddressError::Authorities)?,
        };
        Ok(Self { config, connector: Connector::new(roots).map_err(|error| AddressError::Authorities(error.to_string()))? })
    }

    /// Whether connections are encrypted.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.config.get_ssl_mode() == SslMode::Require
    }
}

/// The address without its `sslmode`, and what that means.
fn mode(url: &str) -> Result<(String, SslMode), AddressError> {
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return if url.contains("sslmode") { Err(AddressError::NoUrl) } else { Ok((url.to_owned(), SslMode::Disable)) };
    }
    // A password may hold the mark too, as the library reads it.
    let after = url.find('@').unwrap_or(0);
    let mark = url.get(after..).and_then(|rest| rest.find('?')).map_or(url.len(), |at| after + at);
    let (place, query) = url.split_at_checked(mark).unwrap_or((url, ""));
    let query = query.trim_start_matches('?');
    let (mut mode, mut kept) = (SslMode::Disable, Vec::new());
    for part in query.split('&').filter(|part| !part.is_empty()) {
        match part.split_once('=').unwrap_or((part, "")) {
            ("sslmode", "disable") => mode = SslMode::Disable,
            ("sslmode", "require" | "verify-full") => mode = SslMode::Require,
            ("sslmode", other) => return Err(AddressError::Mode(other.to_owned())),
            (name @ ("sslrootcert" | "sslcert" | "sslkey"), _) => return Err(AddressError::File(name.to_owned())),
            _ => kept.push(part),
        }
    }
    let query = if kept.is_empty() { String::new() } else { format!("?{}", kept.join("&")) };
    Ok((format!("{place}{query}"), mode))
}

/// What is wrong, with what lies beneath it.
fn text(error: &tokio_postgres::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const PLACE: &str = "postgres://anna:secret@db.example:5433/chats";

    #[test]
    fn tls_is_what_the_address_asks_for_and_nothing_is_guessed() {
        for (query, encrypted) in [
            ("", false),
            ("?sslmode=disable", false),
            ("?sslmode=require", true),
            ("?sslmode=verify-full", true),
            ("?application_name=x&sslmode=verify-full&connect_timeout=3", true),
        ] {
            let address = Address::read(&format!("{PLACE}{query}"), None).unwrap();
            assert_eq!(address.is_encrypted(), encrypted, "{query}");
            assert_eq!(address.config.get_ports(), [5433], "{query}");
        }
        let kept = Address::read(&format!("{PLACE}?sslmode=require&application_name=x"), None).unwrap();
        assert_eq!(kept.config.get_application_name(), Some("x"));
        let marked = Address::read("postgres://anna:sec?ret@db.example/chats?sslmode=require", None).unwrap();
        assert_eq!(marked.config.get_password(), Some(&b"sec?ret"[..]));
        assert!(marked.is_encrypted());
    }

    #[test]
    fn what_could_be_in_the_clear_or_leave_the_name_out_is_refused() {
        for mode in ["prefer", "allow", "verify-ca", "", "REQUIRE"] {
            let refused = Address::read(&format!("{PLACE}?sslmode={mode}"), None).unwrap_err();
            assert!(matches!(refused, AddressError::Mode(_)), "{mode}: {refused}");
        }
        // The last of two would win elsewhere: here each of them counts.
        assert!(Address::read(&format!("{PLACE}?sslmode=prefer&sslmode=require"), None).is_err());
        assert!(matches!(Address::read(&format!("{PLACE}?sslrootcert=x.pem"), None), Err(AddressError::File(_))));
        assert!(matches!(Address::read("host=db sslmode=require", None), Err(AddressError::NoUrl)));
    }

    #[test]
    fn authorities_that_are_none_are_refused() {
        for pem in ["", "nothing", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            let refused = Address::read(&format!("{PLACE}?sslmode=require"), Some(pem)).unwrap_err();
            assert!(matches!(refused, AddressError::Authorities(_)), "{pem}: {refused}");
        }
    }

    #[test]
    fn an_address_is_not_shown() {
        let address = Address::read(PLACE, None).unwrap();
        assert!(!format!("{address:?}").contains("secret"));
    }
}

//! What goes wrong inside: what another attempt may cure, what the caller is told.

use std::error::Error as _;

use deadpool_postgres::{PoolError, TimeoutType};
use mynah_ports::directory_store::{Error, Refusal};
use tokio_postgres::types::{WasNull, WrongType};

/// Why a store does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// What any call may run into.
    #[error(transparent)]
    Store(#[from] Error),
    /// A newer program has been here.
    #[error("the directory's database has schema {found}, made by a newer version; this one knows {known}")]
    Newer {
        /// The schema's version.
        found: usize,
        /// The newest version that this program knows.
        known: usize,
    },
    /// The database would not keep what it is given, or its address is none.
    #[error("the directory's database does not serve: {0}")]
    Unfit(String),
}

/// The engine's code for a transaction that was silent for too long: it is undone, and its connection ended.
const SILENT: &str = "25P03";

/// Why an attempt at some work ended.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The engine's word, or none from it.
    Engine(tokio_postgres::Error),
    /// The transaction did not begin: its connection was dead, nothing was done.
    NotBegun(tokio_postgres::Error),
    /// What it had locked by was another by then: nothing was done.
    Moved,
    /// The answer for the caller.
    Store(Error),
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Engine(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Store(Error::Refused(refusal))
    }
}

impl Failure {
    /// Nothing was done, and another attempt may do it: a deadlock, a serialization failure, a dead connection found in time.
    pub(crate) fn had_no_effect(&self) -> bool {
        match self {
            Self::NotBegun(_) | Self::Moved => true,
            Self::Engine(error) => class(error) == "40" || code(error) == SILENT,
            Self::Store(_) => false,
        }
    }

    /// The connection is gone, so that nobody knows whether anything was done.
    pub(crate) fn lost_the_connection(&self) -> bool {
        match self {
            Self::NotBegun(error) | Self::Engine(error) => {
                error.is_closed() || is_io(error) || code(error).starts_with("57P") || code(error) == SILENT
            }
            Self::Moved | Self::Store(_) => false,
        }
    }

    /// What the caller is told.
    pub(crate) fn answer(self) -> Error {
        match self {
            Self::Store(error) => error,
            Self::Moved => Error::Unavailable("what it needs keeps changing".into()),
            Self::Engine(error) | Self::NotBegun(error) => sort(&error),
        }
    }
}

/// Sorts what the pool says.
pub(crate) fn no_connection(error: &PoolError) -> Error {
    match error {
        PoolError::Timeout(TimeoutType::Wait) => Error::Overloaded,
        PoolError::Backend(error) => Error::Unavailable(text(error)),
        other => Error::Unavailable(other.to_string()),
    }
}

/// Damage is what contradicts the schema: constraints (23), values (22), names (42), the files themselves (XX).
fn sort(error: &tokio_postgres::Error) -> Error {
    let is_contradiction = error.source().is_some_and(|source| source.is::<WrongType>() || source.is::<WasNull>());
    if is_contradiction || ["22", "23", "42", "XX"].contains(&class(error)) {
        Error::Damaged(text(error))
    } else {
        Error::Unavailable(text(error))
    }
}

fn code(error: &tokio_postgres::Error) -> &str {
    error.code().map_or("", |code| code.code())
}

fn class(error: &tokio_postgres::Error) -> &str {
    code(error).get(..2).unwrap_or_default()
}

fn is_io(error: &tokio_postgres::Error) -> bool {
    error.source().is_some_and(|source| source.is::<std::io::Error>())
}

/// The engine's message, without its details: they quote what is stored.
fn text(error: &tokio_postgres::Error) -> String {
    match (error.as_db_error(), error.source()) {
        (Some(said), _) => format!("{} ({})", said.message(), said.code().code()),
        (None, Some(source)) => format!("{error}: {source}"),
        (None, None) => error.to_string(),
    }
}

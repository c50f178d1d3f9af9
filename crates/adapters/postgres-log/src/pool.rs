//! Connections: how they are set up, how long they may take, and when one is given up.

use std::error::Error as _;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool as Connections, PoolError, RecyclingMethod, Runtime};
use mynah_ports::message_log::Error;
use mynah_postgres_tls::Address;
use tokio_postgres::Row;
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;

/// What a statement is given.
pub(crate) type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// The settings of each session.
///
/// Every statement finds its rows by an index, also one whose plan was made while the tables were empty: other ways are off.
const SESSION: &str = "-c search_path=mynah_log -c synchronous_commit=on -c default_transaction_isolation=read\\ committed \
    -c jit=off -c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off";

/// Why a statement has no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The server says no: it has undone what the statement did.
    Refused(tokio_postgres::Error),
    /// No connection, or none any more, or no answer in time: whether it was done is not known.
    Lost(String),
}

/// Connections of one kind of work, so that another kind cannot use up its own.
#[derive(Clone)]
pub(crate) struct Pool {
    connections: Connections,
    within: Duration,
    gate: Gate,
}

/// Shut until somebody has looked whether the database is the right one. Nothing else is asked before.
pub(crate) type Gate = Arc<OnceLock<()>>;

impl Pool {
    pub(crate) fn new(address: &Address, size: usize, within: Duration, gate: &Gate) -> Result<Self, Error> {
        let Address { mut config, connector } = address.clone();
        let given = config.get_options().unwrap_or_default();
        config.options(format!("{given} {SESSION} -c statement_timeout={}", within.as_millis()));
        config.connect_timeout(within).tcp_user_timeout(within);
        // Only the one that takes writes has what was answered before.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        let manager = Manager::from_config(config, connector, ManagerConfig { recycling_method: RecyclingMethod::Fast });
        let connections = Connections::builder(manager).max_size(size).runtime(Runtime::Tokio1).build();
        let connections = connections.map_err(|error| Error::Unavailable(error.to_string()))?;
        Ok(Self { connections, within, gate: Arc::clone(gate) })
    }

    /// A connection, within the bound.
    pub(crate) async fn get(&self) -> Result<Object, Failure> {
        if self.gate.get().is_none() {
            return Err(Failure::Lost("it was not there when this process started, or is not the right one".into()));
        }
        self.connect().await
    }

    /// The same for who looks whether it is the right database.
    pub(crate) async fn connect(&self) -> Result<Object, Failure> {
        match tokio::time::timeout(self.within, self.connections.get()).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(PoolError::Backend(error))) => Err(Failure::Lost(text(&error))),
            Ok(Err(error)) => Err(Failure::Lost(error.to_string())),
            Err(_) => Err(Failure::Lost(format!("no connection within {} ms", self.within.as_millis()))),
        }
    }

    /// Runs a statement once.
    pub(crate) async fn run(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, Failure> {
        let connection = self.get().await?;
        Ok(self.run_on(connection, sql, params).await?.1)
    }

    /// Runs a statement once, over this connection, and gives it back if it is still good.
    pub(crate) async fn run_on(&self, connection: Object, sql: &str, params: Params<'_>) -> Result<(Object, Vec<Row>), Failure> {
        let asked = async {
            let statement = connection.prepare_cached(sql).await?;
            connection.query(&statement, params).await
        };
        let answered = tokio::time::timeout(self.within, asked).await;
        match answered {
            Ok(Ok(rows)) => Ok((connection, rows)),
            Ok(Err(error)) if is_refusal(&error) => Err(Failure::Refused(error)),
            Ok(Err(error)) => Err(Failure::Lost(text(&error))),
            Err(_) => {
                // Whatever is asked over it next would wait behind this answer.
                drop(Object::take(connection));
                Err(Failure::Lost(format!("no answer within {} ms", self.within.as_millis())))
            }
        }
    }

    /// Runs a statement that may run twice. A connection that turns out to be gone is no reason to fail: it is asked again.
    pub(crate) async fn repeat(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, Failure> {
        let connection = self.get().await?;
        match self.run_on(connection, sql, params).await {
            Ok((_, rows)) => Ok(rows),
            Err(Failure::Lost(_)) => self.run(sql, params).await,
            Err(refused) => Err(refused),
        }
    }

    /// Runs a statement that changes nothing.
    pub(crate) async fn read(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, Error> {
        Ok(self.repeat(sql, params).await?)
    }
}

/// The server undid the statement. One that is being shut down may have done it all the same.
fn is_refusal(error: &tokio_postgres::Error) -> bool {
    let class = |code: &SqlState| code.code().get(..2).is_some_and(|class| matches!(class, "57" | "58" | "08" | "XX"));
    error.code().is_some_and(|code| *code == SqlState::QUERY_CANCELED || !class(code))
}

impl Failure {
    /// In words.
    pub(crate) fn why(self) -> String {
        match self {
            Self::Lost(why) => why,
            Self::Refused(error) => text(&error),
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Unavailable(failure.why())
    }
}

/// What went wrong, with what lies beneath it: the client's own words are only "db error".
pub(crate) fn text(error: &tokio_postgres::Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        said = format!("{said}: {inner}");
        cause = inner.source();
    }
    said
}

//! The pool of connections, and how work runs over it: in attempts, each bounded, repeated only where nothing was done.

use std::time::Duration;

use deadpool_postgres::{GenericClient, Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime, Timeouts, Transaction};
use mynah_ports::deadline;
use mynah_ports::directory_store::Error;
use mynah_postgres_tls::Address;
use tokio_postgres::types::ToSql;
use tokio_postgres::{IsolationLevel, Row};

use crate::errors::{Failure, no_connection};

/// How long a caller waits for a connection of the pool before he is refused.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long a new connection may take.
const CONNECT: Duration = Duration::from_secs(3);

/// How long one attempt may take in all. The engine gives up before: a statement after 8 s, a wait for a lock after 5.
const ATTEMPT: Duration = Duration::from_secs(10);
const LIMITS: &str = "-c statement_timeout=8s -c lock_timeout=5s";

/// By how much the clocks of processes may differ that go by one.
const CLOCKS: Duration = Duration::from_secs(1);

/// The engine undoes a transaction of which it hears nothing for so long: a process that stands still in one holds its locks no longer, and
/// what it wants to be durable when it goes on is refused.
const SILENCE: Duration = deadline::LEAST.saturating_sub(CLOCKS);

/// [`SILENCE`] as a setting of the engine: its name, and its value in whole seconds as the engine tells it.
pub(crate) fn silence() -> (&'static str, String) {
    ("idle_in_transaction_session_timeout", format!("{}s", SILENCE.as_secs()))
}

/// Attempts at one piece of work: of those that deadlock, one goes through each time.
const ATTEMPTS: u32 = 6;

/// The pause before the second attempt; each further one waits as much longer.
const PAUSE: Duration = Duration::from_millis(5);

/// What a value of a statement is given as.
pub(crate) type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

/// The pool.
pub(crate) struct Engine {
    pool: Pool,
}

impl Engine {
    /// Makes the pool; connections are made when they are needed.
    pub(crate) fn new(address: &Address, connections: usize) -> Result<Self, Error> {
        let Address { mut config, connector } = address.clone();
        let (silence, seconds) = silence();
        let options = format!("{} {LIMITS} -c {silence}={seconds}", config.get_options().unwrap_or_default());
        config.options(options.trim()).connect_timeout(CONNECT).tcp_user_timeout(ATTEMPT).application_name("mynah-directory");
        let manager = Manager::from_config(config, connector, ManagerConfig { recycling_method: RecyclingMethod::Fast });
        let timeouts = Timeouts { wait: Some(PATIENCE), create: Some(CONNECT), recycle: Some(CONNECT) };
        let pool = Pool::builder(manager).max_size(connections).timeouts(timeouts).runtime(Runtime::Tokio1).build();
        Ok(Self { pool: pool.map_err(|error| Error::Unavailable(error.to_string()))? })
    }

    pub(crate) async fn connection(&self) -> Result<Object, Error> {
        self.pool.get().await.map_err(|error| no_connection(&error))
    }
}

/// What a transaction is for.
#[derive(Clone, Copy)]
pub(crate) enum Mode {
    /// Each statement sees what is committed by then: what comes after a lock sees what the lock waited for.
    Write,
    /// The same, and it is done however late: it settles what was decided before.
    Settle,
    /// All statements see one state.
    Snapshot,
}

pub(crate) async fn begin(conn: &mut Object, mode: Mode) -> Result<Transaction<'_>, Failure> {
    let builder = conn.build_transaction();
    let builder = match mode {
        Mode::Write | Mode::Settle => builder.isolation_level(IsolationLevel::ReadCommitted).read_only(false),
        Mode::Snapshot => builder.isolation_level(IsolationLevel::RepeatableRead).read_only(true),
    };
    builder.start().await.map_err(Failure::NotBegun)
}

/// Makes a transaction durable, unless its caller may have given it up by then.
pub(crate) async fn commit(tx: Transaction<'_>, mode: Mode) -> Result<(), Failure> {
    // Should this process stand still from here on, the engine takes the word for it no later than then.
    if matches!(mode, Mode::Write) && !deadline::leaves(deadline::LEAST) {
        metrics::counter!("mynah_directory_changes_too_late_total").increment(1);
        return Err(Error::TooLate.into());
    }
    Ok(tx.commit().await?)
}

/// An attempt, ended when it takes too long. None: it was.
pub(crate) async fn bounded<T>(attempt: impl Future<Output = Result<T, Failure>>) -> Option<Result<T, Failure>> {
    tokio::time::timeout(ATTEMPT, attempt).await.ok()
}

/// The attempts at one piece of work.
pub(crate) struct Attempts {
    made: u32,
    /// It only reads: it may be repeated whatever happened.
    reads: bool,
}

impl Attempts {
    pub(crate) fn of_write() -> Self {
        Self { made: 0, reads: false }
    }

    pub(crate) fn of_read() -> Self {
        Self { made: 0, reads: true }
    }

    /// What the caller is told after an attempt; none for another one.
    pub(crate) async fn settle<T>(&mut self, conn: Object, outcome: Option<Result<T, Failure>>) -> Option<Result<T, Error>> {
        self.made += 1;
        let failure = match outcome {
            Some(Ok(value)) => return Some(Ok(value)),
            Some(Err(failure)) => failure,
            None => {
                // Whatever it is waiting for would keep the next one waiting too.
                drop(Object::take(conn));
                return Some(Err(Error::Unavailable("PostgreSQL does not answer".into())));
            }
        };
        let is_lost = failure.lost_the_connection();
        if is_lost {
            drop(Object::take(conn));
        } else {
            drop(conn);
        }
        let may_repeat = failure.had_no_effect() || (is_lost && self.reads);
        if !may_repeat || self.made >= ATTEMPTS {
            return Some(Err(failure.answer()));
        }
        tokio::time::sleep(PAUSE * self.made).await;
        None
    }
}

/// Runs work in a transaction of a [`Mode`]; the answer comes when it is durable. A failure of the work undoes it.
macro_rules! transaction {
    ($engine:expr, $attempts:expr, $mode:expr, |$tx:ident| $work:expr) => {{
        let mut attempts = $attempts;
        loop {
            let mut conn = $engine.connection().await?;
            let attempt = async {
                let $tx = $crate::engine::begin(&mut conn, $mode).await?;
                let value = $work.await?;
                $crate::engine::commit($tx, $mode).await?;
                Ok(value)
            };
            let outcome = $crate::engine::bounded(attempt).await;
            if let Some(answer) = attempts.settle(conn, outcome).await {
                break answer;
            }
        }
    }};
}

/// Runs work that writes.
macro_rules! writing {
    ($engine:expr, |$tx:ident| $work:expr) => {
        transaction!($engine, $crate::engine::Attempts::of_write(), $crate::engine::Mode::Write, |$tx| $work)
    };
}

/// Runs work that writes how far something that was decided is done.
macro_rules! settling {
    ($engine:expr, |$tx:ident| $work:expr) => {
        transaction!($engine, $crate::engine::Attempts::of_write(), $crate::engine::Mode::Settle, |$tx| $work)
    };
}

/// Runs several reads that must see one state.
macro_rules! snapshot {
    ($engine:expr, |$tx:ident| $work:expr) => {
        transaction!($engine, $crate::engine::Attempts::of_read(), $crate::engine::Mode::Snapshot, |$tx| $work)
    };
}

/// Runs a read of one statement, which sees one state by itself.
macro_rules! reading {
    ($engine:expr, |$conn:ident| $work:expr) => {{
        let mut attempts = $crate::engine::Attempts::of_read();
        loop {
            let conn = $engine.connection().await?;
            let outcome = {
                let $conn = &conn;
                $crate::engine::bounded($work).await
            };
            if let Some(answer) = attempts.settle(conn, outcome).await {
                break answer;
            }
        }
    }};
}

/// The rows of a statement.
pub(crate) async fn rows(conn: &impl GenericClient, sql: &str, values: Values<'_>) -> Result<Vec<Row>, Failure> {
    let statement = conn.prepare_cached(sql).await?;
    Ok(conn.query(&statement, values).await?)
}

/// The row of a statement, if it has one.
pub(crate) async fn row(conn: &impl GenericClient, sql: &str, values: Values<'_>) -> Result<Option<Row>, Failure> {
    let statement = conn.prepare_cached(sql).await?;
    Ok(conn.query_opt(&statement, values).await?)
}

/// The row of a statement that always has one.
pub(crate) async fn one(conn: &impl GenericClient, sql: &str, values: Values<'_>) -> Result<Row, Failure> {
    let statement = conn.prepare_cached(sql).await?;
    Ok(conn.query_one(&statement, values).await?)
}

/// Runs a statement; how many rows it changed.
pub(crate) async fn run(conn: &impl GenericClient, sql: &str, values: Values<'_>) -> Result<u64, Failure> {
    let statement = conn.prepare_cached(sql).await?;
    Ok(conn.execute(&statement, values).await?)
}

/// A number as the engine keeps it. None of ours is above its bound; one that is names nothing.
pub(crate) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Numbers as the engine keeps them.
pub(crate) fn ints(numbers: impl IntoIterator<Item = impl Into<u64>>) -> Vec<i64> {
    numbers.into_iter().map(|number| int(number.into())).collect()
}

/// A count as the engine keeps it.
pub(crate) fn size(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Reads a number.
pub(crate) fn number<T: TryFrom<i64>>(row: &Row, column: usize) -> Result<T, Failure> {
    T::try_from(row.try_get(column)?).map_err(|_| damaged(column))
}

/// Reads a number of a narrow column.
pub(crate) fn small(row: &Row, column: usize) -> Result<u8, Failure> {
    u8::try_from(row.try_get::<_, i16>(column)?).map_err(|_| damaged(column))
}

fn damaged(column: usize) -> Failure {
    Failure::Store(Error::Damaged(format!("the number of column {column} is out of bounds")))
}

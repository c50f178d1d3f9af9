//! Threads that own the connections: one writer that commits what waited as one transaction, and readers.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use mynah_ports::directory_store::Error;
use parking_lot::Mutex;
use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use crate::schema;

/// Writes that may wait: a commit takes milliseconds and takes all that waits. A full queue makes callers wait up to [`PATIENCE`].
const WRITE_QUEUE: usize = 512;

/// Writes in one commit, so that the first of a long queue is not kept waiting.
const GROUP: usize = 128;

/// Reads that may wait. A full queue makes callers wait up to [`PATIENCE`].
const READ_QUEUE: usize = 512;

/// Reader connections: reads are short and mostly answered from the page cache.
const READERS: usize = 3;

/// How long a caller waits for a place in a queue before he is refused.
const PATIENCE: Duration = Duration::from_secs(1);

type ReadJob = Box<dyn FnOnce(&mut Connection) + Send>;

/// A write in two steps: run inside the group's transaction, answered when that has been committed.
trait WriteJob: Send {
    fn run(&mut self, tx: &mut Transaction<'_>);
    fn finish(self: Box<Self>, committed: Result<(), String>);
}

struct Write<F, T> {
    work: Option<F>,
    outcome: Option<Result<T, Error>>,
    reply: oneshot::Sender<Result<T, Error>>,
}

impl<F, T> WriteJob for Write<F, T>
where
    F: FnOnce(&Connection) -> Result<T, Error> + Send,
    T: Send,
{
    fn run(&mut self, tx: &mut Transaction<'_>) {
        let Some(work) = self.work.take() else { return };
        // A bug in one write must not take the writer, and with it every later write, down.
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let savepoint = tx.savepoint().map_err(failed)?;
            let value = work(&savepoint)?;
            savepoint.commit().map_err(failed)?;
            Ok(value)
        }));
        self.outcome = Some(outcome.unwrap_or_else(|_| Err(Error::Damaged("a write panicked".into()))));
    }

    fn finish(self: Box<Self>, committed: Result<(), String>) {
        let outcome = match (committed, self.outcome) {
            (Ok(()), Some(outcome)) => outcome,
            (Ok(()), None) => Err(Error::Unavailable("the write was not run".into())),
            (Err(why), _) => Err(Error::Unavailable(why)),
        };
        // The caller may have gone: what was committed stays committed.
        _ = self.reply.send(outcome);
    }
}

/// The running threads. Dropping it ends them, after what they hold.
pub(crate) struct Engine {
    writes: Option<mpsc::Sender<Box<dyn WriteJob>>>,
    reads: Option<mpsc::Sender<ReadJob>>,
    threads: Vec<JoinHandle<()>>,
}

impl Engine {
    /// Opens the file, creates or migrates it, starts the threads.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        schema::create_private(path)?;
        let mut writer = schema::open(path)?;
        schema::migrate(&mut writer)?;
        let (writes, mut waiting) = mpsc::channel::<Box<dyn WriteJob>>(WRITE_QUEUE);
        let mut threads = vec![spawn("directory-writer", move || {
            let mut group = Vec::with_capacity(GROUP);
            while waiting.blocking_recv().map(|job| group.push(job)).is_some() {
                while group.len() < GROUP
                    && let Ok(job) = waiting.try_recv()
                {
                    group.push(job);
                }
                commit(&mut writer, &mut group);
            }
        })?];
        let (reads, waiting) = mpsc::channel::<ReadJob>(READ_QUEUE);
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..READERS {
            let mut reader = schema::open(path)?;
            reader.execute_batch("PRAGMA query_only = ON").map_err(failed)?;
            let waiting = Arc::clone(&waiting);
            threads.push(spawn("directory-reader", move || {
                // One reader waits at the queue, the others behind it at the lock.
                loop {
                    let Some(job) = waiting.lock().blocking_recv() else { return };
                    job(&mut reader);
                }
            })?);
        }
        Ok(Self { writes: Some(writes), reads: Some(reads), threads })
    }

    /// Runs `work` in a transaction; the answer comes when it is durable. An error of `work` undoes it, and only it.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        enqueue(self.writes.as_ref(), Box::new(Write { work: Some(work), outcome: None, reply })).await?;
        answer.await.unwrap_or_else(|_| Err(closed()))
    }

    /// Runs `work` in a read transaction: it sees one state of the file.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        let job: ReadJob = Box::new(move |conn| {
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                let tx = conn.transaction().map_err(failed)?;
                work(&tx)
            }));
            _ = reply.send(outcome.unwrap_or_else(|_| Err(Error::Damaged("a read panicked".into()))));
        });
        enqueue(self.reads.as_ref(), job).await?;
        answer.await.unwrap_or_else(|_| Err(closed()))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.writes = None;
        self.reads = None;
        for thread in self.threads.drain(..) {
            // A thread that panicked has nothing left to wait for.
            _ = thread.join();
        }
    }
}

async fn enqueue<J>(queue: Option<&mpsc::Sender<J>>, job: J) -> Result<(), Error> {
    let queue = queue.ok_or_else(closed)?;
    match queue.send_timeout(job, PATIENCE).await {
        Ok(()) => Ok(()),
        Err(mpsc::error::SendTimeoutError::Timeout(_)) => Err(Error::Overloaded),
        Err(mpsc::error::SendTimeoutError::Closed(_)) => Err(closed()),
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Error> {
    std::thread::Builder::new().name(name.into()).spawn(run).map_err(|e| Error::Unavailable(format!("no thread: {e}")))
}

/// Runs a group as one transaction: one wait for the disk for all of them.
fn commit(conn: &mut Connection, group: &mut Vec<Box<dyn WriteJob>>) {
    let committed = conn.transaction_with_behavior(TransactionBehavior::Immediate).and_then(|mut tx| {
        group.iter_mut().for_each(|job| job.run(&mut tx));
        tx.commit()
    });
    let committed = committed.map_err(|e| e.to_string());
    for job in group.drain(..) {
        job.finish(committed.clone());
    }
}

fn closed() -> Error {
    Error::Unavailable("the store is closed".into())
}

/// Sorts the engine's errors: what another try may cure, and what someone must look at.
pub(crate) fn failed(error: rusqlite::Error) -> Error {
    let text = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch) => {
            Error::Damaged(text)
        }
        Some(_) => Error::Unavailable(text),
        None => Error::Damaged(text),
    }
}

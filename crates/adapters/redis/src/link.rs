//! The connection: made when it is needed, again when it is lost, and never waited for longer than the bound.

use std::fmt::Display;
use std::time::Duration;

use mynah_ports::presence::Error;
use parking_lot::Mutex;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, ErrorKind, Pipeline, ServerErrorKind, Value};
use tokio::time::timeout;

use crate::settings::{InvalidSettings, Settings};

/// So many calls without an answer in a row, and the connection counts as dead: a partition does not close it.
const SILENT: u32 = 3;
/// Calls that may wait for their turn to be written.
const QUEUE: usize = 1024;

pub(crate) struct Link {
    client: Client,
    within: Duration,
    state: Mutex<State>,
}

struct State {
    manager: ConnectionManager,
    /// Counts the connections, so that the silence of an old one says nothing about a new one.
    number: u64,
    silent: u32,
}

pub(crate) fn unavailable(why: impl Display) -> Error {
    Error::Unavailable(why.to_string())
}

fn connect(client: &Client, within: Duration) -> Result<ConnectionManager, redis::RedisError> {
    // One attempt at a time and a failure at once: the next call tries again, and the heartbeat is one.
    let config = ConnectionManagerConfig::new()
        .set_number_of_retries(0)
        .set_connection_timeout(Some(within))
        .set_response_timeout(Some(within))
        .set_pipeline_buffer_size(QUEUE);
    ConnectionManager::new_lazy_with_config(client.clone(), config)
}

impl Link {
    pub(crate) fn new(settings: &Settings) -> Result<Self, InvalidSettings> {
        let wrong = |error: redis::RedisError| InvalidSettings(error.to_string());
        let client = Client::open(settings.url.as_str()).map_err(wrong)?;
        let manager = connect(&client, settings.answer_within).map_err(wrong)?;
        let state = Mutex::new(State { manager, number: 0, silent: 0 });
        Ok(Self { client, within: settings.answer_within, state })
    }

    /// One round trip, but for a server that does not know the scripts: two more.
    pub(crate) async fn ask(&self, commands: &Pipeline) -> Result<Vec<Value>, Error> {
        let (mut manager, number) = {
            let state = self.state.lock();
            (state.manager.clone(), state.number)
        };
        match timeout(self.within, run(&mut manager, commands)).await {
            Ok(Ok(answers)) => {
                self.heard(number);
                Ok(answers)
            }
            Ok(Err(error)) if error.is_timeout() => Err(self.not_heard(number)),
            Ok(Err(error)) => Err(unavailable(error)),
            Err(_) => Err(self.not_heard(number)),
        }
    }

    fn heard(&self, number: u64) {
        let mut state = self.state.lock();
        if state.number == number {
            state.silent = 0;
        }
    }

    fn not_heard(&self, number: u64) -> Error {
        let mut state = self.state.lock();
        if state.number == number {
            state.silent += 1;
            if state.silent >= SILENT {
                match connect(&self.client, self.within) {
                    Ok(manager) => *state = State { manager, number: number + 1, silent: 0 },
                    Err(error) => tracing::warn!(%error, "presence cannot be connected anew"),
                }
            }
        }
        unavailable("no answer in time")
    }
}

async fn run(manager: &mut ConnectionManager, commands: &Pipeline) -> redis::RedisResult<Vec<Value>> {
    match commands.query_async(manager).await {
        Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
            crate::scripts::load().query_async::<()>(manager).await?;
            commands.query_async(manager).await
        }
        answers => answers,
    }
}

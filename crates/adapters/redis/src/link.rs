//! The connection: made when it is needed, again when it is lost, and never waited for longer than the bound.

use std::fmt::Display;
use std::time::Duration;

use futures_util::future::join_all;
use mynah_ports::presence::Error;
use redis::aio::MultiplexedConnection;
use redis::cluster_async::ClusterConnection;
use redis::{ErrorKind, Pipeline, RedisError, RedisResult, ServerErrorKind, Value};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

use crate::scripts::{Call, Form};
use crate::settings::{InvalidSettings, Settings};
use crate::source::Source;

/// So many calls without an answer, with one server in a row, and the connection counts as dead: a partition does not close it.
const SILENT: u32 = 3;
pub(crate) struct Link {
    within: Duration,
    state: Mutex<State>,
}

struct State {
    source: Source,
    connection: Option<Connection>,
    /// Counts the connections, so that the silence of an old one says nothing about a new one.
    number: u64,
    silent: u32,
}

#[derive(Clone)]
pub(crate) enum Connection {
    /// To one server.
    One(MultiplexedConnection),
    /// To all masters of a cluster.
    Cluster(ClusterConnection),
}

/// Why there is no answer.
enum Failure {
    Late,
    Refused(RedisError),
}

pub(crate) fn unavailable(why: impl Display) -> Error {
    Error::Unavailable(why.to_string())
}

impl Connection {
    async fn ask(&self, calls: &[Call], until: Instant) -> Vec<Result<Value, Failure>> {
        match self {
            Self::One(connection) => match timeout_at(until, pipeline(connection.clone(), calls)).await {
                Ok(Ok(answers)) => answers.into_iter().map(Ok).collect(),
                Ok(Err(error)) => calls.iter().map(|_| Err(Failure::Refused(error.clone()))).collect(),
                Err(_) => calls.iter().map(|_| Err(Failure::Late)).collect(),
            },
            Self::Cluster(connection) => {
                let one = |call| async move {
                    let asked = timeout_at(until, single(connection.clone(), call)).await;
                    asked.map_err(|_| Failure::Late)?.map_err(Failure::Refused)
                };
                join_all(calls.iter().map(one)).await
            }
        }
    }
}

fn is_unknown_script(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}

/// One round trip, but for a server that does not know a script: one more.
async fn pipeline(mut connection: MultiplexedConnection, calls: &[Call]) -> RedisResult<Vec<Value>> {
    let all = |form| {
        let mut commands = Pipeline::new();
        for call in calls {
            commands.add_command(call.command(form));
        }
        commands
    };
    match all(Form::Hash).query_async(&mut connection).await {
        Err(error) if is_unknown_script(&error) => all(Form::Text).query_async(&mut connection).await,
        answers => answers,
    }
}

/// One call, to whichever node has its slot.
async fn single(mut connection: ClusterConnection, call: &Call) -> RedisResult<Value> {
    match call.command(Form::Hash).query_async(&mut connection).await {
        Err(error) if is_unknown_script(&error) => call.command(Form::Text).query_async(&mut connection).await,
        answer => answer,
    }
}

impl Link {
    pub(crate) fn new(settings: &Settings) -> Result<Self, InvalidSettings> {
        let source = Source::new(settings)?;
        let state = Mutex::new(State { source, connection: None, number: 0, silent: 0 });
        Ok(Self { within: settings.answer_within, state })
    }

    /// Asks all at once: one round trip to each server. An answer for each call.
    pub(crate) async fn ask(&self, calls: &[Call]) -> Vec<Result<Value, Error>> {
        let until = Instant::now() + self.within;
        let none = |why: &dyn Display| calls.iter().map(|_| Err(unavailable(why))).collect();
        let (connection, number) = match timeout_at(until, self.connection()).await {
            Ok(Ok(connected)) => connected,
            Ok(Err(error)) => return none(&error),
            Err(_) => return none(&"no connection in time"),
        };
        let answers = connection.ask(calls, until).await;
        self.judge(number, &answers).await;
        let told = |failure| match failure {
            Failure::Late => unavailable("no answer in time"),
            Failure::Refused(error) => unavailable(error),
        };
        answers.into_iter().map(|answer| answer.map_err(told)).collect()
    }

    /// Callers wait while one of them connects.
    async fn connection(&self) -> RedisResult<(Connection, u64)> {
        let mut state = self.state.lock().await;
        if let Some(connection) = &state.connection {
            return Ok((connection.clone(), state.number));
        }
        let connection = state.source.connect(self.within).await?;
        state.number += 1;
        state.silent = 0;
        state.connection = Some(connection.clone());
        Ok((connection, state.number))
    }

    /// Gives a connection up that is of no use any more: a cluster's too when one node is silent, since another may have its part now.
    async fn judge(&self, number: u64, answers: &[Result<Value, Failure>]) {
        let mut state = self.state.lock().await;
        if state.number != number {
            return;
        }
        let is_one = matches!(state.connection, Some(Connection::One(_)));
        let is_late = |answer: &Result<Value, Failure>| matches!(answer, Err(Failure::Late));
        if answers.iter().any(Result::is_ok) && !answers.iter().any(is_late) {
            // One node of a cluster that answers says nothing of the others.
            if is_one {
                state.silent = 0;
            }
            return;
        }
        state.silent += 1;
        let is_broken = |answer: &Result<Value, Failure>| matches!(answer, Err(Failure::Refused(error)) if !error.is_timeout());
        if state.silent >= SILENT || (is_one && answers.iter().any(is_broken)) {
            state.connection = None;
        }
    }
}

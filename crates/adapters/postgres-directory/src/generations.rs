//! Numbers that rise over all processes of the deployment.

use mynah_ports::directory_store::Error;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::engine::{Engine, number, one, size};

/// Those who want a number. Processes share the counter, so that none may keep numbers for later: another process would have given higher
/// ones by then. Instead all who wait at one moment are served by one write.
#[derive(Default)]
pub(crate) struct Generations {
    waiting: Mutex<Vec<oneshot::Sender<u64>>>,
    turn: tokio::sync::Mutex<()>,
}

impl Generations {
    pub(crate) async fn next(&self, engine: &Engine) -> Result<u64, Error> {
        let (reply, mut answer) = oneshot::channel();
        self.waiting.lock().push(reply);
        let _turn = self.turn.lock().await;
        // Whoever had the turn before served those who waited with him.
        if let Ok(number) = answer.try_recv() {
            return Ok(number);
        }
        // Neither the caller's own place nor those of callers who left need a number.
        drop(answer);
        let mut others = std::mem::take(&mut *self.waiting.lock());
        others.retain(|other| !other.is_closed());
        let last = reserve(engine, others.len() + 1).await?;
        for (number, other) in (1..last).rev().zip(others) {
            _ = other.send(number);
        }
        Ok(last)
    }
}

/// Reserves numbers and answers the last of them.
async fn reserve(engine: &Engine, count: usize) -> Result<u64, Error> {
    settling!(engine, |tx| async {
        let sql = "UPDATE counters SET value = value + $1 WHERE name = 'generation' RETURNING value";
        number::<u64>(&one(&tx, sql, &[&size(count)]).await?, 0)
    })
}

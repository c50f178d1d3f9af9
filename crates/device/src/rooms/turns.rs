//! When a room may push: in short turns with a rest behind each, so that other work of the gateway waits for a moment and not for a
//! room. What gathers meanwhile goes together, so that a rest costs a room hardly any throughput.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// How long a turn is, by the clock: a chunk of connections more, since it ends between two.
const TURN: Duration = Duration::from_millis(1);

/// The turns of a gateway: as many rooms at one time as it has processors.
#[derive(Debug, Clone)]
pub(crate) struct Turns(Arc<Semaphore>);

/// A room's turn. The next room has it when it is dropped.
pub(crate) struct Turn<'a> {
    turns: &'a Turns,
    permit: Option<SemaphorePermit<'a>>,
    since: Instant,
}

impl Default for Turns {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(std::thread::available_parallelism().map_or(1, Into::into))))
    }
}

impl Turns {
    /// Waits for a turn; rooms have them in the order in which they asked.
    pub(crate) async fn begin(&self) -> Turn<'_> {
        // It is never closed: without a permit nothing is harmed but the bound.
        Turn { turns: self, permit: self.0.acquire().await.ok(), since: Instant::now() }
    }
}

impl Turn<'_> {
    /// Between two chunks: everybody else has a turn. At the end of the room's it rests as long as the turn took, by which a gateway
    /// that is busy otherwise gives rooms less, and waits until it may go on.
    pub(crate) async fn go_on(&mut self) {
        tokio::task::yield_now().await;
        let Some(rest) = rest(self.since.elapsed()) else { return };
        tokio::time::sleep(rest).await;
        self.permit = None;
        *self = self.turns.begin().await;
    }
}

/// How long to rest after so much of a turn; none: it is not over.
fn rest(took: Duration) -> Option<Duration> {
    (took >= TURN).then_some(took)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_leaves_half_of_the_time_to_others() {
        let (mut worked, mut now, mut since) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
        while now < Duration::from_secs(1) {
            worked += Duration::from_micros(150);
            now += Duration::from_micros(150);
            if let Some(rest) = rest(now - since) {
                now += rest;
                since = now;
            }
        }
        assert!((0.45..=0.51).contains(&worked.as_secs_f64()), "{worked:?}");
    }

    #[tokio::test]
    async fn who_asked_first_has_the_next_turn() {
        let turns = Turns(Arc::new(Semaphore::new(1)));
        let mut first = turns.begin().await;
        let order = std::cell::RefCell::new(Vec::new());
        let second = async {
            drop(turns.begin().await);
            order.borrow_mut().push("second");
        };
        let goes_on = async {
            first.since -= TURN;
            first.go_on().await;
            order.borrow_mut().push("first");
        };
        tokio::join!(second, goes_on);
        assert_eq!(order.into_inner(), ["second", "first"]);
    }
}

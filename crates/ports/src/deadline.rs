//! The moment at which a caller gives a call up. What his call changes later he may have changed otherwise since, elsewhere: a store
//! that several processes share makes nothing durable then.

use std::future::Future;
use std::time::{Duration, Instant};

/// A store that several processes share makes nothing durable for a caller who waits for less than this: it has to be sure before he gives
/// up that it will not do so after.
pub const LEAST: Duration = Duration::from_secs(3);

tokio::task_local! {
    static DEADLINE: Instant;
}

/// Works for a call that is given up at `deadline`; none: when whatever this is a part of is given up, if it ever is.
pub async fn until<F: Future>(deadline: Option<Instant>, work: F) -> F::Output {
    match deadline {
        Some(deadline) => DEADLINE.scope(deadline, work).await,
        None => work.await,
    }
}

/// When the call that this task works for is given up, if it ever is.
#[must_use]
pub fn get() -> Option<Instant> {
    DEADLINE.try_with(|deadline| *deadline).ok()
}

/// Whether what takes effect `within` from now is in time.
#[must_use]
pub fn leaves(within: Duration) -> bool {
    get().is_none_or(|deadline| Instant::now() + within <= deadline)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_deadline_holds_for_the_work_under_it() {
        const MINUTE: Duration = Duration::from_secs(60);
        assert_eq!((get(), leaves(MINUTE)), (None, true), "nobody gives it up");
        let soon = Instant::now() + MINUTE;
        until(Some(soon), async {
            assert_eq!(get(), Some(soon));
            assert_eq!((leaves(MINUTE / 2), leaves(MINUTE * 2)), (true, false));
            until(None, async { assert_eq!(get(), Some(soon)) }).await;
        })
        .await;
        let past = Instant::now() - Duration::from_millis(1);
        until(Some(past), async { assert!(!leaves(Duration::ZERO)) }).await;
        assert_eq!(get(), None);
    }
}

//! Nobody knows what was not delivered: the users' groups are read again, and every device looks at everything.
//!
//! That takes as long as there are users, so that nobody waits for it. Until it is over who is in which group may be out of date here:
//! what groups say is not pushed then, their members hear where the group stands, and find what they may see.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use mynah_types::{AppId, Reason, Uid};
use parking_lot::Mutex;

use crate::devices::Inner;

/// Users whose groups are read again at one time.
const AT_ONCE: usize = 16;
/// How long those wait who could not be read.
const PAUSE: Duration = Duration::from_millis(500);

/// Whether one is under way, and whether another one was asked for since it began.
#[derive(Debug, Default)]
pub(crate) struct Resyncs(Mutex<State>);

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    None,
    UnderWay,
    /// From its beginning again: what was read may be out of date.
    Again,
}

impl Resyncs {
    pub(crate) fn is_under_way(&self) -> bool {
        *self.0.lock() != State::None
    }

    /// Asks for one. True if the caller has to see to it.
    fn ask(&self) -> bool {
        let mut state = self.0.lock();
        let first = *state == State::None;
        *state = if first { State::UnderWay } else { State::Again };
        first
    }

    /// One is over. True if another one was asked for.
    fn over(&self) -> bool {
        let mut state = self.0.lock();
        let again = *state == State::Again;
        *state = if again { State::UnderWay } else { State::None };
        again
    }
}

impl Inner {
    /// Begins it, or has the one that is under way begin anew.
    pub(crate) fn resync(self: &Arc<Self>) {
        if !self.resyncs.ask() {
            return;
        }
        let inner = Arc::clone(self);
        tokio::spawn(async move {
            loop {
                metrics::counter!("mynah_device_resyncs_total").increment(1);
                inner.resync_all().await;
                if !inner.resyncs.over() {
                    return;
                }
            }
        });
    }

    /// Until each user who is connected has been read, or is gone.
    async fn resync_all(&self) {
        let mut users = self.hub.users();
        loop {
            let mut left = Vec::new();
            for some in users.chunks(AT_ONCE) {
                let read = join_all(some.iter().map(|(uid, app)| self.resync_user(*uid, *app))).await;
                left.extend(some.iter().zip(read).filter(|(_, read)| !read).map(|(user, _)| *user));
            }
            if left.is_empty() {
                return;
            }
            tracing::warn!(users = left.len(), "users' groups are not read again yet");
            tokio::time::sleep(PAUSE).await;
            users = left;
        }
    }

    /// First his groups, so that nothing is missed between what he finds and what is pushed to him then. False if they cannot be read now.
    async fn resync_user(&self, uid: Uid, app: AppId) -> bool {
        if self.hub.connections_of(uid).is_empty() {
            return true;
        }
        match self.read_groups_anew(app.0, uid).await {
            Err(failure) if failure.why().is_retryable() => return false,
            // A user who is no more loses his connections by another way.
            Err(failure) if failure.why() != Reason::UserNotFound => {
                tracing::error!(%uid, error = %failure, "a user's groups cannot be read again");
            }
            Ok(()) | Err(_) => {}
        }
        self.hub.connections_of(uid).iter().for_each(|out| out.missed_much());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_under_way_at_a_time_and_what_is_asked_for_meanwhile_follows() {
        let resyncs = Resyncs::default();
        assert!(!resyncs.is_under_way());
        assert!(resyncs.ask() && !resyncs.ask() && !resyncs.ask());
        assert!(resyncs.over() && resyncs.is_under_way(), "asked for while it ran");
        assert!(!resyncs.over() && !resyncs.is_under_way());
        assert!(resyncs.ask());
    }
}

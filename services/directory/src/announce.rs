//! Change events: told after the commit, beside the calls.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use mynah_ports::Changes;
use mynah_ports::changes::{Change, Subject};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Subjects that wait. Beyond that whoever reads is told to read everything again.
const MOST: usize = 4096;

/// Changes on their way at one time.
const AT_ONCE: usize = 64;

/// The pause after one that could not be told.
const PAUSE: Duration = Duration::from_millis(500);

/// What changed and is not told yet. A call never waits for it.
pub(crate) struct Announcer {
    changes: Option<Arc<dyn Changes>>,
    waiting: Mutex<Waiting>,
    wake: Notify,
}

#[derive(Default)]
struct Waiting {
    /// The highest version of each subject.
    subjects: BTreeMap<Subject, u64>,
    everything: bool,
}

impl Waiting {
    fn add_everything(&mut self) {
        self.subjects.clear();
        self.everything = true;
    }
}

impl Announcer {
    /// It begins with everything: a process that died before this one began may have left changes untold.
    pub(crate) fn new(changes: Option<Arc<dyn Changes>>) -> Self {
        let waiting = Waiting { everything: true, ..Waiting::default() };
        Self { changes, waiting: Mutex::new(waiting), wake: Notify::new() }
    }

    /// Notes a change that was committed; version 0 for what has none.
    pub(crate) fn tell(&self, subject: Subject, version: u64) {
        if self.changes.is_none() {
            return;
        }
        let mut waiting = self.waiting.lock();
        if waiting.subjects.len() >= MOST {
            waiting.add_everything();
        } else if !waiting.everything {
            let known = waiting.subjects.entry(subject).or_default();
            *known = version.max(*known);
        }
        drop(waiting);
        self.wake.notify_one();
    }

    /// Tells what is noted, for as long as it is polled.
    pub(crate) async fn run(&self) {
        let Some(changes) = &self.changes else { return };
        loop {
            let next = self.take();
            if next.is_empty() {
                self.wake.notified().await;
                continue;
            }
            let told = join_all(next.into_iter().map(|change| changes.publish(change))).await;
            if let Some(error) = told.into_iter().find_map(Result::err) {
                metrics::counter!("mynah_directory_changes_untold_total").increment(1);
                tracing::warn!(%error, "a change was not told: everything is to be read again");
                self.waiting.lock().add_everything();
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    fn take(&self) -> Vec<Change> {
        let change = |subject, version| Change { subject, version, traceparent: None };
        let mut waiting = self.waiting.lock();
        if std::mem::take(&mut waiting.everything) {
            return vec![change(Subject::Everything, 0)];
        }
        let next = std::iter::from_fn(|| waiting.subjects.pop_first()).take(AT_ONCE);
        next.map(|(subject, version)| change(subject, version)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use async_trait::async_trait;
    use mynah_ports::changes::{Error, Heard};
    use mynah_types::{AppId, Uid};

    /// Told of nothing for a while.
    #[derive(Default)]
    struct Away {
        refusals: Mutex<usize>,
        told: Mutex<Vec<Change>>,
        came: Notify,
    }

    #[async_trait]
    impl Changes for Away {
        async fn publish(&self, change: Change) -> Result<(), Error> {
            let mut refusals = self.refusals.lock();
            if *refusals > 0 {
                *refusals -= 1;
                return Err(Error::Unavailable("away".into()));
            }
            self.told.lock().push(change);
            self.came.notify_one();
            Ok(())
        }

        async fn next(&self, _max: usize) -> Option<Heard> {
            None
        }
    }

    fn subjects(away: &Away) -> Vec<Subject> {
        std::mem::take(&mut *away.told.lock()).into_iter().map(|change| change.subject).collect()
    }

    #[tokio::test]
    async fn what_could_not_be_told_becomes_everything() {
        let away = Arc::new(Away::default());
        let announcer = Arc::new(Announcer::new(Some(Arc::clone(&away) as Arc<dyn Changes>)));
        let running = Arc::clone(&announcer);
        let running = tokio::spawn(async move { running.run().await });
        away.came.notified().await;
        assert_eq!(subjects(&away), [Subject::Everything]);
        announcer.tell(Subject::User(Uid(1)), 0);
        away.came.notified().await;
        assert_eq!(subjects(&away), [Subject::User(Uid(1))]);
        *away.refusals.lock() = 2;
        announcer.tell(Subject::User(Uid(2)), 0);
        away.came.notified().await;
        assert_eq!(subjects(&away), [Subject::Everything]);
        running.abort();
    }

    #[tokio::test]
    async fn what_waits_is_bounded_and_each_subject_is_told_once() {
        let announcer = Announcer::new(Some(Arc::new(Away::default())));
        let everything = announcer.take();
        assert_eq!(everything.len(), 1);
        for version in [3, 4, 2] {
            announcer.tell(Subject::Group(7), version);
        }
        let told = announcer.take();
        assert_eq!(told.iter().map(|change| (change.subject, change.version)).collect::<Vec<_>>(), [(Subject::Group(7), 4)]);
        for number in 0..=MOST as u64 {
            announcer.tell(Subject::App(AppId(number)), 0);
        }
        assert_eq!(announcer.take().iter().map(|change| change.subject).collect::<Vec<_>>(), [Subject::Everything]);
        assert!(announcer.take().is_empty());
    }
}

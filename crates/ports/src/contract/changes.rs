//! What every [`Changes`] must do. An adapter's test names a function that makes one of its own that has room for 16 unheard changes:
//!
//! ```ignore
//! mynah_ports::changes_contract!(fresh);
//! ```

#![allow(clippy::unwrap_used, missing_docs, reason = "a test suite: the cases are named for what they hold")]

use mynah_types::{AppId, Uid};

use crate::Changes;
use crate::changes::{Change, Heard, Subject};

/// Makes one `#[tokio::test]` of each case of the suite.
#[macro_export]
macro_rules! changes_contract {
    ($fresh:path) => {
        $crate::changes_contract!(@cases $fresh;
            a_reader_begins_with_everything, a_change_arrives_as_it_was, changes_of_a_subject_keep_their_order,
            pages_of_changes_are_bounded, what_cannot_be_told_is_everything, nothing_is_missed_in_silence
        );
    };
    (@cases $fresh:path; $($case:ident),+) => {
        $(
            #[tokio::test]
            async fn $case() {
                $crate::contract::changes::$case(&$fresh()).await;
            }
        )+
    };
}

/// A change of a group.
#[must_use]
pub fn change(gid: u64, version: u64) -> Change {
    let traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into());
    Change { subject: Subject::Group(gid), version, traceparent }
}

async fn begun(changes: &impl Changes) -> &impl Changes {
    assert_eq!(changes.next(16).await.unwrap(), Heard::Everything);
    changes
}

async fn take(changes: &impl Changes, count: usize, max: usize) -> Vec<Change> {
    let mut taken = Vec::new();
    while taken.len() < count {
        let Heard::Changes(page) = changes.next(max).await.unwrap() else { panic!("there was room for all") };
        assert!(!page.is_empty() && page.len() <= max);
        taken.extend(page);
    }
    taken
}

pub async fn a_reader_begins_with_everything(changes: &impl Changes) {
    begun(changes).await;
}

pub async fn a_change_arrives_as_it_was(changes: &impl Changes) {
    let changes = begun(changes).await;
    for subject in [Subject::App(AppId(1)), Subject::User(Uid(2)), Subject::Group(3), Subject::Room(4)] {
        for version in [0, u64::MAX] {
            let sent = Change { subject, ..change(1, version) };
            changes.publish(sent.clone()).await.unwrap();
            assert_eq!(take(changes, 1, 1).await, [sent]);
        }
    }
}

pub async fn changes_of_a_subject_keep_their_order(changes: &impl Changes) {
    let changes = begun(changes).await;
    for version in 1..=4 {
        changes.publish(change(1, version)).await.unwrap();
        changes.publish(change(2, version)).await.unwrap();
    }
    let taken = take(changes, 8, 16).await;
    for gid in [1, 2] {
        let of_one: Vec<u64> =
            taken.iter().filter(|change| change.subject == Subject::Group(gid)).map(|change| change.version).collect();
        assert_eq!(of_one, [1, 2, 3, 4]);
    }
}

pub async fn pages_of_changes_are_bounded(changes: &impl Changes) {
    let changes = begun(changes).await;
    for version in 1..=5 {
        changes.publish(change(1, version)).await.unwrap();
    }
    assert_eq!(take(changes, 5, 2).await.len(), 5);
}

pub async fn nothing_is_missed_in_silence(changes: &impl Changes) {
    const LAST: u64 = 100;
    let changes = begun(changes).await;
    // Nobody takes them; whoever publishes does not wait for that.
    for version in 1..=LAST {
        changes.publish(change(1, version)).await.unwrap();
    }
    let (mut known, mut everything) = (0, false);
    // What comes after all of those.
    changes.publish(change(2, 1)).await.unwrap();
    loop {
        match changes.next(16).await.unwrap() {
            // Whoever reads again now knows the last one, and maybe the one after it.
            Heard::Everything => {
                everything = true;
                changes.publish(change(2, 1)).await.unwrap();
            }
            Heard::Changes(page) => {
                for heard in page {
                    if heard.subject == Subject::Group(2) {
                        assert!(everything || known == LAST, "missed in silence: what came after {known}");
                        return;
                    }
                    assert!(everything || heard.version == known + 1, "missed in silence: {} after {known}", heard.version);
                    known = heard.version;
                }
            }
        }
    }
}

pub async fn what_cannot_be_told_is_everything(changes: &impl Changes) {
    let changes = begun(changes).await;
    changes.publish(Change { subject: Subject::Everything, ..change(1, 0) }).await.unwrap();
    assert_eq!(changes.next(16).await.unwrap(), Heard::Everything);
    changes.publish(change(1, 2)).await.unwrap();
    assert_eq!(take(changes, 1, 1).await, [change(1, 2)]);
}

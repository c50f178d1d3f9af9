//! An actor that dies while its append is on its way.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::time::Duration;

use futures_util::FutureExt as _;
use mynah_fjall::{FjallLog, Options};
use mynah_memory::MemoryBus;
use mynah_ports::contract::first;
use mynah_ports::message_log::{APPEND_WITHIN, SETTLES_WITHIN};
use mynah_types::{ConversationKey, Uid};

use super::*;
use crate::conversation::Slot;
use crate::delivery::Gateways;

#[path = "../../tests/router/gateway.rs"]
mod gateway;

use gateway::{GATEWAY, Recorder, connected};

struct Parts {
    writer: LogWriter,
    log: Arc<dyn MessageLog>,
    delivered: gateway::Delivered,
    _folder: tempfile::TempDir,
}

async fn start(key: ConversationKey, settings: crate::Settings) -> Parts {
    let folder = tempfile::tempdir().unwrap();
    let log: Arc<dyn MessageLog> = Arc::new(FjallLog::open(folder.path(), &Options::default()).unwrap());
    let claims = log.claim(&[key.shard()]).await.unwrap();
    let progress = Arc::new(Progress::new(Duration::ZERO));
    progress.claimed(&claims);
    let (gateway, delivered) = Recorder::start(0);
    let (gateways, bus) = (Gateways::single(GATEWAY, gateway), Arc::new(MemoryBus::new(64)));
    let delivery = Delivery::start(connected(2).await, bus, gateways, Arc::clone(&progress), &settings);
    let claimers = vec![(ShardRange::ALL, Claimer::Sole(Arc::clone(&log)))];
    let writer = LogWriter::start(&log, claimers, &delivery, &progress, &settings);
    writer.claimed(claims).await;
    Parts { writer, log, delivered, _folder: folder }
}

/// On one thread: the writer runs when the test waits, not before.
#[tokio::test]
async fn what_was_written_for_an_actor_that_died_is_delivered_from_the_log() {
    let key = ConversationKey::single(Uid(1), Uid(2));
    let Parts { writer, mut delivered, log: _, _folder } = start(key, crate::Settings::default()).await;
    let slot = Arc::new(Slot::default());
    // The request is on its way when its actor is gone.
    assert!(writer.append(first::entry(key, MsgId(0)), InFlight::new(&slot)).now_or_never().is_none());
    assert!(slot.drained().now_or_never().is_none(), "a successor may start beside it");
    let entry = delivered.next().await;
    assert_eq!((entry.conv_id.as_str(), entry.seq), ("s.1.2", 1));
    slot.drained().await;
}

#[tokio::test]
async fn what_waited_too_long_is_not_written_but_decided_again() {
    let key = ConversationKey::single(Uid(1), Uid(2));
    let settings = crate::Settings { commit_begins_within: Duration::ZERO, ..crate::Settings::default() };
    let parts = start(key, settings).await;
    let slot = Arc::new(Slot::default());
    let written = parts.writer.append(first::entry(key, MsgId(0)), InFlight::new(&slot)).await;
    assert!(matches!(written, Written::HeadMoved), "{written:?}");
    assert_eq!(parts.log.load(key, 0).await.unwrap().head_seq, 0);
    slot.drained().await;
}

#[test]
fn what_waits_and_what_is_appended_fit_into_what_lists_reach_back() {
    // What is left is for a process to end in: it drains its devices for 5 s and waits 2 s for its threads.
    let ends = Duration::from_secs(7);
    assert!(crate::Settings::default().commit_begins_within + APPEND_WITHIN + ends <= SETTLES_WITHIN);
}

#[test]
fn only_slow_commits_are_rested_from_and_only_where_it_is_asked_for() {
    let ms = Duration::from_millis;
    assert_eq!(rest(ms(100), Duration::ZERO), Duration::ZERO);
    assert_eq!([ms(1), ms(2), ms(6), ms(100)].map(|took| rest(took, ms(4))), [ms(0), ms(1), ms(3), ms(4)]);
}

#[test]
fn a_batch_is_bounded_in_bytes_and_never_empty() {
    let fits = |sizes: &[usize]| fitting(sizes.iter().copied(), 10);
    assert_eq!([fits(&[4, 6, 1]), fits(&[4, 7]), fits(&[11, 1]), fits(&[1])], [2, 1, 1, 1]);
}

/// More than one batch takes, gathered before the writer looks: all of it is written, in its order.
#[tokio::test]
async fn what_a_batch_has_no_room_for_goes_with_the_next_ones() {
    let key = ConversationKey::single(Uid(1), Uid(2));
    let settings = crate::Settings { commit_bytes: 1, ..crate::Settings::default() };
    let parts = start(key, settings).await;
    let slot = Arc::new(Slot::default());
    let appends = (0..5).map(|n| {
        let mut append = first::entry(key, MsgId(0));
        append.expected_head = n;
        append.entries.iter_mut().for_each(|entry| (entry.seq, entry.cmid) = (n + 1, None));
        parts.writer.append(append, InFlight::new(&slot))
    });
    for written in futures_util::future::join_all(appends).await {
        assert!(matches!(written, Written::Done(_)), "{written:?}");
    }
    assert_eq!(parts.log.load(key, 0).await.unwrap().head_seq, 5);
}

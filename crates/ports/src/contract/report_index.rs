//! What every [`ReportIndex`] must do. An adapter's test names a function that makes a [`Harness`] on a fresh, empty namespace.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test suite: the cases are named for what they hold"
)]

use std::sync::Arc;

use mynah_types::{AppKey, ConversationKey, Millis, MsgId, ShardId, Uid};

use crate::ReportIndex;
use crate::report_index::{Active, Place, Recorded, Scope, Sent, SentTo, Sort, Stretch};

/// One index's namespace, as a test sees it.
pub trait Harness: Send + Sync {
    /// Opens it for a log, with days of UTC+8. The one opened before is gone by then.
    fn open(&self, log_epoch: &str) -> Arc<dyn ReportIndex>;
}

/// Makes one `#[tokio::test]` of each case of the suite.
#[macro_export]
macro_rules! report_index_contract {
    ($fresh:path) => {
        $crate::report_index_contract!(@cases $fresh; a_message_is_listed_in_each_of_its_scopes_once, pages_and_counts_agree,
            statistics_count_by_hour_and_day, what_waits_is_taken_in_order, old_days_are_forgotten, another_log_begins_anew);
    };
    (@cases $fresh:path; $($case:ident),+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                $crate::contract::report_index::$case(&$fresh()).await;
            }
        )+
    };
}

/// 2026-01-01 00:00 in UTC+8.
const MIDNIGHT: Millis = 1_767_196_800_000;
const HOUR: Millis = 3_600_000;
const SHARD: ShardId = ShardId(3);

fn app(digit: &str) -> AppKey {
    AppKey::parse(&digit.repeat(24)).unwrap()
}

fn message(number: u64, ctime: Millis, sender: u64, key: ConversationKey) -> Recorded {
    let place = Place { ctime, msg_id: MsgId(number), key, seq: number };
    Recorded { app: app("a"), sender: Uid(sender), place, sort: Sort::Text, queued: false }
}

fn stretch(from: Millis, to: Millis) -> Stretch {
    Stretch { from, to }
}

async fn ids(index: &dyn ReportIndex, scope: &Scope) -> Vec<u64> {
    let all = stretch(0, MIDNIGHT * 2);
    let places = index.places(scope, all, None, 0, 1000).await.unwrap();
    assert_eq!(index.count(scope, all).await.unwrap(), places.len() as u64);
    places.iter().map(|place| place.msg_id.0).collect()
}

pub async fn a_message_is_listed_in_each_of_its_scopes_once(harness: &impl Harness) {
    let index = harness.open("one");
    let (single, own) = (ConversationKey::single(Uid(1), Uid(2)), ConversationKey::single(Uid(1), Uid(1)));
    let group = ConversationKey::Group(10_000_001);
    let other = Recorded { app: app("b"), ..message(14, MIDNIGHT + 1, 9, ConversationKey::Room(10_000_002)) };
    // Not in the order of time: shards are read one after another.
    let messages =
        vec![message(12, MIDNIGHT + 2, 1, group), message(11, MIDNIGHT + 1, 2, single), message(13, MIDNIGHT + 2, 1, own), other];
    // A second time it changes nothing.
    for _ in 0..2 {
        index.record(SHARD, MsgId(14), messages.clone()).await.unwrap();
    }
    assert_eq!(ids(&*index, &Scope::App(app("a"))).await, [11, 12, 13]);
    assert_eq!(ids(&*index, &Scope::App(app("b"))).await, [14]);
    assert_eq!(ids(&*index, &Scope::User(Uid(1))).await, [11, 12, 13]);
    assert_eq!(ids(&*index, &Scope::User(Uid(2))).await, [11]);
    assert_eq!(ids(&*index, &Scope::Conversation(group)).await, [12]);
    assert_eq!(ids(&*index, &Scope::Conversation(ConversationKey::Room(10_000_002))).await, [14]);
    assert_eq!(index.positions().await.unwrap(), [(SHARD, MsgId(14))]);
}

pub async fn pages_and_counts_agree(harness: &impl Harness) {
    let index = harness.open("one");
    let room = ConversationKey::Room(10_000_002);
    // Over five days, unevenly, several in one millisecond.
    let time = |n: u64| MIDNIGHT + (n / 3) * (HOUR / 2) + (n % 7) / 6;
    let messages: Vec<_> = (1..=700).map(|n| message(n, time(n), 1, room)).collect();
    let mut order: Vec<(Millis, u64)> = (1..=700).map(|n| (time(n), n)).collect();
    order.sort_unstable();
    for part in messages.chunks(90) {
        index.record(SHARD, part[part.len() - 1].place.msg_id, part.to_vec()).await.unwrap();
    }
    let scope = Scope::Conversation(room);
    let bounds = [(0, MIDNIGHT * 2), (MIDNIGHT + 1, MIDNIGHT + 50 * HOUR), (MIDNIGHT + 24 * HOUR, MIDNIGHT + 24 * HOUR), (5, 4)];
    for (from, to) in bounds {
        let inside: Vec<u64> = order.iter().filter(|(at, _)| (from..=to).contains(at)).map(|(_, n)| *n).collect();
        assert_eq!(index.count(&scope, stretch(from, to)).await.unwrap(), inside.len() as u64, "{from}..={to}");
        let (mut paged, mut after) = (Vec::new(), None);
        loop {
            let page = index.places(&scope, stretch(from, to), after, 0, 64).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some((last.ctime, last.msg_id));
            paged.extend(page.iter().map(|place| place.msg_id.0));
        }
        assert_eq!(paged, inside);
        for skip in [1, 5, 63, 64, 300, 699, 5000] {
            let page = index.places(&scope, stretch(from, to), None, skip as u64, 10).await.unwrap();
            let page: Vec<u64> = page.iter().map(|place| place.msg_id.0).collect();
            assert_eq!(page, inside.iter().skip(skip).take(10).copied().collect::<Vec<_>>(), "{from}..={to} from {skip}");
        }
    }
}

pub async fn statistics_count_by_hour_and_day(harness: &impl Harness) {
    let index = harness.open("one");
    let (group, single) = (ConversationKey::Group(10_000_001), ConversationKey::single(Uid(1), Uid(2)));
    let image = Recorded { sort: Sort::Image, ..message(4, MIDNIGHT + HOUR, 2, group) };
    let messages =
        vec![message(1, MIDNIGHT - 1, 1, group), message(2, MIDNIGHT, 1, group), message(3, MIDNIGHT, 1, single), image];
    index.record(SHARD, MsgId(4), messages).await.unwrap();
    index.record(SHARD, MsgId(5), vec![message(5, MIDNIGHT + 5, 1, group)]).await.unwrap();
    let hour = (MIDNIGHT + 8 * HOUR) / HOUR;
    let sent = |hour, to, sort, count| Sent { hour, to, sort, count };
    let mut found = index.sent(&app("a"), hour, hour + 23).await.unwrap();
    found.sort_by_key(|sent| (sent.hour, sent.to));
    let wanted = [
        sent(hour, SentTo::Single, Sort::Text, 1),
        sent(hour, SentTo::Group, Sort::Text, 2),
        sent(hour + 1, SentTo::Group, Sort::Image, 1),
    ];
    assert_eq!(found, wanted);
    let active = |senders, groups| Active { senders, groups };
    assert_eq!(index.active(&app("a"), hour / 24).await.unwrap(), active(2, 1));
    assert_eq!(index.active(&app("a"), hour / 24 - 1).await.unwrap(), active(1, 1));
    assert_eq!(index.active(&app("b"), hour / 24).await.unwrap(), active(0, 0));
}

pub async fn what_waits_is_taken_in_order(harness: &impl Harness) {
    let index = harness.open("one");
    let group = ConversationKey::Group(10_000_001);
    let waits = |n: u64| Recorded { queued: n.is_multiple_of(2), ..message(n, MIDNIGHT + n, 1, group) };
    index.record(SHARD, MsgId(6), (1..=6).map(waits).collect()).await.unwrap();
    index.record(ShardId(4), MsgId(8), (7..=8).map(waits).collect()).await.unwrap();
    let queued = index.queued(&app("a"), 3).await.unwrap();
    assert_eq!(queued.iter().map(|q| q.place.msg_id.0).collect::<Vec<_>>(), [2, 4, 6]);
    assert_eq!(index.waiting(&app("a")).await.unwrap(), Some((queued[0].number, queued[0].number + 3)));
    assert_eq!(index.waiting(&app("b")).await.unwrap(), None);
    index.taken(&app("a"), queued[1].number).await.unwrap();
    drop(index);
    let index = harness.open("one");
    index.record(SHARD, MsgId(10), vec![waits(10)]).await.unwrap();
    let queued = index.queued(&app("a"), 9).await.unwrap();
    assert_eq!(queued.iter().map(|q| q.place.msg_id.0).collect::<Vec<_>>(), [6, 8, 10]);
    assert!(index.queued(&app("b"), 9).await.unwrap().is_empty());
}

pub async fn old_days_are_forgotten(harness: &impl Harness) {
    let index = harness.open("one");
    let group = ConversationKey::Group(10_000_001);
    index.record(SHARD, MsgId(2), vec![message(1, MIDNIGHT - 1, 1, group), message(2, MIDNIGHT, 1, group)]).await.unwrap();
    let hour = (MIDNIGHT + 8 * HOUR) / HOUR;
    index.forget_before(hour / 24).await.unwrap();
    assert_eq!(ids(&*index, &Scope::Conversation(group)).await, [2]);
    assert_eq!(index.active(&app("a"), hour / 24 - 1).await.unwrap(), Active::default());
    assert_eq!(index.sent(&app("a"), hour - 1, hour).await.unwrap().len(), 2, "counts by the hour stay");
}

pub async fn another_log_begins_anew(harness: &impl Harness) {
    let index = harness.open("one");
    let group = ConversationKey::Group(10_000_001);
    index.record(SHARD, MsgId(1), vec![message(1, MIDNIGHT, 1, group)]).await.unwrap();
    drop(index);
    let index = harness.open("one");
    assert_eq!(ids(&*index, &Scope::Conversation(group)).await, [1]);
    drop(index);
    let index = harness.open("two");
    assert!(ids(&*index, &Scope::Conversation(group)).await.is_empty());
    assert!(index.positions().await.unwrap().is_empty());
}

//! The router over the real message log: what is acknowledged is there after a restart, in order, once.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod databases;
mod delivery;
mod directory;
mod gateway;
mod model;
mod sharing;
mod unknown;

use std::path::Path;
use std::sync::Arc;

use directory::{FakeDirectory, member};
use mynah_fjall::{FjallLog, Options};
use mynah_memory::{MemoryBus, MemoryPresence};
use mynah_proto::router::{
    ApplyChangeRequest, Change, HeadsRequest, HideRequest, HistoryRequest, PostItem, PostRequest, ReadRequest,
    RelationChangedRequest, RetractRequest, SendItem, SendRequest, SyncRange, SyncRequest,
};
use mynah_proto::{DirectoryClient, RouterClient};
use mynah_router::{Deps, Gateways, Router, Settings};
use mynah_types::{Clock, ManualClock, Reason, SystemClock};

const SINGLE: &str = "s.1.2";
const GROUP: &str = "g.10000001";

struct World {
    router: RouterClient,
    directory: Arc<FakeDirectory>,
}

async fn start(path: &Path, directory: Arc<FakeDirectory>, settings: Settings) -> World {
    start_at(path, directory, settings, Arc::new(SystemClock)).await
}

async fn start_at(path: &Path, directory: Arc<FakeDirectory>, settings: Settings, clock: Arc<dyn Clock>) -> World {
    let client = DirectoryClient::late();
    let service: Arc<FakeDirectory> = Arc::clone(&directory);
    client.bind(service);
    let router = Router::start(Deps {
        log: Arc::new(FjallLog::open(path, &Options::default()).unwrap()),
        bus: Arc::new(MemoryBus::new(64)),
        presence: Arc::new(MemoryPresence::new(Vec::new())),
        directory: client,
        gateways: Gateways::default(),
        clock,
        ownership: mynah_router::Ownership::Sole,
        settings,
    });
    World { router: RouterClient::local(router.await.unwrap()), directory }
}

fn send(conv_id: &str, sender_uid: u64, cmid: &str, content_hash: u64) -> SendRequest {
    let item = SendItem { cmid: cmid.into(), content_hash, unread_delta: 1, ..SendItem::default() };
    SendRequest { conv_id: conv_id.into(), sender_uid, items: vec![item], ..SendRequest::default() }
}

async fn sync(world: &World, uid: u64, conv_id: &str, after_seq: u64) -> mynah_proto::router::SyncItem {
    let ranges = vec![SyncRange { conv_id: conv_id.into(), after_seq, limit: 0 }];
    let reply = world.router.sync(SyncRequest { uid, ranges, ..SyncRequest::default() }).await.unwrap();
    reply.items.into_iter().next().unwrap()
}

fn change(version: u64, joined: &[u64], left: &[u64]) -> Change {
    let joined = joined.iter().map(|uid| member(*uid)).collect();
    Change { version, joined, left: left.to_vec(), payload: b"\x0a\x00".to_vec().into(), ..Change::default() }
}

async fn commit(world: &World, change: Change) {
    world.directory.changes.lock().push(change.clone());
    let request = ApplyChangeRequest { conv_id: GROUP.into(), changes: vec![change] };
    world.router.apply_change(request).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_sends_of_both_directions_share_one_gapless_order() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(start(folder.path(), Arc::default(), Settings::default()).await);
    let tasks: Vec<_> = (0..50_u64)
        .map(|n| {
            let world = Arc::clone(&world);
            tokio::spawn(async move { world.router.send(send(SINGLE, 1 + n % 2, &format!("m{n}"), n)).await.unwrap() })
        })
        .collect();
    let mut seqs = Vec::new();
    for task in tasks {
        seqs.push(task.await.unwrap().results[0].seq);
    }
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=50).collect::<Vec<_>>());
    let page = sync(&world, 2, SINGLE, 0).await;
    assert_eq!((page.entries.len(), page.covered_to, page.head_seq, page.more), (50, 50, 50, false));
    assert!(page.entries.windows(2).all(|w| w[0].msg_id < w[1].msg_id && w[0].ctime_ms <= w[1].ctime_ms));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_after_the_actor_left_gets_the_first_answer() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = Settings { passivate_after: std::time::Duration::from_millis(1), ..Settings::default() };
    settings.limits.window = 1;
    let world = start(folder.path(), Arc::default(), settings).await;
    let first = world.router.send(send(SINGLE, 1, "a", 7)).await.unwrap().results.remove(0);
    for n in 0..20 {
        world.router.send(send(SINGLE, 2, &format!("m{n}"), n)).await.unwrap();
    }
    let again = world.router.send(send(SINGLE, 1, "a", 7)).await.unwrap().results.remove(0);
    assert!(again.duplicate);
    assert_eq!((again.seq, again.msg_id, again.ctime_ms), (first.seq, first.msg_id, first.ctime_ms));
    let other = world.router.send(send(SINGLE, 1, "a", 8)).await.unwrap().results.remove(0);
    assert_eq!(other.failure.map(|f| (f.why(), f.first_seq)), Some((Reason::CmidConflict, first.seq)));
    assert_eq!(sync(&world, 1, SINGLE, 0).await.head_seq, 21);
}

#[tokio::test(flavor = "multi_thread")]
async fn members_see_from_their_join_to_their_removal() {
    let folder = tempfile::tempdir().unwrap();
    let world = start(folder.path(), Arc::default(), Settings::default()).await;
    commit(&world, change(1, &[1], &[])).await;
    world.router.send(send(GROUP, 1, "a", 1)).await.unwrap();
    commit(&world, change(2, &[2], &[])).await;
    world.router.send(send(GROUP, 2, "b", 1)).await.unwrap();
    commit(&world, change(3, &[], &[2])).await;
    let refused = world.router.send(send(GROUP, 2, "c", 1)).await.unwrap().results.remove(0);
    assert_eq!(refused.failure.map(|f| f.why()), Some(Reason::SenderNotMember));
    world.router.send(send(GROUP, 1, "d", 1)).await.unwrap();
    let page = sync(&world, 2, GROUP, 0).await;
    assert_eq!(page.entries.iter().map(|e| e.seq).collect::<Vec<_>>(), [3, 4, 5]);
    assert_eq!((page.from_seq, page.covered_to, page.head_seq), (1, 5, 5));
    let stranger = sync(&world, 9, GROUP, 0).await;
    assert_eq!(stranger.failure.map(|f| f.why()), Some(Reason::ConversationNotFound));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_for_those_online_is_found_by_who_was_and_accounted_for_by_who_was_not() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::at(1_700_000_000_000);
    let world = start_at(folder.path(), Arc::default(), Settings::default(), Arc::new(clock.clone())).await;
    let mut fleeting = send(SINGLE, 1, "a", 1);
    fleeting.items[0].no_offline = true;
    let said_at = clock.now_ms();
    world.router.send(fleeting).await.unwrap();
    clock.advance(1000);
    // Its successor overtook it on the way to the device.
    world.router.send(send(SINGLE, 1, "b", 1)).await.unwrap();
    for (online_since_ms, seqs) in [(said_at, vec![1, 2]), (said_at + 1, vec![2]), (0, vec![2])] {
        let ranges = vec![SyncRange { conv_id: SINGLE.into(), ..SyncRange::default() }];
        let reply = world.router.sync(SyncRequest { uid: 2, ranges, online_since_ms, ..SyncRequest::default() }).await.unwrap();
        let page = &reply.items[0];
        assert_eq!(page.entries.iter().map(|e| e.seq).collect::<Vec<_>>(), seqs);
        assert_eq!((page.from_seq, page.covered_to, page.head_seq), (1, 2, 2));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unread_is_arithmetic_over_reads_own_sends_and_retractions() {
    let folder = tempfile::tempdir().unwrap();
    let world = start(folder.path(), Arc::default(), Settings::default()).await;
    let unread = async |uid| {
        let request = HeadsRequest { uid, conv_ids: vec![SINGLE.into()], with_last: false };
        world.router.heads(request).await.unwrap().heads[0].unread
    };
    for n in 0..3 {
        world.router.send(send(SINGLE, 1, &format!("m{n}"), n)).await.unwrap();
    }
    assert_eq!((unread(1).await, unread(2).await), (0, 3));
    let read = ReadRequest { conv_id: SINGLE.into(), uid: 2, read_seq: 1, origin_conn: 0 };
    assert_eq!(world.router.read(read).await.unwrap().unread, 2);
    let msg_id = sync(&world, 2, SINGLE, 2).await.entries[0].msg_id;
    let retract = RetractRequest { conv_id: SINGLE.into(), actor_uid: 1, msg_id, ..RetractRequest::default() };
    world.router.retract(retract.clone()).await.unwrap();
    assert_eq!(unread(2).await, 1);
    assert_eq!(world.router.retract(retract).await.unwrap_err().why(), Reason::RetractedBefore);
    world.router.send(send(SINGLE, 2, "mine", 1)).await.unwrap();
    assert_eq!((unread(1).await, unread(2).await), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blacklist_binds_the_next_send() {
    let folder = tempfile::tempdir().unwrap();
    let world = start(folder.path(), Arc::default(), Settings::default()).await;
    world.router.send(send(SINGLE, 1, "a", 1)).await.unwrap();
    *world.directory.blocked.lock() = true;
    world.router.relation_changed(RelationChangedRequest { uid: 2, peer_uids: vec![1] }).await.unwrap();
    let refused = world.router.send(send(SINGLE, 1, "b", 1)).await.unwrap().results.remove(0);
    assert_eq!(refused.failure.map(|f| f.why()), Some(Reason::Blacklisted));
    assert!(world.router.send(send(SINGLE, 2, "c", 1)).await.unwrap().results[0].failure.is_none());
}

async fn post(world: &World, ids: std::ops::RangeInclusive<u64>) {
    for id in ids {
        let item = PostItem { id: format!("e{id}"), payload: b"\x0a\x00".to_vec().into() };
        world.router.post(PostRequest { conv_id: "f.7".into(), items: vec![item] }).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_keeps_its_bounds_and_says_so_to_who_comes_too_late() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::at(1_700_000_000_000);
    let mut settings = Settings { passivate_after: std::time::Duration::from_millis(1), ..Settings::default() };
    (settings.limits.feed_entries, settings.limits.window, settings.feed_age_ms) = (10, 2, 1000);
    let world = start_at(folder.path(), Arc::default(), settings, Arc::new(clock.clone())).await;
    post(&world, 1..=100).await;
    // A repeat, also of what the actor has long forgotten, is one entry.
    post(&world, 95..=100).await;
    let page = sync(&world, 7, "f.7", 0).await;
    let seqs = |page: &mynah_proto::router::SyncItem| page.entries.iter().map(|e| e.seq).collect::<Vec<_>>();
    assert_eq!((seqs(&page), page.reset, page.min_seq), ((91..=100).collect(), true, 91));
    assert_eq!((page.from_seq, page.covered_to, page.head_seq), (91, 100, 100));
    let page = sync(&world, 7, "f.7", 90).await;
    assert_eq!((seqs(&page).len(), page.reset), (10, false), "nothing was missed");
    let page = sync(&world, 7, "f.7", 50).await;
    assert_eq!((seqs(&page).len(), page.reset), (10, true));
    // By age, too: what is too old is neither synced nor found by scrolling up, and goes with the next event.
    clock.advance(1500);
    post(&world, 101..=101).await;
    let page = sync(&world, 7, "f.7", 0).await;
    assert_eq!((seqs(&page), page.min_seq), (vec![101], 101));
    let up = HistoryRequest { uid: 7, conv_id: "f.7".into(), before_seq: 101, ..HistoryRequest::default() };
    assert!(world.router.history(up).await.unwrap().entries.is_empty());
    clock.advance(1500);
    let page = sync(&world, 7, "f.7", 101).await;
    assert_eq!((seqs(&page), page.reset, page.head_seq), (vec![], false, 101));
    let stranger = sync(&world, 8, "f.7", 0).await;
    assert_eq!(stranger.failure.map(|f| f.why()), Some(Reason::ConversationNotFound));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_behind_a_shield_is_accounted_for_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let world = start(folder.path(), Arc::default(), Settings::default()).await;
    let hide = async |hidden| world.router.hide(HideRequest { conv_id: GROUP.into(), uid: 2, hidden }).await.unwrap();
    let say = async |cmid: &str| world.router.send(send(GROUP, 1, cmid, 1)).await.unwrap().results.remove(0);
    let unread = async |uid| {
        let request = HeadsRequest { uid, conv_ids: vec![GROUP.into()], with_last: false };
        world.router.heads(request).await.unwrap().heads[0].unread
    };
    commit(&world, change(1, &[1, 2], &[])).await;
    say("a").await;
    hide(true).await;
    let hidden = say("b").await;
    commit(&world, change(2, &[3], &[])).await;
    let page = sync(&world, 2, GROUP, 0).await;
    assert_eq!(page.entries.iter().map(|e| e.seq).collect::<Vec<_>>(), [1, 2, 4], "events are shown");
    assert_eq!((page.from_seq, page.covered_to, page.head_seq, page.more), (1, 4, 4, false));
    assert_eq!((unread(2).await, unread(3).await), (1, 0));
    // What is taken back behind the shield weighs nothing there.
    let retract = RetractRequest { conv_id: GROUP.into(), actor_uid: 1, msg_id: hidden.msg_id, ..RetractRequest::default() };
    world.router.retract(retract).await.unwrap();
    assert_eq!(unread(2).await, 1);
    hide(false).await;
    say("c").await;
    assert_eq!(unread(2).await, 2);
    let page = sync(&world, 2, GROUP, 0).await;
    assert_eq!(page.entries.iter().map(|e| e.seq).collect::<Vec<_>>(), [1, 2, 4, 5, 6], "b stays hidden");
    let up = HistoryRequest { uid: 2, conv_id: GROUP.into(), ..HistoryRequest::default() };
    assert!(world.router.history(up).await.unwrap().entries.iter().all(|e| e.seq != 3));
    assert_eq!(sync(&world, 1, GROUP, 0).await.entries.len(), 6, "others see all");
    let stranger = world.router.hide(HideRequest { conv_id: GROUP.into(), uid: 9, hidden: true }).await.unwrap_err();
    assert_eq!(stranger.why(), Reason::NotInNamedGroup);
}

//! Gateways that die, end, sleep or are there twice.

use std::sync::mpsc;
use std::time::Instant;

use mynah_ports::Presence as _;
use mynah_ports::presence::{Audience, Error};
use mynah_redis::RedisPresence;
use mynah_types::{ConversationKey, Uid};

use crate::support::{LIFETIME, ONE, Pair, TWO, device, live, repaired, settled, shared, single, start, until};

const GROUP: ConversationKey = ConversationKey::Group(3);

#[tokio::test]
async fn a_killed_gateways_users_are_offline_within_the_lease() {
    let redis = shared();
    let pair = settled(&single(&redis)).await;
    let other = device(8, TWO, 1, 1);
    pair.one.online(device(7, ONE, 1, 1)).await.unwrap();
    pair.one.join_audience(GROUP, ONE).await.unwrap();
    pair.two.online(other.clone()).await.unwrap();

    let killed = Instant::now();
    drop(pair.one);
    let gone = |devices: &Result<Vec<_>, Error>| devices.as_deref().ok() == Some(std::slice::from_ref(&other));
    _ = until("the other user alone", || pair.reader.devices(&[Uid(7), Uid(8)]), gone).await;
    let took = killed.elapsed();
    assert!(took < LIFETIME * 2, "it took {took:?}");
    assert_eq!(pair.reader.audience(GROUP).await.unwrap(), Audience::Known(vec![]));
    assert_eq!(live(&pair.reader).await.unwrap(), [TWO]);
}

/// Before the dead one's lease ends, and after; and when its next process tells of what the dead one had.
#[tokio::test]
async fn a_room_that_is_entered_again_elsewhere_is_heard_there_alone() {
    let redis = shared();
    let (room, here) = (ConversationKey::Room(5), device(7, TWO, 1, 2));
    for lease_is_over in [false, true] {
        let Pair { one, two, reader, prefix, .. } = settled(&single(&redis)).await;
        one.online(device(7, ONE, 1, 1)).await.unwrap();
        one.join_audience(room, ONE).await.unwrap();
        drop(one);
        let alone = |live: &Result<Vec<_>, Error>| live.as_deref().ok() == Some(&[TWO]);
        if lease_is_over {
            _ = until("one gateway alone", || live(&reader), alone).await;
        }
        two.online(here.clone()).await.unwrap();
        two.join_audience(room, TWO).await.unwrap();
        assert!(matches!(reader.audience(room).await.unwrap(), Audience::Known(who) if who.contains(&TWO)));
        _ = until("one gateway alone", || live(&reader), alone).await;
        let later = start(&single(&redis), &prefix, Some(ONE));
        _ = until("both gateways", || live(&reader), |live| live.as_deref().ok() == Some(&[ONE, TWO])).await;
        for _ in 0..2 {
            assert_eq!(reader.devices(&[Uid(7)]).await.unwrap(), std::slice::from_ref(&here));
            let known = |audience: &Result<Audience, Error>| matches!(audience, Ok(Audience::Known(_)));
            let audience = until("a known audience", || reader.audience(room), known).await;
            assert_eq!(audience.unwrap(), Audience::Known(vec![TWO]));
            later.offline(Uid(7), ONE, 1).await.unwrap();
            later.leave_audience(room, ONE).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_gateway_that_ends_takes_its_users_offline_at_once() {
    let redis = shared();
    let pair = settled(&single(&redis)).await;
    pair.one.online(device(7, ONE, 1, 1)).await.unwrap();
    pair.one.end().await.unwrap();
    assert_eq!(pair.reader.devices(&[Uid(7)]).await.unwrap(), []);
    assert_eq!(live(&pair.reader).await.unwrap(), [TWO]);
}

#[tokio::test]
async fn a_later_process_of_the_same_gateway_has_the_last_word() {
    let redis = shared();
    let pair = settled(&single(&redis)).await;
    pair.one.online(device(7, ONE, 1, 1)).await.unwrap();
    let later = start(&single(&redis), &pair.prefix, Some(ONE));
    let mine = device(8, ONE, 1, 1);
    later.online(mine.clone()).await.unwrap();
    // The earlier one cannot tell of anything any more, and what it told does not count.
    let refused = until("a refusal", || pair.one.online(device(9, ONE, 2, 1)), Result::is_err).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))));
    let only = |seen: &Result<Vec<_>, Error>| seen.as_deref().ok() == Some(std::slice::from_ref(&mine));
    let uids = [Uid(7), Uid(8)];
    _ = until("the later one's user alone", || pair.reader.devices(&uids), only).await;
}

/// A gateway whose process stands still when it is told to.
struct Sleeper {
    asleep: mpsc::Sender<mpsc::Receiver<()>>,
    presence: std::sync::Arc<RedisPresence>,
}

fn sleeper(make: impl FnOnce() -> RedisPresence + Send + 'static) -> Sleeper {
    let (asleep, naps) = mpsc::channel::<mpsc::Receiver<()>>();
    let (made, making) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            made.send(std::sync::Arc::new(make())).unwrap();
            loop {
                match naps.try_recv() {
                    Ok(nap) => _ = nap.recv(),
                    Err(mpsc::TryRecvError::Empty) => tokio::time::sleep(std::time::Duration::from_millis(1)).await,
                    Err(mpsc::TryRecvError::Disconnected) => return,
                }
            }
        });
    });
    Sleeper { asleep, presence: making.recv().unwrap() }
}

/// Told by the sleeper's own thread before and after, so that its connection is what sleeps too.
#[tokio::test]
async fn a_gateway_that_slept_does_not_bring_the_past_back() {
    let redis = shared();
    let pair = settled(&single(&redis)).await;
    let (servers, prefix) = (single(&redis), pair.prefix.clone());
    drop(pair.one);
    let one = sleeper(move || start(&servers, &prefix, Some(ONE)));
    let stays = device(8, ONE, 2, 1);
    one.presence.online(device(7, ONE, 1, 1)).await.unwrap();
    one.presence.online(stays.clone()).await.unwrap();
    one.presence.join_audience(GROUP, ONE).await.unwrap();

    let (wake, nap) = mpsc::channel();
    one.asleep.send(nap).unwrap();
    _ = until("one gateway alone", || live(&pair.reader), |live| live.as_deref().ok() == Some(&[TWO])).await;
    let moved = device(7, TWO, 1, 2);
    pair.two.online(moved.clone()).await.unwrap();
    assert_eq!(pair.reader.devices(&[Uid(7), Uid(8)]).await.unwrap(), std::slice::from_ref(&moved));

    drop(wake);
    let both = [Uid(7), Uid(8)];
    let back = |seen: &Result<Vec<_>, Error>| {
        let seen = seen.as_deref().unwrap();
        assert!(seen.contains(&moved) && !seen.iter().any(|d| d.uid == Uid(7) && d.gateway == ONE), "{seen:?}");
        seen.contains(&stays)
    };
    _ = until("who stayed", || pair.reader.devices(&both), back).await;
    // What it may have missed is to be read again.
    assert_eq!(repaired(&one.presence, 0).await, 1);
    assert!(matches!(pair.reader.audience(GROUP).await.unwrap(), Audience::Known(who) if who == [ONE]));
}

/// A write as it goes over the wire, of user 7 by gateway 1.
async fn put(raw: &mut redis::aio::MultiplexedConnection, prefix: &str, version: String, incarnation: u64) -> u8 {
    let mut call = redis::cmd("EVAL");
    call.arg(include_str!("../../src/scripts/put.lua")).arg(2);
    call.arg(format!("{{{prefix}:7}}:user:7")).arg(format!("{{{prefix}:7}}:gateways"));
    call.arg("g1").arg(version).arg("").arg(60_000).arg(incarnation);
    call.query_async(raw).await.unwrap()
}

#[tokio::test]
async fn a_write_that_comes_late_changes_nothing() {
    let redis = shared();
    let pair = settled(&single(&redis)).await;
    let mine = device(7, ONE, 1, 1);
    pair.one.online(mine.clone()).await.unwrap();
    let client = redis::Client::open(redis.url()).unwrap();
    let mut raw = client.get_multiplexed_async_connection().await.unwrap();
    let registry = format!("{{{}:7}}:gateways", pair.prefix);
    let row: String = redis::cmd("HGET").arg(registry).arg("g1").query_async(&mut raw).await.unwrap();
    let incarnation: u64 = row.split(' ').nth(1).unwrap().parse().unwrap();
    // An older line of the same incarnation, then the latest of one that is over.
    let version = |incarnation: u64, revision: u64| format!("{incarnation:020}{revision:020}");
    assert_eq!(put(&mut raw, &pair.prefix, version(incarnation, 0), incarnation).await, 0);
    assert_eq!(put(&mut raw, &pair.prefix, version(incarnation - 1, u64::MAX), incarnation - 1).await, 3);
    assert_eq!(pair.reader.devices(&[Uid(7)]).await.unwrap(), [mine]);
}

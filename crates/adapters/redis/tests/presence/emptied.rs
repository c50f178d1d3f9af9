//! A store that is emptied, restarted, out of reach, or loses a part.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use mynah_engines::{Redis, Signal};
use mynah_ports::Presence as _;
use mynah_ports::presence::{Audience, Error, OnlineDevice};
use mynah_types::{ConversationKey, Uid};

use crate::support::{
    HEARTBEAT, LIFETIME, ONE, Pair, TWO, device, live, pair_sweeping, repaired, settled, shared, single, start, until,
};

const GROUP: ConversationKey = ConversationKey::Group(3);
const USERS: u64 = 400;

fn told() -> Vec<OnlineDevice> {
    (1..=USERS).map(|uid| device(uid, if uid % 2 == 0 { ONE } else { TWO }, uid, 1)).collect()
}

pub(crate) async fn tell_all(pair: &Pair) {
    // A busy machine may not connect in time: whoever is refused asks again.
    let tell = |device: OnlineDevice| until("a device told of", move || pair.online(device.clone()), Result::is_ok);
    _ = join_all(told().into_iter().map(tell)).await;
    pair.one.join_audience(GROUP, ONE).await.unwrap();
    pair.two.join_audience(GROUP, TWO).await.unwrap();
}

pub(crate) async fn all_are_online(pair: &Pair) {
    let uids: Vec<Uid> = (1..=USERS).map(Uid).collect();
    let (all, uids) = (told(), &uids);
    let look = || async move { pair.reader.devices(uids).await.map(|devices| devices.len()) };
    _ = until("all devices", look, |seen| matches!(seen, Ok(count) if *count == all.len())).await;
    let mut seen = pair.reader.devices(uids).await.unwrap();
    seen.sort_by_key(|d| d.uid);
    assert_eq!(seen, all);
}

/// Looks all the time, while something is done: nobody who hears is ever left out of an audience that is known, nor out of the live
/// gateways, when there is an answer at all.
pub(crate) async fn nobody_is_left_out<T>(pair: &Pair, what: impl Future<Output = T>) -> T {
    let over = AtomicBool::new(false);
    let looking = async {
        while !over.load(Ordering::Relaxed) {
            match pair.reader.audience(GROUP).await {
                Ok(Audience::Known(who)) => assert_eq!(who, [ONE, TWO]),
                Ok(Audience::Unknown) => {
                    if let Ok(live) = live(&pair.reader).await {
                        assert!(BTreeSet::from_iter(live).is_superset(&BTreeSet::from([ONE, TWO])));
                    }
                }
                Err(Error::Unavailable(_)) => tokio::task::yield_now().await,
            }
        }
    };
    let doing = async {
        let done = what.await;
        over.store(true, Ordering::Relaxed);
        done
    };
    tokio::join!(looking, doing).1
}

#[tokio::test]
async fn a_store_that_is_emptied_under_load_is_whole_within_a_heartbeat() {
    let redis = Redis::start().unwrap();
    let pair = settled(&single(&redis)).await;
    tell_all(&pair).await;
    let over = AtomicBool::new(false);
    let load = async {
        for conn in 0_u64.. {
            if over.load(Ordering::Relaxed) {
                break;
            }
            // No call fails: nothing makes a gateway disconnect anybody.
            let uid = 10_000 + conn % 50;
            pair.one.online(device(uid, ONE, 10_000 + conn, conn)).await.unwrap();
            pair.one.offline(Uid(uid), ONE, 10_000 + conn).await.unwrap();
        }
    };
    let emptied = async {
        for _ in 0..5 {
            redis.flush().unwrap();
            let flushed = Instant::now();
            all_are_online(&pair).await;
            // A heartbeat, and what a busy machine takes to write; not a lease, and not a sweep.
            assert!(flushed.elapsed() < HEARTBEAT + LIFETIME / 2, "it took {:?}", flushed.elapsed());
        }
        pair.settled().await;
        assert_eq!(pair.reader.audience(GROUP).await.unwrap(), Audience::Known(vec![ONE, TWO]));
        over.store(true, Ordering::Relaxed);
    };
    nobody_is_left_out(&pair, async { tokio::join!(load, emptied) }).await;
    all_are_online(&pair).await;
}

#[tokio::test]
async fn a_restarted_store_is_told_again_with_what_it_missed() {
    let mut redis = Redis::start().unwrap();
    let pair = settled(&single(&redis)).await;
    tell_all(&pair).await;
    redis.kill();
    let begun = Instant::now();
    let late = device(9000, ONE, 9000, 1);
    assert!(matches!(pair.one.online(late.clone()).await, Err(Error::Unavailable(_))));
    assert!(matches!(pair.reader.devices(&[Uid(1)]).await, Err(Error::Unavailable(_))));
    assert!(matches!(pair.reader.audience(GROUP).await, Err(Error::Unavailable(_))));
    assert!(begun.elapsed() < Duration::from_secs(5));
    redis.restart().unwrap();
    nobody_is_left_out(&pair, async {
        all_are_online(&pair).await;
        _ = until(
            "what was told in between",
            || pair.reader.devices(&[Uid(9000)]),
            |d| d.as_deref().ok() == Some(std::slice::from_ref(&late)),
        )
        .await;
        pair.settled().await;
    })
    .await;
    assert_eq!(pair.reader.audience(GROUP).await.unwrap(), Audience::Known(vec![ONE, TWO]));
}

#[tokio::test]
async fn a_store_that_stands_still_fails_calls_in_bounded_time_and_nothing_is_lost() {
    let redis = Redis::start().unwrap();
    let pair = settled(&single(&redis)).await;
    tell_all(&pair).await;
    redis.signal(Signal::STOP);
    let begun = Instant::now();
    let late = device(9000, ONE, 9000, 1);
    assert!(matches!(pair.one.online(late.clone()).await, Err(Error::Unavailable(_))));
    assert!(matches!(pair.reader.audience(GROUP).await, Err(Error::Unavailable(_))));
    assert!(begun.elapsed() < Duration::from_secs(5));
    redis.signal(Signal::CONT);
    all_are_online(&pair).await;
    _ = until(
        "what was told in between",
        || pair.reader.devices(&[Uid(9000)]),
        |d| d.as_deref().ok() == Some(std::slice::from_ref(&late)),
    )
    .await;
}

/// As a failover to a replica that is behind does, or a snapshot: what is there looks whole, and is not.
#[tokio::test]
async fn a_store_of_another_run_is_not_taken_for_whole() {
    let redis = shared();
    let pair = settled(&single(&redis)).await;
    tell_all(&pair).await;
    let client = redis::Client::open(redis.url()).unwrap();
    let mut raw = client.get_multiplexed_async_connection().await.unwrap();
    let tag = format!("{{{}:3}}", pair.prefix);
    let (registry, group) = (format!("{tag}:gateways"), format!("{tag}:group:3"));
    let () = redis::pipe().atomic().hset(&registry, "birth", "1000 00ff").hdel(&group, "g1").query_async(&mut raw).await.unwrap();
    nobody_is_left_out(&pair, pair.settled()).await;
    assert_eq!(pair.reader.audience(GROUP).await.unwrap(), Audience::Known(vec![ONE, TWO]));
}

#[tokio::test]
async fn an_entry_that_was_lost_alone_is_found_by_the_sweep() {
    let redis = shared();
    let pair = pair_sweeping(&single(&redis), Duration::from_secs(2));
    pair.settled().await;
    tell_all(&pair).await;
    let client = redis::Client::open(redis.url()).unwrap();
    let mut raw = client.get_multiplexed_async_connection().await.unwrap();
    let () = redis::cmd("DEL").arg(format!("{{{}:3}}:group:3", pair.prefix)).query_async(&mut raw).await.unwrap();
    // Both gateways are to read heads again.
    tokio::join!(repaired(&pair.one, 0), repaired(&pair.two, 0));
    pair.settled().await;
    assert_eq!(pair.reader.audience(GROUP).await.unwrap(), Audience::Known(vec![ONE, TWO]));
}

/// The unknown is never taken for nobody, by one who has just come either.
#[tokio::test]
async fn who_has_just_come_to_an_emptied_store_knows_nobody_yet() {
    let redis = Arc::new(Redis::start().unwrap());
    let pair = settled(&single(&redis)).await;
    redis.flush().unwrap();
    let fresh = start(&single(&redis), &pair.prefix, None);
    assert_eq!(fresh.audience(GROUP).await.unwrap(), Audience::Unknown);
    assert!(matches!(live(&fresh).await, Err(Error::Unavailable(_))));
    _ = until("both", || live(&fresh), |live| live.as_deref().ok() == Some(&[ONE, TWO])).await;
}

/// The store stays the same all along: nothing but the failed call itself asks for it to be told again.
#[tokio::test]
async fn what_a_call_failed_to_tell_is_told_by_the_heartbeat() {
    let redis = Redis::start().unwrap();
    let pair = settled(&single(&redis)).await;
    let client = redis::Client::open(redis.url()).unwrap();
    let mut raw = client.get_multiplexed_async_connection().await.unwrap();
    let mut refuse = redis::cmd("CONFIG");
    refuse.arg("SET").arg("min-replicas-to-write");
    let () = refuse.clone().arg(1).query_async(&mut raw).await.unwrap();
    let late = device(7, ONE, 1, 1);
    assert!(matches!(pair.one.online(late.clone()).await, Err(Error::Unavailable(_))));
    let () = refuse.arg(0).query_async(&mut raw).await.unwrap();
    _ = until("what was told", || pair.reader.devices(&[Uid(7)]), |d| d.as_deref().ok() == Some(std::slice::from_ref(&late)))
        .await;
}

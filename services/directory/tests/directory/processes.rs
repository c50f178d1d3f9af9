//! Two processes of the service on one store.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use mynah_ports::deadline;
use mynah_ports::directory_store::Switch;
use mynah_proto::directory as wire;
use mynah_proto::{RouterClient, router};
use mynah_types::{Reason, Uid};

use crate::apps::signed;
use crate::support::{Mode, START, World, members, named, new_group, quick, until, why};

/// As processes that are not alone are set.
async fn two() -> (World, World) {
    let one = World::of_several(quick()).await;
    let other = one.another().await;
    (one, other)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_one_group_at_one_time_are_all_made() {
    let (one, other) = two().await;
    let app = one.app().await;
    let names: Vec<String> = (0..24).map(|number| format!("user{number}")).collect();
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    one.users(app, &all).await;
    // The first twelve are in and go, the others come.
    let gid = one.group(app, "user0", &all[1..12]).await;
    let changes = (1..12).map(|number| {
        let world = if number % 2 == 0 { &one } else { &other };
        let change = members(app, gid, &[all[number + 12]], &[all[number]]);
        // One that waited too long for the others is told so, and asks again.
        async move {
            loop {
                match world.api.change_members(change.clone()).await {
                    Err(failure) if failure.why() == Reason::Timeout => {}
                    outcome => break outcome,
                }
            }
        }
    });
    for outcome in join_all(changes).await {
        outcome.unwrap();
    }
    let mut left = other.member_names(app, gid).await;
    left.sort();
    let mut expected: Vec<String> = names[13..].to_vec();
    expected.push("user0".into());
    expected.sort();
    assert_eq!(left, expected);
    assert_eq!(one.router.versions(&format!("g.{gid}")), (1..=23).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_process_changed_is_seen_at_once() {
    let (one, other) = two().await;
    let app = one.app().await;
    let uids = one.users(app, &["tom1", "ann1"]).await;
    let gid = one.group(app, "tom1", &["ann1"]).await;
    let group = wire::GroupRequest { app_id: app, gid, member_uid: 0 };
    assert_eq!(one.api.get_user(named(app, "ann1")).await.unwrap().uid, uids[1]);
    assert_eq!(one.api.get_group(group).await.unwrap().name, "the group");
    let renamed = wire::UpdateGroupRequest { app_id: app, gid, name: Some("another".into()), ..Default::default() };
    other.api.update_group(renamed).await.unwrap();
    assert_eq!(one.api.get_group(group).await.unwrap().name, "another");
    let deleted = wire::DeleteUsersRequest { app_id: app, usernames: vec!["ann1".into()], path_user: true };
    other.api.delete_users(deleted).await.unwrap();
    assert_eq!(why(one.api.get_user(named(app, "ann1")).await), Reason::UserNotFound);
    let again = other.users(app, &["ann1"]).await;
    assert_eq!(one.api.get_user(named(app, "ann1")).await.unwrap().uid, again[0]);
    other.api.delete_group(group).await.unwrap();
    assert_eq!(why(one.api.get_group(group).await), Reason::GroupNotFound);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signature_that_one_process_took_is_refused_by_the_other() {
    let (one, other) = two().await;
    let made = one.operator().create_app("shop").await.unwrap();
    let sign = || signed(&made.appkey, &made.master_secret, "random", START);
    one.api.check_signature(sign()).await.unwrap();
    assert_eq!(why(other.api.check_signature(sign()).await), Reason::SignatureExpired);
}

/// Through the service as a gateway calls it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_whose_caller_gives_up_before_he_can_hear_of_it_is_not_made() {
    const SOON: Duration = Duration::from_secs(1);
    const LATER: Duration = Duration::from_secs(600);
    let (one, other) = two().await;
    let app = one.app().await;
    one.users(app, &["tom1", "ann1"]).await;
    let gid = one.group(app, "tom1", &[]).await;
    let filter = wire::SetWordFilterRequest { app_id: app, on: true };
    for (left, is_made) in [(SOON, false), (LATER, true)] {
        let until = Some(Instant::now() + left);
        let expected = if is_made { None } else { Some(Reason::Unavailable) };
        let switched = deadline::until(until, one.api.set_word_filter(filter)).await;
        let joined = deadline::until(until, one.api.change_members(members(app, gid, &["ann1"], &[]))).await;
        assert_eq!([switched.err(), joined.err()].map(|failure| failure.map(|failure| failure.why())), [expected; 2]);
        let is_on = other.api.word_filter(wire::WordFilterRequest { app_id: app }).await.unwrap().on;
        assert_eq!((is_on, other.member_names(app, gid).await.len()), (is_made, if is_made { 2 } else { 1 }));
    }
}

/// The first call waits for the router; the second, in another process, is no repeat of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_creations_in_two_processes_at_one_time_make_two_groups() {
    let (one, other) = two().await;
    let app = one.app().await;
    one.users(app, &["tom1", "ann1"]).await;
    let request = || new_group(app, "tom1", &["ann1"]);
    one.router.set(Mode::Hangs);
    let api = one.api.clone();
    let first = tokio::spawn(async move { api.create_group(new_group(app, "tom1", &["ann1"])).await });
    until("the first waits for the router", async || !one.router.calls.lock().is_empty()).await;
    one.router.set(Mode::Answers);
    assert_eq!(other.api.create_group(request()).await.unwrap().gid, 10_000_002);
    assert_eq!(why(first.await.unwrap()), Reason::Timeout);
    // Its own process knows at once that it is over, the other one when it must be.
    other.clock.advance(4 * 200 - 1);
    assert_eq!(other.api.create_group(request()).await.unwrap().gid, 10_000_003);
    other.clock.advance(1);
    assert_eq!(other.api.create_group(request()).await.unwrap().gid, 10_000_001);
    assert_eq!(one.api.create_group(request()).await.unwrap().gid, 10_000_004, "what was answered is not repeated");
}

/// A process raises a shield and dies with its word to the router on its way. Another one lowers it; then the word arrives.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_word_of_a_dead_process_does_not_decide_how_a_shield_stands() {
    let (dead, mut other) = two().await;
    let app = dead.app().await;
    let uid = dead.users(app, &["tom1"]).await[0];
    let gid = dead.group(app, "tom1", &[]).await;
    dead.store.change_switches(Uid(uid), vec![(Switch::Shield(gid), true)], vec![]).await.unwrap();
    let lower = wire::ChangeShieldRequest { app_id: app, username: "tom1".into(), add: vec![], remove: vec![gid] };
    other.api.change_shield(lower).await.unwrap();
    let late = router::HideRequest { conv_id: format!("g.{gid}"), uid, hidden: true };
    RouterClient::local(other.router.clone()).hide(late).await.unwrap();
    other.clock.advance(4 * 200);
    other.run_outbox();
    until("the router is told again", async || other.router.hides.lock().last().is_some_and(|hide| !hide.hidden)).await;
    until("nothing waits", async || other.store.pending_shields(u64::MAX >> 1, 9).await.unwrap().is_empty()).await;
    assert_eq!(other.router.hides.lock().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_process_at_a_time_works_off_what_is_left() {
    let (mut one, other) = two().await;
    let app = one.app().await;
    one.users(app, &["tom1", "ann1"]).await;
    let gid = one.group(app, "tom1", &[]).await;
    // The other one has the turn, and does nothing with it.
    assert!(other.store.take_turn("outbox", 2, Duration::from_secs(3600)).await.unwrap());
    one.router.set(Mode::Fails);
    assert_eq!(why(one.add(app, gid, &["ann1"]).await), Reason::Unavailable);
    one.router.set(Mode::Answers);
    let calls = one.router.calls.lock().len();
    one.run_outbox();
    // Time enough to do it, were it to.
    tokio::time::sleep(one.settings.outbox_poll * 4).await;
    assert_eq!(one.router.calls.lock().len(), calls);
    // It ends.
    assert!(other.store.take_turn("outbox", 2, Duration::ZERO).await.unwrap());
    until("the change is applied", async || one.router.versions(&format!("g.{gid}")) == [1, 2]).await;
}

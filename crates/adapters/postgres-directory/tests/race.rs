//! Two processes on one database, at the same names, groups and users: 16 tasks over two stores.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests: what should not be fails them"
)]

mod shared;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::future::join_all;
use mynah_ports::DirectoryStore;
use mynah_ports::directory_store::{
    Change, ChangeLimits, Login, MultiDevice, NewRoster, Profile, Refusal, Roster, RosterChange, RosterKind, Switch, TokenDigest,
};
use mynah_types::{AppId, Role, Uid};
use shared::{Database, app, fresh, new_user, refused, users};

const TASKS: usize = 16;
const GROUP: RosterKind = RosterKind::Group;
const WIDE: ChangeLimits = ChangeLimits { max_members: 500, max_groups_per_user: 500 };

type Store = Arc<dyn DirectoryStore>;

/// Runs the tasks, every other one on the other store. Each gets its number.
async fn race<T, Fut>(database: &Database, task: impl Fn(usize, Store) -> Fut) -> Vec<T>
where
    T: Send + 'static,
    Fut: Future<Output = T> + Send + 'static,
{
    let stores: [Store; 2] = [Arc::new(database.store().await.unwrap()), Arc::new(database.store().await.unwrap())];
    let tasks: Vec<_> = (0..TASKS).map(|number| tokio::spawn(task(number, Arc::clone(&stores[number % 2])))).collect();
    join_all(tasks).await.into_iter().map(Result::unwrap).collect()
}

fn group(app: AppId, owner: Uid, members: &[Uid], limits: ChangeLimits) -> NewRoster {
    NewRoster {
        kind: GROUP,
        app,
        name: "the group".into(),
        desc: String::new(),
        avatar: String::new(),
        flag: 1,
        owner,
        members: members.to_vec(),
        limits,
        payload: Box::new(|_| Bytes::new()),
        actor: owner,
        maker: 0,
        now: 50,
    }
}

fn change(roster: &Roster, joined: &[Uid], left: &[Uid], dissolved: bool, limits: ChangeLimits) -> RosterChange {
    RosterChange {
        id: roster.id,
        seen_version: roster.version,
        change: Change {
            version: roster.version + 1,
            joined: joined.iter().map(|uid| (*uid, Role::Member)).collect(),
            left: left.to_vec(),
            changed: Vec::new(),
            dissolved,
            payload: Bytes::new(),
            actor: Uid(0),
        },
        details: None,
        limits,
        now: 60,
    }
}

/// Brings a user in, deciding again whenever another change came first.
async fn join(store: &Store, id: u64, uid: Uid, limits: ChangeLimits) -> Option<Refusal> {
    loop {
        let seen = store.roster(id).await.unwrap().unwrap();
        match refused(store.commit_change(change(&seen, &[uid], &[], false, limits)).await) {
            Some(Refusal::VersionMoved) => {}
            other => return other,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_is_given_once_whatever_order_the_lists_have() {
    let database = fresh();
    let first: Store = Arc::new(database.store().await.unwrap());
    let app = app(&*first).await;
    let made = race(&database, |task, store| async move {
        // Each begins with another name: two that took them one by one would wait for one another.
        let names = (0..500).map(|place| format!("name{}", (place + task * 31) % 500));
        let new = names.map(|name| new_user(&name)).collect();
        store.insert_users(app, new, 10).await.unwrap().into_iter().flatten().count()
    })
    .await;
    assert_eq!(made.iter().sum::<usize>(), 500);
    let (total, listed) = first.list_users(app, false, 0, 1000).await.unwrap();
    assert_eq!((total, listed.len()), (500, 500));
    assert!(listed.is_sorted_by_key(|user| user.uid));
    drop(first);
    assert_eq!(database.deadlocks().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_and_places_of_a_group_are_given_once() {
    const PLACES: u32 = 50;
    let limits = ChangeLimits { max_members: PLACES, ..WIDE };
    let database = fresh();
    let first: Store = Arc::new(database.store().await.unwrap());
    let app = app(&*first).await;
    let all = Arc::new(users(&*first, app, 1 + TASKS * 5).await);
    let id = first.create_roster(group(app, all[0], &[], WIDE)).await.unwrap().id;
    let joined = race(&database, |task, store| {
        let all = Arc::clone(&all);
        async move {
            let mut joined = 0;
            for uid in &all[1 + task * 5..1 + (task + 1) * 5] {
                match join(&store, id, *uid, limits).await {
                    None => joined += 1,
                    other => assert_eq!(other, Some(Refusal::RosterFull)),
                }
            }
            joined
        }
    })
    .await;
    assert_eq!(joined.iter().sum::<u32>(), PLACES - 1);
    let now = first.roster(id).await.unwrap().unwrap();
    assert_eq!((now.members, now.version), (PLACES, u64::from(PLACES)));
    assert_eq!(first.members(id, 0, 100).await.unwrap().len(), PLACES as usize);
    let versions: Vec<u64> = first.changes(id, 0, 100).await.unwrap().iter().map(|change| change.version).collect();
    assert_eq!(versions, (1..=u64::from(PLACES)).collect::<Vec<_>>());
}

/// A user's groups are counted by his row, not by a group's: different groups take him at one time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_is_in_no_more_groups_than_he_may_be() {
    let limits = ChangeLimits { max_groups_per_user: 5, ..WIDE };
    let database = fresh();
    let first: Store = Arc::new(database.store().await.unwrap());
    let app = app(&*first).await;
    let all = Arc::new(users(&*first, app, 2 + TASKS).await);
    let mut groups = Vec::new();
    for owner in &all[2..] {
        groups.push(first.create_roster(group(app, *owner, &[], limits)).await.unwrap());
    }
    let groups = Arc::new(groups);
    let outcomes = race(&database, |task, store| {
        let (all, groups) = (Arc::clone(&all), Arc::clone(&groups));
        async move {
            // Two are taken by every group, in both orders; a few are made with them.
            let two = if task % 4 < 2 { [all[0], all[1]] } else { [all[1], all[0]] };
            if task >= TASKS - 3 {
                return refused(store.create_roster(group(app, all[2 + task], &two, limits)).await);
            }
            refused(store.commit_change(change(&groups[task], &two, &[], false, limits)).await)
        }
    })
    .await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_none()).count(), 5);
    let full = |refusal: &Refusal| matches!(refusal, Refusal::TooManyGroups(of) if of.len() == 2);
    assert!(outcomes.iter().flatten().all(full), "{outcomes:?}");
    assert_eq!(first.rosters_of(all[0], GROUP).await.unwrap().len(), 5);
    drop(first);
    assert_eq!(database.deadlocks().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_logins_at_one_time_one_stays_in() {
    let database = fresh();
    let first: Store = Arc::new(database.store().await.unwrap());
    let app = app(&*first).await;
    let uid = users(&*first, app, 1).await[0];
    let token = |task: usize| TokenDigest([u8::try_from(task).unwrap(); 32]);
    let outcomes = race(&database, |task, store| async move {
        let login = Login {
            app,
            uid,
            verified: "pw1".into(),
            token: token(task),
            platform: 'a',
            device_id: format!("device{}", task / 2),
            rule: MultiDevice::One,
            kick_others: true,
            now: 100,
            day: 1,
            expires: 1_000,
        };
        let outcome = store.login(login).await.unwrap();
        outcome.kicked.len() + outcome.replaced.len()
    })
    .await;
    assert_eq!(outcomes.iter().sum::<usize>(), TASKS - 1, "each but the last was put out once");
    assert_eq!(first.revoke_sessions(uid, None, 200).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn generations_rise_over_both() {
    let database = fresh();
    drop(database.store().await.unwrap());
    let highest = Arc::new(AtomicU64::new(0));
    let given = race(&database, |_, store| {
        let highest = Arc::clone(&highest);
        async move {
            let mut mine = Vec::new();
            for _ in 0..20 {
                // Above all that anybody was given before this one was asked for.
                let before = highest.load(Ordering::SeqCst);
                let number = store.next_generation().await.unwrap();
                assert!(number > before, "{number} after {before}");
                highest.fetch_max(number, Ordering::SeqCst);
                mine.push(number);
            }
            mine
        }
    })
    .await;
    let mut all = given.concat();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), TASKS * 20);
}

/// Whoever empties a feed up to a number loses nothing that is committed later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_a_feed_get_their_numbers_in_the_order_of_commits() {
    const EACH: usize = 20;
    let database = fresh();
    let first: Store = Arc::new(database.store().await.unwrap());
    let app = app(&*first).await;
    let uid = users(&*first, app, 1).await[0];
    let written = Arc::new(AtomicBool::new(false));
    let reader = tokio::spawn({
        let (store, written) = (Arc::clone(&first), Arc::clone(&written));
        async move {
            let mut seen = Vec::new();
            loop {
                let is_last = written.load(Ordering::SeqCst);
                let events = store.feed_events(uid, 100).await.unwrap();
                if let Some((last, _)) = events.last() {
                    store.finish_feed(uid, *last).await.unwrap();
                }
                seen.extend(events.into_iter().map(|(number, _)| number));
                if is_last {
                    return seen;
                }
            }
        }
    });
    race(&database, |_, store| async move {
        for _ in 0..EACH {
            let event = vec![(uid, Bytes::from_static(b"changed"))];
            store.update_profile(uid, Profile::default(), 20, event).await.unwrap();
        }
    })
    .await;
    written.store(true, Ordering::SeqCst);
    let seen = reader.await.unwrap();
    assert_eq!(seen.len(), TASKS * EACH);
    assert!(seen.is_sorted());
}

/// What a task does in a round: everything that takes locks, on users and groups that all tasks share.
async fn anything(store: &Store, app: AppId, uids: &[Uid], groups: &[u64], task: usize, round: usize) {
    let at = task * 7 + round * 5;
    let user = |step: usize| uids[(at + step) % uids.len()];
    // Half of the tasks name them the other way round.
    let pair = if task.is_multiple_of(2) { [user(1), user(2)] } else { [user(2), user(1)] };
    let tell = || [user(0), pair[0], pair[1]].into_iter().map(|uid| (uid, Bytes::from_static(b"event"))).collect();
    let gid = groups[at % groups.len()];
    match (task + round) % 9 {
        0 => _ = refused(store.add_friends(user(0), &pair, 500, 10, tell()).await),
        1 => _ = refused(store.remove_friends(user(0), &pair, tell()).await),
        2 => _ = refused(store.change_blacklist(user(0), &pair, &[], 10, tell()).await),
        3 => _ = refused(store.change_blacklist(user(0), &[], &pair, 10, tell()).await),
        4 => {
            let changes = vec![
                (Switch::Shield(gid), round.is_multiple_of(2)),
                (Switch::DndUser(pair[0]), true),
                (Switch::DndGroup(gid), true),
            ];
            _ = refused(store.change_switches(user(0), changes, tell()).await);
        }
        5 | 6 => {
            let seen = store.roster(gid).await.unwrap().unwrap();
            let there = store.member_rows(gid, &pair).await.unwrap();
            let left: Vec<Uid> = there.iter().map(|member| member.uid).filter(|uid| *uid != seen.owner).collect();
            let joined: Vec<Uid> = pair.into_iter().filter(|uid| there.iter().all(|member| member.uid != *uid)).collect();
            _ = refused(store.commit_change(change(&seen, &joined, &left, false, WIDE)).await);
        }
        7 => {
            let made = store.create_roster(group(app, user(0), &pair, WIDE)).await;
            if let Ok(made) = made {
                let switches = vec![(Switch::DndGroup(made.id), true)];
                refused(store.change_switches(pair[0], switches, tell()).await);
                _ = refused(store.commit_change(change(&made, &[], &[], true, WIDE)).await);
            } else {
                _ = refused(made);
            }
        }
        _ => {
            // Two who come and go, registered and deleted by many at one time.
            let names = ["goer1", "goer2"].map(new_user).to_vec();
            let mut goers: Vec<Uid> = store.insert_users(app, names, 10).await.unwrap().into_iter().flatten().collect();
            _ = refused(store.add_friends(user(0), &goers, 500, 10, tell()).await);
            if task % 2 == 1 {
                goers.reverse();
            }
            let farewells = goers.iter().map(|uid| (*uid, Bytes::from_static(b"farewell"))).collect();
            _ = refused(store.delete_users(&goers, 20, farewells).await);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_at_one_time_waits_for_nobody_in_a_circle() {
    let database = fresh();
    let first: Store = Arc::new(database.store().await.unwrap());
    let app = app(&*first).await;
    let uids = Arc::new(users(&*first, app, 8).await);
    let mut groups = Vec::new();
    for owner in &uids[..3] {
        groups.push(first.create_roster(group(app, *owner, &[], WIDE)).await.unwrap().id);
    }
    let groups = Arc::new(groups);
    race(&database, |task, store| {
        let (uids, groups) = (Arc::clone(&uids), Arc::clone(&groups));
        async move {
            for round in 0..36 {
                anything(&store, app, &uids, &groups, task, round).await;
            }
        }
    })
    .await;
    for gid in &*groups {
        let group = first.roster(*gid).await.unwrap().unwrap();
        assert_eq!(first.members(*gid, 0, 100).await.unwrap().len(), group.members as usize);
    }
    let (total, listed) = first.list_users(app, false, 0, 100).await.unwrap();
    assert_eq!(total as usize, listed.len());
    let (total, listed) = first.list_rosters(app, GROUP, 0, 2000).await.unwrap();
    assert_eq!(total as usize, listed.len());
    for uid in &*uids {
        for friend in first.friends(*uid).await.unwrap() {
            let back = first.friends(friend.user.uid).await.unwrap();
            assert!(back.iter().any(|other| other.user.uid == *uid), "friendship is mutual");
        }
    }
    drop(first);
    assert_eq!(database.deadlocks().await, 0);
}

/// Who leaves a group loses what he has switched for it, while he switches it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leaving_and_switching_wait_for_nobody_in_a_circle() {
    let database = fresh();
    let first: Store = Arc::new(database.store().await.unwrap());
    let app = app(&*first).await;
    let all = Arc::new(users(&*first, app, 5).await);
    let id = first.create_roster(group(app, all[0], &all[1..], WIDE)).await.unwrap().id;
    race(&database, |task, store| {
        let all = Arc::clone(&all);
        async move {
            for round in 0..30 {
                if task < 4 {
                    let seen = store.roster(id).await.unwrap().unwrap();
                    let (joined, left) = if seen.members == 1 { (&all[1..], &[][..]) } else { (&[][..], &all[1..]) };
                    _ = refused(store.commit_change(change(&seen, joined, left, false, WIDE)).await);
                } else {
                    for on in [true, false] {
                        let changes = vec![(Switch::Shield(id), on), (Switch::DndGroup(id), on)];
                        _ = refused(store.change_switches(all[1 + (task + round) % 4], changes, vec![]).await);
                    }
                }
            }
        }
    })
    .await;
    drop(first);
    assert_eq!(database.deadlocks().await, 0);
}

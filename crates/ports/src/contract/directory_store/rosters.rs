//! Groups and chatrooms.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;
use mynah_types::{AppId, Role, Uid};

use super::{Harness, app, refusal, users};
use crate::DirectoryStore;
use crate::directory_store::{
    Change, ChangeLimits, Details, Error, NewRoster, Refusal, Roster, RosterChange, RosterKind, Switch,
};

const WIDE: ChangeLimits = ChangeLimits { max_members: 500, max_groups_per_user: 500 };

fn new_roster(app: AppId, kind: RosterKind, owner: Uid, members: &[Uid]) -> NewRoster {
    NewRoster {
        kind,
        app,
        name: "the group".into(),
        desc: "what for".into(),
        avatar: "pic".into(),
        flag: 2,
        owner,
        members: members.to_vec(),
        limits: WIDE,
        payload: Box::new(|id| Bytes::from(format!("made {id}"))),
        actor: owner,
        maker: 7,
        now: 50,
    }
}

fn change(roster: &Roster, joined: &[Uid], left: &[Uid]) -> RosterChange {
    RosterChange {
        id: roster.id,
        seen_version: roster.version,
        change: Change {
            version: roster.version + 1,
            joined: joined.iter().map(|uid| (*uid, Role::Member)).collect(),
            left: left.to_vec(),
            changed: Vec::new(),
            dissolved: false,
            payload: Bytes::from_static(b"event"),
            actor: Uid(0),
        },
        details: None,
        limits: WIDE,
        now: 60,
    }
}

/// A store with an app, four users, and a group of the first with the second.
async fn with_group(harness: &dyn Harness) -> (Arc<dyn DirectoryStore>, AppId, Vec<Uid>, Roster) {
    let store = harness.open();
    let app = app(&*store).await.id;
    let uids = users(&*store, app, &["tom1", "ann1", "bob1", "zoe1"]).await;
    let group = store.create_roster(new_roster(app, RosterKind::Group, uids[0], &uids[1..2])).await.unwrap();
    (store, app, uids, group)
}

async fn member_uids(store: &dyn DirectoryStore, id: u64) -> Vec<Uid> {
    store.members(id, 0, 1000).await.unwrap().iter().map(|member| member.uid).collect()
}

pub async fn ids_come_from_one_sequence(harness: &dyn Harness) {
    let (store, app, uids, group) = with_group(harness).await;
    assert_eq!((group.id, group.version, group.applied, group.members, group.maker), (10_000_001, 1, 0, 2, 7));
    assert_eq!(store.roster(group.id).await.unwrap().as_ref(), Some(&group));
    assert_eq!(
        (group.name.as_str(), group.desc.as_str(), group.avatar.as_str(), group.flag),
        ("the group", "what for", "pic", 2)
    );
    let refused = store.create_roster(new_roster(app, RosterKind::Group, Uid(99), &[])).await;
    assert_eq!(refusal(refused), Refusal::UsersGone(vec![Uid(99)]));
    drop(store);
    let store = harness.open();
    let room = store.create_roster(new_roster(app, RosterKind::Room, uids[1], &[])).await.unwrap();
    assert_eq!((room.id, room.kind), (10_000_002, RosterKind::Room), "a refused one took no number");
    let first = store.changes(group.id, 0, 10).await.unwrap();
    let expected = Change {
        version: 1,
        joined: vec![(uids[0], Role::Owner), (uids[1], Role::Member)],
        left: vec![],
        changed: vec![],
        dissolved: false,
        payload: Bytes::from_static(b"made 10000001"),
        actor: uids[0],
    };
    assert_eq!(first, [expected]);
    assert_eq!(store.roster(group.id).await.unwrap(), Some(group));
    assert_eq!(store.roster(77).await.unwrap(), None);
}

pub async fn a_change_needs_the_version_that_it_saw(harness: &dyn Harness) {
    let (store, _, uids, group) = with_group(harness).await;
    let other = harness.open();
    let wanted = |uid: Uid| change(&group, &[uid], &[]);
    let outcomes = join_all([store.commit_change(wanted(uids[2])), other.commit_change(wanted(uids[3]))]).await;
    let (done, refused): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    assert_eq!((done.len(), refusal(refused.into_iter().next().unwrap())), (1, Refusal::VersionMoved));
    let now = store.roster(group.id).await.unwrap().unwrap();
    assert_eq!((now.version, now.members, now.mtime), (2, 3, 60));
    assert_eq!(store.changes(group.id, 1, 10).await.unwrap().len(), 1);
    let gone = Roster { id: 77, ..group };
    assert_eq!(refusal(store.commit_change(change(&gone, &[], &[])).await), Refusal::RosterGone);
}

/// Adds one user, deciding again whenever another change came first.
async fn add(store: &dyn DirectoryStore, id: u64, uid: Uid, limits: ChangeLimits) -> Result<(), Error> {
    loop {
        let roster = store.roster(id).await?.unwrap();
        match store.commit_change(RosterChange { limits, ..change(&roster, &[uid], &[]) }).await {
            Err(Error::Refused(Refusal::VersionMoved)) => {}
            other => return other.map(drop),
        }
    }
}

pub async fn racing_adds_fill_a_roster_exactly(harness: &dyn Harness) {
    let (store, app, _, group) = with_group(harness).await;
    let names: Vec<String> = (0..10).map(|i| format!("racer{i}")).collect();
    let racers = users(&*store, app, &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let limits = ChangeLimits { max_members: 7, ..WIDE };
    let outcomes = join_all(racers.iter().map(|uid| add(&*store, group.id, *uid, limits))).await;
    let refused: Vec<_> = outcomes.into_iter().filter(Result::is_err).map(refusal).collect();
    assert_eq!(refused, vec![Refusal::RosterFull; 5]);
    assert_eq!(store.roster(group.id).await.unwrap().unwrap().members, 7);
    assert_eq!(member_uids(&*store, group.id).await.len(), 7);
}

pub async fn racing_joins_fill_a_users_groups_exactly(harness: &dyn Harness) {
    let (store, app, uids, _) = with_group(harness).await;
    let limits = ChangeLimits { max_groups_per_user: 3, ..WIDE };
    let made =
        join_all((0..6).map(|_| store.create_roster(NewRoster { limits, ..new_roster(app, RosterKind::Group, uids[0], &[]) })))
            .await;
    let refused: Vec<_> = made.into_iter().filter(Result::is_err).map(refusal).collect();
    assert_eq!(refused, vec![Refusal::TooManyGroups(vec![uids[0]]); 4]);
    assert_eq!(store.rosters_of(uids[0], RosterKind::Group).await.unwrap().len(), 3);
    let room = NewRoster { limits, ..new_roster(app, RosterKind::Room, uids[0], &[]) };
    assert!(store.create_roster(room).await.is_ok(), "chatrooms do not count");
}

pub async fn a_refused_change_has_no_effect(harness: &dyn Harness) {
    let (store, _, uids, group) = with_group(harness).await;
    let narrow = ChangeLimits { max_members: 3, ..WIDE };
    let refused = store.commit_change(RosterChange { limits: narrow, ..change(&group, &uids[2..4], &uids[1..2]) }).await;
    assert_eq!(refusal(refused), Refusal::RosterFull);
    let refused = store.commit_change(change(&group, &[uids[2], Uid(99)], &uids[1..2])).await;
    assert_eq!(refusal(refused), Refusal::UsersGone(vec![Uid(99)]));
    assert_eq!(store.roster(group.id).await.unwrap(), Some(group.clone()));
    assert_eq!(member_uids(&*store, group.id).await, uids[..2]);
    assert_eq!(store.changes(group.id, 1, 10).await.unwrap(), []);
}

pub async fn the_owner_comes_first_then_join_order(harness: &dyn Harness) {
    let (store, _, uids, group) = with_group(harness).await;
    let group = store.commit_change(change(&group, &[uids[3], uids[2]], &[])).await.unwrap();
    assert_eq!(member_uids(&*store, group.id).await, [uids[0], uids[1], uids[3], uids[2]]);
    let mut pass_on = change(&group, &[], &uids[..1]);
    pass_on.change.changed = vec![(uids[3], Role::Owner, false)];
    let group = store.commit_change(pass_on).await.unwrap();
    assert_eq!((group.owner, group.members), (uids[3], 3));
    let rows = store.members(group.id, 0, 10).await.unwrap();
    let seen: Vec<_> = rows.iter().map(|m| (m.uid, m.role, m.since_version, m.joined)).collect();
    let expected = [(uids[3], Role::Owner, 2, 60), (uids[1], Role::Member, 1, 50), (uids[2], Role::Member, 2, 60)];
    assert_eq!(seen, expected);
    let page: Vec<Uid> = store.members(group.id, 1, 1).await.unwrap().iter().map(|m| m.uid).collect();
    assert_eq!(page, [uids[1]]);
    let rows = store.member_rows(group.id, &[uids[0], uids[2]]).await.unwrap();
    assert_eq!(rows.iter().map(|m| m.uid).collect::<Vec<_>>(), [uids[2]]);
    // Who comes back comes in anew.
    let group = store.commit_change(change(&group, &uids[..1], &[])).await.unwrap();
    let back = store.rosters_of(uids[0], RosterKind::Group).await.unwrap();
    assert_eq!((back[0].0.id, back[0].1.since_version), (group.id, 4));
}

pub async fn silence_and_names_change_with_a_version_and_stay(harness: &dyn Harness) {
    let (store, _, uids, group) = with_group(harness).await;
    let mut silence = change(&group, &[], &[]);
    silence.change.changed = vec![(uids[1], Role::Member, true)];
    silence.details = Some(Details { name: "new".into(), desc: "of it".into(), avatar: "face".into() });
    let group = store.commit_change(silence.clone()).await.unwrap();
    assert_eq!((group.version, &*group.name, &*group.desc, &*group.avatar), (2, "new", "of it", "face"));
    let store = harness.open();
    let rows = store.member_rows(group.id, &uids[..2]).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.silenced).collect::<Vec<_>>(), [false, true]);
    assert_eq!(store.changes(group.id, 1, 9).await.unwrap(), [silence.change]);
    let mut lift = change(&group, &[], &[]);
    lift.change.changed = vec![(uids[1], Role::Keeper, false)];
    let group = store.commit_change(lift).await.unwrap();
    let row = store.member_rows(group.id, &uids[1..2]).await.unwrap()[0];
    assert_eq!((row.role, row.silenced, &*group.name), (Role::Keeper, false, "new"));
}

pub async fn a_dissolved_roster_leaves_its_changes(harness: &dyn Harness) {
    let (store, app, uids, group) = with_group(harness).await;
    let mut end = change(&group, &[], &[]);
    end.change.dissolved = true;
    let ended = store.commit_change(end).await.unwrap();
    assert_eq!((ended.dissolved, ended.members, ended.version), (true, 0, 2));
    assert_eq!(member_uids(&*store, group.id).await, []);
    assert_eq!(store.rosters_of(uids[0], RosterKind::Group).await.unwrap(), []);
    assert_eq!(store.list_rosters(app, RosterKind::Group, 0, 10).await.unwrap(), (0, vec![]));
    assert_eq!(refusal(store.commit_change(change(&ended, &uids[..1], &[])).await), Refusal::RosterGone);
    let kept = store.changes(group.id, 0, 10).await.unwrap();
    assert_eq!(kept.iter().map(|c| (c.version, c.dissolved)).collect::<Vec<_>>(), [(1, false), (2, true)]);
}

pub async fn changes_wait_until_they_are_applied(harness: &dyn Harness) {
    let (store, app, uids, group) = with_group(harness).await;
    let room = store.create_roster(new_roster(app, RosterKind::Room, uids[0], &[])).await.unwrap();
    store.set_applied(room.id, 1).await.unwrap();
    let group = store.commit_change(change(&group, &uids[2..3], &[])).await.unwrap();
    let waiting = |rosters: Vec<Roster>| rosters.iter().map(|r| (r.id, r.applied, r.version)).collect::<Vec<_>>();
    assert_eq!(waiting(store.pending_rosters(10).await.unwrap()), [(group.id, 0, 2)]);
    store.set_applied(group.id, 1).await.unwrap();
    drop(store);
    let store = harness.open();
    assert_eq!(waiting(store.pending_rosters(10).await.unwrap()), [(group.id, 1, 2)]);
    assert_eq!(waiting(store.pending_of(uids[0], RosterKind::Group).await.unwrap()), [(group.id, 1, 2)]);
    assert_eq!(waiting(store.pending_of(uids[0], RosterKind::Room).await.unwrap()), []);
    assert_eq!(store.pending_count().await.unwrap(), 1);
    assert_eq!(store.changes(group.id, 1, 10).await.unwrap().len(), 1);
    store.set_applied(group.id, 2).await.unwrap();
    // A late word of an earlier version takes nothing back.
    store.set_applied(group.id, 1).await.unwrap();
    assert_eq!(waiting(store.pending_rosters(10).await.unwrap()), []);
    // A log that was lost, or is older than the store, learns its members from these.
    let kept = store.changes(group.id, 0, 10).await.unwrap();
    assert_eq!(kept.iter().map(|c| c.version).collect::<Vec<_>>(), [1, 2]);
}

pub async fn lists_of_rosters_keep_order_and_total(harness: &dyn Harness) {
    let (store, app, uids, first) = with_group(harness).await;
    let mut ids = vec![first.id];
    for kind in [RosterKind::Room, RosterKind::Group, RosterKind::Group] {
        let made = store.create_roster(new_roster(app, kind, uids[1], &[])).await.unwrap();
        if kind == RosterKind::Group {
            ids.push(made.id);
        }
    }
    let (total, page) = store.list_rosters(app, RosterKind::Group, 1, 10).await.unwrap();
    assert_eq!((total, page.iter().map(|r| r.id).collect::<Vec<_>>()), (3, ids[1..].to_vec()));
    assert_eq!(store.list_rosters(app, RosterKind::Room, 0, 10).await.unwrap().0, 1);
    assert_eq!(store.list_rosters(AppId(77), RosterKind::Room, 0, 10).await.unwrap(), (0, vec![]));
    let of_user = store.rosters_of(uids[1], RosterKind::Group).await.unwrap();
    assert_eq!(of_user.iter().map(|(roster, _)| roster.id).collect::<Vec<_>>(), ids);
}

pub async fn who_leaves_a_group_has_switched_nothing_for_it(harness: &dyn Harness) {
    let (store, _, uids, group) = with_group(harness).await;
    let (owner, member) = (uids[0], uids[1]);
    let mine = [Switch::DndGroup(group.id), Switch::DndAll, Switch::Shield(group.id)];
    for uid in [owner, member] {
        store.change_switches(uid, mine.iter().map(|switch| (*switch, true)).collect(), vec![]).await.unwrap();
    }
    let group = store.commit_change(change(&group, &[], &[member])).await.unwrap();
    assert_eq!(store.switches(member).await.unwrap(), [Switch::DndAll]);
    let waiting = store.pending_shields(0, 9).await.unwrap();
    assert_eq!(waiting.iter().map(|note| (note.uid, note.gid, note.up)).collect::<Vec<_>>(), [(owner, group.id, true)]);
    let mut end = change(&group, &[], &[]);
    end.change.dissolved = true;
    store.commit_change(end).await.unwrap();
    assert_eq!(store.switches(owner).await.unwrap(), [Switch::DndAll]);
    assert_eq!(store.pending_shields(0, 9).await.unwrap(), []);
}

//! Users and relations.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;
use mynah_types::{AppId, Millis, Uid};

use super::{Harness, app, name, new_app, new_user, refusal, users};
use crate::DirectoryStore;
use crate::directory_store::{FriendNote, NewUser, Profile, Refusal, Rights, Switch, Told};

pub async fn a_name_is_given_once(harness: &dyn Harness) {
    let store = harness.open();
    let app = app(&*store).await;
    let two = store.create_app(new_app("bbbbbbbbbbbbbbbbbbbbbbbb"), false).await.unwrap().unwrap();
    let first = users(&*store, app.id, &["tom1"]).await;
    let admin = NewUser { admin: true, ..new_user("tom1") };
    let made = store.insert_users(app.id, vec![new_user("ann1"), admin, new_user("ann1")], 11).await.unwrap();
    assert!(made[0].is_some() && made[1].is_none() && made[2].is_none());
    // Case counts, and another app has names of its own.
    let other = users(&*store, two.id, &["tom1"]).await;
    users(&*store, app.id, &["Tom1"]).await;
    assert_ne!(first, other);
    let found = store.users_by_name(app.id, &[name("tom1"), name("gone")]).await.unwrap();
    assert_eq!(found.iter().map(|user| user.uid).collect::<Vec<_>>(), first);
    assert_eq!((found[0].ctime, found[0].admin, found[0].app), (10, false, app.id));
    assert_eq!(store.users_by_uid(&[first[0], other[0], Uid(999)]).await.unwrap().len(), 2);
}

pub async fn racing_registrations_of_a_name_make_one(harness: &dyn Harness) {
    let (store, other) = (harness.open(), harness.open());
    let app = app(&*store).await;
    let calls = (0..20).map(|i| if i % 2 == 0 { &store } else { &other });
    let made = join_all(calls.map(|s| s.insert_users(app.id, vec![new_user("tom1")], 1))).await;
    assert_eq!(made.into_iter().flat_map(Result::unwrap).flatten().count(), 1);
    assert_eq!(store.list_users(app.id, false, 0, 10).await.unwrap().0, 1);
}

pub async fn lists_keep_creation_order_and_total(harness: &dyn Harness) {
    let store = harness.open();
    let app = app(&*store).await;
    let uids = users(&*store, app.id, &["zoe1", "ann1", "tom1", "bob1"]).await;
    store.insert_users(app.id, vec![NewUser { admin: true, ..new_user("root") }], 1).await.unwrap();
    store.delete_users(&uids[1..2], 2, vec![]).await.unwrap();
    let (total, page) = store.list_users(app.id, false, 1, 2).await.unwrap();
    assert_eq!((total, page.iter().map(|u| u.uid).collect::<Vec<_>>()), (3, vec![uids[2], uids[3]]));
    assert_eq!(store.list_users(app.id, false, 3, 2).await.unwrap(), (3, vec![]));
    let (total, admins) = store.list_users(app.id, true, 0, 10).await.unwrap();
    assert_eq!((total, admins[0].username.as_str(), admins.len()), (1, "root", 1));
    store.delete_users(&[admins[0].uid], 2, vec![]).await.unwrap();
    assert_eq!(store.list_users(app.id, true, 0, 10).await.unwrap(), (0, vec![]));
    assert_eq!(store.list_users(AppId(77), false, 0, 10).await.unwrap(), (0, vec![]));
}

pub async fn a_profile_changes_by_what_is_given(harness: &dyn Harness) {
    let store = harness.open();
    let app = app(&*store).await;
    let text = |t: &str| Some(t.to_owned());
    let full = Profile {
        nickname: text("Tom"),
        avatar: text("a"),
        birthday: text("1990-01-24"),
        signature: text("s"),
        gender: Some(1),
        region: text("r"),
        address: text("d"),
        extras: text("{}"),
    };
    let new = NewUser { profile: full.clone(), ..new_user("tom1") };
    let uid = store.insert_users(app.id, vec![new], 10).await.unwrap()[0].unwrap();
    let read = || async { store.users_by_uid(&[uid]).await.unwrap().remove(0) };
    assert_eq!(read().await.profile, full);
    let change = Profile { nickname: text(""), region: text("new"), gender: Some(0), ..Profile::default() };
    store.update_profile(uid, change, 20, vec![]).await.unwrap();
    let expected = Profile { nickname: None, region: text("new"), gender: Some(0), ..full };
    assert_eq!((read().await.profile, read().await.mtime, read().await.ctime), (expected, 20, 10));
    let gone = store.update_profile(Uid(99), Profile::default(), 20, vec![]).await;
    assert_eq!(refusal(gone), Refusal::UsersGone(vec![Uid(99)]));
}

pub async fn a_deleted_name_comes_back_as_another_user(harness: &dyn Harness) {
    let store = harness.open();
    let app = app(&*store).await;
    let old = users(&*store, app.id, &["tom1"]).await[0];
    store.delete_users(&[old], 20, vec![]).await.unwrap();
    assert_eq!(store.users_by_name(app.id, &[name("tom1")]).await.unwrap(), []);
    assert_eq!(store.users_by_uid(&[old]).await.unwrap(), []);
    assert_eq!(store.password(old).await.unwrap(), None);
    // A reopened store gives no uid again either.
    drop(store);
    let store = harness.open();
    let new = users(&*store, app.id, &["tom1"]).await[0];
    assert!(new > old);
}

pub async fn deletion_is_all_or_nothing(harness: &dyn Harness) {
    let store = harness.open();
    let app = app(&*store).await;
    let uids = users(&*store, app.id, &["tom1", "ann1"]).await;
    let outcome = store.delete_users(&[uids[0], Uid(99)], 20, vec![]).await;
    assert_eq!(refusal(outcome), Refusal::UsersGone(vec![Uid(99)]));
    assert_eq!(store.users_by_uid(&uids).await.unwrap().len(), 2);
    assert_eq!(store.pending_deletions(10).await.unwrap(), []);
    assert_eq!(store.list_users(app.id, false, 0, 9).await.unwrap().0, 2);
}

pub async fn deletion_ends_relations_and_waits_for_rosters(harness: &dyn Harness) {
    let store = harness.open();
    let app = app(&*store).await;
    let uids = users(&*store, app.id, &["tom1", "ann1", "bob1"]).await;
    store.change_blacklist(uids[0], &[uids[1]], &[], 11, vec![]).await.unwrap();
    store.change_blacklist(uids[2], &[uids[0], uids[1]], &[], 12, vec![]).await.unwrap();
    store.delete_users(&[uids[0]], 20, vec![]).await.unwrap();
    let left: Vec<Uid> = store.blacklist(uids[2]).await.unwrap().iter().map(|user| user.uid).collect();
    assert_eq!(left, [uids[1]]);
    assert_eq!(store.blacklist(uids[0]).await.unwrap(), []);
    assert_eq!(store.pair_rights(uids[0], uids[1]).await.unwrap(), Rights { b_exists: true, ..Rights::default() });
    drop(store);
    let store = harness.open();
    let pending = store.pending_deletions(10).await.unwrap();
    assert_eq!(pending.iter().map(|u| (u.uid, u.username.as_str())).collect::<Vec<_>>(), [(uids[0], "tom1")]);
    store.finish_deletion(uids[0]).await.unwrap();
    assert_eq!(store.pending_deletions(10).await.unwrap(), []);
}

pub async fn a_blacklist_changes_as_a_whole(harness: &dyn Harness) {
    let store = harness.open();
    let app = app(&*store).await;
    let uids = users(&*store, app.id, &["tom1", "ann1", "bob1", "zoe1"]).await;
    let (tom, ann, bob, zoe) = (uids[0], uids[1], uids[2], uids[3]);
    store.change_blacklist(tom, &[bob, ann], &[], 11, vec![]).await.unwrap();
    let note = store.pending_relations(9).await.unwrap().remove(0).2;
    store.finish_relations(tom, &[bob, ann], note).await.unwrap();
    let list = || async { store.blacklist(tom).await.unwrap().iter().map(|user| user.uid).collect::<Vec<_>>() };
    assert_eq!(list().await, [bob, ann]);
    for (add, remove, expected) in [
        (vec![zoe, ann], vec![], Refusal::AlreadyBlacklisted(vec![ann])),
        (vec![], vec![bob, zoe], Refusal::NotBlacklisted(vec![zoe])),
        (vec![zoe, Uid(99)], vec![], Refusal::UsersGone(vec![Uid(99)])),
    ] {
        assert_eq!(refusal(store.change_blacklist(tom, &add, &remove, 12, vec![]).await), expected);
        assert_eq!(list().await, [bob, ann]);
    }
    store.change_blacklist(tom, &[zoe], &[bob], 13, vec![]).await.unwrap();
    assert_eq!(list().await, [ann, zoe]);
    let rights = store.pair_rights(ann, tom).await.unwrap();
    assert_eq!(rights, Rights { a_blocks_b: false, b_blocks_a: true, a_exists: true, b_exists: true });
}

pub async fn a_noted_relation_may_be_repeated_until_confirmed(harness: &dyn Harness) {
    let store = harness.open();
    let app = app(&*store).await;
    let uids = users(&*store, app.id, &["tom1", "ann1", "bob1"]).await;
    store.change_blacklist(uids[0], &[uids[1]], &[], 11, vec![]).await.unwrap();
    let note = store.change_blacklist(uids[0], &[uids[1]], &[], 12, vec![]).await.unwrap();
    assert_eq!(store.pending_relations(10).await.unwrap(), [(uids[0], vec![uids[1]], note)]);
    store.finish_relations(uids[0], &[uids[1]], note).await.unwrap();
    assert_eq!(store.pending_relations(10).await.unwrap(), []);
    let repeat = store.change_blacklist(uids[0], &[uids[1]], &[], 13, vec![]).await;
    assert_eq!(refusal(repeat), Refusal::AlreadyBlacklisted(vec![uids[1]]));
    store.change_blacklist(uids[0], &[], &[uids[1]], 14, vec![]).await.unwrap();
    store.change_blacklist(uids[0], &[], &[uids[1]], 15, vec![]).await.unwrap();
    assert_eq!(store.blacklist(uids[0]).await.unwrap(), []);
}

pub async fn a_confirmation_leaves_newer_notes(harness: &dyn Harness) {
    let (store, other) = (harness.open(), harness.open());
    let app = app(&*store).await;
    let uids = users(&*store, app.id, &["tom1", "ann1", "bob1"]).await;
    let (tom, ann, bob) = (uids[0], uids[1], uids[2]);
    let first = store.change_blacklist(tom, &[ann, bob], &[], 11, vec![]).await.unwrap();
    // Another process changes one of the pairs while the router is told of the first change.
    let second = other.change_blacklist(tom, &[], &[ann], 12, vec![]).await.unwrap();
    assert!(second > first);
    store.finish_relations(tom, &[ann, bob], first).await.unwrap();
    assert_eq!(store.pending_relations(9).await.unwrap(), [(tom, vec![ann], second)]);
    other.finish_relations(tom, &[ann], second).await.unwrap();
    assert_eq!(store.pending_relations(9).await.unwrap(), []);
    // Numbers are not used again when their notes are gone.
    assert!(store.change_blacklist(tom, &[ann], &[], 13, vec![]).await.unwrap() > second);
    store.finish_relations(tom, &[ann], second).await.unwrap();
    assert_eq!(store.pending_relations(9).await.unwrap().len(), 1);
}

pub async fn answered_writes_survive_a_reopening(harness: &dyn Harness) {
    let store = harness.open();
    let app = app(&*store).await;
    let names: Vec<String> = (0..200).map(|i| format!("user{i}")).collect();
    let made = join_all(names.iter().map(|n| store.insert_users(app.id, vec![new_user(n)], 1))).await;
    let uids: Vec<Uid> = made.into_iter().flat_map(Result::unwrap).flatten().collect();
    // Another opener sees what was answered at once, and a new one after a crash of the first.
    let other = harness.open();
    assert_eq!(other.users_by_uid(&uids).await.unwrap().len(), 200);
    drop((store, other));
    assert_eq!(harness.open().list_users(app.id, false, 0, 1).await.unwrap().0, 200);
}

pub async fn friendship_is_mutual_and_its_notes_are_not(harness: &dyn Harness) {
    let store = harness.open();
    let app = app(&*store).await;
    let uids = users(&*store, app.id, &["tom1", "ann1", "bob1", "zoe1"]).await;
    let (tom, ann, bob, zoe) = (uids[0], uids[1], uids[2], uids[3]);
    let names = |uid| {
        let store = Arc::clone(&store);
        async move {
            let friends = store.friends(uid).await.unwrap();
            friends.into_iter().map(|f| (f.user.uid, f.note_name, f.others)).collect::<Vec<_>>()
        }
    };
    let plain = |uid| (uid, String::new(), String::new());
    store.add_friends(tom, &[bob, ann], 9, 11, vec![]).await.unwrap();
    assert_eq!((names(tom).await, names(ann).await), (vec![plain(bob), plain(ann)], vec![plain(tom)]));
    for (peers, most, expected) in [
        (vec![zoe, ann], 9, Refusal::AlreadyFriends(vec![ann])),
        (vec![zoe], 2, Refusal::TooManyFriends(vec![tom])),
        (vec![zoe, Uid(99)], 9, Refusal::UsersGone(vec![Uid(99)])),
    ] {
        assert_eq!(refusal(store.add_friends(tom, &peers, most, 12, vec![]).await), expected);
        assert_eq!((names(tom).await.len(), names(zoe).await), (2, vec![]));
    }
    let note = |peer, note_name: Option<&str>, others: Option<&str>| FriendNote {
        peer,
        note_name: note_name.map(Into::into),
        others: others.map(Into::into),
    };
    store.note_friends(tom, vec![note(ann, Some("sis"), None), note(bob, None, Some("old"))], vec![]).await.unwrap();
    store.note_friends(tom, vec![note(ann, None, Some("new"))], vec![]).await.unwrap();
    let noted = (ann, "sis".to_owned(), "new".to_owned());
    assert_eq!((names(tom).await[1].clone(), names(ann).await), (noted.clone(), vec![plain(tom)]));
    let refused = store.note_friends(tom, vec![note(ann, Some("x"), None), note(zoe, Some("x"), None)], vec![]).await;
    assert_eq!(refusal(refused), Refusal::NotFriends(vec![zoe]));
    assert_eq!(names(tom).await[1], noted);
    assert_eq!(refusal(store.remove_friends(tom, &[bob, zoe], vec![]).await), Refusal::NotFriends(vec![zoe]));
    store.remove_friends(bob, &[tom], vec![]).await.unwrap();
    assert_eq!((names(tom).await, names(bob).await), (vec![noted], vec![]));
    // Who is deleted is nobody's friend, and who comes back under the name is another one.
    store.delete_users(&[ann], 13, vec![]).await.unwrap();
    assert_eq!(names(tom).await, vec![]);
}

pub async fn switches_change_together_or_not_at_all(harness: &dyn Harness) {
    let store = harness.open();
    let app = app(&*store).await;
    let uids = users(&*store, app.id, &["tom1", "ann1"]).await;
    let (tom, ann) = (uids[0], uids[1]);
    let (by_ann, by_group) = (Switch::DndUser(ann), Switch::DndGroup(10_000_001));
    store.change_switches(tom, vec![(by_ann, true), (by_group, true)], vec![]).await.unwrap();
    for (changes, stands) in [
        (vec![(Switch::DndAll, true), (by_ann, true)], (by_ann, true)),
        (vec![(by_group, false), (by_group, false)], (by_group, false)),
    ] {
        let refused = refusal(store.change_switches(tom, changes, vec![]).await);
        assert_eq!(refused, Refusal::SwitchStands(stands.0, stands.1));
        assert_eq!(store.switches(tom).await.unwrap(), [by_ann, by_group]);
    }
    store.change_switches(tom, vec![(Switch::DndAll, false)], vec![]).await.unwrap();
    store.change_switches(tom, vec![(by_group, false), (Switch::DndAll, true)], vec![]).await.unwrap();
    assert_eq!(store.switches(tom).await.unwrap(), [by_ann, Switch::DndAll]);
    assert_eq!(store.switches(ann).await.unwrap(), []);
    store.delete_users(&[ann], 13, vec![]).await.unwrap();
    assert_eq!(store.switches(tom).await.unwrap(), [Switch::DndAll]);
}

pub async fn a_shield_waits_for_the_router_as_it_stands(harness: &dyn Harness) {
    let store = harness.open();
    let app = app(&*store).await;
    let tom = users(&*store, app.id, &["tom1"]).await[0];
    let (first, second) = (Switch::Shield(10_000_001), Switch::Shield(10_000_002));
    store.change_switches(tom, vec![(first, true), (second, true)], vec![]).await.unwrap();
    store.change_switches(tom, vec![(first, true)], vec![]).await.unwrap();
    assert_eq!(waiting(&*store, 0).await, [(10_000_001, true), (10_000_002, true)]);
    // A confirmation of what is no more leaves the note.
    store.change_switches(tom, vec![(second, false)], vec![]).await.unwrap();
    for gid in [10_000_001, 10_000_002] {
        store.finish_shield(tom, gid, true, Told::Done).await.unwrap();
    }
    assert_eq!(waiting(&*store, 0).await, [(10_000_002, false)]);
    let again = store.change_switches(tom, vec![(first, true)], vec![]).await;
    assert_eq!(refusal(again), Refusal::SwitchStands(first, true));
    store.finish_shield(tom, 10_000_002, false, Told::Done).await.unwrap();
    assert_eq!(waiting(&*store, u32::MAX.into()).await, []);
    assert_eq!(store.switches(tom).await.unwrap(), [first]);
    // A late word, told after the last one was confirmed: the router has to hear again how it stands.
    store.finish_shield(tom, 10_000_001, false, Told::Done).await.unwrap();
    assert_eq!(waiting(&*store, 0).await, [(10_000_001, true)]);
    store.finish_shield(tom, 10_000_001, true, Told::Done).await.unwrap();
    assert_eq!(waiting(&*store, u32::MAX.into()).await, []);
}

/// The shields that wait, and whether each is up.
async fn waiting(store: &dyn DirectoryStore, now: Millis) -> Vec<(u64, bool)> {
    let notes = store.pending_shields(now, 9).await.unwrap();
    notes.into_iter().map(|note| (note.gid, note.up)).collect()
}

pub async fn a_shield_is_told_again_as_it_stands_then(harness: &dyn Harness) {
    const GID: u64 = 10_000_001;
    let (store, other) = (harness.open(), harness.open());
    let app = app(&*store).await;
    let tom = users(&*store, app.id, &["tom1"]).await[0];
    let change = |up| vec![(Switch::Shield(GID), up)];
    store.change_switches(tom, change(true), vec![]).await.unwrap();
    store.finish_shield(tom, GID, true, Told::AgainAt(100)).await.unwrap();
    assert_eq!(waiting(&*store, 99).await, []);
    // It was told: a repeat is none of a change that waits.
    assert_eq!(refusal(store.change_switches(tom, change(true), vec![]).await), Refusal::SwitchStands(Switch::Shield(GID), true));
    let note = store.pending_shields(100, 9).await.unwrap()[0];
    assert!(note.again && note.up);
    // Another process changes it twice, and is confirmed, while the router is told again: its word may have been the last.
    other.change_switches(tom, change(false), vec![]).await.unwrap();
    assert!(!other.pending_shields(0, 9).await.unwrap()[0].again);
    other.finish_shield(tom, GID, false, Told::AgainAt(200)).await.unwrap();
    other.change_switches(tom, change(true), vec![]).await.unwrap();
    other.finish_shield(tom, GID, true, Told::AgainAt(200)).await.unwrap();
    store.finish_shield(tom, GID, true, Told::Again(note.number)).await.unwrap();
    let newer = store.pending_shields(200, 9).await.unwrap()[0];
    assert!(newer.number > note.number);
    store.finish_shield(tom, GID, true, Told::Again(newer.number)).await.unwrap();
    assert_eq!(waiting(&*store, 1000).await, []);
}

pub async fn events_wait_in_order_and_only_with_what_they_tell_of(harness: &dyn Harness) {
    let store = harness.open();
    let app = app(&*store).await;
    let uids = users(&*store, app.id, &["tom1", "ann1", "bob1"]).await;
    let (tom, ann, bob) = (uids[0], uids[1], uids[2]);
    let event = |uid: Uid, text: &'static str| (uid, Bytes::from_static(text.as_bytes()));
    store.add_friends(tom, &[ann], 9, 11, vec![event(tom, "1"), event(ann, "2")]).await.unwrap();
    store.update_profile(tom, Profile::default(), 12, vec![event(tom, "3")]).await.unwrap();
    assert!(store.add_friends(tom, &[ann], 9, 13, vec![event(bob, "refused")]).await.is_err());
    assert_eq!(store.pending_feeds(9).await.unwrap(), [tom, ann]);
    let waiting = store.feed_events(tom, 9).await.unwrap();
    assert_eq!(waiting.iter().map(|(_, payload)| payload.as_ref()).collect::<Vec<_>>(), [b"1", b"3"]);
    assert_eq!(store.feed_events(tom, 1).await.unwrap(), waiting[..1]);
    store.finish_feed(tom, waiting[0].0).await.unwrap();
    drop(store);
    let store = harness.open();
    assert_eq!(store.feed_events(tom, 9).await.unwrap(), waiting[1..]);
    // Who is deleted has no feed; his friends are told.
    store.delete_users(&[tom], 14, vec![event(tom, "gone")]).await.unwrap();
    assert_eq!(store.feed_events(tom, 9).await.unwrap(), []);
    let told = store.feed_events(ann, 9).await.unwrap();
    assert_eq!(told.iter().map(|(_, payload)| payload.as_ref()).collect::<Vec<_>>(), [b"2".as_slice(), b"gone"]);
}

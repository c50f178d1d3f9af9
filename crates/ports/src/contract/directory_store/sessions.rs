//! Device sessions.

use mynah_types::{AppId, Uid};

use super::{Harness, app, refusal, users};
use crate::DirectoryStore;
use crate::directory_store::{
    Day, DeviceRecord, Growth, Login, LoginOutcome, MultiDevice, Refusal, Session, SessionState, TokenDigest,
};

fn login(app: AppId, uid: Uid, platform: char, device: &str) -> Login {
    let mut token = [0; 32];
    let tag = format!("{uid}/{platform}/{device}");
    token[..tag.len().min(32)].copy_from_slice(&tag.as_bytes()[..tag.len().min(32)]);
    Login {
        app,
        uid,
        verified: "pw1".into(),
        token: TokenDigest(token),
        platform,
        device_id: device.into(),
        rule: MultiDevice::Class,
        kick_others: true,
        now: 100,
        day: 7,
        expires: 1000,
    }
}

/// A store with one user.
async fn with_user(harness: &dyn Harness) -> (std::sync::Arc<dyn DirectoryStore>, AppId, Uid) {
    let store = harness.open();
    let app = app(&*store).await.id;
    let uid = users(&*store, app, &["tom1"]).await[0];
    (store, app, uid)
}

fn ids(sessions: &[Session]) -> Vec<u64> {
    sessions.iter().map(|session| session.id).collect()
}

async fn is_live(store: &dyn DirectoryStore, of: &Login) -> bool {
    store.session(&of.token).await.unwrap().unwrap().state == SessionState::Live
}

pub async fn the_rule_decides_who_goes(harness: &dyn Harness) {
    let store = harness.open();
    let app = app(&*store).await.id;
    let cases = [
        (MultiDevice::Class, 'i', vec!['a']),
        (MultiDevice::Class, 'm', vec!['w']),
        (MultiDevice::Class, 'x', vec!['j']),
        (MultiDevice::Class, 'a', vec!['a']),
        (MultiDevice::One, 'i', vec!['a', 'w', 'j']),
        (MultiDevice::Many, 'a', vec![]),
    ];
    for (nth, (rule, platform, expected)) in cases.into_iter().enumerate() {
        let uid = users(&*store, app, &[&format!("user{nth}")]).await[0];
        for other in ['a', 'w', 'j'] {
            store.login(login(app, uid, other, "old")).await.unwrap();
        }
        let new = Login { rule, ..login(app, uid, platform, "new") };
        let outcome = store.login(new.clone()).await.unwrap();
        let kicked: Vec<char> = outcome.kicked.iter().map(|session| session.platform).collect();
        assert_eq!(kicked, expected, "{rule:?} {platform}");
        assert!(outcome.replaced.is_empty() && is_live(&*store, &new).await);
        for other in ['a', 'w', 'j'] {
            let live = is_live(&*store, &login(app, uid, other, "old")).await;
            assert_eq!(live, !expected.contains(&other), "{rule:?} {platform} {other}");
        }
    }
}

pub async fn a_login_that_may_not_kick_is_refused(harness: &dyn Harness) {
    let (store, app, uid) = with_user(harness).await;
    let first = login(app, uid, 'a', "one");
    store.login(first.clone()).await.unwrap();
    let polite = |platform, device, now| Login { kick_others: false, now, ..login(app, uid, platform, device) };
    assert_eq!(refusal(store.login(polite('i', "two", 100)).await), Refusal::DeviceConflict);
    assert!(is_live(&*store, &first).await);
    assert!(store.login(polite('j', "three", 100)).await.is_ok(), "another class");
    assert!(store.login(polite('i', "two", 1000)).await.is_ok(), "what has expired is not in the way");
}

pub async fn the_same_device_takes_its_own_place(harness: &dyn Harness) {
    let (store, app, uid) = with_user(harness).await;
    let first = login(app, uid, 'a', "one");
    store.login(first.clone()).await.unwrap();
    let again = Login { token: TokenDigest([7; 32]), kick_others: false, ..first.clone() };
    let outcome: LoginOutcome = store.login(again).await.unwrap();
    assert_eq!((outcome.kicked.len(), outcome.replaced.len()), (0, 1));
    assert!(!is_live(&*store, &first).await);
    // A device that does not say who it is equals no other.
    store.login(login(app, uid, 'w', "")).await.unwrap();
    let outcome = store.login(Login { token: TokenDigest([8; 32]), ..login(app, uid, 'w', "") }).await.unwrap();
    assert_eq!((outcome.kicked.len(), outcome.replaced.len()), (1, 0));
}

pub async fn a_password_change_ends_sessions_with_it(harness: &dyn Harness) {
    let (store, app, uid) = with_user(harness).await;
    let (phone, web) = (login(app, uid, 'a', "one"), login(app, uid, 'j', "two"));
    let kept = store.login(phone.clone()).await.unwrap().session;
    let ended = store.login(web.clone()).await.unwrap().session;
    let refused = store.set_password(uid, "pw2".into(), Some("wrong".into()), None, 110).await;
    assert_eq!(refusal(refused), Refusal::PasswordMoved);
    assert!(is_live(&*store, &web).await);
    assert_eq!(store.password(uid).await.unwrap().as_deref(), Some("pw1"));
    let revoked = store.set_password(uid, "pw2".into(), Some("pw1".into()), Some(kept.id), 110).await.unwrap();
    assert_eq!(ids(&revoked), [ended.id]);
    drop(store);
    let store = harness.open();
    assert_eq!(store.password(uid).await.unwrap().as_deref(), Some("pw2"));
    assert!(is_live(&*store, &phone).await && !is_live(&*store, &web).await);
}

pub async fn a_login_by_an_old_password_is_refused(harness: &dyn Harness) {
    let (store, app, uid) = with_user(harness).await;
    store.set_password(uid, "pw2".into(), None, None, 110).await.unwrap();
    let late = login(app, uid, 'a', "one");
    assert_eq!(refusal(store.login(late.clone()).await), Refusal::PasswordMoved);
    assert_eq!(store.session(&late.token).await.unwrap(), None);
    store.delete_users(&[uid], 120, vec![]).await.unwrap();
    assert_eq!(refusal(store.login(late).await), Refusal::UsersGone(vec![uid]));
}

pub async fn disabling_ends_sessions_with_it(harness: &dyn Harness) {
    let (store, app, uid) = with_user(harness).await;
    let phone = login(app, uid, 'a', "one");
    let session = store.login(phone.clone()).await.unwrap().session;
    assert_eq!(ids(&store.set_disabled(uid, true, 110).await.unwrap()), [session.id]);
    assert!(!is_live(&*store, &phone).await && store.users_by_uid(&[uid]).await.unwrap()[0].disabled);
    assert_eq!(refusal(store.login(login(app, uid, 'w', "two")).await), Refusal::UserDisabled);
    store.set_disabled(uid, false, 120).await.unwrap();
    assert!(!is_live(&*store, &phone).await && store.login(login(app, uid, 'w', "two")).await.is_ok());
}

/// Its gateways ask which sessions are revoked: a connection of one that stayed live would outlive its user.
pub async fn a_deletion_ends_sessions_with_it(harness: &dyn Harness) {
    let (store, app, uid) = with_user(harness).await;
    let phone = login(app, uid, 'a', "one");
    let session = store.login(phone.clone()).await.unwrap().session;
    assert_eq!(ids(&store.delete_users(&[uid], 110, vec![]).await.unwrap()), [session.id]);
    assert!(!is_live(&*store, &phone).await);
    assert_eq!(store.revoked_sessions(&[session.id]).await.unwrap(), [session.id]);
}

pub async fn a_revoked_session_stays_revoked(harness: &dyn Harness) {
    let (store, app, uid) = with_user(harness).await;
    let (phone, web) = (login(app, uid, 'a', "one"), login(app, uid, 'j', "two"));
    let session = store.login(phone.clone()).await.unwrap().session;
    let other = store.login(web.clone()).await.unwrap().session;
    assert_eq!(ids(&store.revoke_sessions(uid, Some(session.id), 110).await.unwrap()), [session.id]);
    store.touch_session(session.id, 120, 9, 5000).await.unwrap();
    let stored = store.session(&phone.token).await.unwrap().unwrap();
    assert_eq!((stored.state, stored.expires), (SessionState::Revoked, 1000));
    store.touch_session(other.id, 120, 9, 5000).await.unwrap();
    let stored = store.session(&web.token).await.unwrap().unwrap();
    assert_eq!((stored.state, stored.last_used, stored.expires), (SessionState::Live, 120, 5000));
    assert_eq!(ids(&store.revoke_sessions(uid, None, 130).await.unwrap()), [other.id]);
    assert!(store.revoke_sessions(uid, None, 140).await.unwrap().is_empty());
}

pub async fn ended_sessions_are_forgotten(harness: &dyn Harness) {
    let (store, app, uid) = with_user(harness).await;
    let (short, long) = (login(app, uid, 'a', "one"), Login { expires: 2000, ..login(app, uid, 'j', "two") });
    store.login(short.clone()).await.unwrap();
    store.login(long.clone()).await.unwrap();
    assert_eq!(store.purge_sessions(1500, 10).await.unwrap(), 1);
    assert_eq!(store.session(&short.token).await.unwrap(), None);
    assert!(is_live(&*store, &long).await);
}

pub async fn devices_tell_the_newest_of_each_platform(harness: &dyn Harness) {
    let (store, app, uid) = with_user(harness).await;
    let many = |platform, device: &str, now| Login { rule: MultiDevice::Many, now, ..login(app, uid, platform, device) };
    store.login(many('w', "pc", 100)).await.unwrap();
    store.login(many('a', "one", 101)).await.unwrap();
    let newest = store.login(many('a', "two", 102)).await.unwrap().session;
    let ended = store.login(many('j', "web", 103)).await.unwrap().session;
    store.revoke_sessions(uid, Some(ended.id), 104).await.unwrap();
    let all = store.devices(&[uid, Uid(99)], 500).await.unwrap();
    let seen = |record: &DeviceRecord| (record.platform, record.device_id.clone(), record.login, record.last_login);
    let records: Vec<_> = all[0].1.iter().map(seen).collect();
    let expected = [('a', "two".into(), true, 102), ('j', "web".into(), false, 103), ('w', "pc".into(), true, 100)];
    assert_eq!((all[0].0, records), (uid, expected.to_vec()));
    assert_eq!((all[0].1[0].session_id, all[1].clone()), (newest.id, (Uid(99), vec![])));
    let late = store.devices(&[uid], 1000).await.unwrap();
    assert!(late[0].1.iter().all(|record| !record.login), "an expired session is no login");
}

pub async fn generations_rise_across_openers(harness: &dyn Harness) {
    let mut last = 0;
    for _ in 0..3 {
        let store = harness.open();
        for _ in 0..5 {
            let next = store.next_generation().await.unwrap();
            assert!(next > last);
            last = next;
        }
    }
}

pub async fn a_password_hashed_anew_leaves_sessions_alone(harness: &dyn Harness) {
    let (store, app, uid) = with_user(harness).await;
    let phone = login(app, uid, 'a', "one");
    store.login(phone.clone()).await.unwrap();
    assert!(!store.rehash_password(uid, "other".into(), "pw2".into()).await.unwrap());
    assert!(store.rehash_password(uid, "pw1".into(), "pw2".into()).await.unwrap());
    assert!(!store.rehash_password(uid, "pw1".into(), "pw3".into()).await.unwrap());
    assert_eq!(harness.open().password(uid).await.unwrap().as_deref(), Some("pw2"));
    assert!(is_live(&*store, &phone).await);
}

pub async fn growth_counts_who_is_there_and_who_came(harness: &dyn Harness) {
    let (store, app, uid) = with_user(harness).await;
    let of = |number, from, until| Day { number, from, until };
    let before = store.growth(app, vec![of(6, 0, 1), of(7, 1, 1 << 40)]).await.unwrap();
    assert_eq!(before, [Growth::default(), Growth { users: 1, new_users: 1, ..Growth::default() }]);
    let phone = login(app, uid, 'a', "one");
    let session = store.login(phone.clone()).await.unwrap().session;
    store.login(login(app, uid, 'j', "two")).await.unwrap();
    store.touch_session(session.id, 120, 9, 5000).await.unwrap();
    let days = vec![of(7, 1, 1 << 40), of(8, 1 << 40, 1 << 41), of(9, 1 << 40, 1 << 41)];
    let found = store.growth(app, days).await.unwrap();
    let logged_in: Vec<_> = found.iter().map(|day| (day.users, day.new_users, day.logged_in)).collect();
    assert_eq!(logged_in, [(1, 1, 1), (1, 0, 0), (1, 0, 1)]);
    store.purge_sessions(80 * 24 * 60 * 60 * 1000, 10).await.unwrap();
    assert_eq!(store.growth(app, vec![of(9, 0, 1)]).await.unwrap()[0].logged_in, 0, "old days are forgotten");
}

pub async fn revoked_sessions_are_told_from_others(harness: &dyn Harness) {
    let (store, app, uid) = with_user(harness).await;
    let many = |platform, device: &str| Login { rule: MultiDevice::Many, ..login(app, uid, platform, device) };
    let one = store.login(many('a', "one")).await.unwrap().session.id;
    let two = store.login(many('a', "two")).await.unwrap().session.id;
    store.revoke_sessions(uid, Some(one), 104).await.unwrap();
    assert_eq!(harness.open().revoked_sessions(&[one, two, 1 << 40]).await.unwrap(), [one]);
    assert_eq!(store.revoked_sessions(&[]).await.unwrap(), [0; 0]);
}

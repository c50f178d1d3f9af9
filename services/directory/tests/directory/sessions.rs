//! Device sessions: who is put out, by what, and that it is told before the call answers.

use mynah_proto::directory as wire;
use mynah_types::Reason;

use crate::support::{Mode, START, World, by_password, why};

const DAY: u64 = 24 * 60 * 60 * 1000;

#[tokio::test]
async fn a_newer_login_of_a_class_puts_the_older_out_and_tells_its_gateway() {
    let world = World::new();
    let app = world.app().await;
    let uid = world.users(app, &["tom1"]).await[0];
    let (phone, web) = (world.login(app, "tom1", "a", "one").await, world.login(app, "tom1", "j", "two").await);
    assert!(world.gateway.take().is_empty() && web.kicked_sessions.is_empty());
    let tablet = world.login(app, "tom1", "i", "three").await;
    assert_eq!(tablet.kicked_sessions, [phone.session_id]);
    let kicks = world.gateway.take();
    let kick = &kicks[0];
    assert_eq!((kick.uid, kick.sessions.as_slice(), kick.reason.as_str()), (uid, &[phone.session_id][..], "other_device"));
    assert_eq!((kick.by_platform.as_str(), kick.by_device_id.as_str(), kick.time_ms), ("i", "three", START));
    assert_eq!(why(world.login_by_session(app, &phone.session, "a").await), Reason::SessionInvalid);
    assert!(world.login_by_session(app, &web.session, "j").await.is_ok());
    // The list tells the newest of each class, and whom this login put out.
    let seen: Vec<_> = tablet.devices.iter().map(|d| (d.platform.as_str(), d.login, d.kicked, d.session_id)).collect();
    let expected =
        [("i", true, false, tablet.session_id), ("j", true, false, web.session_id), ("a", false, true, phone.session_id)];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn the_same_device_takes_its_own_place_in_silence() {
    let world = World::new();
    let app = world.app().await;
    world.users(app, &["tom1"]).await;
    let old = world.login(app, "tom1", "a", "one").await;
    let request = wire::LoginRequest { kick_others: false, ..by_password(app, "tom1", "a", "one") };
    let new = world.api.login(request).await.unwrap();
    assert!(new.kicked_sessions.is_empty() && world.gateway.take().is_empty());
    assert!(new.generation > old.generation && new.session != old.session);
    assert_eq!(why(world.login_by_session(app, &old.session, "a").await), Reason::SessionInvalid);
}

#[tokio::test]
async fn a_login_that_may_not_kick_is_refused() {
    let world = World::new();
    let app = world.app().await;
    world.users(app, &["tom1"]).await;
    let phone = world.login(app, "tom1", "a", "one").await;
    let request = wire::LoginRequest { kick_others: false, ..by_password(app, "tom1", "i", "two") };
    assert_eq!(why(world.api.login(request).await), Reason::DeviceConflict);
    assert!(world.gateway.take().is_empty());
    assert!(world.login_by_session(app, &phone.session, "a").await.is_ok());
}

#[tokio::test]
async fn a_session_logs_in_again_with_the_same_token_until_it_was_not_used_for_a_month() {
    let world = World::new();
    let app = world.app().await;
    world.users(app, &["tom1"]).await;
    let first = world.login(app, "tom1", "a", "one").await;
    assert_eq!(first.session_expires_ms, START + 30 * DAY);
    let again = world.login_by_session(app, &first.session, "a").await.unwrap();
    assert_eq!((&again.session, again.session_id), (&first.session, first.session_id));
    assert!(again.generation > first.generation && world.gateway.take().is_empty());
    assert_eq!(again.session_expires_ms, first.session_expires_ms, "a use within the hour is not noted");
    world.clock.advance(29 * DAY);
    let later = world.login_by_session(app, &first.session, "a").await.unwrap();
    assert_eq!(later.session_expires_ms, START + 59 * DAY);
    // What a restart would forget is stored.
    let world = world.restart();
    world.clock.advance(29 * DAY);
    let later = world.login_by_session(app, &first.session, "a").await.unwrap();
    assert!(later.generation > again.generation);
    world.clock.advance(30 * DAY);
    assert_eq!(why(world.login_by_session(app, &first.session, "a").await), Reason::SessionInvalid);
}

#[tokio::test]
async fn a_session_is_good_for_its_app_and_platform_only() {
    let world = World::new();
    let (app, other) = (world.app().await, world.app().await);
    world.users(app, &["tom1"]).await;
    let reply = world.login(app, "tom1", "a", "one").await;
    for (app, session, platform) in [
        (other, reply.session.as_str(), "a"),
        (app, &reply.session, "w"),
        (app, "no such token", "a"),
        (app, &reply.session[1..], "a"),
    ] {
        assert_eq!(why(world.login_by_session(app, session, platform).await), Reason::SessionInvalid);
    }
    let failure = world.api.login(by_password(app, "tom1", "z", "one")).await.unwrap_err();
    assert_eq!((failure.why(), failure.field.as_str()), (Reason::Invalid, "platform"));
}

#[tokio::test]
async fn a_password_change_ends_all_other_sessions_before_it_answers() {
    let world = World::new();
    let app = world.app().await;
    let uid = world.users(app, &["tom1"]).await[0];
    let (phone, web) = (world.login(app, "tom1", "a", "one").await, world.login(app, "tom1", "j", "two").await);
    let change = wire::SetPasswordRequest {
        app_id: app,
        username: "tom1".into(),
        new_password: "second".into(),
        keep_session: phone.session_id,
        ..Default::default()
    };
    world.api.set_password(change.clone()).await.unwrap();
    let kick = world.gateway.take().remove(0);
    assert_eq!((kick.uid, kick.sessions, kick.reason.as_str()), (uid, vec![web.session_id], "password_changed"));
    // It holds after a crash right behind the commit.
    let world = world.restart();
    assert!(world.login_by_session(app, &phone.session, "a").await.is_ok());
    assert_eq!(why(world.login_by_session(app, &web.session, "j").await), Reason::SessionInvalid);
    world.api.set_password(wire::SetPasswordRequest { keep_session: 0, ..change }).await.unwrap();
    assert_eq!(why(world.login_by_session(app, &phone.session, "a").await), Reason::SessionInvalid);
}

#[tokio::test]
async fn a_disabled_user_is_out_and_stays_out() {
    let world = World::new();
    let app = world.app().await;
    let uid = world.users(app, &["tom1"]).await[0];
    let phone = world.login(app, "tom1", "a", "one").await;
    let set = |disabled| world.api.set_disabled(wire::SetDisabledRequest { app_id: app, username: "tom1".into(), disabled });
    set(true).await.unwrap();
    let kick = world.gateway.take().remove(0);
    assert_eq!((kick.uid, kick.reason.as_str()), (uid, "disabled"));
    assert_eq!(why(world.login_by_session(app, &phone.session, "a").await), Reason::UserDisabled);
    assert_eq!(why(world.api.login(by_password(app, "tom1", "a", "one")).await), Reason::UserDisabled);
    let wrong = wire::LoginRequest { password: "wrong".into(), ..by_password(app, "tom1", "a", "one") };
    assert_eq!(why(world.api.login(wrong).await), Reason::BadPassword);
    set(true).await.unwrap();
    set(false).await.unwrap();
    assert_eq!(why(world.login_by_session(app, &phone.session, "a").await), Reason::SessionInvalid);
    assert!(world.api.login(by_password(app, "tom1", "a", "one")).await.is_ok());
}

/// A gateway that is away delays, but what was decided holds: its devices cannot log in again.
#[tokio::test]
async fn a_gateway_that_does_not_answer_fails_no_call() {
    let world = World::new();
    let app = world.app().await;
    world.users(app, &["tom1", "ann1", "bob1"]).await;
    for mode in [Mode::Fails, Mode::Hangs] {
        *world.gateway.mode.lock() = Mode::Answers;
        let phone = world.login(app, "tom1", "a", "one").await;
        *world.gateway.mode.lock() = mode;
        world.login(app, "tom1", "i", "two").await;
        assert_eq!(why(world.login_by_session(app, &phone.session, "a").await), Reason::SessionInvalid);
        world.api.set_disabled(wire::SetDisabledRequest { app_id: app, username: "ann1".into(), disabled: true }).await.unwrap();
    }
    let delete = wire::DeleteUsersRequest { app_id: app, usernames: vec!["bob1".into()], path_user: true };
    world.api.delete_users(delete).await.unwrap();
}

#[tokio::test]
async fn logout_ends_the_session_and_keeps_the_connection() {
    let world = World::new();
    let app = world.app().await;
    let uid = world.users(app, &["tom1"]).await[0];
    let (phone, web) = (world.login(app, "tom1", "a", "one").await, world.login(app, "tom1", "j", "two").await);
    let logout = |session_id, all_devices| world.api.logout(wire::LogoutRequest { app_id: app, uid, session_id, all_devices });
    logout(phone.session_id, false).await.unwrap();
    assert!(world.gateway.take().is_empty());
    assert_eq!(why(world.login_by_session(app, &phone.session, "a").await), Reason::SessionInvalid);
    let devices = world.api.devices(wire::DevicesRequest { app_id: app, uids: vec![uid], ..Default::default() }).await.unwrap();
    let seen: Vec<_> = devices.users[0].devices.iter().map(|d| (d.platform.as_str(), d.login)).collect();
    assert_eq!(seen, [("a", false), ("j", true)]);
    let phone = world.login(app, "tom1", "a", "one").await;
    logout(phone.session_id, true).await.unwrap();
    let kick = world.gateway.take().remove(0);
    assert_eq!((kick.sessions, kick.reason.as_str()), (vec![web.session_id], "session_revoked"));
    assert_eq!(why(world.login_by_session(app, &web.session, "j").await), Reason::SessionInvalid);
}

#[tokio::test]
async fn a_disabled_app_lets_no_device_in() {
    let world = World::new();
    let made = world.operator().create_app("gone").await.unwrap();
    let app = world.api.app_by_key(wire::AppByKeyRequest { now: false, appkey: made.appkey.clone() }).await.unwrap().app_id;
    world.users(app, &["tom1"]).await;
    let phone = world.login(app, "tom1", "a", "one").await;
    world.operator().disable_app(&made.appkey).await.unwrap();
    tokio::time::sleep(world.settings.app_cache).await;
    assert_eq!(why(world.login_by_session(app, &phone.session, "a").await), Reason::AppDisabled);
    assert_eq!(why(world.api.login(by_password(app, "tom1", "a", "one")).await), Reason::AppDisabled);
}

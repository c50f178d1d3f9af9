//! Registration, look-up, profiles, passwords.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use md5::{Digest as _, Md5};
use mynah_directory::Settings;
use mynah_ports::deadline;
use mynah_proto::directory as wire;
use mynah_types::Reason;

use crate::support::{World, by_password, named, new_user, quick, strings, why};

fn md5_of(password: &str) -> String {
    Md5::digest(password.as_bytes()).iter().map(|b| format!("{b:02X}")).collect()
}

fn register(app: u64, users: Vec<wire::NewUser>) -> wire::RegisterRequest {
    wire::RegisterRequest { app_id: app, users, ..Default::default() }
}

/// Hashing takes long: those who are made stay, the others are told to come again.
#[tokio::test]
async fn a_long_registration_makes_whom_it_has_time_for() {
    let world = World::new();
    let app = world.app().await;
    let names: Vec<String> = (0..100).map(|number| format!("user{number}")).collect();
    let all = || register(app, names.iter().map(|name| new_user(name)).collect());
    let soon = Instant::now() + deadline::LEAST + Duration::from_secs(1);
    let reply = deadline::until(Some(soon), world.api.register(all())).await.unwrap();
    let made = reply.results.iter().take_while(|result| result.failure.is_none()).count();
    assert!((1..100).contains(&made), "{made}");
    let told = |reply: &wire::RegisterReply| -> Vec<_> {
        reply.results.iter().map(|result| result.failure.as_ref().map(|failure| failure.why())).collect()
    };
    assert!(told(&reply).iter().skip(made).all(|why| *why == Some(Reason::Unavailable)));
    let again = told(&world.api.register(all()).await.unwrap());
    let expected: Vec<_> = (0..100).map(|nth| (nth < made).then_some(Reason::UserExists)).collect();
    assert_eq!(again, expected);
}

#[tokio::test]
async fn each_registration_stands_alone_in_the_order_given() {
    let world = World::new();
    let app = world.app().await;
    world.users(app, &["hawk"]).await;
    let short = wire::NewUser { password: "abc".into(), ..new_user("short") };
    let users = vec![new_user("fang"), new_user("hawk"), new_user("x"), short, new_user("fang"), new_user("last")];
    let reply = world.api.register(register(app, users)).await.unwrap();
    let seen: Vec<_> =
        reply.results.iter().map(|r| (r.uid > 0, r.failure.as_ref().map(|f| (f.why(), f.field.as_str())))).collect();
    let expected = [
        (true, None),
        (false, Some((Reason::UserExists, ""))),
        (false, Some((Reason::Invalid, "username"))),
        (false, Some((Reason::Invalid, "password"))),
        (false, Some((Reason::UserExists, ""))),
        (true, None),
    ];
    assert_eq!(seen, expected);
    assert_eq!(why(world.api.register(register(app, vec![])).await), Reason::Invalid);
    let many = (0..501).map(|i| new_user(&format!("user{i}"))).collect();
    assert_eq!(why(world.api.register(register(app, many)).await), Reason::TooManyUsers);
    assert_eq!(world.api.list_users(wire::ListRequest { app_id: app, start: 0, count: 10 }).await.unwrap().total, 3);
}

#[tokio::test]
async fn racing_registrations_of_a_name_create_one() {
    let world = World::new();
    let app = world.app().await;
    let calls = (0..16).map(|_| world.api.register(register(app, vec![new_user("tom1")])));
    let results: Vec<_> = join_all(calls).await.into_iter().map(|reply| reply.unwrap().results.remove(0)).collect();
    assert_eq!(results.iter().filter(|r| r.uid > 0).count(), 1);
    assert!(results.iter().all(|r| r.uid > 0 || r.failure.as_ref().unwrap().why() == Reason::UserExists));
}

#[tokio::test]
async fn devices_register_only_where_they_may() {
    let world = World::new();
    let app = world.app().await;
    let by_device = |name| wire::RegisterRequest { by_device: true, ..register(app, vec![new_user(name)]) };
    assert!(world.api.register(by_device("tom1")).await.is_ok());
    let mut stored = world.store.app(mynah_types::AppId(app)).await.unwrap().unwrap();
    stored.rules.device_registration = false;
    world.store.update_app(&stored).await.unwrap();
    tokio::time::sleep(world.settings.app_cache).await;
    assert_eq!(why(world.api.register(by_device("ann1")).await), Reason::RegistrationClosed);
    assert!(world.api.register(register(app, vec![new_user("bob1")])).await.is_ok());
}

#[tokio::test]
async fn both_forms_of_a_password_log_in_whichever_was_registered() {
    let world = World::new();
    let app = world.app().await;
    let plain = new_user("plain");
    let hashed = wire::NewUser { password: md5_of("password"), password_is_md5: true, ..new_user("hashed") };
    world.api.register(register(app, vec![plain, hashed])).await.unwrap();
    for name in ["plain", "hashed"] {
        let login = |password: String, is_md5| {
            let request = by_password(app, name, "a", "one");
            world.api.login(wire::LoginRequest { password, password_is_md5: is_md5, ..request })
        };
        assert!(login("password".into(), false).await.is_ok());
        assert!(login(md5_of("password"), true).await.is_ok());
        assert!(login(md5_of("password").to_lowercase(), true).await.is_ok());
        assert_eq!(why(login("Password".into(), false).await), Reason::BadPassword);
        assert_eq!(why(login(md5_of("password"), false).await), Reason::BadPassword);
        assert_eq!(why(login("password".into(), true).await), Reason::BadPassword);
    }
    let stored = world.store.password(mynah_types::Uid(1)).await.unwrap().unwrap();
    assert!(stored.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{stored}");
    assert_eq!(why(world.api.login(by_password(app, "nobody", "a", "one")).await), Reason::UserNotFound);
}

#[tokio::test]
async fn a_user_is_found_by_name_and_by_number_and_what_was_written_is_read() {
    let world = World::new();
    let app = world.app().await;
    let uid = world.users(app, &["tom1"]).await[0];
    let by_uid = wire::GetUserRequest { app_id: app, username: String::new(), uid };
    let user = world.api.get_user(by_uid.clone()).await.unwrap();
    assert_eq!((user.uid, user.username.as_str(), user.ctime_ms), (uid, "tom1", crate::support::START));
    for round in 0..5 {
        let nickname = Some(format!("Tom {round}"));
        let profile = Some(wire::Profile { nickname: nickname.clone(), ..Default::default() });
        let request = wire::UpdateUserRequest { app_id: app, username: "tom1".into(), profile };
        world.api.update_user(request).await.unwrap();
        for request in [named(app, "tom1"), by_uid.clone()] {
            assert_eq!(world.api.get_user(request).await.unwrap().profile.unwrap().nickname, nickname);
        }
    }
    assert_eq!(why(world.api.get_user(named(app, "nobody")).await), Reason::UserNotFound);
    assert_eq!(world.api.get_user(named(app, "no")).await.unwrap_err().field, "username");
    let get = |names: &[&str], strict| {
        let uids = vec![uid, 99];
        world.api.get_users(wire::GetUsersRequest { app_id: app, usernames: strings(names), uids, strict, any_app: false })
    };
    let found = get(&["gone", "tom1"], false).await.unwrap();
    assert_eq!(found.users.iter().map(|user| user.uid).collect::<Vec<_>>(), [uid, uid]);
    let failure = get(&["gone", "tom1"], true).await.unwrap_err();
    assert!(failure.why() == Reason::NamedUserNotFound && failure.message.contains("gone"));
}

/// Readers fill the caches while writers invalidate them: after each answered write its value is read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn caches_never_bring_an_old_value_back() {
    let world = World::new();
    let app = world.app().await;
    world.users(app, &["tom1"]).await;
    let done = std::sync::atomic::AtomicBool::new(false);
    let reader = async {
        while !done.load(std::sync::atomic::Ordering::Relaxed) {
            world.api.get_user(named(app, "tom1")).await.unwrap();
        }
    };
    let writer = async {
        for round in 0..60 {
            let request = wire::SetDisabledRequest { app_id: app, username: "tom1".into(), disabled: round % 2 == 0 };
            world.api.set_disabled(request).await.unwrap();
            assert_eq!(world.api.get_user(named(app, "tom1")).await.unwrap().disabled, round % 2 == 0);
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    };
    tokio::join!(reader, writer);
}

#[tokio::test]
async fn the_old_password_counts_where_it_is_asked_for() {
    let world = World::new();
    let app = world.app().await;
    world.users(app, &["tom1"]).await;
    let change = |old: Option<&str>, new: &str| {
        world.api.set_password(wire::SetPasswordRequest {
            app_id: app,
            username: "tom1".into(),
            new_password: new.into(),
            old_password: old.map(Into::into),
            ..Default::default()
        })
    };
    assert_eq!(why(change(Some("wrong"), "second").await), Reason::BadPassword);
    assert_eq!(change(Some("password"), "abc").await.unwrap_err().field, "new_password");
    assert!(world.api.login(by_password(app, "tom1", "a", "one")).await.is_ok());
    change(Some("password"), "second").await.unwrap();
    change(None, "third password").await.unwrap();
    let login = wire::LoginRequest { password: "third password".into(), ..by_password(app, "tom1", "a", "one") };
    assert!(world.api.login(login).await.is_ok());
    assert_eq!(why(world.api.login(by_password(app, "tom1", "a", "one")).await), Reason::BadPassword);
}

/// One hash at a time, and a batch that needs many: the login's turn comes long before the batch's end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_of_registrations_does_not_starve_logins() {
    let world = World::with(Settings { argon2_memory_kib: 8192, hashing_threads: 1, ..quick() });
    let app = world.app().await;
    world.users(app, &["tom1"]).await;
    let batch = (0..100).map(|i| new_user(&format!("user{i}"))).collect();
    let batch = world.api.register(register(app, batch));
    tokio::pin!(batch);
    tokio::select! {
        biased;
        () = three_logins(&world, app) => {}
        _ = &mut batch => panic!("the batch ended before three logins"),
    }
    assert!(batch.await.unwrap().results.iter().all(|result| result.uid > 0));
}

/// Many calls at one time have one place in the queue between them, as one call has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_registrations_do_not_starve_logins_either() {
    let world = World::with(Settings { argon2_memory_kib: 8192, hashing_threads: 1, ..quick() });
    let app = world.app().await;
    world.users(app, &["tom1"]).await;
    let names: Vec<String> = (0..30).map(|i| format!("user{i}")).collect();
    let calls = join_all(names.iter().map(|name| world.api.register(register(app, vec![new_user(name)]))));
    tokio::pin!(calls);
    tokio::select! {
        biased;
        _ = &mut calls => panic!("all ended before three logins"),
        () = three_logins(&world, app) => {}
    }
    let page = world.api.list_users(wire::ListRequest { app_id: app, start: 0, count: 1 }).await.unwrap();
    assert!(page.total < 20, "{} were registered before three logins", page.total);
    assert!(calls.await.into_iter().all(|reply| reply.is_ok()));
}

async fn three_logins(world: &World, app: u64) {
    for _ in 0..3 {
        world.login(app, "tom1", "a", "one").await;
    }
}

#[tokio::test]
async fn a_full_queue_of_passwords_refuses_and_may_be_tried_again() {
    let world =
        World::with(Settings { argon2_memory_kib: 8192, hashing_threads: 1, hashing_queue: 2, registrations: 1, ..quick() });
    let app = world.app().await;
    world.users(app, &["tom1"]).await;
    let outcomes = join_all((0..8).map(|_| world.api.login(by_password(app, "tom1", "a", "one")))).await;
    let refused: Vec<_> = outcomes.into_iter().filter_map(Result::err).collect();
    assert!(!refused.is_empty());
    assert!(refused.iter().all(|f| f.why() == Reason::Overloaded && f.why().is_retryable() && f.retry_after_ms > 0));
    let calls = ["ann1", "bob1", "zoe1"].map(|name| world.api.register(register(app, vec![new_user(name)])));
    let outcomes = join_all(calls).await;
    assert_eq!(outcomes.iter().filter(|o| o.is_ok()).count(), 1);
    assert!(outcomes.into_iter().filter(Result::is_err).all(|o| why(o) == Reason::Overloaded));
    assert!(world.api.login(by_password(app, "tom1", "a", "one")).await.is_ok());
}

#[tokio::test]
async fn pages_are_bounded_and_admins_are_apart() {
    let world = World::new();
    let app = world.app().await;
    world.users(app, &["tom1", "ann1"]).await;
    let admin = wire::RegisterRequest { admin: true, ..register(app, vec![new_user("root")]) };
    world.api.register(admin).await.unwrap();
    let list = |start, count| wire::ListRequest { app_id: app, start, count };
    let page = world.api.list_users(list(1, 500)).await.unwrap();
    assert_eq!((page.total, page.users[0].username.as_str(), page.users.len()), (2, "ann1", 1));
    let page = world.api.list_admins(list(0, 1)).await.unwrap();
    assert_eq!((page.total, page.users[0].username.as_str(), page.users[0].admin), (1, "root", true));
    for count in [0, 2001] {
        assert_eq!(world.api.list_users(list(0, count)).await.unwrap_err().field, "count");
    }
}

//! The operator's commands.

use mynah_directory::{ImportedPassword, ImportedUser, OperatorError};
use mynah_proto::directory as wire;
use mynah_types::{AppId, Reason, Username};

use crate::support::{World, by_password, why};

#[tokio::test]
async fn keys_have_the_documented_form_and_secrets_are_not_stored() {
    let world = World::new();
    let made = world.operator().create_app("shop").await.unwrap();
    for text in [&made.appkey, &made.master_secret] {
        assert!(text.len() == 24 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)), "{text}");
    }
    assert!(!format!("{made:?}").contains(&made.master_secret));
    let app = world.store.apps().await.unwrap().remove(0);
    let stored = [app.secret_digest, app.secret_sealed].concat();
    let secret = made.master_secret.as_bytes();
    assert!(!stored.windows(secret.len()).any(|window| window == secret));
}

#[tokio::test]
async fn the_demo_app_is_made_only_where_no_app_is() {
    let world = World::new();
    let operator = world.operator();
    assert!(operator.ensure_demo_app().await.unwrap().is_some());
    assert!(operator.ensure_demo_app().await.unwrap().is_none());
    let apps = operator.list_apps().await.unwrap();
    assert!(apps.len() == 1 && apps[0].demo);
    let world = World::new();
    world.app().await;
    assert!(world.operator().ensure_demo_app().await.unwrap().is_none());
}

#[tokio::test]
async fn unknown_apps_and_bad_names_are_refused() {
    let world = World::new();
    let operator = world.operator();
    for key in ["", "0123", "000000000000000000000000"] {
        assert!(matches!(operator.disable_app(key).await, Err(OperatorError::NoApp(_))));
        assert!(matches!(operator.rotate_secret(key).await, Err(OperatorError::NoApp(_))));
    }
    for name in ["", "a\nb", &*"x".repeat(129)] {
        assert!(matches!(operator.create_app(name).await, Err(OperatorError::Name)));
    }
}

fn imported(username: &str, password: ImportedPassword) -> ImportedUser {
    ImportedUser { username: username.into(), password, profile: wire::Profile::default() }
}

/// MD5 of "password".
const MD5: &str = "5F4DCC3B5AA765D61D8327DEB882CF99";

#[tokio::test]
async fn imported_users_log_in_and_their_hashes_become_strong() {
    let world = World::new();
    let app = world.app().await;
    let key = world.store.app(AppId(app)).await.unwrap().unwrap().key.to_string();
    world.users(app, &["taken"]).await;
    let own = world.store.users_by_name(AppId(app), &[Username::parse("taken").unwrap()]).await.unwrap()[0].uid;
    let argon = world.store.password(own).await.unwrap().unwrap();
    let users = vec![
        imported("by_md5", ImportedPassword::Md5(MD5.into())),
        imported("by_argon", ImportedPassword::Argon2id(argon)),
        imported("taken", ImportedPassword::Md5(MD5.into())),
        imported("x", ImportedPassword::Md5(MD5.into())),
        imported("bad_md5", ImportedPassword::Md5("abc".into())),
        imported("bad_hash", ImportedPassword::Argon2id("$argon2id$v=19$m=4194304,t=2,p=1$c2FsdHNhbHQ$aGFzaA".into())),
    ];
    let outcomes = world.operator().import_users(&key, users).await.unwrap();
    assert_eq!(outcomes.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, true, false, false, false, false]);
    assert_eq!(outcomes[2], Err("username is taken".into()));
    let stored = async |name: &str| {
        let user = world.store.users_by_name(AppId(app), &[Username::parse(name).unwrap()]).await.unwrap().remove(0);
        world.store.password(user.uid).await.unwrap().unwrap()
    };
    assert!(stored("by_md5").await.starts_with("$md5$"));
    let wrong = wire::LoginRequest { password: "passwort".into(), ..by_password(app, "by_md5", "a", "one") };
    assert_eq!(why(world.api.login(wrong).await), Reason::BadPassword);
    assert!(stored("by_md5").await.starts_with("$md5$"), "a wrong password replaces nothing");
    // Devices that log in at one time all get in.
    let logins = ["a", "w", "j"].map(|platform| world.api.login(by_password(app, "by_md5", platform, "one")));
    for login in futures_util::future::join_all(logins).await {
        login.unwrap();
    }
    assert!(stored("by_md5").await.starts_with("$argon2id$"));
    world.login(app, "by_md5", "a", "two").await;
    world.login(app, "by_argon", "a", "one").await;
}

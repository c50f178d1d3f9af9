//! The operator's commands.

use mynah_directory::OperatorError;

use crate::support::World;

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

//! Apps.

use futures_util::future::join_all;
use mynah_types::AppId;

use super::{Harness, app, new_app};
use crate::directory_store::{AppRules, MultiDevice, SignatureRule};

pub async fn the_first_app_is_made_once(harness: &dyn Harness) {
    let stores = [harness.open(), harness.open()];
    let keys = ["aaaaaaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbbbbbb"];
    let made = join_all(stores.iter().zip(keys).map(|(store, key)| store.create_app(new_app(key), true))).await;
    assert_eq!(made.into_iter().filter(|app| app.as_ref().unwrap().is_some()).count(), 1);
    assert_eq!(stores[0].apps().await.unwrap().len(), 1);
}

pub async fn an_app_changes_for_every_opener(harness: &dyn Harness) {
    let (store, other) = (harness.open(), harness.open());
    let mut app = app(&*store).await;
    assert_eq!(other.app_by_key(&app.key).await.unwrap().as_ref(), Some(&app));
    app.disabled = true;
    app.secret_digest = vec![9; 32];
    app.secret_sealed = vec![8; 40];
    app.rules = AppRules {
        multi_device: MultiDevice::Many,
        signature: SignatureRule::All,
        max_group_members: 2000,
        max_groups_per_user: 1,
        max_room_members: 2,
        device_registration: false,
    };
    assert!(other.update_app(&app).await.unwrap());
    assert_eq!(store.app(app.id).await.unwrap().as_ref(), Some(&app));
    assert_eq!(store.apps().await.unwrap(), [app.clone()]);
    // One switch alone leaves what another opener changes beside it.
    assert!(store.set_device_registration(app.id, true).await.unwrap());
    app.rules.device_registration = true;
    assert_eq!(other.app(app.id).await.unwrap().as_ref(), Some(&app));
    assert!(!store.set_device_registration(AppId(99), true).await.unwrap());
    app.id = AppId(99);
    assert!(!other.update_app(&app).await.unwrap());
    assert_eq!(store.app(app.id).await.unwrap(), None);
}

//! Apps.

use futures_util::future::join_all;
use mynah_types::AppId;

use super::{Harness, app, new_app, refusal};
use crate::directory_store::{AppRules, Callback, Media, MultiDevice, Refusal, Remembered, SignatureRule};

pub async fn words_are_listed_once_and_in_order(harness: &dyn Harness) {
    let store = harness.open();
    let app = app(&*store).await;
    let words = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    store.add_words(app.id, words(&["one", "two", "one"]), 3, 7).await.unwrap();
    store.add_words(app.id, words(&["two", "Two"]), 3, 8).await.unwrap();
    let too_many = store.add_words(app.id, words(&["one", "four"]), 3, 9).await;
    assert_eq!(refusal(too_many), Refusal::TooManyWords);
    let listed = [("one".to_owned(), 7), ("two".to_owned(), 7), ("Two".to_owned(), 8)];
    assert_eq!(store.list_words(app.id, 0, 10).await.unwrap(), (3, listed.to_vec()));
    assert_eq!(store.list_words(app.id, 1, 1).await.unwrap(), (3, vec![listed[1].clone()]));
    assert_eq!(refusal(store.replace_word(app.id, "four".into(), "five".into(), 9).await), Refusal::NoSuchWord);
    store.replace_word(app.id, "two".into(), "2".into(), 9).await.unwrap();
    store.replace_word(app.id, "Two".into(), "one".into(), 9).await.unwrap();
    store.remove_words(app.id, words(&["none"])).await.unwrap();
    assert_eq!(store.word_filter(app.id).await.unwrap(), (false, words(&["one", "2"])));
    assert!(store.set_word_filter(app.id, true).await.unwrap());
    store.remove_words(app.id, words(&["one"])).await.unwrap();
    assert_eq!(harness.open().word_filter(app.id).await.unwrap(), (true, words(&["2"])));
    // An operator who changes an app beside it leaves the filter as it is.
    assert!(store.update_app(&app).await.unwrap());
    assert!(store.word_filter(app.id).await.unwrap().0);
    assert!(!store.set_word_filter(AppId(99), true).await.unwrap());
    assert_eq!(store.word_filter(AppId(99)).await.unwrap(), (false, Vec::new()));
}

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

pub async fn a_grant_has_one_direction(harness: &dyn Harness) {
    let store = harness.open();
    let one = app(&*store).await.id;
    let two = store.create_app(new_app("bbbbbbbbbbbbbbbbbbbbbbbb"), false).await.unwrap().unwrap().id;
    for _ in 0..2 {
        store.set_grant(one, two, true).await.unwrap();
    }
    assert_eq!((store.grants(one).await.unwrap(), store.grants(two).await.unwrap()), (vec![two], vec![]));
    for _ in 0..2 {
        harness.open().set_grant(one, two, false).await.unwrap();
    }
    assert_eq!(store.grants(one).await.unwrap(), []);
}

pub async fn a_file_is_known_by_its_id(harness: &dyn Harness) {
    let store = harness.open();
    let media = Media {
        id: "store/image/j/1.png".into(),
        app: app(&*store).await.id,
        kind: "image".into(),
        name: "a picture.png".into(),
        size: 5_000_000_000,
        crc32: u32::MAX,
        hash: "h".into(),
        format: "png".into(),
        width: 3,
        height: 4,
        ctime: 9,
    };
    store.add_media(media.clone()).await.unwrap();
    assert!(store.add_media(media.clone()).await.is_err(), "an id is given once");
    assert_eq!(harness.open().media(&media.id).await.unwrap(), Some(media));
    for unknown in ["store/image/j/2.png", "a\0b"] {
        assert_eq!(store.media(unknown).await.unwrap(), None);
    }
}

pub async fn a_callback_is_kept_until_it_is_taken_away(harness: &dyn Harness) {
    let store = harness.open();
    let app = app(&*store).await.id;
    let callback = |url: &str, before| Callback {
        app,
        url: url.into(),
        secret: vec![1, 2],
        before,
        with_master_secret: true,
        allow_private: false,
    };
    for callback in [callback("https://a.example/", None), callback("https://b.example/", Some(vec![3]))] {
        store.set_callback(app, Some(callback.clone())).await.unwrap();
        assert_eq!(harness.open().callbacks().await.unwrap(), [callback]);
    }
    store.set_callback(app, None).await.unwrap();
    assert!(store.callbacks().await.unwrap().is_empty());
}

fn signature(first: u8, rest: u8) -> [u8; 32] {
    let mut digest = [rest; 32];
    digest[0] = first;
    digest
}

pub async fn a_signature_is_new_once_until_it_expires(harness: &dyn Harness) {
    let (store, other) = (harness.open(), harness.open());
    let (one, two) = (signature(1, 1), signature(1, 2));
    assert_eq!(store.remember_signature(one, 10, 20, 1024).await.unwrap(), Remembered::New);
    assert_eq!(other.remember_signature(one, 15, 25, 1024).await.unwrap(), Remembered::Seen);
    assert_eq!(other.remember_signature(two, 15, 25, 1024).await.unwrap(), Remembered::New);
    assert_eq!(store.remember_signature(one, 20, 30, 1024).await.unwrap(), Remembered::New);
    assert_eq!(harness.open().remember_signature(one, 29, 40, 1024).await.unwrap(), Remembered::Seen);
    // Of those who come with one signature at one time one is let in.
    let racing = (0..8).map(|of| {
        let store = if of % 2 == 0 { &store } else { &other };
        store.remember_signature(signature(2, 2), 10, 20, 4096)
    });
    let told = join_all(racing).await.into_iter().map(Result::unwrap);
    assert_eq!(told.filter(|told| *told == Remembered::New).count(), 1);
}

pub async fn signatures_are_bounded_and_forgotten(harness: &dyn Harness) {
    let store = harness.open();
    for rest in 0..2 {
        assert_eq!(store.remember_signature(signature(1, rest), 10, 20, 512).await.unwrap(), Remembered::New);
    }
    assert_eq!(store.remember_signature(signature(1, 3), 10, 20, 512).await.unwrap(), Remembered::Full);
    assert_eq!(store.remember_signature(signature(1, 1), 10, 20, 512).await.unwrap(), Remembered::Seen);
    assert_eq!(store.remember_signature(signature(2, 3), 10, 20, 512).await.unwrap(), Remembered::New);
    // What expired takes no room; forgotten, it leaves none behind: even by an earlier clock.
    assert_eq!(store.remember_signature(signature(1, 3), 20, 30, 512).await.unwrap(), Remembered::New);
    store.purge_sessions(25, 10).await.unwrap();
    assert_eq!(store.remember_signature(signature(1, 0), 10, 20, 512).await.unwrap(), Remembered::New);
    assert_eq!(store.remember_signature(signature(1, 3), 25, 30, 512).await.unwrap(), Remembered::Seen);
}

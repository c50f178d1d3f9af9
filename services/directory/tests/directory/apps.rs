//! Who calls: secrets, web signatures, disabled apps.

use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::{Digest as _, Md5};
use mynah_proto::directory as wire;
use mynah_types::Reason;

use crate::support::{Mode, START, World, until, why};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

pub fn signed(appkey: &str, secret: &str, random_str: &str, at: u64) -> wire::CheckSignatureRequest {
    let text = format!("appkey={appkey}&timestamp={at}&random_str={random_str}&key={secret}");
    wire::CheckSignatureRequest {
        appkey: appkey.into(),
        random_str: random_str.into(),
        timestamp: at.to_string(),
        signature: hex(&Md5::digest(text.as_bytes())),
        alg: String::new(),
    }
}

fn credentials(made: &mynah_directory::Credentials) -> wire::AuthenticateRequest {
    wire::AuthenticateRequest { appkey: made.appkey.clone(), master_secret: made.master_secret.clone() }
}

#[tokio::test]
async fn only_the_secret_opens_an_app() {
    let world = World::new();
    let made = world.operator().create_app("shop").await.unwrap();
    let app = world.api.authenticate(credentials(&made)).await.unwrap();
    assert_eq!((app.appkey.as_str(), app.name.as_str(), app.demo), (made.appkey.as_str(), "shop", false));
    assert_eq!((app.multi_device.as_str(), app.require_signature.as_str()), ("class", "web"));
    assert_eq!((app.max_group_members, app.max_groups_per_user, app.max_room_members), (500, 500, 10_000));
    for wrong in ["", "000000000000000000000000", &made.master_secret[1..]] {
        let request = wire::AuthenticateRequest { master_secret: wrong.into(), ..credentials(&made) };
        assert_eq!(why(world.api.authenticate(request).await), Reason::BadCredentials);
    }
    for unknown in ["", "000000000000000000000000", "no key at all"] {
        let request = wire::AuthenticateRequest { appkey: unknown.into(), ..credentials(&made) };
        assert_eq!(why(world.api.authenticate(request).await), Reason::AppNotFound);
    }
}

#[tokio::test]
async fn what_an_operator_changes_beside_the_server_is_seen() {
    let world = World::new();
    let operator = world.operator();
    let made = operator.create_app("shop").await.unwrap();
    assert!(world.api.authenticate(credentials(&made)).await.is_ok());
    let new = operator.rotate_secret(&made.appkey).await.unwrap();
    until("the old secret is refused", async || {
        world.api.authenticate(credentials(&made)).await.is_err_and(|f| f.why() == Reason::BadCredentials)
    })
    .await;
    assert!(world.api.authenticate(credentials(&new)).await.is_ok());
    operator.disable_app(&made.appkey).await.unwrap();
    until("the app is refused", async || {
        world.api.authenticate(credentials(&new)).await.is_err_and(|f| f.why() == Reason::AppDisabled)
    })
    .await;
    let signed = signed(&new.appkey, &new.master_secret, "abcdefghij", START);
    assert_eq!(why(world.api.check_signature(signed).await), Reason::AppDisabled);
    // With a wrong secret nobody learns that it is disabled.
    assert_eq!(why(world.api.authenticate(credentials(&made)).await), Reason::BadCredentials);
}

#[tokio::test]
async fn a_disabled_app_puts_its_devices_out_by_itself() {
    let mut world = World::new();
    let (kept, gone) = (world.app().await, world.operator().create_app("gone").await.unwrap());
    let id = world.api.app_by_key(wire::AppByKeyRequest { now: false, appkey: gone.appkey.clone() }).await.unwrap().app_id;
    *world.gateway.mode.lock() = Mode::Fails;
    world.run_outbox();
    world.operator().disable_app(&gone.appkey).await.unwrap();
    until("a gateway is asked", async || *world.gateway.tries.lock() > 0).await;
    // A gateway that was away at first is told later.
    *world.gateway.mode.lock() = Mode::Answers;
    until("the devices are put out", async || !world.gateway.kicks.lock().is_empty()).await;
    let kicks = world.gateway.take();
    assert_eq!((kicks[0].app_id, kicks[0].reason.as_str()), (id, "disabled"));
    assert_ne!(kept, id);
}

#[tokio::test]
async fn a_signature_is_good_once_for_ten_minutes() {
    let world = World::new();
    let made = world.operator().create_app("shop").await.unwrap();
    let sign = |random: &str, at| signed(&made.appkey, &made.master_secret, random, at);
    let check = |request| world.api.check_signature(request);
    let minutes = |n: u64| n * 60_000;
    assert!(check(sign("first", START)).await.is_ok());
    assert_eq!(why(check(sign("first", START)).await), Reason::SignatureExpired);
    let upper = sign("upper", START);
    assert!(check(wire::CheckSignatureRequest { signature: upper.signature.to_uppercase(), ..upper }).await.is_ok());
    for (random, at, good) in [
        ("old", START - minutes(10), true),
        ("older", START - minutes(10) - 1, false),
        ("ahead", START + minutes(10), true),
        ("further", START + minutes(10) + 1, false),
    ] {
        let outcome = check(sign(random, at)).await;
        assert_eq!(outcome.is_ok(), good, "{random}");
        assert!(good || why(outcome) == Reason::SignatureExpired);
    }
    for wrong in ["", "5d59c510eaeddb178c591226438d97ba"] {
        let request = wire::CheckSignatureRequest { signature: wrong.into(), ..sign("wrong", START) };
        assert_eq!(why(check(request).await), Reason::BadCredentials);
    }
    assert!(check(sign("wrong", START)).await.is_ok(), "a wrong one uses nothing up");
    let unknown = wire::CheckSignatureRequest { appkey: "0".repeat(24), ..sign("x", START) };
    assert_eq!(why(check(unknown).await), Reason::AppNotFound);
}

#[tokio::test]
async fn a_signature_may_be_an_hmac() {
    let world = World::new();
    let made = world.operator().create_app("shop").await.unwrap();
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(made.master_secret.as_bytes()).unwrap();
    mac.update(format!("appkey={}&timestamp={START}&random_str=abc", made.appkey).as_bytes());
    let request = wire::CheckSignatureRequest {
        signature: hex(&mac.finalize().into_bytes()),
        alg: "hmac-sha256".into(),
        ..signed(&made.appkey, &made.master_secret, "abc", START)
    };
    let as_md5 = wire::CheckSignatureRequest { alg: "md5".into(), ..request.clone() };
    assert_eq!(why(world.api.check_signature(as_md5).await), Reason::BadCredentials);
    assert!(world.api.check_signature(request.clone()).await.is_ok());
    let other = wire::CheckSignatureRequest { alg: "sha1".into(), ..request };
    assert_eq!(world.api.check_signature(other).await.unwrap_err().field, "alg");
}

#[tokio::test]
async fn only_the_demo_app_is_signed_for() {
    let world = World::new();
    world.operator().create_app("shop").await.unwrap();
    assert_eq!(why(world.api.sign_demo(wire::SignDemoRequest {}).await), Reason::AppNotFound);
    let world = World::new();
    let made = world.operator().ensure_demo_app().await.unwrap().unwrap();
    let reply = world.api.sign_demo(wire::SignDemoRequest {}).await.unwrap();
    assert_eq!(reply.appkey, made.appkey);
    let request = wire::CheckSignatureRequest {
        appkey: reply.appkey,
        random_str: reply.random_str,
        timestamp: reply.timestamp,
        signature: reply.signature,
        alg: String::new(),
    };
    let app = world.api.check_signature(request).await.unwrap();
    assert!(app.demo && app.app_id == reply.app_id);
}

//! Over TLS: each shape of servers, what is refused, and connections that are made again.

use mynah_engines::{Authority, Redis, RedisCluster, RedisSentinel};
use mynah_ports::Presence as _;
use mynah_ports::presence::Error;
use mynah_redis::{RedisPresence, Servers, Settings};

use crate::emptied::{all_are_online, tell_all};
use crate::support::{ONE, Pair, device, pair_trusting, settings, single, until};

async fn settled(servers: &Servers, authority: &Authority) -> Pair {
    let pair = pair_trusting(servers, Some(authority.pem()));
    pair.settled().await;
    pair
}

/// Why servers are not worked with.
async fn refusal(servers: &Servers, authorities: Option<String>) -> String {
    let told = Settings { authorities, ..settings(servers, "refused", None) };
    let Err(Error::Unavailable(why)) = RedisPresence::start(told).unwrap().gateways().await else {
        panic!("they were worked with")
    };
    why
}

fn told(servers: Servers, authorities: Option<String>) -> Option<String> {
    let settings = Settings { authorities, ..settings(&servers, "told", None) };
    RedisPresence::start(settings).err().map(|error| error.to_string())
}

#[tokio::test]
async fn one_server_is_reached_and_reached_again() {
    let authority = Authority::new().unwrap();
    let mut redis = Redis::start_tls(&authority.certificate().unwrap()).unwrap();
    let pair = settled(&single(&redis), &authority).await;
    tell_all(&pair).await;
    redis.kill();
    redis.restart().unwrap();
    all_are_online(&pair).await;
}

#[tokio::test]
async fn a_master_and_its_heir_are_reached() {
    let authority = Authority::new().unwrap();
    let mut group = RedisSentinel::start_tls(&authority.certificate().unwrap()).unwrap();
    let servers = Servers::Sentinel { sentinels: vec![group.url()], master: group.master().to_owned() };
    let pair = settled(&servers, &authority).await;
    tell_all(&pair).await;
    let [master, _] = group.servers();
    master.kill();
    _ = until("a write", || pair.one.online(device(9000, ONE, 9000, 1)), Result::is_ok).await;
    all_are_online(&pair).await;
    let strange = Authority::new().unwrap().pem();
    let why = refusal(&servers, Some(strange)).await;
    assert!(why.contains("UnknownIssuer"), "{why}");
}

#[tokio::test]
async fn a_cluster_is_reached_and_its_nodes_again() {
    let authority = Authority::new().unwrap();
    let mut cluster = RedisCluster::start_tls(&authority.certificate().unwrap()).unwrap();
    let servers = Servers::Cluster(cluster.urls());
    let pair = settled(&servers, &authority).await;
    tell_all(&pair).await;
    for node in cluster.nodes() {
        node.kill();
        node.restart().unwrap();
        all_are_online(&pair).await;
    }
    let strange = Authority::new().unwrap().pem();
    let why = refusal(&servers, Some(strange)).await;
    assert!(why.contains("UnknownIssuer"), "{why}");
}

#[tokio::test]
async fn whoever_cannot_prove_who_he_is_is_refused() {
    let authority = Authority::new().unwrap();
    let (own, strange) = (Some(authority.pem()), Some(Authority::new().unwrap().pem()));
    let redis = Redis::start_tls(&authority.certificate().unwrap()).unwrap();
    let why = refusal(&single(&redis), strange).await;
    assert!(why.contains("UnknownIssuer"), "{why}");
    // Nor does the system know the test's own authority.
    let why = refusal(&single(&redis), None).await;
    assert!(why.contains("certificate"), "{why}");
    let why = refusal(&Servers::Single(redis.url().replace("127.0.0.1", "localhost")), own.clone()).await;
    assert!(why.contains("not valid for name"), "{why}");
    let expired = Redis::start_tls(&authority.expired_certificate().unwrap()).unwrap();
    let why = refusal(&single(&expired), own.clone()).await;
    assert!(why.contains("certificate expired"), "{why}");
    // A server that speaks no TLS is not spoken to in the clear.
    let plain = Redis::start().unwrap();
    refusal(&Servers::Single(plain.url().replace("redis://", "rediss://")), own).await;
}

#[tokio::test]
async fn addresses_that_leave_it_open_are_refused() {
    let text = |text: &str| text.to_owned();
    let mixed = Servers::Cluster(vec![text("rediss://127.0.0.1:1"), text("redis://127.0.0.1:2")]);
    assert!(told(mixed, None).unwrap().contains("for all addresses, or for none"));
    let insecure = Servers::Single(text("rediss://127.0.0.1:1/#insecure"));
    assert!(told(insecure, None).unwrap().contains("#insecure"));
    let damaged = text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    assert!(told(Servers::Single(text("rediss://127.0.0.1:1")), Some(damaged)).is_some());
}

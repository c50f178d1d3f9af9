//! Three masters: the same contract, and one of them that dies.

use std::sync::Arc;
use std::time::Instant;

use futures_util::future::join_all;
use mynah_engines::{RedisCluster, Signal};
use mynah_ports::Presence as _;
use mynah_ports::presence::Audience;
use mynah_redis::Servers;
use mynah_types::{ConversationKey, Uid};

use crate::emptied::{all_are_online, nobody_is_left_out, tell_all};
use crate::support::{LIFETIME, ONE, Pair, Shared, TWO, settled, settled_on};

static CLUSTER: Shared<RedisCluster> = Shared::new();

async fn fresh() -> Pair {
    let cluster = CLUSTER.get(|| RedisCluster::start().unwrap());
    let servers = Servers::Cluster(cluster.urls());
    settled_on(Arc::clone(&cluster) as Arc<_>, &servers).await
}

mynah_ports::presence_contract!(fresh);

#[tokio::test]
async fn each_node_may_be_lost_and_comes_back_empty() {
    let mut cluster = RedisCluster::start().unwrap();
    let pair = settled(&Servers::Cluster(cluster.urls())).await;
    tell_all(&pair).await;
    nobody_is_left_out(&pair, async {
        for node in cluster.nodes() {
            node.kill();
            node.restart().unwrap();
            all_are_online(&pair).await;
        }
        pair.settled().await;
    })
    .await;
    let heard = pair.reader.audience(ConversationKey::Group(3)).await.unwrap();
    assert_eq!(heard, Audience::Known(vec![ONE, TWO]));
}

/// The leases in the other parts go on, and so does what is known there.
#[tokio::test]
async fn a_node_that_stands_still_costs_its_part_only() {
    let mut cluster = RedisCluster::start().unwrap();
    let pair = settled(&Servers::Cluster(cluster.urls())).await;
    tell_all(&pair).await;
    for node in cluster.nodes() {
        node.signal(Signal::STOP);
        let stopped = Instant::now();
        while stopped.elapsed() < LIFETIME * 2 {
            let seen = join_all((1..=32).map(|uid| pair.reader.audience(ConversationKey::Feed(Uid(uid))))).await;
            let told = seen.iter().zip(1_u64..).filter(|(seen, _)| seen.is_ok());
            let wrong: Vec<_> = told.clone().filter(|(seen, uid)| !is_heard(seen, *uid)).collect();
            assert!(wrong.is_empty(), "{:?} after the stop: {wrong:?}", stopped.elapsed());
            assert!(told.count() > 0, "{:?} after the stop", stopped.elapsed());
        }
        node.signal(Signal::CONT);
        all_are_online(&pair).await;
        pair.settled().await;
    }
}

fn is_heard<E>(seen: &Result<Audience, E>, uid: u64) -> bool {
    let at = if uid.is_multiple_of(2) { ONE } else { TWO };
    matches!(seen, Ok(Audience::Known(who)) if *who == [at])
}

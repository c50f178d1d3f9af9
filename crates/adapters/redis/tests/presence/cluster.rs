//! Three masters: the same contract, and one of them that dies.

use std::sync::Arc;

use mynah_engines::RedisCluster;
use mynah_ports::Presence as _;
use mynah_ports::presence::Audience;
use mynah_redis::Servers;
use mynah_types::ConversationKey;

use crate::emptied::{all_are_online, nobody_is_left_out, tell_all};
use crate::support::{ONE, Pair, Shared, TWO, settled, settled_on};

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

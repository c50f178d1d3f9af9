//! A master by its sentinel: the same contract, and its replica that takes over.

use std::sync::Arc;

use mynah_engines::RedisSentinel;
use mynah_ports::Presence as _;
use mynah_ports::presence::Audience;
use mynah_redis::Servers;
use mynah_types::ConversationKey;

use crate::emptied::{all_are_online, nobody_is_left_out, tell_all};
use crate::support::{ONE, Pair, Shared, TWO, device, settled, settled_on, until};

static GROUP: Shared<RedisSentinel> = Shared::new();

fn servers(group: &RedisSentinel) -> Servers {
    Servers::Sentinel { sentinels: vec![group.url()], master: group.master().to_owned() }
}

async fn fresh() -> Pair {
    let group = GROUP.get(|| RedisSentinel::start_patient().unwrap());
    settled_on(Arc::clone(&group) as Arc<_>, &servers(&group)).await
}

mynah_ports::presence_contract!(fresh);

#[tokio::test]
async fn when_the_master_dies_its_replica_is_found_and_made_whole() {
    let mut group = RedisSentinel::start().unwrap();
    let pair = settled(&servers(&group)).await;
    tell_all(&pair).await;
    nobody_is_left_out(&pair, async {
        let [master, _] = group.servers();
        master.kill();
        _ = until("a write", || pair.one.online(device(9000, ONE, 9000, 1)), Result::is_ok).await;
        all_are_online(&pair).await;
        pair.settled().await;
    })
    .await;
    let heard = pair.reader.audience(ConversationKey::Group(3)).await.unwrap();
    assert_eq!(heard, Audience::Known(vec![ONE, TWO]));
}

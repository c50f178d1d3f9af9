//! How the log's writer takes shards again after an append of unknown outcome.

use std::sync::Arc;

use mynah_ports::shard_leases::{self, Member};
use mynah_ports::{MessageLog, ShardLeases, message_log};
use mynah_types::{Claim, ShardId};
use parking_lot::Mutex;

use super::shards::{Part, Shards, Standing};

/// Claims as whoever this process is.
pub(crate) enum Claimer {
    /// From everybody.
    Sole(Arc<dyn MessageLog>),
    /// As the router that it is now, what that router may have.
    Member(Arc<dyn ShardLeases>, Arc<Mutex<Option<Member>>>, Arc<Shards>, Arc<Part>),
}

impl Claimer {
    /// Those of the shards that are had. The others are not this process's any more.
    pub(crate) async fn claim(&self, shards: &[ShardId]) -> Result<Vec<Claim>, message_log::Error> {
        match self {
            Self::Sole(log) => log.claim(shards).await,
            Self::Member(leases, member, ..) => {
                let member = *member.lock();
                let Some(member) = member else { return Ok(Vec::new()) };
                leases.claim(member, shards).await.map_err(|error| match error {
                    shard_leases::Error::Unavailable(why) => message_log::Error::Unavailable(why),
                    shard_leases::Error::Damaged(why) => message_log::Error::Damaged(why),
                })
            }
        }
    }

    /// These could not be claimed: nothing is taken for them until the owner's loop has them again.
    pub(crate) fn lost(&self, lost: &[ShardId]) {
        if let Self::Member(_, _, shards, part) = self {
            for shard in lost {
                if shards.takes(*shard) {
                    shards.set(*shard, Standing::Foreign);
                }
            }
            part.look.notify_one();
        }
    }
}

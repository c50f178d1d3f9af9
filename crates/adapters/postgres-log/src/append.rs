//! Appending: what can be told without the database is checked here, all else inside the one statement that writes.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use mynah_types::{Appended, ConversationAppend, ConversationKey, ShardAppend, ShardId};
use tokio_postgres::error::SqlState;

use crate::columns::{COLUMNS, Columns};
use crate::pool::{Failure, Pool, text};

static APPEND: LazyLock<String> = LazyLock::new(|| {
    let params: Vec<String> = (1..=COLUMNS).map(|n| format!("${n}")).collect();
    format!("SELECT append({})", params.join(", "))
});

pub(crate) async fn append(pool: &Pool, batch: &[ShardAppend]) -> Vec<Vec<Appended>> {
    let all = |outcome: Appended| batch.iter().map(|shard| vec![outcome; shard.conversations.len()]).collect();
    let keys: Vec<Vec<[u8; 17]>> =
        batch.iter().map(|shard| shard.conversations.iter().map(|append| append.key.to_bytes()).collect()).collect();
    let columns = arrange(batch, &keys);
    let failure = match pool.run(&APPEND, &columns.params()).await {
        Ok(rows) => {
            let codes: Option<Vec<i32>> = rows.first().and_then(|row| row.try_get(0).ok());
            return codes.and_then(|codes| outcomes(batch, &codes)).unwrap_or_else(|| all(Appended::Unknown));
        }
        Err(failure) => failure,
    };
    match failure {
        Failure::Lost(why) => tracing::warn!(error = why, "the outcome of an append is unknown"),
        Failure::Refused(error) if contradicts(&error) => {
            // The checks inside the statement make this impossible as long as every writer goes through them.
            tracing::error!(error = text(&error), "an append was undone");
            return all(Appended::HeadMoved);
        }
        Failure::Refused(error) => tracing::warn!(error = text(&error), "an append was refused"),
    }
    all(Appended::Unknown)
}

/// Another entry stands in the way, or two appends waited for one another: nothing was written.
fn contradicts(error: &tokio_postgres::Error) -> bool {
    let known = [SqlState::UNIQUE_VIOLATION, SqlState::T_R_DEADLOCK_DETECTED, SqlState::T_R_SERIALIZATION_FAILURE];
    error.code().is_some_and(|code| known.contains(code))
}

/// None when the answer does not fit the question.
fn outcomes(batch: &[ShardAppend], codes: &[i32]) -> Option<Vec<Vec<Appended>>> {
    let mut codes = codes.iter();
    let mut outcome = || match codes.next()? {
        0 => Some(Appended::Done),
        1 => Some(Appended::HeadMoved),
        2 => Some(Appended::Fenced),
        _ => None,
    };
    batch.iter().map(|shard| shard.conversations.iter().map(|_| outcome()).collect()).collect()
}

fn arrange<'a>(batch: &'a [ShardAppend], keys: &'a [Vec<[u8; 17]>]) -> Columns<'a> {
    let mut columns = Columns::default();
    let mut order = Order::default();
    for (shard, keys) in batch.iter().zip(keys) {
        let owner = columns.shard(shard.shard.0.into(), shard.token.0.to_be_bytes(), shard.progress);
        for (append, key) in shard.conversations.iter().zip(keys) {
            if order.holds(shard.shard, append) {
                columns.conversation(owner, key, append);
            } else {
                columns.misfit(owner, key);
            }
        }
    }
    columns
}

/// What holds of a batch by itself: seqs without a gap, ids of the shard that rise, cmids of which each is there once, and a
/// conversation that is named once.
#[derive(Default)]
struct Order {
    counters: HashMap<ShardId, u64>,
    conversations: HashSet<ConversationKey>,
}

impl Order {
    fn holds(&mut self, shard: ShardId, append: &ConversationAppend) -> bool {
        if append.key.shard() != shard || self.conversations.contains(&append.key) {
            return false;
        }
        let mut counter = self.counters.get(&shard).copied().unwrap_or(0);
        let mut cmids = HashSet::new();
        let mut seq = append.expected_head;
        for entry in &append.entries {
            seq = seq.saturating_add(1);
            let id = entry.msg_id;
            if entry.seq != seq || id.shard() != shard || id.counter() <= counter {
                return false;
            }
            counter = id.counter();
            if entry.cmid.as_ref().is_some_and(|cmid| !cmids.insert((entry.sender, cmid.as_str()))) {
                return false;
            }
        }
        self.counters.insert(shard, counter);
        self.conversations.insert(append.key);
        true
    }
}

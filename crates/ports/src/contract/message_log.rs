//! What every [`MessageLog`] must do. An adapter's test names a function that makes a [`Harness`] on a fresh, empty namespace:
//!
//! ```ignore
//! mynah_ports::message_log_contract!(fresh);
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test suite: the cases are named for what they hold"
)]

pub mod appends;
pub mod reads;

use std::sync::Arc;

use bytes::Bytes;
use mynah_types::{
    Appended, Claim, Cmid, ConversationAppend, ConversationKey, Entry, EntryKind, Membership, MsgId, Role, Seq, ShardAppend, Uid,
};

use crate::MessageLog;

/// One log's namespace, as a test sees it.
pub trait Harness: Send + Sync {
    /// Opens it; what was opened before is closed first where only one process may have it.
    fn open(&mut self) -> Arc<dyn MessageLog>;
}

/// Makes one `#[tokio::test]` of each case of the suite.
#[macro_export]
macro_rules! message_log_contract {
    ($fresh:path) => {
        $crate::message_log_contract!(@cases $fresh;
            appends: what_was_answered_survives_a_reopening, an_older_owner_changes_nothing, another_head_changes_nothing,
                a_gap_or_an_old_id_changes_nothing, a_used_cmid_changes_nothing_and_its_first_answer_is_found,
                what_is_refused_leaves_the_rest_of_the_batch, racing_appends_to_one_head_make_one,
                claims_count_up_and_ids_go_on_above_what_was_used, progress_comes_back_with_the_next_claim,
                an_append_without_entries_writes_its_rows, nothing_is_under_way_when_all_is_answered;
            reads: a_span_is_bounded_by_places_entries_and_bytes, entries_are_read_at_their_places, the_tail_tells_the_newest_sends_and_from_where_it_is_whole,
                heads_come_in_the_order_asked, a_message_is_found_by_its_id, members_keep_their_latest_row, marks_only_rise,
                what_is_taken_back_is_marked_and_weighed, single_chats_page_in_key_order, newer_entries_of_a_shard_come_by_id,
                what_a_member_hides_is_kept_in_order_of_place, what_is_dropped_is_found_by_nothing_and_the_rest_stays;
        );
    };
    (@cases $fresh:path; $($module:ident: $($case:ident),+;)+) => {
        $($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                $crate::contract::message_log::$module::$case(&mut $fresh()).await;
            }
        )+)+
    };
}

const GROUP: ConversationKey = ConversationKey::Group(10_000_001);

/// Another conversation of the same shard.
fn neighbour() -> ConversationKey {
    let same = |gid: &u64| ConversationKey::Group(*gid).shard() == GROUP.shard();
    ConversationKey::Group((10_000_002..).find(same).unwrap())
}

/// An owner of the shard of [`GROUP`], who numbers entries as a writer does.
struct Owner {
    log: Arc<dyn MessageLog>,
    claim: Claim,
    counter: u64,
}

impl Owner {
    async fn of(log: &Arc<dyn MessageLog>) -> Self {
        let claim = log.claim(&[GROUP.shard()]).await.unwrap()[0];
        Self { log: Arc::clone(log), claim, counter: claim.counter }
    }

    fn entry(&mut self, seq: Seq, cmid: &str) -> Entry {
        self.counter += 1;
        Entry {
            seq,
            msg_id: MsgId::compose(self.counter, GROUP.shard()),
            ctime: 1000 + seq,
            sender: Uid(1),
            cmid: (!cmid.is_empty()).then(|| Cmid::parse(cmid).unwrap()),
            content_hash: 7,
            member_version: 1,
            cum_unread: seq,
            kind: EntryKind::Message { unread_delta: 1, no_offline: false },
            payload: Bytes::from_static(b"hello"),
        }
    }

    fn batch(&self, conversations: Vec<ConversationAppend>) -> Vec<ShardAppend> {
        vec![ShardAppend { shard: GROUP.shard(), token: self.claim.token, conversations, progress: None }]
    }

    async fn append(&self, append: ConversationAppend) -> Appended {
        self.log.append(self.batch(vec![append])).await[0][0]
    }

    /// Appends messages named `m1`, `m2` … at the seqs given.
    async fn fill(&mut self, seqs: std::ops::RangeInclusive<Seq>) -> Vec<Entry> {
        let head = seqs.start() - 1;
        let entries: Vec<Entry> = seqs.map(|seq| self.entry(seq, &format!("m{seq}"))).collect();
        assert_eq!(self.append(of(GROUP, head, entries.clone())).await, Appended::Done);
        entries
    }
}

fn of(key: ConversationKey, expected_head: Seq, entries: Vec<Entry>) -> ConversationAppend {
    ConversationAppend { entries, ..ConversationAppend::empty(key, expected_head) }
}

fn member(from_seq: Seq, until_seq: Option<Seq>) -> Membership {
    Membership { from_version: from_seq, from_seq, until_seq, role: Role::Member, silenced: false }
}

//! A database of each older version, with rows in it: the present program brings it up to date, and finds what was there.

use std::time::Duration;

use mynah_ports::message_log::{Location, Logged, Span};
use mynah_ports::shard_leases::{Heartbeat, Member};
use mynah_ports::{MessageLog, ShardLeases};
use mynah_postgres_log::{Options, PostgresLog};
use mynah_types::{
    Appended, Cmid, ConversationAppend, ConversationKey, Entry, EntryKind, FirstAnswer, Hidden, Membership, Meta, MsgId,
    OwnerToken, Position, Progress, Role, RouterId, SHARDS, ShardAppend, ShardId, Uid,
};

use crate::faults::session;
use crate::support::{KEY, new_database};

/// What made each version of the schema out of the one before it.
const SCRIPTS: [&str; 4] = [
    include_str!("../../migrations/0001_log.sql"),
    include_str!("../../migrations/0002_leases.sql"),
    include_str!("../../migrations/0003_identity.sql"),
    include_str!("../../migrations/0004_leaving.sql"),
];
/// The version that knows routers, and the one that tells a log's identity by its server.
const LEASES: usize = 2;
const IDENTITY: usize = 3;
/// The present one.
const PRESENT: i32 = 5;

const CHAT: ConversationKey = ConversationKey::Single(Uid(1), Uid(2));
const SEVEN: Member = Member { router: RouterId(7), incarnation: 3 };
/// Under which the group's shard was held.
const TOKEN: OwnerToken = OwnerToken(0x1111_1111_1111_1111_1111_1111_1111_1111);

/// A database as a program of that version left it, with its birth and, where it has one, its identity.
struct Older {
    url: String,
    birth: String,
    identity: Option<String>,
}

impl Older {
    async fn of(version: usize) -> Self {
        let url = new_database();
        let operator = session(&url).await;
        let begin = "CREATE SCHEMA mynah_log; SET search_path = mynah_log;
            CREATE TABLE schema_version (one boolean PRIMARY KEY DEFAULT true CHECK (one), version integer NOT NULL);
            INSERT INTO schema_version (version) VALUES (0)";
        let rows = include_str!("older/rows.sql");
        let leases = if version < LEASES { "" } else { include_str!("older/leases.sql") };
        let counted = format!("UPDATE schema_version SET version = {version}");
        for script in [begin].iter().chain(&SCRIPTS[..version]).chain(&[rows, leases, &counted]) {
            operator.batch_execute(script).await.unwrap();
        }
        let birth = operator.query_one("SELECT epoch FROM log", &[]).await.unwrap().get(0);
        let identity = match version {
            IDENTITY.. => Some(operator.query_one("SELECT identity()", &[]).await.unwrap().get(0)),
            _ => None,
        };
        Self { url, birth, identity }
    }
}

fn entry(
    seq: u64,
    sender: Uid,
    cmid: Option<&str>,
    (content_hash, member_version, cum_unread): (u64, u64, u64),
    kind: EntryKind,
) -> Entry {
    Entry {
        seq,
        msg_id: MsgId::compose(1_750_000_000_000 + seq, KEY.shard()),
        ctime: 1000 + seq,
        sender,
        cmid: cmid.map(|cmid| Cmid::parse(cmid).unwrap()),
        content_hash,
        member_version,
        cum_unread,
        kind,
        payload: [&b"hello"[..], b"joined", b"\x00\xff", b""][usize::try_from(seq).unwrap() - 1].into(),
    }
}

/// The group's entries, as they were written.
fn entries() -> [Entry; 4] {
    let back = EntryKind::Retract { msg_id: MsgId::compose(1_750_000_000_001, KEY.shard()), seq: 1 };
    [
        entry(1, Uid(1), Some("first"), (u64::MAX - 1, 7, 1), EntryKind::Message { unread_delta: 1, no_offline: false }),
        entry(2, Uid(u64::MAX), None, (0, 8, 1), EntryKind::Event),
        entry(3, Uid(3), Some("Third"), (12, 8, 3), EntryKind::Message { unread_delta: 2, no_offline: true }),
        entry(4, Uid(1), Some("back"), (13, 8, 3), back),
    ]
}

async fn messages_are_there(log: &PostgresLog) {
    let written = entries();
    let logged = |entry: &Entry| Logged { entry: entry.clone(), retracted: entry.seq == 1 };
    let all = Span { from: 1, to: 9, limit: 9, max_bytes: usize::MAX, newest: false };
    assert_eq!(log.entries(KEY, all).await.unwrap(), written.each_ref().map(logged));
    let alone = log.at(&[Location { key: CHAT, seq: 1 }, Location { key: CHAT, seq: 2 }]).await.unwrap();
    assert_eq!(alone[0].as_ref().unwrap().entry.payload, "alone");
    assert_eq!(alone[1], None);
    let tail = log.load(KEY, 9).await.unwrap();
    assert_eq!((tail.head_seq, tail.head_ctime, tail.head_msg_id, tail.cum_unread), (4, 1004, written[3].msg_id, 3));
    assert_eq!(tail.meta, Meta { member_version: 8, dissolved: true, at_all_seq: 3, min_seq: 1 });
    let third = FirstAnswer { seq: 3, msg_id: written[2].msg_id, ctime: 1003, content_hash: 12 };
    assert_eq!(log.find_send(KEY, Uid(3), &Cmid::parse("Third").unwrap()).await.unwrap(), Some(third));
    assert_eq!(log.find_send(KEY, Uid(3), &Cmid::parse("third").unwrap()).await.unwrap(), None);
    assert_eq!(log.find_message(written[2].msg_id).await.unwrap(), Some(Location { key: KEY, seq: 3 }));
    let late = log.since(KEY.shard(), written[1].msg_id, 9).await.unwrap();
    assert_eq!(late, [(KEY, written[2].clone()), (KEY, written[3].clone())]);
}

async fn what_belongs_to_users_is_there(log: &PostgresLog) {
    let member =
        |from_version, from_seq, until_seq, role, silenced| Membership { from_version, from_seq, until_seq, role, silenced };
    let mut members = log.members(KEY).await.unwrap();
    members.sort_by_key(|(uid, _)| *uid);
    let written = [
        (Uid(1), member(7, 1, None, Role::Owner, false)),
        (Uid(2), member(7, 1, Some(2), Role::Member, false)),
        (Uid(3), member(8, 2, None, Role::Keeper, true)),
    ];
    assert_eq!(members, written);
    let marks = Position { read_seq: 2, own_seq: 3, deleted_to: 1, at_me_seq: 4 };
    assert_eq!(log.position(KEY, Uid(3)).await.unwrap(), marks);
    let hidden = [Hidden { from: 1, until: Some(2) }, Hidden { from: 4, until: None }];
    assert_eq!(log.hidden(KEY, Uid(3)).await.unwrap(), hidden);
    assert_eq!(log.retracted_unread(KEY, 0, 4).await.unwrap(), 1);
    for uid in [Uid(1), Uid(2)] {
        assert_eq!(log.single_chats(uid, None, 9).await.unwrap(), [CHAT]);
    }
}

/// Who held shards holds them, and appends on; nobody else is given them while his lease runs.
async fn shards_are_held(log: &PostgresLog, version: usize) {
    let rows = log.shards().await.unwrap();
    assert_eq!(rows.len(), usize::from(SHARDS));
    let held: Vec<(ShardId, u64, Option<Member>, bool)> =
        rows.iter().filter(|row| row.epoch > 0).map(|row| (row.shard, row.epoch, row.owner, row.expired)).collect();
    // A version without leases has none that runs.
    let expired = version < LEASES;
    assert_eq!(held, [(CHAT.shard(), 9, Some(SEVEN), expired), (KEY.shard(), 5, Some(SEVEN), expired)]);
    assert_eq!(append(log).await, Appended::Done);
    let other = Member { router: RouterId(8), incarnation: 3 };
    assert_eq!(log.heartbeat(other, "elsewhere", Duration::from_secs(600)).await.unwrap(), Heartbeat::Renewed);
    let mut live: Vec<_> = log.live().await.unwrap().into_iter().map(|router| (router.member, router.leaving)).collect();
    live.sort_by_key(|(member, _)| member.router);
    let wanted: &[(Member, bool)] = if expired { &[(other, false)] } else { &[(SEVEN, false), (other, false)] };
    assert_eq!(live, wanted);
    let given = ShardLeases::claim(log, other, &[KEY.shard()]).await.unwrap();
    if !expired {
        assert_eq!(given, []);
        log.leave(SEVEN).await.unwrap();
        return;
    }
    assert_eq!((given[0].epoch, append(log).await), (6, Appended::Fenced));
}

/// Appends nothing but marks that are there already, under the token of before.
async fn append(log: &PostgresLog) -> Appended {
    let nothing = ConversationAppend::empty(KEY, 4);
    let shard = ShardAppend { shard: KEY.shard(), token: TOKEN, conversations: vec![nothing], progress: None };
    MessageLog::append(log, vec![shard]).await[0][0]
}

async fn the_next_owner_goes_on_above_what_was_used(log: &PostgresLog) {
    let claim = MessageLog::claim(log, &[KEY.shard()]).await.unwrap()[0];
    assert!(claim.epoch > 5 && claim.counter >= 1_750_000_000_004, "{claim:?}");
    let progress = Progress { delivered: entries()[2].msg_id, published: entries()[1].msg_id };
    assert_eq!(claim.progress, progress);
    assert_eq!(append(log).await, Appended::Fenced);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_of_each_older_version_is_brought_up_to_date_and_keeps_what_it_holds() {
    for version in 1..=SCRIPTS.len() {
        let older = Older::of(version).await;
        let log = open(older.url.clone()).await;
        if let Some(identity) = &older.identity {
            assert_eq!(log.log_epoch(), *identity, "devices keep their positions");
        }
        let operator = session(&older.url).await;
        let sql = "SELECT version, epoch, set_id, first, last FROM mynah_log.schema_version, mynah_log.log, mynah_log.served";
        let row = operator.query_one(sql, &[]).await.unwrap();
        assert_eq!((row.get(0), row.get::<_, String>(1)), (PRESENT, older.birth.clone()));
        assert_eq!((row.get::<_, String>(2), row.get(3), row.get(4)), (older.birth.clone(), 0, 255));
        messages_are_there(&log).await;
        what_belongs_to_users_is_there(&log).await;
        shards_are_held(&log, version).await;
        the_next_owner_goes_on_above_what_was_used(&log).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_starters_bring_a_log_of_each_older_version_up_to_date_once() {
    for version in 1..=SCRIPTS.len() {
        let older = Older::of(version).await;
        let (one, other) = tokio::join!(tokio::spawn(open(older.url.clone())), tokio::spawn(open(older.url.clone())));
        let (one, other) = (one.unwrap(), other.unwrap());
        assert_eq!(one.log_epoch(), other.log_epoch());
        messages_are_there(&one).await;
        shards_are_held(&other, version).await;
    }
}

async fn open(url: String) -> PostgresLog {
    PostgresLog::open(&url, &Options::default()).await.unwrap()
}

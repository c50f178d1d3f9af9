//! One log in two databases: the contracts of the ports, one that is away, databases that do not belong together.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mynah_engines::PostgreSql;
use mynah_ports::contract::first;
use mynah_ports::contract::message_log::Harness;
use mynah_ports::shard_leases::{Error, Heartbeat, LiveRouter, Member, ShardHolder};
use mynah_ports::{MessageLog, ShardLeases};
use mynah_postgres_log::{Databases, OpenError, Options, PostgresLog, ShardedLog};
use mynah_types::{Appended, Claim, ConversationKey, ShardAppend, ShardId};

use crate::faults::session;
use crate::stopped::{carry, shut_way_to};
use crate::support::{new_database, of_starters};

/// A database each for the lower and the upper half of the shards.
fn halves(low: &str, high: &str) -> Databases {
    format!("0-127={low},128-255={high}").parse().unwrap()
}

fn two() -> Databases {
    halves(&new_database(), &new_database())
}

fn opened(databases: &Databases) -> ShardedLog {
    let opened = || tokio::runtime::Handle::current().block_on(ShardedLog::open(databases, &Options::default()));
    tokio::task::block_in_place(opened).unwrap()
}

async fn refused(databases: &Databases) -> String {
    match ShardedLog::open_available(databases, &Options::default()).await {
        Ok(_) => panic!("opened: {databases:?}"),
        Err(error) => error.to_string(),
    }
}

mod contract {
    use super::*;

    struct Fresh(Databases);

    impl Harness for Fresh {
        fn open(&mut self) -> Arc<dyn MessageLog> {
            Arc::new(opened(&self.0))
        }
    }

    fn fresh() -> Fresh {
        Fresh(two())
    }

    mynah_ports::message_log_contract!(fresh);
}

mod leases_contract {
    use super::{Both, opened, two};

    fn fresh() -> Both {
        Both(opened(&two()))
    }

    mynah_ports::shard_leases_contract!(fresh);
}

/// A router that keeps a lease in each database, as one: what the leases of the databases promise together.
struct Both(ShardedLog);

impl Both {
    fn parts(&self) -> &[PostgresLog] {
        self.0.parts()
    }
}

fn of(log: &PostgresLog, shards: &[ShardId]) -> Vec<ShardId> {
    shards.iter().copied().filter(|shard| log.range().contains(*shard)).collect()
}

#[async_trait]
impl ShardLeases for Both {
    async fn heartbeat(&self, member: Member, address: &str, lasts: Duration) -> Result<Heartbeat, Error> {
        let low = self.parts()[0].heartbeat(member, address, lasts).await?;
        assert_eq!(self.parts()[1].heartbeat(member, address, lasts).await?, low);
        Ok(low)
    }

    async fn live(&self) -> Result<Vec<LiveRouter>, Error> {
        let low = self.parts()[0].live().await?;
        assert_eq!(self.parts()[1].live().await?, low);
        Ok(low)
    }

    async fn shards(&self) -> Result<Vec<ShardHolder>, Error> {
        let (low, high) = (self.parts()[0].shards().await?, self.parts()[1].shards().await?);
        Ok(low.into_iter().chain(high).collect())
    }

    async fn claim(&self, member: Member, shards: &[ShardId]) -> Result<Vec<Claim>, Error> {
        let mut claims = Vec::new();
        for part in self.parts() {
            claims.extend(ShardLeases::claim(part, member, &of(part, shards)).await?);
        }
        claims.sort_by_key(|claim| shards.iter().position(|shard| *shard == claim.shard));
        Ok(claims)
    }

    async fn release(&self, member: Member, shards: &[ShardId]) -> Result<(), Error> {
        for part in self.parts() {
            part.release(member, &of(part, shards)).await?;
        }
        Ok(())
    }

    async fn leaving(&self, member: Member) -> Result<(), Error> {
        self.parts()[0].leaving(member).await?;
        self.parts()[1].leaving(member).await
    }

    async fn leave(&self, member: Member) -> Result<(), Error> {
        self.parts()[0].leave(member).await?;
        self.parts()[1].leave(member).await
    }
}

/// A group whose shard the first or the second database has.
fn group(high: bool) -> ConversationKey {
    let of = |gid: &u64| (ConversationKey::Group(*gid).shard().0 > 127) == high;
    ConversationKey::Group((1..).find(of).unwrap())
}

/// The first entry of a group, as the owner of its shard appends it.
async fn first_of(log: &ShardedLog, key: ConversationKey) -> ShardAppend {
    let claim = log.claim(&[key.shard()]).await.unwrap()[0];
    first::append(key, &claim)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_for_both_is_answered_in_its_order() {
    let log = opened(&two());
    let (low, high) = (first_of(&log, group(false)).await, first_of(&log, group(true)).await);
    let stale = ShardAppend { token: mynah_types::OwnerToken(1), ..high.clone() };
    assert_eq!(
        log.append(vec![high, low, stale]).await,
        [[Appended::Done], [Appended::Done], [Appended::Fenced]],
        "each by its place"
    );
    let heads = log.heads(&[group(true), ConversationKey::Group(u64::MAX), group(false)]).await.unwrap();
    assert_eq!(heads.iter().map(|tail| tail.head_seq).collect::<Vec<_>>(), [1, 0, 1]);
    // Each database has what is its own, and nothing else.
    for (part, key) in log.parts().iter().zip([group(false), group(true)]) {
        assert_eq!(part.load(key, 0).await.unwrap().head_seq, 1);
        assert_eq!(part.range().shards().count(), 128);
    }
    assert_eq!(log.parts()[0].load(group(true), 0).await.unwrap().head_seq, 0);
}

/// A database can neither be claimed nor written for a shard that is another one's, whoever asks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_takes_nothing_for_anothers_shards() {
    let log = opened(&two());
    let part = &log.parts()[0];
    assert!(MessageLog::claim(part, &[ShardId(128)]).await.is_err());
    let member = Member { router: mynah_types::RouterId(1), incarnation: 1 };
    assert_eq!(part.heartbeat(member, "somewhere", Duration::from_secs(600)).await.unwrap(), Heartbeat::Renewed);
    assert_eq!(ShardLeases::claim(part, member, &[ShardId(128)]).await.unwrap(), []);
    let append = first_of(&log, group(true)).await;
    assert_eq!(part.append(vec![append]).await, [[Appended::Fenced]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn starters_at_once_make_one_set() {
    let databases = two();
    let epoch = of_starters(|| {
        let databases = databases.clone();
        async move { ShardedLog::open(&databases, &Options::default()).await.map(|log| log.log_epoch()) }
    });
    let epoch = epoch.await;
    assert_ne!(opened(&two()).log_epoch(), epoch);
}

/// Looks at the upper half while it is new, and at the lower one only when another starter has entered both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_starter_that_is_overtaken_between_two_looks_finds_the_same_set() {
    let (low, high) = (new_database(), new_database());
    let (through, listener) = shut_way_to(&low).await;
    let overtaken = halves(&through, &high);
    let options = Options { within: Duration::from_secs(20), ..Options::default() };
    let starting = tokio::spawn(async move { ShardedLog::open(&overtaken, &options).await.map(|log| log.log_epoch()) });
    let watch = session(&high).await;
    let looked =
        "SELECT FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle' AND query LIKE '%to_regclass%'
        AND pid <> pg_backend_pid()";
    while watch.query(looked, &[]).await.unwrap().is_empty() {
        assert!(!starting.is_finished(), "{:?}", starting.await);
        tokio::task::yield_now().await;
    }
    let epoch = opened(&halves(&low, &high)).log_epoch();
    let _way = carry(listener, &low);
    assert_eq!(starting.await.unwrap().unwrap(), epoch);
}

/// Two that begin with databases in another order each: one is first, the other is refused, and nothing is half of both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn starters_that_disagree_do_not_both_begin() {
    let (a, b) = (new_database(), new_database());
    let (one, other) = (halves(&a, &b), halves(&b, &a));
    let options = Options::default();
    let both = tokio::join!(ShardedLog::open(&one, &options), ShardedLog::open(&other, &options));
    assert!(both.0.is_err() || both.1.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn databases_that_do_not_belong_together_are_refused_and_stay_as_they_were() {
    let (a, b, c, d) = (new_database(), new_database(), new_database(), new_database());
    let epoch = opened(&halves(&a, &b)).log_epoch();
    opened(&halves(&c, &d));
    let empty = new_database();
    for (databases, why) in [
        (halves(&b, &a), "of shards 0-127 has shards 128-255 by its own record"),
        (halves(&a, &d), "of shards 128-255 is of another set"),
        (halves(&a, &empty), "of shards 128-255 is empty, and the others know one that is not"),
        (halves(&empty, &b), "of shards 0-127 is empty, and the others know one that is not"),
        (format!("0-99={a},100-255={b}").parse().unwrap(), "of shards 0-99 has shards 0-127"),
        (
            format!("0-127={a},128-200={empty},201-255={}", new_database()).parse().unwrap(),
            "of shards 128-255 is a part of this set",
        ),
        (Databases::one(&a), "of shards 0-255 has shards 0-127"),
    ] {
        let told = refused(&databases).await;
        assert!(told.contains(why), "{told}");
    }
    let untouched = session(&empty).await;
    let made: bool = untouched.query_one("SELECT to_regnamespace('mynah_log') IS NOT NULL", &[]).await.unwrap().get(0);
    assert!(!made, "something was written");
    assert_eq!(opened(&halves(&a, &b)).log_epoch(), epoch);
    // An operator who gives one up says so where it is known.
    session(&a).await.batch_execute("DELETE FROM mynah_log.parts WHERE first = 128").await.unwrap();
    assert_ne!(opened(&halves(&a, &empty)).log_epoch(), epoch, "devices drop their positions");
    let told = refused(&halves(&a, &b)).await;
    assert!(told.contains("of shards 128-255 is another one than the others know"), "{told}");
}

/// Taken back to what version 4 left, with a shard that was claimed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_from_before_has_all_shards() {
    let url = new_database();
    let epoch = PostgresLog::open(&url, &Options::default()).await.unwrap().log_epoch();
    let operator = session(&url).await;
    let back = "DROP TABLE mynah_log.served, mynah_log.parts; UPDATE mynah_log.schema_version SET version = 4";
    operator.batch_execute(back).await.unwrap();
    let told = refused(&halves(&url, &new_database())).await;
    assert!(told.contains("of shards 0-127 has shards 0-255"), "{told}");
    let version: i32 = operator.query_one("SELECT version FROM mynah_log.schema_version", &[]).await.unwrap().get(0);
    assert_eq!(version, 4, "what is refused is not migrated");
    let log = opened(&Databases::one(&url));
    assert_eq!(log.log_epoch(), epoch);
    assert_eq!(log.parts()[0].range().to_string(), "0-255");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_away_at_the_start_is_served_when_it_comes() {
    let mut server = tokio::task::block_in_place(|| PostgreSql::start().unwrap());
    server.create_database("high").unwrap();
    let databases = halves(&new_database(), &server.url("high"));
    let options = Options { within: Duration::from_secs(1), ..Options::default() };
    server.kill();
    let told = ShardedLog::open_available(&databases, &options).await.err().unwrap();
    assert!(
        matches!(&told, OpenError::Unavailable(why) if why.starts_with("shards 128-255: ")),
        "the first start needs all: {told}"
    );
    tokio::task::block_in_place(|| server.restart()).unwrap();
    let first = ShardedLog::open(&databases, &options).await.unwrap();
    assert_eq!(first.append(vec![first_of(&first, group(true)).await]).await, [[Appended::Done]]);
    server.kill();
    assert!(ShardedLog::open(&databases, &options).await.is_err(), "who needs all waits");
    let log = ShardedLog::open_available(&databases, &options).await.unwrap();
    assert_eq!(log.log_epoch(), first.log_epoch(), "devices keep their positions");
    assert_eq!(log.append(vec![first_of(&log, group(false)).await]).await, [[Appended::Done]]);
    assert!(log.load(group(true), 0).await.is_err());
    tokio::task::block_in_place(|| server.restart()).unwrap();
    let there = async {
        while !log.load(group(true), 0).await.is_ok_and(|tail| tail.head_seq == 1) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), there).await.unwrap();
    assert_eq!(log.log_epoch(), first.log_epoch());
}

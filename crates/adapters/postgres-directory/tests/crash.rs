//! PostgreSQL killed, frozen, cut off: calls answer in bounded time, what was answered stays, and work goes on by itself.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests: what should not be fails them"
)]

mod shared;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::join_all;
use mynah_engines::{PostgreSql, free_port};
use mynah_ports::directory_store::{ChangeLimits, Error, NewRoster, RosterKind, Told};
use mynah_ports::{DirectoryStore, deadline};
use mynah_postgres_directory::{OpenError, PostgresDirectory};
use mynah_types::{AppId, Uid, Username};
use shared::{app, fresh, new_user, users};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};

/// No call takes longer, whatever the engine does: a place in the pool, a connection, an attempt.
const BOUND: Duration = Duration::from_secs(15);

/// What a call did, within the bound. False: unavailable.
async fn served<T>(call: impl Future<Output = Result<T, Error>>) -> Option<T> {
    match tokio::time::timeout(BOUND, call).await.expect("an answer in time") {
        Ok(value) => Some(value),
        Err(Error::Unavailable(_)) => None,
        Err(other) => panic!("{other}"),
    }
}

/// A client that registers users under ever new names until it is told to end. Answers those that were acknowledged.
struct Writer {
    store: Arc<PostgresDirectory>,
    app: AppId,
    number: usize,
    done: AtomicUsize,
    failed: AtomicUsize,
}

impl Writer {
    async fn run(&self, ends: &AtomicBool) -> Vec<(Username, Uid)> {
        let mut acknowledged = Vec::new();
        for round in 0.. {
            if ends.load(Ordering::SeqCst) {
                break;
            }
            let new = new_user(&format!("writer{}_{round}", self.number));
            let name = new.username.clone();
            match served(self.store.insert_users(self.app, vec![new], 10)).await {
                Some(made) => {
                    acknowledged.push((name, made[0].expect("a new name")));
                    self.done.fetch_add(1, Ordering::SeqCst);
                }
                None => _ = self.failed.fetch_add(1, Ordering::SeqCst),
            }
        }
        acknowledged
    }
}

/// Waits until every writer's count is above what it was.
async fn all_rise(writers: &[Arc<Writer>], count: fn(&Writer) -> &AtomicUsize) {
    let was: Vec<usize> = writers.iter().map(|writer| count(writer).load(Ordering::SeqCst)).collect();
    let risen = || writers.iter().zip(&was).all(|(writer, was)| count(writer).load(Ordering::SeqCst) > *was);
    tokio::time::timeout(Duration::from_secs(60), async {
        while !risen() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("they go on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_survives_a_kill_under_load() {
    let mut server = PostgreSql::start().unwrap();
    server.create_database("killed").unwrap();
    let mut stores = Vec::new();
    for _ in 0..2 {
        stores.push(Arc::new(PostgresDirectory::open(&server.url("killed"), 8).await.unwrap()));
    }
    let app = app(&*stores[0]).await;
    let ends = Arc::new(AtomicBool::new(false));
    let writer = |number| {
        let store = Arc::clone(&stores[number % 2]);
        Arc::new(Writer { store, app, number, done: AtomicUsize::new(0), failed: AtomicUsize::new(0) })
    };
    let writers: Vec<_> = (0..16).map(writer).collect();
    let tasks: Vec<_> = writers
        .iter()
        .map(|writer| {
            let (writer, ends) = (Arc::clone(writer), Arc::clone(&ends));
            tokio::spawn(async move { writer.run(&ends).await })
        })
        .collect();
    for _ in 0..2 {
        all_rise(&writers, |writer| &writer.done).await;
        tokio::task::block_in_place(|| server.kill());
        all_rise(&writers, |writer| &writer.failed).await;
        tokio::task::block_in_place(|| server.restart()).unwrap();
        all_rise(&writers, |writer| &writer.done).await;
    }
    ends.store(true, Ordering::SeqCst);
    let acknowledged = join_all(tasks).await.into_iter().flat_map(Result::unwrap).collect::<Vec<_>>();
    let names: Vec<Username> = acknowledged.iter().map(|(name, _)| name.clone()).collect();
    let found = stores[1].users_by_name(app, &names).await.unwrap();
    for (name, uid) in &acknowledged {
        assert!(found.iter().any(|user| user.username == *name && user.uid == *uid), "{name} is lost");
    }
    // What was not acknowledged is there as a whole or not at all.
    let (total, _) = stores[0].list_users(app, false, 0, 1).await.unwrap();
    let (_, listed) = stores[0].list_users(app, false, 0, u32::MAX).await.unwrap();
    assert_eq!(total as usize, listed.len());
    assert!(listed.len() >= acknowledged.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_is_not_there_is_unavailable_at_once() {
    let url = format!("postgres://mynah@127.0.0.1:{}/none", free_port().unwrap());
    let began = Instant::now();
    let opened = tokio::time::timeout(BOUND, PostgresDirectory::open(&url, 2)).await.expect("an answer in time");
    assert!(matches!(opened, Err(OpenError::Store(Error::Unavailable(_)))));
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_somebody_holds_is_waited_for_in_bounds() {
    let database = fresh();
    let store = database.store().await.unwrap();
    let app = app(&store).await;
    let mut other = database.client().await;
    let holder = other.transaction().await.unwrap();
    holder.execute("SELECT 1 FROM apps FOR UPDATE", &[]).await.unwrap();
    assert!(served(store.insert_users(app, vec![new_user("tom1")], 10)).await.is_none());
    assert!(store.app(app).await.unwrap().is_some(), "reads wait for nobody");
    holder.commit().await.unwrap();
    assert_eq!(users(&store, app, 1).await.len(), 1);
}

#[derive(Clone, Copy, PartialEq)]
enum Wire {
    Passes,
    /// Nothing comes through, and nobody is told.
    Holds,
    /// The engine commits, and its answer is lost with the connection.
    CutsAtCommit,
    /// The word to commit comes late.
    HoldsAtCommit,
}

/// The state of a wire, and whether it holds a word to commit.
struct Line {
    state: watch::Sender<Wire>,
    holds_commit: Arc<Notify>,
}

impl Line {
    fn send(&self, state: Wire) -> Result<(), watch::error::SendError<Wire>> {
        self.state.send(state)
    }
}

/// A store whose connections go over a wire that can be spoiled.
async fn over_a_wire(url: &str) -> (PostgresDirectory, Line) {
    let port: u16 = url.rsplit_once(':').unwrap().1.split_once('/').unwrap().0.parse().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let near = listener.local_addr().unwrap().port();
    let (wire, state) = watch::channel(Wire::Passes);
    let holds_commit = Arc::new(Notify::new());
    let line = Line { state: wire, holds_commit: Arc::clone(&holds_commit) };
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            tokio::spawn(carry(client, server, state.clone(), Arc::clone(&holds_commit)));
        }
    });
    let url = url.replace(&format!(":{port}/"), &format!(":{near}/"));
    (PostgresDirectory::open(&url, 4).await.unwrap(), line)
}

/// Ends with either side.
async fn carry(
    mut client: TcpStream,
    mut server: TcpStream,
    mut wire: watch::Receiver<Wire>,
    holds_commit: Arc<Notify>,
) -> Option<()> {
    let (mut up, mut down) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            read = client.read(&mut up) => {
                let sent = &up[..read.ok().filter(|length| *length > 0)?];
                let state = *wire.wait_for(|wire| *wire != Wire::Holds).await.ok()?;
                let commits = sent.windows(7).any(|word| word == b"COMMIT\0");
                if state == Wire::HoldsAtCommit && commits {
                    holds_commit.notify_one();
                    wire.wait_for(|wire| *wire == Wire::Passes).await.ok()?;
                }
                server.write_all(sent).await.ok()?;
                if state == Wire::CutsAtCommit && commits {
                    // The engine has committed when it answers.
                    return server.read(&mut down).await.ok().map(drop);
                }
            }
            read = server.read(&mut down) => {
                let length = read.ok().filter(|length| *length > 0)?;
                wire.wait_for(|wire| *wire != Wire::Holds).await.ok()?;
                client.write_all(&down[..length]).await.ok()?;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_holds_still_is_unavailable_in_bounds() {
    let database = fresh();
    let (store, wire) = over_a_wire(database.url()).await;
    let app = app(&store).await;
    wire.send(Wire::Holds).unwrap();
    let (read, written) = tokio::join!(served(store.app(app)), served(store.insert_users(app, vec![new_user("tom1")], 10)));
    assert!(read.is_none() && written.is_none());
    wire.send(Wire::Passes).unwrap();
    assert!(store.app(app).await.unwrap().is_some());
    assert_eq!(users(&store, app, 3).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_is_lost_is_not_done_again() {
    let database = fresh();
    let (store, wire) = over_a_wire(database.url()).await;
    let app = app(&store).await;
    let owner = users(&store, app, 1).await[0];
    let group = NewRoster {
        kind: RosterKind::Group,
        app,
        name: "the group".into(),
        desc: String::new(),
        avatar: String::new(),
        flag: 1,
        owner,
        members: Vec::new(),
        limits: ChangeLimits { max_members: 500, max_groups_per_user: 500 },
        payload: Box::new(|_| Bytes::new()),
        actor: owner,
        maker: 0,
        now: 50,
    };
    wire.send(Wire::CutsAtCommit).unwrap();
    assert!(served(store.create_roster(group)).await.is_none());
    let before = store.next_generation().await;
    assert!(matches!(before, Err(Error::Unavailable(_))), "{before:?}");
    wire.send(Wire::Passes).unwrap();
    let (total, listed) = store.list_rosters(app, RosterKind::Group, 0, 10).await.unwrap();
    assert_eq!((total, listed.len(), listed[0].owner), (1, 1, owner));
    assert_eq!(store.next_generation().await.unwrap(), 2, "the number that was lost is skipped");
}

/// Its process was stopped between its last look at the clock and its word to commit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_stands_still_before_its_commit_is_undone_and_holds_nobody_up() {
    let database = fresh();
    let direct = database.store().await.unwrap();
    let app = app(&direct).await;
    let (store, wire) = over_a_wire(database.url()).await;
    let store = Arc::new(store);
    // Enough for one try, and too little for another one after the engine's patience; and all the time of the world.
    for (left, is_made) in [(deadline::LEAST + Duration::from_millis(1500), false), (BOUND * 4, true)] {
        wire.send(Wire::HoldsAtCommit).unwrap();
        let (until, late) = (Instant::now() + left, Arc::clone(&store));
        let late = tokio::spawn(async move { deadline::until(Some(until), late.set_word_filter(app, true)).await });
        tokio::time::timeout(BOUND, wire.holds_commit.notified()).await.unwrap();
        assert!(direct.set_word_filter(app, false).await.unwrap(), "what it locked is free");
        wire.send(Wire::Passes).unwrap();
        match late.await.unwrap() {
            Ok(done) => assert!(done && is_made, "made again for who still waits"),
            Err(error) => assert!(!is_made && matches!(error, Error::TooLate), "{error}"),
        }
        assert_eq!(direct.word_filter(app).await.unwrap().0, is_made);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_made_durable_for_who_gives_up_before_he_can_hear_of_it() {
    const SOON: Duration = Duration::from_secs(1);
    const LATER: Duration = Duration::from_secs(600);
    let store = fresh().store().await.unwrap();
    let app = app(&store).await;
    for (left, is_made) in [(SOON, false), (LATER, true)] {
        let made = deadline::until(Some(Instant::now() + left), store.set_word_filter(app, true)).await;
        match made {
            Ok(_) => assert!(is_made),
            Err(error) => assert!(!is_made && matches!(error, Error::TooLate), "{error}"),
        }
        assert_eq!(store.word_filter(app).await.unwrap().0, is_made);
    }
    // What was decided before is settled however late.
    let nobody = Uid(1_000_000);
    let settled = deadline::until(Some(Instant::now()), async {
        store.set_applied(1, 1).await?;
        store.finish_deletion(nobody).await?;
        store.finish_relations(nobody, &[nobody], 1).await?;
        store.finish_shield(nobody, 1, true, Told::Done).await?;
        store.finish_feed(nobody, 1).await?;
        store.next_generation().await?;
        store.purge_sessions(1, 1).await?;
        store.take_turn("work", 1, LATER).await
    });
    assert!(settled.await.unwrap());
    // Who only reads is answered to the last.
    let read = deadline::until(Some(Instant::now() + SOON), store.list_words(app, 0, 10)).await;
    assert_eq!(read.unwrap(), (0, Vec::new()));
}

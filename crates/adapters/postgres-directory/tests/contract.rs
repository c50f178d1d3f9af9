//! The store's contract over PostgreSQL, and what is PostgreSQL's own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests: what should not be fails them"
)]

mod shared;

use std::time::Duration;

use mynah_ports::DirectoryStore as _;
use shared::fresh;

mynah_ports::directory_store_contract!(fresh);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_take_turns_at_a_work() {
    const LONG: Duration = Duration::from_secs(3600);
    let database = fresh();
    let (one, two) = (database.store().await.unwrap(), database.store().await.unwrap());
    assert!(one.take_turn("work", 1, LONG).await.unwrap());
    assert!(!two.take_turn("work", 2, LONG).await.unwrap());
    assert!(two.take_turn("other work", 2, LONG).await.unwrap());
    assert!(one.take_turn("work", 1, LONG).await.unwrap(), "it goes on");
    // It ends with its lease.
    assert!(one.take_turn("work", 1, Duration::ZERO).await.unwrap());
    assert!(two.take_turn("work", 2, LONG).await.unwrap());
    assert!(!one.take_turn("work", 1, LONG).await.unwrap());
    // Of those who come at one time one gets it.
    let racing = (10..26).map(|process| {
        let store = if process % 2 == 0 { &one } else { &two };
        store.take_turn("a third", process, LONG)
    });
    let told = futures_util::future::join_all(racing).await;
    assert_eq!(told.into_iter().filter(|told| *told.as_ref().unwrap()).count(), 1);
}

//! What a router says that cannot trust its lease any more.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use mynah_domain::ownership::Lease;
use mynah_fjall::{FjallLog, Options};
use mynah_memory::{MemoryBus, MemoryPresence};
use mynah_proto::router::{PostItem, PostRequest};
use mynah_proto::{DirectoryClient, RouterClient};
use mynah_types::{Reason, SystemClock};

use crate::{Deps, Gateways, Ownership, Router, Settings};

/// Its actors live and its shards are taken, as when a process goes on that stood still: another router may have written since.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_lease_not_even_a_repeat_is_answered_out_of_memory() {
    let folder = tempfile::tempdir().unwrap();
    let router = Router::start(Deps {
        log: Arc::new(FjallLog::open(folder.path(), &Options::default()).unwrap()),
        bus: Arc::new(MemoryBus::new(64)),
        presence: Arc::new(MemoryPresence::new(Vec::new())),
        directory: DirectoryClient::late(),
        gateways: Gateways::default(),
        clock: Arc::new(SystemClock),
        ownership: Ownership::Sole,
        settings: Settings::default(),
    });
    let router = router.await.unwrap();
    let client = RouterClient::local(router.clone());
    let item = PostItem { id: "e1".into(), payload: b"\x0a\x00".to_vec().into() };
    let post = || client.post(PostRequest { conv_id: "f.7".into(), items: vec![item.clone()] });
    post().await.unwrap();
    post().await.unwrap();
    router.shared.shards.parts().iter().for_each(|part| part.set_lease(Lease::new(3000, 500)));
    assert_eq!(post().await.unwrap_err().why(), Reason::NotOwner);
}

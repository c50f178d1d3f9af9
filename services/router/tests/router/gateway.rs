//! A gateway that notes what it is given, and may refuse it at first.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use mynah_memory::MemoryPresence;
use mynah_ports::Presence as _;
use mynah_ports::presence::OnlineDevice;
use mynah_proto::GatewayClient;
use mynah_proto::gateway::gateway_server::Gateway;
use mynah_proto::gateway::*;
use mynah_proto::router::LogEntry;
use mynah_types::{GatewayId, Uid};
use tokio::sync::mpsc;
use tonic::{Request, Response, Status};

pub(crate) const GATEWAY: GatewayId = GatewayId(1);

pub(crate) struct Recorder {
    entries: mpsc::Sender<LogEntry>,
    /// Calls that are refused yet.
    refuses: AtomicU32,
}

/// What was delivered.
pub(crate) struct Delivered(pub(crate) mpsc::Receiver<LogEntry>);

impl Recorder {
    /// It refuses that many calls before it takes any.
    pub(crate) fn start(refuses: u32) -> (GatewayClient, Delivered) {
        let (entries, receiver) = mpsc::channel(64);
        (GatewayClient::local(Self { entries, refuses: AtomicU32::new(refuses) }), Delivered(receiver))
    }
}

impl Delivered {
    pub(crate) async fn next(&mut self) -> LogEntry {
        tokio::time::timeout(Duration::from_secs(10), self.0.recv()).await.expect("a delivery in time").unwrap()
    }
}

/// Presence in which one user is connected at the recorder.
pub(crate) async fn connected(uid: u64) -> Arc<MemoryPresence> {
    let presence = MemoryPresence::new(vec![GATEWAY]);
    let device = OnlineDevice { uid: Uid(uid), conn: 1, gateway: GATEWAY, platform: 'a', session_id: 1, generation: 1 };
    presence.online(device).await.unwrap();
    Arc::new(presence)
}

#[async_trait::async_trait]
impl Gateway for Recorder {
    async fn deliver(&self, request: Request<DeliverRequest>) -> Result<Response<DeliverReply>, Status> {
        if self.refuses.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            return Err(Status::unavailable("not yet"));
        }
        for entry in request.into_inner().records.into_iter().filter_map(|record| record.entry) {
            // A test that has seen enough listens no longer.
            _ = self.entries.send(entry).await;
        }
        Ok(Response::new(DeliverReply {}))
    }

    async fn read_changed(&self, _: Request<ReadChangedRequest>) -> Result<Response<ReadChangedReply>, Status> {
        Ok(Response::new(ReadChangedReply {}))
    }

    async fn kick(&self, _: Request<KickRequest>) -> Result<Response<KickReply>, Status> {
        Err(Status::unimplemented("not the router's call"))
    }

    async fn refresh(&self, _: Request<RefreshRequest>) -> Result<Response<RefreshReply>, Status> {
        Err(Status::unimplemented("not the router's call"))
    }
}

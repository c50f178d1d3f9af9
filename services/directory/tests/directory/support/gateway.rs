//! A fake of the gateway's trait.

use std::sync::Arc;

use mynah_proto::gateway;
use mynah_proto::gateway::gateway_server::Gateway;
use parking_lot::Mutex;
use tonic::Request;

use super::fake::{Answer, Mode, unexpected};

/// A gateway that notes whom it was to put out.
#[derive(Clone, Default)]
pub struct FakeGateway(Arc<GatewayState>);

#[derive(Default)]
pub struct GatewayState {
    pub mode: Mutex<Mode>,
    /// Calls that came, those that failed too.
    pub tries: Mutex<usize>,
    pub kicks: Mutex<Vec<gateway::KickRequest>>,
    pub refreshes: Mutex<Vec<gateway::RefreshRequest>>,
}

impl std::ops::Deref for FakeGateway {
    type Target = GatewayState;

    fn deref(&self) -> &GatewayState {
        &self.0
    }
}

impl FakeGateway {
    pub fn take(&self) -> Vec<gateway::KickRequest> {
        std::mem::take(&mut *self.kicks.lock())
    }
}

#[tonic::async_trait]
impl Gateway for FakeGateway {
    async fn kick(&self, request: Request<gateway::KickRequest>) -> Answer<gateway::KickReply> {
        *self.tries.lock() += 1;
        let mode = *self.mode.lock();
        mode.before().await?;
        self.kicks.lock().push(request.into_inner());
        mode.after(gateway::KickReply { kicked: 1 })
    }

    async fn deliver(&self, _: Request<gateway::DeliverRequest>) -> Answer<gateway::DeliverReply> {
        unexpected()
    }

    async fn read_changed(&self, _: Request<gateway::ReadChangedRequest>) -> Answer<gateway::ReadChangedReply> {
        unexpected()
    }

    async fn refresh(&self, request: Request<gateway::RefreshRequest>) -> Answer<gateway::RefreshReply> {
        let mode = *self.mode.lock();
        mode.before().await?;
        self.refreshes.lock().push(request.into_inner());
        mode.after(gateway::RefreshReply {})
    }
}

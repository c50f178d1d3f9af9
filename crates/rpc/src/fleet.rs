//! Every gateway: what all of them have to hear before a call returns.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use mynah_proto::gateway::gateway_server::Gateway;
use mynah_proto::gateway::{
    DeliverReply, DeliverRequest, KickReply, KickRequest, ReadChangedReply, ReadChangedRequest, RefreshReply, RefreshRequest,
};
use mynah_proto::{Failure, GatewayClient, gateway};
use mynah_types::{GatewayId, Reason};
use tonic::{Request, Response, Status};

use crate::Channels;

/// Says which gateways are alive and where.
#[async_trait]
pub trait LiveGateways: Send + Sync + 'static {
    /// Each with its `host:port`.
    ///
    /// # Errors
    /// A text for the log, when that cannot be known now.
    async fn live(&self) -> Result<Vec<(GatewayId, String)>, String>;
}

/// All live gateways as one.
#[derive(Clone)]
pub struct Fleet {
    live: Arc<dyn LiveGateways>,
    channels: Channels,
    within: Duration,
}

impl Fleet {
    /// A gateway may take `within` to answer.
    #[must_use]
    pub fn new(live: Arc<dyn LiveGateways>, channels: Channels, within: Duration) -> Self {
        Self { live, channels, within }
    }

    /// A client of each.
    ///
    /// # Errors
    /// When nobody knows which are alive.
    pub async fn clients(&self) -> Result<Vec<(GatewayId, GatewayClient)>, String> {
        let live = self.live.live().await?;
        let client = |channel| GatewayClient::Channel(gateway::gateway_client::GatewayClient::new(channel));
        Ok(live.into_iter().filter_map(|(id, address)| Some((id, client(self.channels.to(&address)?)))).collect())
    }

    /// Calls every one at once. If one does not answer the call has failed, though the others have heard.
    async fn each<Q, R, F>(&self, request: Q, call: impl Fn(GatewayClient, Q) -> F) -> Result<Vec<R>, Status>
    where
        Q: Clone,
        F: Future<Output = Result<R, Failure>>,
    {
        let clients = self.clients().await.map_err(|why| Failure::new(Reason::Unavailable, why))?;
        let calls = clients.into_iter().map(|(id, client)| {
            let called = call(client, request.clone());
            async move {
                match tokio::time::timeout(self.within, called).await {
                    Ok(Ok(reply)) => Ok(reply),
                    Ok(Err(failure)) => Err((id, failure)),
                    Err(_) => Err((id, Failure::new(Reason::Timeout, "no answer in time"))),
                }
            }
        });
        let mut replies = Vec::new();
        let mut failed = None;
        for outcome in join_all(calls).await {
            match outcome {
                Ok(reply) => replies.push(reply),
                Err((gateway, failure)) => {
                    tracing::warn!(%gateway, error = %failure, "a gateway did not take a call that all have to hear");
                    failed = Some(failure);
                }
            }
        }
        match failed {
            None => Ok(replies),
            Some(failure) => Err(failure.into()),
        }
    }
}

#[async_trait]
impl Gateway for Fleet {
    async fn deliver(&self, request: Request<DeliverRequest>) -> Result<Response<DeliverReply>, Status> {
        self.each(request.into_inner(), |client, request| async move { client.deliver(request).await }).await?;
        Ok(Response::new(DeliverReply {}))
    }

    async fn read_changed(&self, request: Request<ReadChangedRequest>) -> Result<Response<ReadChangedReply>, Status> {
        self.each(request.into_inner(), |client, request| async move { client.read_changed(request).await }).await?;
        Ok(Response::new(ReadChangedReply {}))
    }

    async fn kick(&self, request: Request<KickRequest>) -> Result<Response<KickReply>, Status> {
        let replies = self.each(request.into_inner(), |client, request| async move { client.kick(request).await }).await?;
        Ok(Response::new(KickReply { kicked: replies.iter().map(|reply| reply.kicked).sum() }))
    }

    async fn refresh(&self, request: Request<RefreshRequest>) -> Result<Response<RefreshReply>, Status> {
        self.each(request.into_inner(), |client, request| async move { client.refresh(request).await }).await?;
        Ok(Response::new(RefreshReply {}))
    }
}

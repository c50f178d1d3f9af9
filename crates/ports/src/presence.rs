//! Presence: which connections are online on which gateway, and which gateways a conversation's audience is on. Soft state.

use async_trait::async_trait;
use mynah_types::{ConversationKey, GatewayId, Uid};

/// One live connection of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnlineDevice {
    /// The user.
    pub uid: Uid,
    /// Unique in its gateway's incarnation.
    pub conn: u64,
    /// Where it is connected.
    pub gateway: GatewayId,
    /// The platform letter: a, i, w, m, j or x.
    pub platform: char,
    /// The directory's number of the session.
    pub session_id: u64,
    /// The login generation: an older one never replaces a newer one.
    pub generation: u64,
}

/// Which gateways hear of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// Exactly these.
    Known(Vec<GatewayId>),
    /// The store was emptied: every live gateway.
    Unknown,
}

/// A gateway that is alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveGateway {
    /// Which.
    pub id: GatewayId,
    /// Where other processes reach it: host and port. Empty where there are none.
    pub address: String,
}

/// Why presence cannot answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not reachable.
    #[error("presence unavailable: {0}")]
    Unavailable(String),
}

/// Who is online where.
#[async_trait]
pub trait Presence: Send + Sync + 'static {
    /// A connection logged in. Confirmed when this returns. Of a session, entries of the highest generation are shown only, in whatever
    /// order they were told.
    async fn online(&self, device: OnlineDevice) -> Result<(), Error>;

    /// A connection is gone.
    async fn offline(&self, uid: Uid, gateway: GatewayId, conn: u64) -> Result<(), Error>;

    /// The live connections of users, in any order.
    async fn devices(&self, uids: &[Uid]) -> Result<Vec<OnlineDevice>, Error>;

    /// This gateway has local subscribers of the conversation from now on. Confirmed when this returns.
    async fn join_audience(&self, key: ConversationKey, gateway: GatewayId) -> Result<(), Error>;

    /// It has none any more.
    async fn leave_audience(&self, key: ConversationKey, gateway: GatewayId) -> Result<(), Error>;

    /// Where the conversation's subscribers are. For single chats and feeds: where their users are connected.
    async fn audience(&self, key: ConversationKey) -> Result<Audience, Error>;

    /// The audiences of many conversations, in the order given.
    async fn audiences(&self, keys: &[ConversationKey]) -> Result<Vec<Audience>, Error> {
        let mut audiences = Vec::with_capacity(keys.len());
        for key in keys {
            audiences.push(self.audience(*key).await?);
        }
        Ok(audiences)
    }

    /// Gateways that are alive.
    async fn gateways(&self) -> Result<Vec<LiveGateway>, Error>;

    /// Waits until what this process told did not count for a while, more often than `seen` times, and counts again; answers how often it
    /// did not. Pushes may have been missed in between: the gateway reads its devices' heads again. A store that cannot lose anything
    /// never answers.
    async fn repaired(&self, seen: u64) -> u64 {
        _ = seen;
        std::future::pending().await
    }
}

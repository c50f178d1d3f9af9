use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use mynah_ports::Presence;
use mynah_ports::presence::{Audience, Error, LiveGateway, OnlineDevice};
use mynah_types::{ConversationKey, GatewayId, Uid};
use tokio::task::JoinHandle;

use crate::beat::Heart;
use crate::link::{Link, unavailable};
use crate::own::{Own, Slot};
use crate::scripts::{self, Call};
use crate::settings::{InvalidSettings, Settings};
use crate::shared::Shared;

/// Presence in Redis, as one process sees it.
///
/// A call that fails with [`Error::Unavailable`] is remembered all the same: the store is told when it is back. It may be told of
/// before the failure is known. Dropped, it leaves the lease to lapse; [`RedisPresence::end`] gives it back.
pub struct RedisPresence {
    shared: Arc<Shared>,
    heart: JoinHandle<()>,
}

impl RedisPresence {
    /// Begins to beat. The store need not be there yet.
    ///
    /// # Errors
    /// When the settings cannot be worked with.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start(settings: Settings) -> Result<Self, InvalidSettings> {
        settings.check()?;
        let link = Link::new(&settings)?;
        let shared = Arc::new(Shared::new(settings, link));
        let heart = tokio::spawn(Heart::new(Arc::clone(&shared)).run());
        Ok(Self { shared, heart })
    }

    /// Ends the lease: the gateway's users are offline at once.
    ///
    /// # Errors
    /// When the store does not answer: then the lease lapses.
    pub async fn end(mut self) -> Result<(), Error> {
        self.heart.abort();
        // A beat that is under way would take the lease anew.
        _ = (&mut self.heart).await;
        let Some(gateway) = self.shared.settings.gateway else { return Ok(()) };
        let held = self.shared.leases.held().into_iter();
        let end =
            |(bucket, incarnation)| Call::new(&scripts::END, [self.shared.registry(bucket)]).arg(gateway.0).arg(incarnation);
        let ends: Vec<_> = held.map(end).collect();
        self.shared.link.ask(&ends).await.into_iter().try_for_each(|answer| answer.map(drop))
    }

    /// Changes the gateway's own state, then tells the store of it.
    async fn tell(&self, gateway: GatewayId, change: impl FnOnce(&mut Own) -> Slot) -> Result<(), Error> {
        if self.shared.settings.gateway != Some(gateway) {
            return Err(unavailable(format_args!("gateway {gateway} is not of this process")));
        }
        let slot = {
            let mut own = self.shared.own.lock();
            let slot = change(&mut own);
            own.expect(slot);
            slot
        };
        self.shared.tell(gateway, slot).await
    }
}

impl Drop for RedisPresence {
    fn drop(&mut self) {
        self.heart.abort();
    }
}

#[async_trait]
impl Presence for RedisPresence {
    async fn online(&self, device: OnlineDevice) -> Result<(), Error> {
        self.tell(device.gateway, |own| own.online(device)).await
    }

    async fn offline(&self, uid: Uid, gateway: GatewayId, conn: u64) -> Result<(), Error> {
        self.tell(gateway, |own| own.offline(uid, conn)).await
    }

    async fn devices(&self, uids: &[Uid]) -> Result<Vec<OnlineDevice>, Error> {
        let slots: Vec<_> = uids.iter().map(|uid| Slot::User(*uid)).collect();
        let seen = self.shared.look(&slots).await?;
        Ok(uids.iter().zip(&seen).flat_map(|(uid, (registry, fields))| registry.devices(*uid, fields)).collect())
    }

    async fn join_audience(&self, key: ConversationKey, gateway: GatewayId) -> Result<(), Error> {
        self.tell(gateway, |own| own.hear(key, true)).await
    }

    async fn leave_audience(&self, key: ConversationKey, gateway: GatewayId) -> Result<(), Error> {
        self.tell(gateway, |own| own.hear(key, false)).await
    }

    async fn audience(&self, key: ConversationKey) -> Result<Audience, Error> {
        Ok(self.audiences(&[key]).await?.pop().unwrap_or(Audience::Unknown))
    }

    async fn audiences(&self, keys: &[ConversationKey]) -> Result<Vec<Audience>, Error> {
        let slots: Vec<Vec<Slot>> = keys.iter().map(|key| slots(*key)).collect();
        let seen = self.shared.look(&slots.concat()).await?;
        let mut seen = seen.iter();
        let lifetime = self.shared.settings.lifetime;
        let audience = |slots: &Vec<Slot>| {
            let mut gateways = BTreeSet::new();
            let mut known = true;
            for (slot, (registry, fields)) in slots.iter().zip(&mut seen) {
                known &= registry.is_settled(lifetime);
                match slot {
                    Slot::User(uid) => gateways.extend(registry.devices(*uid, fields).iter().map(|d| d.gateway)),
                    Slot::Audience(_) => gateways.extend(registry.audience(fields)),
                }
            }
            if known { Audience::Known(gateways.into_iter().collect()) } else { Audience::Unknown }
        };
        Ok(slots.iter().map(audience).collect())
    }

    async fn gateways(&self) -> Result<Vec<LiveGateway>, Error> {
        let live = self.shared.gateways().await?.into_iter();
        Ok(live.map(|(id, address)| LiveGateway { id, address }).collect())
    }

    async fn repaired(&self, seen: u64) -> u64 {
        // Its sender lives as long as this call's borrow.
        self.shared.repairs.subscribe().wait_for(|count| *count > seen).await.map_or(seen, |count| *count)
    }
}

/// What tells a conversation's audience.
fn slots(key: ConversationKey) -> Vec<Slot> {
    match key {
        ConversationKey::Single(a, b) => vec![Slot::User(a), Slot::User(b)],
        ConversationKey::Feed(uid) => vec![Slot::User(uid)],
        ConversationKey::Group(_) | ConversationKey::Room(_) => vec![Slot::Audience(key)],
    }
}

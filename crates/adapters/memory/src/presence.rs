//! Presence as maps in memory: exact, since it dies with the connections that it tells of.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use mynah_ports::Presence;
use mynah_ports::presence::{Audience, Error, LiveGateway, OnlineDevice};
use mynah_types::{ConversationKey, GatewayId, Uid};
use parking_lot::RwLock;

/// Locks: a user's or a conversation's number picks one.
const STRIPES: usize = 64;

type Devices = HashMap<Uid, Vec<OnlineDevice>>;
type Audiences = HashMap<ConversationKey, BTreeSet<GatewayId>>;

/// Who is online, in this process.
#[derive(Default)]
pub struct MemoryPresence {
    devices: Vec<RwLock<Devices>>,
    audiences: Vec<RwLock<Audiences>>,
    gateways: Vec<GatewayId>,
}

impl MemoryPresence {
    /// Presence of the gateways given.
    #[must_use]
    pub fn new(gateways: Vec<GatewayId>) -> Self {
        Self {
            devices: (0..STRIPES).map(|_| RwLock::default()).collect(),
            audiences: (0..STRIPES).map(|_| RwLock::default()).collect(),
            gateways,
        }
    }

    fn devices_of(&self, uid: Uid) -> Option<&RwLock<Devices>> {
        self.devices.get(usize::try_from(uid.0).unwrap_or(0) % STRIPES)
    }

    fn audience_of(&self, key: ConversationKey) -> Option<&RwLock<Audiences>> {
        self.audiences.get(usize::from(key.shard().0) % STRIPES)
    }

    fn gateways_of(&self, uid: Uid, into: &mut BTreeSet<GatewayId>) {
        if let Some(devices) = self.devices_of(uid) {
            into.extend(devices.read().get(&uid).into_iter().flatten().map(|d| d.gateway));
        }
    }
}

#[async_trait]
impl Presence for MemoryPresence {
    async fn online(&self, device: OnlineDevice) -> Result<(), Error> {
        if let Some(devices) = self.devices_of(device.uid) {
            let mut devices = devices.write();
            let own = devices.entry(device.uid).or_default();
            let same = |d: &OnlineDevice| d.session_id == device.session_id;
            if !own.iter().any(|d| same(d) && d.generation > device.generation) {
                let past = |d: &OnlineDevice| same(d) && d.generation < device.generation;
                own.retain(|d| (d.gateway, d.conn) != (device.gateway, device.conn) && !past(d));
                own.push(device);
            }
        }
        Ok(())
    }

    async fn offline(&self, uid: Uid, gateway: GatewayId, conn: u64) -> Result<(), Error> {
        if let Some(devices) = self.devices_of(uid) {
            let mut devices = devices.write();
            if let Some(own) = devices.get_mut(&uid) {
                own.retain(|d| (d.gateway, d.conn) != (gateway, conn));
                if own.is_empty() {
                    devices.remove(&uid);
                }
            }
        }
        Ok(())
    }

    async fn devices(&self, uids: &[Uid]) -> Result<Vec<OnlineDevice>, Error> {
        let of = |uid: &Uid| self.devices_of(*uid).and_then(|d| d.read().get(uid).cloned()).unwrap_or_default();
        Ok(uids.iter().flat_map(of).collect())
    }

    async fn join_audience(&self, key: ConversationKey, gateway: GatewayId) -> Result<(), Error> {
        if let Some(audiences) = self.audience_of(key) {
            audiences.write().entry(key).or_default().insert(gateway);
        }
        Ok(())
    }

    async fn leave_audience(&self, key: ConversationKey, gateway: GatewayId) -> Result<(), Error> {
        if let Some(audiences) = self.audience_of(key) {
            let mut audiences = audiences.write();
            if let Some(gateways) = audiences.get_mut(&key) {
                gateways.remove(&gateway);
                if gateways.is_empty() {
                    audiences.remove(&key);
                }
            }
        }
        Ok(())
    }

    async fn audience(&self, key: ConversationKey) -> Result<Audience, Error> {
        let mut gateways = BTreeSet::new();
        match key {
            ConversationKey::Single(a, b) => {
                self.gateways_of(a, &mut gateways);
                self.gateways_of(b, &mut gateways);
            }
            ConversationKey::Feed(uid) => self.gateways_of(uid, &mut gateways),
            ConversationKey::Group(_) | ConversationKey::Room(_) => {
                if let Some(audiences) = self.audience_of(key) {
                    gateways.extend(audiences.read().get(&key).into_iter().flatten());
                }
            }
        }
        Ok(Audience::Known(gateways.into_iter().collect()))
    }

    async fn gateways(&self) -> Result<Vec<LiveGateway>, Error> {
        Ok(self.gateways.iter().map(|id| LiveGateway { id: *id, address: String::new() }).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn fresh() -> MemoryPresence {
        MemoryPresence::new(vec![GatewayId(1), GatewayId(2)])
    }

    mynah_ports::presence_contract!(fresh);
}

//! What this gateway tells of, kept in its memory: the store may lose it at any time.

use std::collections::{HashMap, HashSet};

use mynah_ports::presence::OnlineDevice;
use mynah_types::{ConversationKey, Uid};

/// What one line in the store is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Slot {
    /// The user's connections here.
    User(Uid),
    /// Whether this gateway hears of the conversation.
    Audience(ConversationKey),
}

/// A slot as it is now.
pub(crate) struct Line {
    pub(crate) slot: Slot,
    /// Higher than that of each line before.
    pub(crate) revision: u64,
    /// Empty: nothing is here.
    pub(crate) payload: String,
    /// Sessions and their generations.
    pub(crate) floors: Vec<(u64, u64)>,
}

/// The gateway's own state.
///
/// A line tells a slot's whole state under a new revision, and the store keeps the highest: lines may arrive in any order.
#[derive(Default)]
pub(crate) struct Own {
    users: HashMap<Uid, Vec<OnlineDevice>>,
    audiences: HashSet<ConversationKey>,
    revision: u64,
    /// Slots whose latest line is not known to be in the store.
    unconfirmed: HashMap<Slot, u64>,
}

impl Own {
    pub(crate) fn online(&mut self, device: OnlineDevice) -> Slot {
        let uid = device.uid;
        let devices = self.users.entry(uid).or_default();
        let same = |d: &OnlineDevice| d.session_id == device.session_id;
        if !devices.iter().any(|d| same(d) && d.generation > device.generation) {
            devices.retain(|d| d.conn != device.conn && !(same(d) && d.generation < device.generation));
            devices.push(device);
        }
        Slot::User(uid)
    }

    pub(crate) fn offline(&mut self, uid: Uid, conn: u64) -> Slot {
        if let Some(devices) = self.users.get_mut(&uid) {
            devices.retain(|d| d.conn != conn);
            if devices.is_empty() {
                self.users.remove(&uid);
            }
        }
        Slot::User(uid)
    }

    pub(crate) fn hear(&mut self, key: ConversationKey, hears: bool) -> Slot {
        if hears {
            self.audiences.insert(key)
        } else {
            self.audiences.remove(&key)
        };
        Slot::Audience(key)
    }

    /// The store is to be told of a slot, and is until that is confirmed.
    pub(crate) fn expect(&mut self, slot: Slot) {
        self.revision += 1;
        self.unconfirmed.insert(slot, self.revision);
    }

    /// The slot's line, which counts as unconfirmed from now on.
    pub(crate) fn line(&mut self, slot: Slot) -> Line {
        self.expect(slot);
        let mut floors = Vec::new();
        let payload = match slot {
            Slot::User(uid) => {
                let devices = self.users.get(&uid).map(Vec::as_slice).unwrap_or_default();
                floors.extend(devices.iter().map(|d| (d.session_id, d.generation)));
                crate::codec::devices(devices)
            }
            Slot::Audience(key) if self.audiences.contains(&key) => "1".to_owned(),
            Slot::Audience(_) => String::new(),
        };
        Line { slot, revision: self.revision, payload, floors }
    }

    /// The store has a line.
    pub(crate) fn confirm(&mut self, line: &Line) {
        if self.unconfirmed.get(&line.slot).is_some_and(|latest| *latest <= line.revision) {
            self.unconfirmed.remove(&line.slot);
        }
    }

    /// Everything that is here or not confirmed to be gone.
    pub(crate) fn slots(&self) -> Vec<Slot> {
        let users = self.users.keys().map(|uid| Slot::User(*uid));
        users.chain(self.audiences.iter().map(|key| Slot::Audience(*key))).chain(self.unconfirmed()).collect()
    }

    pub(crate) fn unconfirmed(&self) -> Vec<Slot> {
        self.unconfirmed.keys().copied().collect()
    }

    pub(crate) fn is_confirmed(&self, slot: Slot) -> bool {
        !self.unconfirmed.contains_key(&slot)
    }

    /// Whether the store should have a line of it that says something.
    pub(crate) fn is_here(&self, slot: Slot) -> bool {
        let is_told = match slot {
            Slot::User(uid) => self.users.contains_key(&uid),
            Slot::Audience(key) => self.audiences.contains(&key),
        };
        is_told && self.is_confirmed(slot)
    }
}

//! One gateway: who is connected, and who hears of which group.

use std::collections::{BTreeMap, BTreeSet};

use mynah_domain::audience::Audience;
use mynah_domain::conversation::Deliverable;
use mynah_types::{ConversationKey, Uid};

use crate::Broken;

#[derive(Default)]
pub(crate) struct Gateway {
    /// Connections by user: device and connection.
    users: BTreeMap<Uid, BTreeSet<(usize, u64)>>,
    groups: BTreeMap<ConversationKey, Audience>,
}

impl Gateway {
    pub(crate) fn register(&mut self, uid: Uid, device: usize, conn: u64) {
        self.users.entry(uid).or_default().insert((device, conn));
    }

    pub(crate) fn join(&mut self, key: ConversationKey, uid: Uid, since: u64) {
        self.groups.entry(key).or_default().join(uid, since);
    }

    pub(crate) fn remove(&mut self, uid: Uid, device: usize, conn: u64) {
        let Some(connections) = self.users.get_mut(&uid) else { return };
        connections.remove(&(device, conn));
        if connections.is_empty() {
            self.users.remove(&uid);
            self.groups.values_mut().for_each(|audience| _ = audience.disconnect(uid));
        }
    }

    /// The connections that hear of a record.
    pub(crate) fn hear(&mut self, key: ConversationKey, record: &Deliverable, broken: Option<Broken>) -> Vec<(usize, u64)> {
        let users = &self.users;
        let hear = match key {
            ConversationKey::Single(a, b) => vec![a, b],
            _ => {
                let audience = self.groups.entry(key).or_default();
                let version = if broken == Some(Broken::NoMemberVersions) { u64::MAX } else { record.entry.member_version };
                audience.record(version, &record.change, |uid| users.contains_key(&uid))
            }
        };
        let connections = hear.iter().filter_map(|uid| users.get(uid)).flatten().copied();
        connections.filter(|(_, conn)| *conn != record.origin_conn).collect()
    }
}

//! Who hears of which conversation on this gateway.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use mynah_proto::gateway::KickRequest;
use mynah_types::{ConversationKey, Seq, Uid};
use parking_lot::{Mutex, RwLock};

use crate::outbound::Outbound;
use crate::rate::Rates;

/// Kicks that are remembered for logins which are under way.
const MOST_KICKS: usize = 4096;
/// Buckets of users without a connection.
const MOST_IDLE_RATES: usize = 4096;

/// Connections in a room, each with the first seq that is for it.
type Inside = Vec<(Seq, Arc<Outbound>)>;

/// The local index: connections by user, users by group, connections by room.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    users: RwLock<HashMap<Uid, Vec<Arc<Outbound>>>>,
    groups: RwLock<HashMap<ConversationKey, Group>>,
    rooms: RwLock<HashMap<ConversationKey, Inside>>,
    kicks: Mutex<Kicks>,
    rates: Mutex<HashMap<Uid, Arc<Rates>>>,
}

/// A group's local members, and those who left while they were connected: a list that was read before does not bring them back.
#[derive(Debug, Default)]
struct Group {
    since: HashMap<Uid, u64>,
    left: HashMap<Uid, u64>,
}

#[derive(Debug, Default)]
struct Kicks {
    count: u64,
    recent: VecDeque<(u64, KickRequest)>,
}

impl Hub {
    pub(crate) fn register(&self, uid: Uid, out: &Arc<Outbound>) {
        self.users.write().entry(uid).or_default().push(Arc::clone(out));
    }

    /// A user's buckets: they outlive his connections for a while, so that reconnecting fills none.
    pub(crate) fn rates_of(&self, uid: Uid) -> Arc<Rates> {
        let mut rates = self.rates.lock();
        if rates.len() > MOST_IDLE_RATES + 2 * self.users.read().len() {
            rates.retain(|_, held| Arc::strong_count(held) > 1);
        }
        Arc::clone(rates.entry(uid).or_insert_with(|| Arc::new(Rates::new())))
    }

    /// Takes a connection out; returns the groups that nobody here hears of any more.
    pub(crate) fn remove(&self, uid: Uid, conn: u64) -> Vec<ConversationKey> {
        let mut users = self.users.write();
        let last = users.get_mut(&uid).is_none_or(|conns| {
            conns.retain(|c| c.conn != conn);
            conns.is_empty()
        });
        if !last {
            return Vec::new();
        }
        users.remove(&uid);
        drop(users);
        let mut ended = Vec::new();
        self.groups.write().retain(|key, group| {
            let was = group.since.remove(&uid).is_some();
            group.left.remove(&uid);
            let empty = group.since.is_empty();
            if was && empty {
                ended.push(*key);
            }
            !(empty && group.left.is_empty())
        });
        ended
    }

    /// Subscribes a user, unless he is known to have left since. True if he is the group's first here.
    pub(crate) fn join_group(&self, key: ConversationKey, uid: Uid, since: u64) -> bool {
        let mut groups = self.groups.write();
        let group = groups.entry(key).or_default();
        if group.left.get(&uid).is_some_and(|left| *left >= since) {
            return false;
        }
        let first = group.since.is_empty();
        let known = group.since.entry(uid).or_insert(since);
        *known = since.max(*known);
        first
    }

    pub(crate) fn enter_room(&self, key: ConversationKey, from: Seq, out: &Arc<Outbound>) {
        let mut rooms = self.rooms.write();
        let inside = rooms.entry(key).or_default();
        inside.retain(|(_, c)| c.conn != out.conn);
        inside.push((from, Arc::clone(out)));
    }

    /// True if nobody is left in the room here.
    pub(crate) fn leave_room(&self, key: ConversationKey, conn: u64) -> bool {
        let mut rooms = self.rooms.write();
        let Some(inside) = rooms.get_mut(&key) else { return true };
        inside.retain(|(_, c)| c.conn != conn);
        let empty = inside.is_empty();
        if empty {
            rooms.remove(&key);
        }
        empty
    }

    pub(crate) fn connections_of(&self, uid: Uid) -> Vec<Arc<Outbound>> {
        self.users.read().get(&uid).cloned().unwrap_or_default()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Outbound>> {
        self.users.read().values().flatten().cloned().collect()
    }

    /// Applies a group's change and tells who hears of its entry: those who come and those who go both do.
    /// The second value: this gateway begins to hear of the group with it.
    pub(crate) fn group_audience(
        &self,
        key: ConversationKey,
        version: u64,
        added: &[u64],
        removed: &[u64],
        dissolved: bool,
    ) -> (Vec<Arc<Outbound>>, bool) {
        let users = self.users.read();
        let mut groups = self.groups.write();
        let group = groups.entry(key).or_default();
        let was_empty = group.since.is_empty();
        for uid in added.iter().map(|uid| Uid(*uid)).filter(|uid| users.contains_key(uid)) {
            group.since.insert(uid, version);
            group.left.remove(&uid);
        }
        let hear = group.since.iter().filter(|(_, since)| **since <= version);
        let connections = hear.filter_map(|(uid, _)| users.get(uid)).flatten().cloned().collect();
        let begins = was_empty && !group.since.is_empty();
        for uid in removed.iter().map(|uid| Uid(*uid)).filter(|uid| users.contains_key(uid)) {
            // An older record, delivered again, does not undo a later join.
            if group.since.get(&uid).is_none_or(|since| *since <= version) {
                group.since.remove(&uid);
                group.left.insert(uid, version);
            }
        }
        if dissolved || (group.since.is_empty() && group.left.is_empty()) {
            groups.remove(&key);
        }
        (connections, begins)
    }

    pub(crate) fn room_audience(&self, key: ConversationKey, seq: Seq) -> Vec<Arc<Outbound>> {
        let rooms = self.rooms.read();
        let inside = rooms.get(&key).into_iter().flatten();
        inside.filter(|(from, _)| *from <= seq).map(|(_, out)| Arc::clone(out)).collect()
    }

    /// Where the list of kicks stands: a login notes it before it asks the directory.
    pub(crate) fn kick_mark(&self) -> u64 {
        self.kicks.lock().count
    }

    pub(crate) fn note_kick(&self, kick: &KickRequest) {
        let mut kicks = self.kicks.lock();
        kicks.count += 1;
        let count = kicks.count;
        kicks.recent.push_back((count, kick.clone()));
        if kicks.recent.len() > MOST_KICKS {
            kicks.recent.pop_front();
        }
    }

    /// Kicks since a mark: a login that was answered just before one of them is not to outlive it.
    pub(crate) fn kicks_since(&self, mark: u64) -> Vec<KickRequest> {
        let kicks = self.kicks.lock();
        kicks.recent.iter().filter(|(count, _)| *count > mark).map(|(_, kick)| kick.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbound::Window;

    const KEY: ConversationKey = ConversationKey::Group(10_000_001);

    fn hub(uids: &[u64]) -> Hub {
        let hub = Hub::default();
        for uid in uids {
            hub.register(Uid(*uid), &Arc::new(Outbound::new(*uid, Window { frames: 1, bytes: 1 })));
        }
        hub
    }

    fn hears(hub: &Hub, version: u64, added: &[u64], removed: &[u64]) -> Vec<u64> {
        let (connections, _) = hub.group_audience(KEY, version, added, removed, false);
        let mut conns: Vec<u64> = connections.iter().map(|c| c.conn).collect();
        conns.sort_unstable();
        conns
    }

    #[test]
    fn who_comes_and_who_goes_hears_of_it_and_nothing_beyond() {
        let hub = hub(&[1, 2]);
        hub.join_group(KEY, Uid(1), 1);
        assert_eq!(hears(&hub, 1, &[], &[]), [1]);
        assert_eq!(hears(&hub, 2, &[2], &[]), [1, 2]);
        assert_eq!(hears(&hub, 3, &[], &[2]), [1, 2]);
        assert_eq!(hears(&hub, 3, &[], &[]), [1]);
    }

    #[test]
    fn an_older_list_does_not_bring_back_who_left() {
        let hub = hub(&[1, 2]);
        hub.join_group(KEY, Uid(1), 1);
        hears(&hub, 2, &[2], &[]);
        hears(&hub, 3, &[], &[2]);
        hub.join_group(KEY, Uid(2), 2);
        assert_eq!(hears(&hub, 3, &[], &[]), [1]);
        hub.join_group(KEY, Uid(2), 4);
        assert_eq!(hears(&hub, 4, &[], &[]), [1, 2]);
    }

    #[test]
    fn a_record_of_before_the_join_is_not_for_the_joiner() {
        let hub = hub(&[1, 2]);
        hub.join_group(KEY, Uid(1), 1);
        hub.join_group(KEY, Uid(2), 5);
        assert_eq!(hears(&hub, 4, &[], &[]), [1]);
    }
}

//! Who hears of which conversation on this gateway.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use mynah_domain::audience::Audience;
use mynah_proto::gateway::KickRequest;
use mynah_types::{AppId, ConversationKey, MemberChange, Seq, Uid};
use parking_lot::{Mutex, RwLock};

use crate::outbound::Outbound;
use crate::rate::Rates;
use crate::rooms::{Bounds, Room, Turns};
use crate::subscriptions::Subscriptions;

/// Kicks that are remembered for logins which are under way.
const MOST_KICKS: usize = 4096;
/// Buckets of users without a connection.
const MOST_IDLE_RATES: usize = 4096;

/// The local index: connections by user, users by group, connections by room.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    users: RwLock<HashMap<Uid, Vec<Arc<Outbound>>>>,
    groups: RwLock<Subscriptions>,
    rooms: RwLock<HashMap<ConversationKey, Arc<Room>>>,
    room_turns: Turns,
    kicks: Mutex<Kicks>,
    rates: Mutex<HashMap<Uid, Arc<Rates>>>,
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
        // Under both locks: who logs in again meanwhile subscribes after this, and not before.
        self.groups.write().forget(uid)
    }

    /// Subscribes a user who is connected, unless he is known to have left since. True if he is the group's first here.
    pub(crate) fn join_group(&self, key: ConversationKey, uid: Uid, since: u64) -> bool {
        // Under both locks: whoever is gone since his groups were read is forgotten already, and would be kept for ever.
        let users = self.users.read();
        users.contains_key(&uid) && self.groups.write().join(key, uid, since)
    }

    /// The groups that a user is subscribed to, each with the version since when.
    pub(crate) fn memberships(&self, uid: Uid) -> Vec<(ConversationKey, u64)> {
        self.groups.read().of(uid)
    }

    /// Ends a subscription, unless it began anew since. True if nobody here hears of the group any more.
    pub(crate) fn leave_group(&self, key: ConversationKey, uid: Uid, since: u64) -> bool {
        self.groups.write().leave(key, uid, since)
    }

    /// Raises or lowers a user's shield against a group. True if it was up and is not any more.
    pub(crate) fn shield(&self, key: ConversationKey, uid: Uid, up: bool) -> bool {
        self.groups.write().get_mut(key).is_some_and(|group| group.shield(uid, up))
    }

    /// Who hears of a group's message.
    pub(crate) fn message_audience(&self, key: ConversationKey, version: u64) -> Vec<Arc<Outbound>> {
        let users = self.users.read();
        let mut groups = self.groups.write();
        let Some(group) = groups.get_mut(key) else { return Vec::new() };
        group.message(version).iter().filter_map(|uid| users.get(uid)).flatten().cloned().collect()
    }

    pub(crate) fn enter_room(&self, key: ConversationKey, from: Seq, out: &Arc<Outbound>, bounds: Bounds) {
        let mut rooms = self.rooms.write();
        let room = rooms.entry(key).or_insert_with(|| Arc::new(Room::new(key, bounds, self.room_turns.clone())));
        room.inside.lock().enter(from, out);
    }

    /// True if nobody is left in the room here.
    pub(crate) fn leave_room(&self, key: ConversationKey, conn: u64) -> bool {
        let mut rooms = self.rooms.write();
        let Some(room) = rooms.get(&key) else { return true };
        let empty = {
            let mut inside = room.inside.lock();
            inside.leave(conn);
            inside.is_empty()
        };
        if empty {
            rooms.remove(&key);
        }
        empty
    }

    /// A room that somebody here is in.
    pub(crate) fn room(&self, key: ConversationKey) -> Option<Arc<Room>> {
        self.rooms.read().get(&key).cloned()
    }

    /// Whether anybody here hears of a group or room.
    pub(crate) fn hears(&self, key: ConversationKey) -> bool {
        match key {
            ConversationKey::Room(_) => self.rooms.read().contains_key(&key),
            _ => self.groups.read().get(key).is_some_and(|group| !group.is_empty()),
        }
    }

    pub(crate) fn connections_of(&self, uid: Uid) -> Vec<Arc<Outbound>> {
        self.users.read().get(&uid).cloned().unwrap_or_default()
    }

    /// The connected members of a group.
    pub(crate) fn members_here(&self, key: ConversationKey) -> Vec<Arc<Outbound>> {
        let users = self.users.read();
        let groups = self.groups.read();
        let members = groups.get(key).into_iter().flat_map(Audience::members);
        members.filter_map(|uid| users.get(&uid)).flatten().cloned().collect()
    }

    /// The users who are connected, and their apps.
    pub(crate) fn users(&self) -> Vec<(Uid, AppId)> {
        let users = self.users.read();
        let app = |conns: &Vec<Arc<Outbound>>| conns.iter().find_map(|out| out.identity()).map(|who| who.app);
        users.iter().filter_map(|(uid, conns)| Some((*uid, app(conns)?))).collect()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Outbound>> {
        self.users.read().values().flatten().cloned().collect()
    }

    /// Applies a group's change and tells who hears of its entry: those who come and those who go both do.
    /// The second value: this gateway begins to hear of the group with it.
    pub(crate) fn group_audience(&self, key: ConversationKey, version: u64, change: &MemberChange) -> (Vec<Arc<Outbound>>, bool) {
        let users = self.users.read();
        let (hear, begins) = self.groups.write().record(key, version, change, |uid| users.contains_key(&uid));
        (hear.iter().filter_map(|uid| users.get(uid)).flatten().cloned().collect(), begins)
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

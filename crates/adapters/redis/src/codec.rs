//! Keys and lines. Keys are spread over buckets. A bucket has a hash tag, so that it lies in one slot of a cluster, and a registry of
//! its own: what it holds, and whether that is all there is, is told by one server at one moment.

use mynah_ports::presence::OnlineDevice;
use mynah_types::{ConversationKey, GatewayId, Uid};

use crate::own::Slot;

/// A part of the store: with a cluster, parts are lost one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Bucket(u64);

impl Bucket {
    /// As many as a cluster may have masters with something to do. All processes of a deployment have to agree on it.
    const COUNT: u64 = 16;

    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(Self)
    }

    pub(crate) fn of(slot: Slot) -> Self {
        let number = match slot {
            Slot::User(uid) | Slot::Audience(ConversationKey::Feed(uid) | ConversationKey::Single(uid, _)) => uid.0,
            Slot::Audience(ConversationKey::Group(id) | ConversationKey::Room(id)) => id,
        };
        Self(number % Self::COUNT)
    }

    /// The leases of all gateways in it.
    pub(crate) fn registry(self, prefix: &str) -> String {
        format!("{{{prefix}:{}}}:gateways", self.0)
    }
}

pub(crate) fn key(prefix: &str, slot: Slot) -> String {
    let tag = format!("{{{prefix}:{}}}", Bucket::of(slot).0);
    match slot {
        Slot::User(uid) => format!("{tag}:user:{uid}"),
        Slot::Audience(ConversationKey::Group(id)) => format!("{tag}:group:{id}"),
        Slot::Audience(ConversationKey::Room(id)) => format!("{tag}:room:{id}"),
        Slot::Audience(ConversationKey::Single(a, b)) => format!("{tag}:single:{a}:{b}"),
        Slot::Audience(ConversationKey::Feed(uid)) => format!("{tag}:feed:{uid}"),
    }
}

pub(crate) fn field(gateway: GatewayId) -> String {
    format!("g{gateway}")
}

/// Fixed width: it compares as text.
pub(crate) fn version(incarnation: u64, revision: u64) -> String {
    format!("{incarnation:020}{revision:020}")
}

pub(crate) fn generation(number: u64) -> String {
    format!("{number:020}")
}

/// A user's connections on one gateway: `conn,platform as a number,session,generation;…`.
pub(crate) fn devices(devices: &[OnlineDevice]) -> String {
    let one = |d: &OnlineDevice| format!("{},{},{},{}", d.conn, u32::from(d.platform), d.session_id, d.generation);
    devices.iter().map(one).collect::<Vec<_>>().join(";")
}

/// One field of a user's or an audience's hash.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Field<'a> {
    /// What a gateway holds.
    Line { gateway: GatewayId, incarnation: u64, payload: &'a str },
    /// The highest generation of a session that was ever told.
    Floor { session: u64, generation: u64 },
}

/// Reads a field that has not ended yet; nothing of a form that another version of ours wrote.
pub(crate) fn parse<'a>(name: &str, text: &'a str, now: u64) -> Option<Field<'a>> {
    let mut parts = text.splitn(3, ' ');
    let ends: u64 = parts.next()?.parse().ok()?;
    let word = parts.next()?;
    if ends < now {
        return None;
    }
    if let Some(session) = name.strip_prefix('s') {
        return Some(Field::Floor { session: session.parse().ok()?, generation: word.parse().ok()? });
    }
    let gateway = GatewayId(name.strip_prefix('g')?.parse().ok()?);
    let incarnation = word.get(..20)?.parse().ok()?;
    Some(Field::Line { gateway, incarnation, payload: parts.next().unwrap_or_default() })
}

/// The connections of a line's payload.
pub(crate) fn parse_devices(uid: Uid, gateway: GatewayId, payload: &str) -> impl Iterator<Item = OnlineDevice> {
    let one = move |text: &str| {
        let mut numbers = text.split(',').map(str::parse::<u64>);
        let mut next = || numbers.next()?.ok();
        let (conn, platform, session_id, generation) = (next()?, next()?, next()?, next()?);
        let platform = char::from_u32(u32::try_from(platform).ok()?)?;
        Some(OnlineDevice { uid, conn, gateway, platform, session_id, generation })
    };
    payload.split(';').filter_map(one)
}

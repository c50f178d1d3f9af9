//! What one bucket of the store says, read as one view: lines count while their gateway's lease does, in the incarnation that holds it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use mynah_ports::presence::OnlineDevice;
use mynah_types::{GatewayId, Uid};
use redis::{FromRedisValue as _, Value};

use crate::codec::{Field, parse, parse_devices};

/// A hash as it came.
pub(crate) type Fields = HashMap<String, String>;

/// The leases at one moment.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    /// The server's own time, ms.
    now: u64,
    birth: Option<u64>,
    live: BTreeMap<GatewayId, Row>,
}

/// A live gateway.
#[derive(Debug)]
struct Row {
    incarnation: u64,
    /// Its whole state is there.
    whole: bool,
    address: String,
}

impl Registry {
    fn new(now: u64, birth: Option<u64>, fields: &Fields) -> Self {
        let row = |(name, text): (&String, &String)| {
            let gateway = GatewayId(name.strip_prefix('g')?.parse().ok()?);
            let mut words = text.split(' ');
            let ends: u64 = words.next()?.parse().ok()?;
            let incarnation = words.next()?.parse().ok()?;
            let whole = words.nth(1) == Some("1");
            let address = words.next().unwrap_or_default().to_owned();
            (ends >= now).then_some((gateway, Row { incarnation, whole, address }))
        };
        Self { now, birth, live: fields.iter().filter_map(row).collect() }
    }

    /// Whether all who live are in it: it was not emptied, or so long ago that who has not told of himself since is dead.
    pub(crate) fn names_all(&self, lifetime: Duration) -> bool {
        self.birth.is_some_and(|birth| Duration::from_millis(self.now.saturating_sub(birth)) >= lifetime)
    }

    /// Whether what the bucket holds is all that there is: all who live are in it, and have told everything.
    pub(crate) fn is_settled(&self, lifetime: Duration) -> bool {
        self.names_all(lifetime) && self.live.values().all(|row| row.whole)
    }

    /// Who lives, and where.
    pub(crate) fn gateways(&self) -> impl Iterator<Item = (GatewayId, String)> + '_ {
        self.live.iter().map(|(id, row)| (*id, row.address.clone()))
    }

    fn counts(&self, gateway: GatewayId, incarnation: u64) -> bool {
        self.live.get(&gateway).is_some_and(|row| row.incarnation == incarnation)
    }

    /// The lines that count, with their gateways.
    fn lines<'a>(&'a self, fields: &'a Fields) -> impl Iterator<Item = (GatewayId, &'a str)> {
        fields.iter().filter_map(|(name, text)| match parse(name, text, self.now)? {
            Field::Line { gateway, incarnation, payload } if self.counts(gateway, incarnation) => Some((gateway, payload)),
            Field::Line { .. } | Field::Floor { .. } => None,
        })
    }

    /// A user's connections. One of a generation below the session's highest is the past, whenever it was told.
    pub(crate) fn devices(&self, uid: Uid, fields: &Fields) -> Vec<OnlineDevice> {
        let mut floors = HashMap::new();
        for (name, text) in fields {
            if let Some(Field::Floor { session, generation }) = parse(name, text, self.now) {
                floors.insert(session, generation);
            }
        }
        let devices = self.lines(fields).flat_map(|(gateway, payload)| parse_devices(uid, gateway, payload));
        devices.filter(|d| floors.get(&d.session_id).is_none_or(|floor| d.generation >= *floor)).collect()
    }

    pub(crate) fn audience(&self, fields: &Fields) -> BTreeSet<GatewayId> {
        self.lines(fields).filter(|(_, payload)| !payload.is_empty()).map(|(gateway, _)| gateway).collect()
    }
}

/// What a look at a bucket answered: its registry and the hashes that were asked for.
pub(crate) fn read(answer: Value) -> Option<(Registry, Vec<Fields>)> {
    let mut parts = Vec::<Value>::from_redis_value(answer).ok()?.into_iter();
    let now = u64::from_redis_value(parts.next()?).ok()?;
    let birth = String::from_redis_value(parts.next()?).ok()?.parse().ok();
    let registry = Registry::new(now, birth, &Fields::from_redis_value(parts.next()?).ok()?);
    let hashes = parts.map(|hash| Fields::from_redis_value(hash).ok()).collect::<Option<_>>()?;
    Some((registry, hashes))
}

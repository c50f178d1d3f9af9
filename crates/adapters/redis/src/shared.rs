//! What calls and the heartbeat share: the gateway's own state, and how lines of it are written and read.

use std::collections::BTreeMap;
use std::sync::Arc;

use mynah_ports::presence::Error;
use mynah_types::GatewayId;
use parking_lot::Mutex;
use redis::{FromRedisValue as _, Value};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use crate::codec::{self, Bucket};
use crate::lease::Leases;
use crate::link::{Link, unavailable};
use crate::own::{Line, Own, Slot};
use crate::scripts::{self, Call};
use crate::settings::Settings;
use crate::view::{self, Fields, Registry};

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    /// The store has it, or a newer one.
    Kept,
    /// The same, but it had none before.
    New,
    /// The lease is not there: nothing was written.
    NoLease,
}

pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) link: Link,
    pub(crate) own: Mutex<Own>,
    pub(crate) leases: Leases,
    /// The next heartbeat is due now.
    pub(crate) wake: Notify,
    /// How often what this gateway hears did not count for a while.
    pub(crate) repairs: watch::Sender<u64>,
    /// Who was alive when that was known the last time.
    known: Mutex<Option<BTreeMap<GatewayId, String>>>,
}

impl Shared {
    pub(crate) fn new(settings: Settings, link: Link) -> Self {
        let (own, known, leases) = (Mutex::default(), Mutex::default(), Leases::default());
        Self { settings, link, own, leases, wake: Notify::new(), repairs: watch::Sender::new(0), known }
    }

    pub(crate) fn registry(&self, bucket: Bucket) -> String {
        bucket.registry(&self.settings.prefix)
    }

    /// Tells the store of a slot as it is now. A store that was emptied has this gateway back first.
    pub(crate) async fn tell(&self, gateway: GatewayId, slot: Slot) -> Result<(), Error> {
        let telling = async {
            loop {
                let incarnation = self.leases.of(Bucket::of(slot)).await.map_err(unavailable)?;
                for written in self.write(gateway, &[(slot, incarnation)]).await {
                    if written? != Written::NoLease {
                        return Ok(());
                    }
                }
            }
        };
        timeout(self.settings.answer_within, telling).await.map_err(|_| unavailable("the gateway has no lease in time"))?
    }

    /// Writes slots as they are now, each in the incarnation given, in one round trip. What became of each, whatever became of others.
    pub(crate) async fn write(&self, gateway: GatewayId, slots: &[(Slot, u64)]) -> Vec<Result<Written, Error>> {
        let lines: Vec<_> = {
            let mut own = self.own.lock();
            slots.iter().map(|(slot, incarnation)| (own.line(*slot), *incarnation)).collect()
        };
        let puts: Vec<_> = lines.iter().map(|(line, incarnation)| self.put(gateway, line, *incarnation)).collect();
        let answers = self.link.ask(&puts).await;
        lines.iter().zip(answers).map(|((line, incarnation), answer)| self.judge(line, *incarnation, answer?)).collect()
    }

    fn put(&self, gateway: GatewayId, line: &Line, incarnation: u64) -> Call {
        let keys = [codec::key(&self.settings.prefix, line.slot), self.registry(Bucket::of(line.slot))];
        let put = Call::new(&scripts::PUT, keys).arg(codec::field(gateway)).arg(codec::version(incarnation, line.revision));
        let put = put.arg(&line.payload).arg(self.settings.sweep.as_millis() * 3).arg(incarnation);
        let floor = |put: Call, (session, generation): &(u64, u64)| put.arg(session).arg(codec::generation(*generation));
        line.floors.iter().fold(put, floor)
    }

    fn judge(&self, line: &Line, incarnation: u64, answer: Value) -> Result<Written, Error> {
        match u8::from_redis_value(answer).map_err(unavailable)? {
            3 => {
                self.leases.miss(Bucket::of(line.slot), incarnation);
                self.wake.notify_one();
                Ok(Written::NoLease)
            }
            answer => {
                self.own.lock().confirm(line);
                Ok(if answer == 2 { Written::New } else { Written::Kept })
            }
        }
    }

    /// The hashes of slots, each with the leases that hold for it, in one round trip.
    pub(crate) async fn look(&self, slots: &[Slot]) -> Result<Vec<(Arc<Registry>, Fields)>, Error> {
        let mut buckets = BTreeMap::<Bucket, Vec<Slot>>::new();
        for slot in slots {
            buckets.entry(Bucket::of(*slot)).or_default().push(*slot);
        }
        let call = |(bucket, slots): (&Bucket, &Vec<Slot>)| {
            let hashes = slots.iter().map(|slot| codec::key(&self.settings.prefix, *slot));
            Call::new(&scripts::LOOK, [self.registry(*bucket)].into_iter().chain(hashes))
        };
        let calls: Vec<_> = buckets.iter().map(call).collect();
        let mut seen = Vec::with_capacity(slots.len());
        for answer in self.link.ask(&calls).await {
            let (registry, hashes) = view::read(answer?).ok_or_else(|| unavailable("the store holds something else"))?;
            let registry = Arc::new(registry);
            seen.extend(hashes.into_iter().map(|fields| (Arc::clone(&registry), fields)));
        }
        // By bucket so far, stable within each: back into the order asked for.
        let mut order: Vec<usize> = (0..slots.len()).collect();
        order.sort_by_key(|at| slots.get(*at).map(|slot| Bucket::of(*slot)));
        let mut placed: Vec<_> = order.into_iter().zip(seen).collect();
        placed.sort_by_key(|(at, _)| *at);
        Ok(placed.into_iter().map(|(_, seen)| seen).collect())
    }

    /// Who is alive. While no bucket names them all, those too who were alive before.
    pub(crate) async fn gateways(&self) -> Result<BTreeMap<GatewayId, String>, Error> {
        let calls: Vec<_> = Bucket::all().map(|bucket| Call::new(&scripts::LOOK, [self.registry(bucket)])).collect();
        let (mut live, mut is_all, mut answered) = (BTreeMap::new(), false, Ok(()));
        for answer in self.link.ask(&calls).await {
            match answer.map(view::read) {
                Ok(Some((registry, _))) => {
                    live.extend(registry.gateways());
                    is_all |= registry.names_all(self.settings.lifetime);
                }
                Ok(None) => answered = Err(unavailable("the store holds something else")),
                Err(error) => answered = Err(error),
            }
        }
        let mut known = self.known.lock();
        if is_all {
            *known = Some(live.clone());
            return Ok(live);
        }
        // A server that does not answer may be the one that knows.
        answered?;
        let before = known.as_ref().ok_or_else(|| unavailable("not all live gateways are known yet"))?;
        live.extend(before.iter().map(|(id, address)| (*id, address.clone())));
        Ok(live)
    }
}

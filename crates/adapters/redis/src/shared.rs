//! What calls and the heartbeat share: the gateway's own state, and how lines of it are written.

use std::collections::BTreeSet;

use mynah_ports::presence::Error;
use mynah_types::GatewayId;
use parking_lot::Mutex;
use redis::{FromRedisValue as _, Pipeline, pipe};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::codec;
use crate::link::{Link, unavailable};
use crate::own::{Own, Slot};
use crate::scripts;
use crate::settings::Settings;
use crate::view::{self, Fields, Registry};

/// The gateway's right to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lease {
    /// The store was not reached yet.
    None,
    /// In this incarnation.
    Held(u64),
    /// A later process of the same gateway has it.
    Lost,
}

pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) link: Link,
    pub(crate) own: Mutex<Own>,
    pub(crate) lease: watch::Sender<Lease>,
    /// Who was alive when the store was whole the last time.
    known: Mutex<Option<BTreeSet<GatewayId>>>,
}

impl Shared {
    pub(crate) fn new(settings: Settings, link: Link) -> Self {
        let (own, known) = (Mutex::default(), Mutex::default());
        Self { settings, link, own, lease: watch::Sender::new(Lease::None), known }
    }

    pub(crate) fn registry(&self) -> String {
        codec::registry(&self.settings.prefix)
    }

    /// Writes slots as they are now, in one round trip. Returns how many entries the store had lost.
    pub(crate) async fn write(&self, slots: &[Slot]) -> Result<usize, Error> {
        let (gateway, incarnation) = self.writer().await?;
        let lines: Vec<_> = {
            let mut own = self.own.lock();
            slots.iter().map(|slot| own.line(*slot)).collect()
        };
        let lifetime = self.settings.sweep.as_millis() * 3;
        let mut commands = pipe();
        for line in &lines {
            let mut put = scripts::call(&scripts::PUT, &codec::key(&self.settings.prefix, line.slot));
            put.arg(codec::field(gateway)).arg(codec::version(incarnation, line.revision)).arg(&line.payload);
            put.arg(lifetime.to_string());
            for (session, generation) in &line.floors {
                put.arg(session).arg(codec::generation(*generation));
            }
            commands.add_command(put);
        }
        let answers = self.link.ask(&commands).await?;
        let mut own = self.own.lock();
        let mut lost = 0;
        for (line, answer) in lines.iter().zip(answers) {
            own.confirm(line);
            let was_missing = u8::from_redis_value(answer).is_ok_and(|answer| answer == 2);
            lost += usize::from(was_missing && !line.payload.is_empty());
        }
        Ok(lost)
    }

    /// The gateway and its incarnation. Right after the start the first heartbeat is waited for.
    async fn writer(&self) -> Result<(GatewayId, u64), Error> {
        let Some(gateway) = self.settings.gateway else { return Err(unavailable("this process is no gateway")) };
        let mut lease = self.lease.subscribe();
        let held = timeout(self.settings.answer_within, lease.wait_for(|lease| *lease != Lease::None)).await;
        let held = held.map_err(|_| unavailable("the gateway has no lease yet"))?.map_err(unavailable)?;
        match *held {
            Lease::Held(incarnation) => Ok((gateway, incarnation)),
            Lease::None | Lease::Lost => Err(unavailable("another process has this gateway's lease")),
        }
    }

    /// The leases and some hashes, in one round trip.
    pub(crate) async fn look(&self, keys: impl IntoIterator<Item = String>) -> Result<(Registry, Vec<Fields>), Error> {
        let mut commands = Pipeline::new();
        commands.cmd("TIME");
        commands.cmd("HGETALL").arg(self.registry());
        for key in keys {
            commands.cmd("HGETALL").arg(key);
        }
        let answers = self.link.ask(&commands).await?;
        let (registry, hashes) = view::read(answers).ok_or_else(|| unavailable("the store holds something else"))?;
        if registry.is_settled(self.settings.lifetime) {
            *self.known.lock() = Some(registry.gateways());
        }
        Ok((registry, hashes))
    }

    /// Who is alive. While the store is not whole, those too who were alive before.
    pub(crate) async fn gateways(&self) -> Result<Vec<GatewayId>, Error> {
        let (registry, _) = self.look([]).await?;
        let mut live = registry.gateways();
        if !registry.is_settled(self.settings.lifetime) {
            let known = self.known.lock();
            live.extend(known.as_ref().ok_or_else(|| unavailable("not all live gateways are known yet"))?);
        }
        Ok(live.into_iter().collect())
    }
}

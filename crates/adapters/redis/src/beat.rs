//! The heartbeat: it renews the leases, tells again what the store lost, and looks who is alive.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mynah_ports::presence::Error;
use mynah_types::GatewayId;
use redis::{FromRedisValue as _, Value};
use tokio::time::{MissedTickBehavior, interval};

use crate::codec::Bucket;
use crate::link::unavailable;
use crate::own::Slot;
use crate::scripts::{self, Call};
use crate::shared::{Shared, Written};

/// Lines of one round trip.
const CHUNK: usize = 256;

/// What is known and left to do of one bucket, kept from beat to beat.
#[derive(Default)]
struct Part {
    incarnation: u64,
    /// The birth under which the lease was taken.
    birth: String,
    /// Whether the last beat reached it.
    reached: bool,
    renewed: Option<Instant>,
    /// Slots to be written.
    queue: VecDeque<Slot>,
    /// Whether everything was written under this lease.
    whole: bool,
    /// Whether what was heard of this gateway did not count for a while.
    missed: bool,
}

pub(crate) struct Heart {
    shared: Arc<Shared>,
    gateway: Option<GatewayId>,
    /// Tells two processes of one gateway apart: the later one wins.
    process: u128,
    parts: BTreeMap<Bucket, Part>,
    /// The rest of the present sweep, how many slots it began with, and when its last share was taken.
    sweep: VecDeque<Slot>,
    round: usize,
    swept: Instant,
}

impl Heart {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let process = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_millis();
        let parts = Bucket::all().map(|bucket| (bucket, Part::default())).collect();
        let gateway = shared.settings.gateway;
        Self { gateway, shared, process, parts, sweep: VecDeque::new(), round: 0, swept: Instant::now() }
    }

    /// Beats until the task is ended or the lease is lost.
    pub(crate) async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let mut ticks = interval(shared.settings.heartbeat);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failing = false;
        while !shared.leases.is_lost() {
            tokio::select! {
                _ = ticks.tick() => {}
                () = shared.wake.notified() => {}
            }
            let done = self.turn().await;
            match &done {
                Err(error) if !failing => tracing::warn!(%error, "presence is not told: it will be when the store is back"),
                Ok(()) if failing => tracing::info!("presence is told again"),
                Err(_) | Ok(()) => {}
            }
            failing = done.is_err();
        }
        tracing::error!("another process has this gateway's lease: nothing more is told of its connections");
    }

    /// Side by side: a server that stands still holds the next heartbeat up once, not twice.
    async fn turn(&mut self) -> Result<(), Error> {
        let shared = Arc::clone(&self.shared);
        let (told, looked) = tokio::join!(self.tell(), shared.gateways());
        told.and(looked.map(drop))
    }

    async fn tell(&mut self) -> Result<(), Error> {
        let Some(gateway) = self.gateway else { return Ok(()) };
        let begun = Instant::now();
        let renewed = self.beat(gateway, Bucket::all().collect()).await;
        if self.shared.leases.is_lost() {
            return renewed;
        }
        self.gather();
        let written = self.write(gateway, begun).await;
        self.repaired();
        renewed.and(written)?;
        self.sweep(gateway).await
    }

    /// Renews leases. Each bucket that answers counts, whatever the others do; the first failure is told.
    async fn beat(&mut self, gateway: GatewayId, buckets: Vec<Bucket>) -> Result<(), Error> {
        let shared = Arc::clone(&self.shared);
        let mut calls = Vec::new();
        for bucket in &buckets {
            let Some(part) = self.parts.get(bucket) else { continue };
            let call =
                Call::new(&scripts::BEAT, [shared.registry(*bucket)]).arg(gateway.0).arg(part.incarnation).arg(self.process);
            let call = call.arg(shared.settings.lifetime.as_millis()).arg(&part.birth).arg(u8::from(part.whole));
            calls.push(call.arg(&shared.settings.address));
        }
        let sent = Instant::now();
        let answers = shared.link.ask(&calls).await;
        let mut done = Ok(());
        for (bucket, answer) in buckets.into_iter().zip(answers) {
            let Some(part) = self.parts.get_mut(&bucket) else { continue };
            let renewed = answer.and_then(|answer| part.renew(&shared, bucket, answer, sent));
            part.reached = renewed.is_ok();
            done = done.and(renewed);
        }
        done
    }

    /// Queues everything where a lease is new, and elsewhere what is not known to be there.
    fn gather(&mut self) {
        let all = self.parts.values().any(|part| !part.whole && part.queue.is_empty());
        let own = self.shared.own.lock();
        let slots = if all { own.slots() } else { own.unconfirmed() };
        let idle: Vec<_> = self.parts.iter().filter(|(_, part)| part.queue.is_empty()).map(|(bucket, _)| *bucket).collect();
        for slot in slots {
            let bucket = Bucket::of(slot);
            let Some(part) = self.parts.get_mut(&bucket) else { continue };
            if idle.contains(&bucket) && (!part.whole || !own.is_confirmed(slot)) {
                part.queue.push_back(slot);
            }
        }
    }

    /// Writes what is queued, for one period at most: the leases are renewed in between.
    async fn write(&mut self, gateway: GatewayId, begun: Instant) -> Result<(), Error> {
        let mut filled = Vec::new();
        for (bucket, part) in self.parts.iter_mut().filter(|(_, part)| part.reached) {
            while !part.queue.is_empty() {
                if begun.elapsed() >= self.shared.settings.heartbeat {
                    return Ok(());
                }
                let size = part.queue.len().min(CHUNK);
                let chunk: Vec<_> = part.queue.iter().take(size).map(|slot| (*slot, part.incarnation)).collect();
                for written in self.shared.write(gateway, &chunk).await {
                    if written? == Written::NoLease {
                        return Ok(());
                    }
                }
                part.queue.drain(..size);
            }
            if !part.whole {
                part.whole = true;
                filled.push(*bucket);
            }
        }
        if filled.is_empty() {
            return Ok(());
        }
        self.beat(gateway, filled).await
    }

    /// Says so when everything counts again that did not for a while.
    fn repaired(&mut self) {
        let is_over = |part: &Part| part.whole || !part.missed;
        if self.parts.values().any(|part| part.missed) && self.parts.values().all(is_over) {
            self.parts.values_mut().for_each(|part| part.missed = false);
            self.shared.repairs.send_modify(|count| *count += 1);
        }
    }

    /// Writes a share of everything again: entries end without it, and one that is missing shows that the store lost a part.
    async fn sweep(&mut self, gateway: GatewayId) -> Result<(), Error> {
        if self.sweep.is_empty() {
            self.sweep = self.shared.own.lock().slots().into();
            self.round = self.sweep.len();
        }
        let begun = Instant::now();
        let mut due = share(self.round, begun.duration_since(self.swept), self.shared.settings.sweep).min(self.sweep.len());
        self.swept = begun;
        // For one period at most: the leases are renewed in between.
        while due > 0 && begun.elapsed() < self.shared.settings.heartbeat {
            let size = due.min(CHUNK);
            due -= size;
            self.sweep_next(gateway, size).await?;
        }
        Ok(())
    }

    async fn sweep_next(&mut self, gateway: GatewayId, size: usize) -> Result<(), Error> {
        let shared = Arc::clone(&self.shared);
        let held = shared.leases.held();
        let chunk: Vec<_> = {
            let own = shared.own.lock();
            let is_due = |slot: Slot| own.is_here(slot).then_some((slot, *held.get(&Bucket::of(slot))?));
            self.sweep.drain(..size).filter_map(is_due).collect()
        };
        let mut done = Ok(());
        for ((slot, _), written) in chunk.iter().zip(shared.write(gateway, &chunk).await) {
            match written {
                // Also beside one that failed: the next write of this one would find it there.
                Ok(Written::New) => self.forget(Bucket::of(*slot)),
                Ok(Written::Kept | Written::NoLease) => {}
                Err(error) => done = done.and(Err(error)),
            }
        }
        done
    }

    /// What the bucket holds is not to be relied on: the next beat takes a new lease, and everything is told again.
    fn forget(&mut self, bucket: Bucket) {
        tracing::warn!("the store lost entries: everything in their part of it is told again");
        if let Some(part) = self.parts.get_mut(&bucket) {
            (part.birth, part.missed) = (String::new(), true);
        }
        self.shared.wake.notify_one();
    }
}

/// How many slots of a sweep are due after that time. By time, not by beats: a store that answers slowly makes beats rare, and a sweep
/// that waited for their number would come too late.
fn share(round: usize, elapsed: Duration, sweep: Duration) -> usize {
    let due = elapsed.as_millis().saturating_mul(round as u128).div_ceil(sweep.as_millis().max(1));
    usize::try_from(due).unwrap_or(usize::MAX).max(1)
}

impl Part {
    fn renew(&mut self, shared: &Shared, bucket: Bucket, answer: Value, sent: Instant) -> Result<(), Error> {
        let (birth, incarnation, state) = <(String, u64, u8)>::from_redis_value(answer).map_err(unavailable)?;
        if state == 2 {
            shared.leases.lose();
            return Ok(());
        }
        let is_late = |last: Instant, lifetime: Duration| sent.duration_since(last) >= lifetime;
        if state != 1 {
            // An emptied store says nothing of what was before: one's own clock does.
            self.missed |= state == 3 || self.renewed.is_some_and(|last| is_late(last, shared.settings.lifetime));
            (self.birth, self.whole) = (birth, false);
            self.queue.clear();
        }
        (self.incarnation, self.renewed) = (incarnation, Some(sent));
        shared.leases.hold(bucket, incarnation);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_takes_its_time_however_rare_beats_are() {
        let sweep = Duration::from_secs(20);
        assert_eq!(share(1000, Duration::from_millis(100), sweep), 5);
        assert_eq!(share(1000, Duration::from_secs(2), sweep), 100);
        assert_eq!(share(1000, Duration::from_secs(60), sweep), 3000);
        assert_eq!(share(3, Duration::from_millis(100), sweep), 1);
        assert_eq!(share(3, Duration::ZERO, Duration::ZERO), 1);
    }
}

//! The heartbeat: it renews the lease, tells again what the store lost, and looks who is alive.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use mynah_ports::presence::Error;
use redis::{FromRedisValue as _, pipe};
use tokio::time::{MissedTickBehavior, interval};

use crate::link::unavailable;
use crate::own::Slot;
use crate::scripts;
use crate::shared::{Lease, Shared};

/// Lines of one round trip.
const CHUNK: usize = 256;

/// What is left to do, kept from beat to beat.
#[derive(Default)]
struct Work {
    /// Slots to be written.
    queue: VecDeque<Slot>,
    /// The birth of the store that is being made whole.
    filling: Option<String>,
    /// The birth of the store that has everything.
    whole: Option<String>,
    /// The rest of the present sweep, and how many slots of it a beat takes.
    sweep: VecDeque<Slot>,
    share: usize,
    /// Whether the last beat failed: said once.
    failing: bool,
}

/// Beats until the task is ended or the lease is lost.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut ticks = interval(shared.settings.heartbeat);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut work = Work::default();
    while *shared.lease.borrow() != Lease::Lost {
        ticks.tick().await;
        let done = turn(&shared, &mut work).await;
        match &done {
            Err(error) if !work.failing => tracing::warn!(%error, "presence is not told: it will be when the store is back"),
            Ok(()) if work.failing => tracing::info!("presence is told again"),
            Err(_) | Ok(()) => {}
        }
        work.failing = done.is_err();
    }
    tracing::error!("another process has this gateway's lease: nothing more is told of its connections");
}

async fn turn(shared: &Shared, work: &mut Work) -> Result<(), Error> {
    if shared.settings.gateway.is_some() {
        let begun = Instant::now();
        beat(shared, work).await?;
        if *shared.lease.borrow() == Lease::Lost {
            return Ok(());
        }
        if work.queue.is_empty() {
            work.queue.extend(shared.own.lock().unconfirmed());
        }
        write(shared, work, begun).await?;
        sweep(shared, work).await?;
    }
    shared.look([]).await.map(|_| ())
}

async fn beat(shared: &Shared, work: &mut Work) -> Result<(), Error> {
    let Some(gateway) = shared.settings.gateway else { return Ok(()) };
    let held = match *shared.lease.borrow() {
        Lease::Held(incarnation) => incarnation,
        Lease::None | Lease::Lost => 0,
    };
    let mut call = scripts::call(&scripts::BEAT, &shared.registry());
    call.arg(gateway.0).arg(held).arg(shared.settings.lifetime.as_millis().to_string());
    call.arg(work.whole.as_deref().unwrap_or_default());
    let answer = shared.link.ask(pipe().add_command(call)).await?.into_iter().next().unwrap_or_default();
    let answer = <(String, u64, u8)>::from_redis_value(answer).map_err(unavailable)?;
    let (birth, incarnation, state) = answer;
    shared.lease.send_if_modified(|lease| {
        let now = if state == 2 { Lease::Lost } else { Lease::Held(incarnation) };
        std::mem::replace(lease, now) != now
    });
    // The store is another one, or the lease had lapsed, so that nobody counted on what it holds of this gateway.
    if state == 0 && work.filling.as_ref() != Some(&birth) {
        work.queue = shared.own.lock().slots().into();
        work.filling = Some(birth);
    }
    Ok(())
}

/// Writes what is queued, for one period at most: the lease is renewed in between.
async fn write(shared: &Shared, work: &mut Work, begun: Instant) -> Result<(), Error> {
    while !work.queue.is_empty() {
        if begun.elapsed() >= shared.settings.heartbeat {
            return Ok(());
        }
        let size = work.queue.len().min(CHUNK);
        let chunk: Vec<Slot> = work.queue.iter().take(size).copied().collect();
        shared.write(&chunk).await?;
        work.queue.drain(..size);
    }
    if let Some(birth) = work.filling.take() {
        work.whole = Some(birth);
        beat(shared, work).await?;
    }
    Ok(())
}

/// Writes a share of everything again: entries end without it, and one that is missing shows that the store lost a part.
async fn sweep(shared: &Shared, work: &mut Work) -> Result<(), Error> {
    if work.sweep.is_empty() {
        work.sweep = shared.own.lock().slots().into();
        let beats = shared.settings.sweep.as_millis() / shared.settings.heartbeat.as_millis().max(1);
        work.share = work.sweep.len().div_ceil(usize::try_from(beats).unwrap_or(usize::MAX).max(1));
    }
    let share: Vec<Slot> = {
        let own = shared.own.lock();
        let part = work.sweep.len().min(work.share);
        work.sweep.drain(..part).filter(|slot| own.is_confirmed(*slot)).collect()
    };
    for chunk in share.chunks(CHUNK) {
        if shared.write(chunk).await? > 0 {
            tracing::warn!("the store lost entries: everything is told again");
            (work.whole, work.filling) = (None, None);
            return beat(shared, work).await;
        }
    }
    Ok(())
}

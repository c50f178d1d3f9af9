//! The loop of a router that shares the shards of a database: it renews its lease, claims what it should own, and hands over what it
//! should not.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use mynah_domain::ownership::{self, Held, Lease};
use mynah_ports::MessageLog;
use mynah_ports::shard_leases::{Error, Heartbeat, LiveRouter, Member, ShardHolder};
use mynah_proto::router::RouterInfo;
use mynah_types::{Clock, RouterId, ShardId};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::Membership;
use super::shards::{Part, Rows, Shards, Standing};
use crate::conversation::Registry;
use crate::delivery::{Delivery, Progress};
use crate::log_writer::LogWriter;

/// How often the rows are looked at while a shard is awaited.
const EAGER: Duration = Duration::from_millis(40);
/// Shards that are handed over at one time.
const AT_ONCE: usize = 16;
/// How long a shard that is handed over waits for its deliveries; what is left then is the next owner's.
const DRAIN_WITHIN: Duration = Duration::from_secs(2);

/// A router's part in sharing the shards of a database.
pub(crate) struct Owner {
    pub(crate) membership: Membership,
    pub(crate) part: Arc<Part>,
    pub(crate) shards: Arc<Shards>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) writer: LogWriter,
    pub(crate) delivery: Delivery,
    pub(crate) progress: Arc<Progress>,
    pub(crate) log: Arc<dyn MessageLog>,
    pub(crate) clock: Arc<dyn Clock>,
    /// The present life; none before the first heartbeat and between lives.
    pub(crate) member: Arc<Mutex<Option<Member>>>,
}

/// The loop under way.
pub(crate) struct Running {
    stop: watch::Sender<bool>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Running {
    pub(crate) fn start(owner: Owner) -> Self {
        let (stop, stopped) = watch::channel(false);
        Self { stop, task: Mutex::new(Some(tokio::spawn(Arc::new(owner).run(stopped)))) }
    }

    /// Hands everything over and leaves.
    pub(crate) async fn leave(&self) {
        self.stop.send_replace(true);
        let task = self.task.lock().take();
        if let Some(task) = task {
            _ = task.await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(task) = self.task.lock().take() {
            task.abort();
        }
    }
}

/// How a life ended.
enum End {
    /// The lease is over: the next incarnation is above this one.
    Lost(u64),
    /// The router goes.
    Left,
}

impl Owner {
    async fn run(self: Arc<Self>, stopped: watch::Receiver<bool>) {
        // Above that of an earlier process of this router.
        let (mut newest, mut anew) = (self.clock.now_ms(), false);
        while let End::Lost(incarnation) = self.live(newest + 1, anew, stopped.clone()).await {
            metrics::counter!("mynah_router_lives_lost_total").increment(1);
            tracing::warn!(incarnation, range = %self.part.range, "the router's lease is over: it begins anew");
            (newest, anew) = (incarnation, true);
        }
    }

    async fn live(self: &Arc<Self>, incarnation: u64, anew: bool, mut stopped: watch::Receiver<bool>) -> End {
        let member = Member { router: self.membership.router, incarnation };
        *self.member.lock() = Some(member);
        let mut lease = Lease::new(millis(self.membership.lease), millis(self.membership.margin));
        self.part.set_lease(lease);
        let (held, holds) = watch::channel(false);
        let sharing = tokio::spawn(Arc::clone(self).share(member, anew, holds));
        let mut ticks = tokio::time::interval(self.membership.heartbeat);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let end = loop {
            tokio::select! {
                _ = ticks.tick() => {}
                _ = stopped.wait_for(|stopped| *stopped) => break End::Left,
            }
            let sent = self.part.now();
            let beat = tokio::time::timeout(self.membership.lease, self.beat(member));
            match beat.await {
                Ok(Ok(Heartbeat::Renewed)) => {
                    lease.renewed(sent);
                    self.part.set_lease(lease);
                    held.send_replace(true);
                }
                Ok(Ok(Heartbeat::Expired { newest })) => break End::Lost(newest.max(incarnation)),
                Ok(Ok(Heartbeat::Taken)) => tracing::info!("an earlier process of this router still has its lease"),
                Ok(Err(error)) => tracing::warn!(%error, range = %self.part.range, "no heartbeat"),
                Err(_) => tracing::warn!(range = %self.part.range, "no heartbeat in time"),
            }
            self.tell();
            if lease.is_over(self.part.now()) {
                break End::Lost(incarnation);
            }
        };
        sharing.abort();
        _ = sharing.await;
        if matches!(end, End::Left) {
            self.hand_over_all(member).await;
        }
        self.drop_all().await;
        *self.member.lock() = None;
        self.tell();
        end
    }

    fn tell(&self) {
        let held = f64::from(u8::from(self.part.speaks()));
        metrics::gauge!("mynah_router_lease_held", "range" => self.part.range.to_string()).set(held);
    }

    async fn beat(&self, member: Member) -> Result<Heartbeat, Error> {
        let Membership { leases, address, lease, .. } = &self.membership;
        leases.heartbeat(member, address, *lease).await
    }

    /// Claims and hands over, for one life.
    async fn share(self: Arc<Self>, member: Member, anew: bool, mut holds: watch::Receiver<bool>) {
        if holds.wait_for(|holds| *holds).await.is_err() {
            return;
        }
        // Whoever begins together finds one another first: no shard is taken by the first and then goes on to the next.
        if anew || self.all_begin(member).await {
            tokio::time::sleep(self.membership.lease).await;
        }
        loop {
            let pause = match self.look(member).await {
                Ok(true) => self.membership.heartbeat,
                Ok(false) => EAGER,
                Err(error) => {
                    tracing::warn!(%error, range = %self.part.range, "the shards' rows are not to be had");
                    self.membership.heartbeat
                }
            };
            _ = tokio::time::timeout(pause, self.part.look.notified()).await;
        }
    }

    /// Whether the others may be starting too. While the rows cannot be read, they may.
    async fn all_begin(&self, member: Member) -> bool {
        let rows = self.membership.leases.shards().await;
        let held = |rows: &[ShardHolder]| rows.iter().map(|row| seen(row, member, &self.shards)).collect::<Vec<_>>();
        rows.map_or(true, |rows| ownership::all_begin(member.router, &held(&rows)))
    }

    /// One look at the rows, and what follows from it. True if every shard is where it should be, as far as it is this router's.
    async fn look(self: &Arc<Self>, member: Member) -> Result<bool, Error> {
        let (live, rows) = (self.membership.leases.live().await?, self.membership.leases.shards().await?);
        self.part.set_rows(told(&live, &rows));
        let ids: Vec<RouterId> = live.iter().filter(|router| !router.leaving).map(|router| router.member.router).collect();
        let held: Vec<Held> = rows.iter().map(|row| seen(row, member, &self.shards)).collect();
        let plan = ownership::plan(member.router, &ids, &held);
        if !plan.release.is_empty() {
            self.hand_over(member, &plan.release).await?;
        }
        if !plan.claim.is_empty() && self.part.speaks() {
            self.claim(member, &plan.claim).await?;
        }
        Ok(self.shards.with(self.part.range, Standing::Owned).len() >= plan.share)
    }

    async fn claim(&self, member: Member, shards: &[ShardId]) -> Result<(), Error> {
        let claims = self.membership.leases.claim(member, shards).await?;
        if claims.is_empty() {
            return Ok(());
        }
        metrics::counter!("mynah_router_shards_claimed_total").increment(claims.len() as u64);
        tracing::info!(shards = claims.len(), "claimed");
        self.progress.claimed(&claims);
        let claimed: Vec<ShardId> = claims.iter().map(|claim| claim.shard).collect();
        self.writer.claimed(claims).await;
        // What the last owner may not have delivered goes before anything new.
        for some in claimed.chunks(AT_ONCE) {
            join_all(some.iter().map(|shard| self.take_up(*shard))).await;
        }
        Ok(())
    }

    async fn take_up(&self, shard: ShardId) {
        // An actor of an earlier ownership knows nothing of what others wrote since.
        self.registry.retire(shard).await;
        match self.delivery.redeliver(&*self.log, shard).await {
            Ok(()) => self.shards.set(shard, Standing::Owned),
            // It stays foreign, and is claimed again.
            Err(error) => tracing::warn!(%error, %shard, "a claimed shard cannot be read"),
        }
    }

    async fn hand_over(&self, member: Member, shards: &[ShardId]) -> Result<(), Error> {
        for some in shards.chunks(AT_ONCE) {
            let handed = join_all(some.iter().map(|shard| self.hand_over_one(member, *shard))).await;
            handed.into_iter().collect::<Result<(), Error>>()?;
        }
        Ok(())
    }

    /// Stops taking, finishes what was taken, lets go.
    async fn hand_over_one(&self, member: Member, shard: ShardId) -> Result<(), Error> {
        let began = std::time::Instant::now();
        self.shards.set(shard, Standing::Leaving);
        self.registry.retire(shard).await;
        if tokio::time::timeout(DRAIN_WITHIN, self.progress.drained(shard)).await.is_err() {
            tracing::info!(%shard, "handed over with deliveries on their way");
        }
        self.writer.released(shard).await;
        self.progress.released(shard);
        self.membership.leases.release(member, &[shard]).await?;
        self.shards.set(shard, Standing::Foreign);
        metrics::counter!("mynah_router_shards_released_total").increment(1);
        metrics::histogram!("mynah_router_handover_seconds").record(began.elapsed().as_secs_f64());
        Ok(())
    }

    /// Says that it goes, waits until the others know, and hands over shard by shard.
    async fn hand_over_all(&self, member: Member) {
        let Membership { leases, heartbeat, lease, .. } = &self.membership;
        let began = tokio::time::Instant::now();
        if let Err(error) = leases.leaving(member).await {
            tracing::warn!(%error, "nobody is told that this router goes");
        }
        tokio::time::sleep(*heartbeat + *heartbeat / 4).await;
        let beats = async {
            loop {
                _ = self.beat(member).await;
                tokio::time::sleep(*heartbeat).await;
            }
        };
        let mine: Vec<ShardId> = self.shards.with(self.part.range, Standing::Owned);
        let count = mine.len();
        tokio::select! {
            () = beats => {}
            handed = self.hand_over(member, &mine) => {
                if let Err(error) = handed {
                    tracing::warn!(%error, "not all shards were handed over: they are taken when the lease ends");
                }
            }
        }
        if let Err(error) = tokio::time::timeout(*lease, leases.leave(member)).await.unwrap_or(Ok(())) {
            tracing::warn!(%error, "the lease was not given back");
        }
        tracing::info!(shards = count, range = %self.part.range, took = ?began.elapsed(), "handed over");
    }

    /// Drops what lies in memory of any shard.
    async fn drop_all(&self) {
        let mine: HashSet<ShardId> = self
            .shards
            .with(self.part.range, Standing::Owned)
            .into_iter()
            .chain(self.shards.with(self.part.range, Standing::Leaving))
            .collect();
        for shard in &mine {
            self.shards.set(*shard, Standing::Foreign);
            self.registry.abandon(*shard);
        }
        // Whatever was claimed, whether it came to be taken or not.
        self.writer.lost(self.part.range).await;
        self.part.range.shards().for_each(|shard| self.progress.released(shard));
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A row as the plan sees it. Nothing is being handed over while one looks.
fn seen(row: &ShardHolder, me: Member, shards: &Shards) -> Held {
    let lost = row.owner == Some(me) && shards.standing(row.shard) != Standing::Owned;
    Held { shard: row.shard, owner: row.owner.map(|owner| owner.router), expired: row.expired, lost }
}

/// What others are told: a shard is of who lives by these rows.
fn told(live: &[LiveRouter], rows: &[ShardHolder]) -> Rows {
    let routers = live.iter().map(|r| RouterInfo { id: r.member.router.0, address: r.address.clone() }).collect();
    let lives = |member: &Member| live.iter().any(|r| r.member == *member);
    let owner = |row: &ShardHolder| Some((row.shard, row.owner.filter(|_| !row.expired).filter(lives)?.router.0));
    Rows { routers, owners: rows.iter().filter_map(owner).collect() }
}

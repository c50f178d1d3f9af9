//! How far each shard's deliveries are complete, and what tells that one is.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering as Atomic};
use std::time::{Duration, Instant};

use mynah_domain::delivery::LowWater;
use mynah_types::{Claim, MsgId, ShardId, ShardRange};
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc};

/// The positions of the shards that are owned here.
#[derive(Debug)]
pub(crate) struct Progress {
    shards: Mutex<HashMap<ShardId, ShardProgress>>,
    claims: AtomicU64,
    /// Told when a shard has nothing on its way any more.
    emptied: Notify,
    store_every: Duration,
}

#[derive(Debug)]
struct ShardProgress {
    /// Which claim of the shard this is of: what is left of an earlier one says nothing of it.
    claim: u64,
    water: LowWater,
    stored: MsgId,
    stored_at: Instant,
    /// Entries were given up, or may be unknown: they are to be delivered from the log.
    gave_up: bool,
}

impl Progress {
    pub(crate) fn new(store_every: Duration) -> Self {
        Self { shards: Mutex::default(), claims: AtomicU64::new(0), emptied: Notify::new(), store_every }
    }

    /// Begins where the last owners stopped.
    pub(crate) fn claimed(&self, claims: &[Claim]) {
        let mut shards = self.shards.lock();
        for claim in claims {
            let delivered = claim.progress.delivered;
            let number = self.claims.fetch_add(1, Atomic::Relaxed) + 1;
            let (water, stored_at) = (LowWater::at(delivered), Instant::now());
            let fresh = ShardProgress { claim: number, water, stored: delivered, stored_at, gave_up: false };
            // Another router may have gone on since the last one.
            shards.insert(claim.shard, fresh);
        }
    }

    /// An append to these shards has an unknown outcome: no position passes what it may have written until that was looked for.
    pub(crate) fn doubt(&self, doubtful: &[ShardId]) {
        let mut shards = self.shards.lock();
        for id in doubtful {
            if let Some(shard) = shards.get_mut(id) {
                shard.water.doubt();
            }
        }
    }

    /// Where to begin to look at what the log holds of a shard; none if it is another's.
    pub(crate) fn look(&self, shard: ShardId) -> Option<Look> {
        let shards = self.shards.lock();
        let of = shards.get(&shard)?;
        Some(Look { shard, claim: of.claim, doubts: of.water.doubts(), after: of.water.mark() })
    }

    /// Whether the shard is still owned by the claim by which one looks.
    pub(crate) fn goes_on(&self, look: &Look) -> bool {
        self.shards.lock().get(&look.shard).is_some_and(|shard| shard.claim == look.claim)
    }

    /// All that the log holds of the shard is known here.
    pub(crate) fn sure(&self, look: &Look) {
        self.noted(look.shard, |shard| {
            if shard.claim == look.claim {
                shard.water.sure(look.doubts);
            }
        });
    }

    /// What the log holds of a shard could not be looked at: it is to be tried again.
    pub(crate) fn look_again(&self, shard: ShardId) {
        self.noted(shard, |shard| shard.gave_up = true);
    }

    /// The shard is another's.
    pub(crate) fn released(&self, shard: ShardId) {
        self.shards.lock().remove(&shard);
        self.emptied.notify_waiters();
    }

    pub(crate) fn issued(&self, ids: &[MsgId]) {
        let mut shards = self.shards.lock();
        for id in ids {
            if let Some(shard) = shards.get_mut(&id.shard()) {
                shard.water.issued(*id);
            }
        }
    }

    pub(crate) fn knows(&self, id: MsgId) -> bool {
        self.shards.lock().get(&id.shard()).is_some_and(|shard| shard.water.knows(id))
    }

    pub(crate) fn completed(&self, id: MsgId) {
        self.ended(id, |shard| shard.water.completed(id));
    }

    fn completed_of(&self, id: MsgId, claim: Option<u64>) {
        self.ended(id, |shard| {
            if claim == Some(shard.claim) {
                shard.water.completed(id);
            }
        });
    }

    fn claim_of(&self, shard: ShardId) -> Option<u64> {
        self.shards.lock().get(&shard).map(|shard| shard.claim)
    }

    /// Nobody can be told where to: the entry is delivered from the log later.
    pub(crate) fn gave_up(&self, id: MsgId) {
        self.ended(id, |shard| {
            shard.water.forget(id);
            shard.gave_up = true;
        });
    }

    fn ended(&self, id: MsgId, note: impl FnOnce(&mut ShardProgress)) {
        self.noted(id.shard(), note);
    }

    fn noted(&self, shard: ShardId, note: impl FnOnce(&mut ShardProgress)) {
        let mut shards = self.shards.lock();
        let Some(shard) = shards.get_mut(&shard) else { return };
        note(shard);
        if shard.water.open() == 0 {
            self.emptied.notify_waiters();
        }
    }

    /// Waits until nothing of a shard is on its way.
    pub(crate) async fn drained(&self, shard: ShardId) {
        loop {
            let mut emptied = std::pin::pin!(self.emptied.notified());
            // Before the look: what ends between it and the wait counts.
            emptied.as_mut().enable();
            if self.open(shard) == 0 {
                return;
            }
            emptied.await;
        }
    }

    /// Those shards of a range of which entries were given up since this was asked.
    pub(crate) fn take_given_up(&self, range: ShardRange) -> BTreeSet<ShardId> {
        let mut shards = self.shards.lock();
        let of_range = shards.iter_mut().filter(|(id, _)| range.contains(**id));
        of_range.filter_map(|(id, shard)| std::mem::take(&mut shard.gave_up).then_some(*id)).collect()
    }

    /// Where delivery stands, if that is not stored.
    pub(crate) fn last(&self, shard: ShardId) -> Option<mynah_types::Progress> {
        let shards = self.shards.lock();
        let shard = shards.get(&shard)?;
        let mark = shard.water.mark();
        (mark != shard.stored).then_some(mynah_types::Progress { delivered: mark, published: mark })
    }

    /// Entries of a shard that are on their way.
    fn open(&self, shard: ShardId) -> usize {
        self.shards.lock().get(&shard).map_or(0, |shard| shard.water.open())
    }

    /// What to store with the shard's next append: seldom, since a position that lags only repeats deliveries.
    pub(crate) fn to_store(&self, shard: ShardId) -> Option<mynah_types::Progress> {
        let mut shards = self.shards.lock();
        let shard = shards.get_mut(&shard)?;
        let mark = shard.water.mark();
        if mark == shard.stored || shard.stored_at.elapsed() < self.store_every {
            return None;
        }
        shard.stored = mark;
        shard.stored_at = Instant::now();
        Some(mynah_types::Progress { delivered: mark, published: mark })
    }
}

/// A look at what the log holds of a shard, from its mark on.
#[derive(Debug)]
pub(crate) struct Look {
    shard: ShardId,
    claim: u64,
    doubts: u64,
    pub(crate) after: MsgId,
}

/// An entry of the log that is being handed on again. Whoever breaks off leaves it to the next try.
pub(crate) struct Again<'a> {
    progress: &'a Progress,
    id: Option<MsgId>,
}

impl<'a> Again<'a> {
    pub(crate) fn begin(progress: &'a Progress, id: MsgId) -> Self {
        progress.issued(&[id]);
        Self { progress, id: Some(id) }
    }

    /// It has its ticket, or will.
    pub(crate) fn handed_on(mut self) {
        self.id = None;
    }
}

impl Drop for Again<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.progress.gave_up(id);
        }
    }
}

/// Completes an entry when its last clone is gone: each gateway has it, or what stands for it, or is no more.
#[derive(Debug, Clone)]
pub(crate) struct Ticket {
    completion: Arc<Completion>,
}

#[derive(Debug)]
struct Completion {
    id: MsgId,
    /// The claim of its shard under which it was made; none if that is another router's.
    claim: Option<u64>,
    progress: Arc<Progress>,
    /// Somebody waits until all of a batch are complete.
    batch: Option<mpsc::Sender<()>>,
}

impl Ticket {
    pub(crate) fn new(id: MsgId, progress: &Arc<Progress>, batch: Option<mpsc::Sender<()>>) -> Self {
        let (claim, progress) = (progress.claim_of(id.shard()), Arc::clone(progress));
        Self { completion: Arc::new(Completion { id, claim, progress, batch }) }
    }
}

/// Tickets of entries that are not kept for a gateway, until it knows that they exist. However many there are, few are held: a position
/// does not pass the lowest of a shard, and so none behind it. Those of the bus's batches are all held, since each batch waits for its own;
/// of batches there is a bounded number.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// More than one where the lowest entry was handed on more than once.
    lowest: HashMap<ShardId, Vec<Ticket>>,
    of_batches: Vec<Ticket>,
}

impl Held {
    pub(crate) fn push(&mut self, ticket: Ticket) {
        if ticket.completion.batch.is_some() {
            return self.of_batches.push(ticket);
        }
        let held = self.lowest.entry(ticket.completion.id.shard()).or_default();
        let Some(first) = held.first() else { return held.push(ticket) };
        // What is left of an earlier claim holds nothing of this one.
        match (ticket.completion.claim.cmp(&first.completion.claim).reverse())
            .then(ticket.completion.id.cmp(&first.completion.id))
        {
            Ordering::Less => *held = vec![ticket],
            Ordering::Equal => held.push(ticket),
            Ordering::Greater => {}
        }
    }

    /// All that are held, to be let go together.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = Ticket> + use<> {
        let Self { lowest, of_batches } = std::mem::take(self);
        lowest.into_values().flatten().chain(of_batches)
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.lowest.values().map(Vec::len).sum::<usize>() + self.of_batches.len()
    }
}

impl Drop for Completion {
    fn drop(&mut self) {
        self.progress.completed_of(self.id, self.claim);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use mynah_types::{OwnerToken, Progress as Delivered};

    use super::*;

    const SHARD: ShardId = ShardId(7);

    fn id(counter: u64) -> MsgId {
        MsgId::compose(counter, SHARD)
    }

    fn claim(progress: &Progress, delivered: u64) {
        let delivered = Delivered { delivered: id(delivered), published: id(delivered) };
        let claim = Claim { shard: SHARD, epoch: 1, token: OwnerToken::default(), counter: 0, progress: delivered };
        progress.claimed(&[claim]);
    }

    fn mark(progress: &Progress) -> MsgId {
        progress.look(SHARD).unwrap().after
    }

    /// The shard was claimed again, and what it lacked is handed on again: a gateway that has not heard of it holds the position.
    #[test]
    fn what_is_left_of_an_earlier_claim_completes_nothing_of_a_later_one() {
        let progress = Arc::new(Progress::new(Duration::ZERO));
        claim(&progress, 9);
        progress.issued(&[id(10)]);
        let (mut held, early) = (Held::default(), Ticket::new(id(10), &progress, None));
        held.push(early.clone());
        claim(&progress, 9);
        progress.issued(&[id(10), id(11)]);
        drop(early);
        for n in [10, 11] {
            held.push(Ticket::new(id(n), &progress, None));
        }
        assert_eq!((mark(&progress), held.len()), (id(9), 1));
        // It comes a second time: from the log, and from its actor.
        held.push(Ticket::new(id(10), &progress, None));
        assert_eq!((mark(&progress), held.len()), (id(9), 2));
        drop(held);
        assert_eq!(mark(&progress), id(11));
    }

    #[test]
    fn nobody_looks_at_what_is_anothers_or_was_claimed_anew() {
        let progress = Progress::new(Duration::ZERO);
        assert!(progress.look(SHARD).is_none());
        claim(&progress, 0);
        let look = progress.look(SHARD).unwrap();
        assert!(progress.goes_on(&look));
        progress.released(SHARD);
        assert!(!progress.goes_on(&look));
        claim(&progress, 0);
        assert!(!progress.goes_on(&look));
    }
}

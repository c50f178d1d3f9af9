//! One actor per conversation: found, started, left.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use actix::dev::channel::channel;
use actix::prelude::SendError;
use actix::{Addr, ArbiterHandle, Context};
use mynah_domain::conversation::{Answer, Command};
use mynah_types::{ConversationKey, Reason, ShardId};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use super::actor::{ConversationActor, Reply, Retire, Shared, Submit};
use super::slot::Slot;
use super::traced::{self, Asked, Waits};

/// Locks of the registry: a conversation's shard picks one.
const STRIPES: usize = 64;
/// Successors that a command may be sent on to.
const MOST_SUCCESSORS: usize = 32;

type Actors = HashMap<ConversationKey, (Addr<ConversationActor>, Arc<Slot>)>;

/// The actors that live in this process.
pub(crate) struct Registry {
    stripes: Vec<Mutex<Actors>>,
    arbiters: Vec<ArbiterHandle>,
    shared: Arc<Shared>,
    waiting: metrics::Gauge,
}

impl Registry {
    pub(crate) fn new(arbiters: Vec<ArbiterHandle>, shared: Arc<Shared>) -> Self {
        let stripes = (0..STRIPES).map(|_| Mutex::default()).collect();
        Self { stripes, arbiters, shared, waiting: metrics::gauge!("mynah_router_commands_waiting") }
    }

    /// Has a command decided by the conversation's actor, which is started if need be. Commands of one caller keep their order
    /// if he waits for each answer.
    ///
    /// A dropped future leaves the command running.
    pub(crate) async fn submit(self: &Arc<Self>, key: ConversationKey, command: Command) -> Result<Answer, Reason> {
        let mut command = command;
        for _ in 0..MOST_SUCCESSORS {
            let (addr, slot) = self.actor(key)?;
            let (reply, answer) = oneshot::channel();
            let asked = Asked { reply, span: traced::decision(key, &command), _waits: Waits::new(&self.waiting) };
            match addr.try_send(Submit { command, asked }) {
                Ok(()) => match answer.await {
                    Ok(Reply::Answer(answer)) => return Ok(answer),
                    Ok(Reply::Full) => return Err(Reason::Overloaded),
                    Ok(Reply::Leaving(back)) => command = back,
                    // The actor died with it: it may have been written.
                    Err(_) => return Err(Reason::Timeout),
                },
                Err(SendError::Full(_)) => {
                    metrics::counter!("mynah_router_overloaded_total", "reason" => "mailbox").increment(1);
                    return Err(Reason::Overloaded);
                }
                Err(SendError::Closed(back)) => {
                    command = back.command;
                    slot.drained().await;
                    self.leave(key, &slot);
                }
            }
        }
        Err(Reason::Unavailable)
    }

    /// Whether the conversation has an actor now. Only its owner can tell: elsewhere there may be one.
    pub(crate) fn is_live(&self, key: ConversationKey) -> Result<bool, Reason> {
        let live = self.stripe(key).ok_or(Reason::Unavailable)?.lock().contains_key(&key);
        // After the look: whoever owns the shard since then reads everything anew.
        let (shards, shard) = (&self.shared.shards, key.shard());
        if shards.takes(shard) && shards.speaks(shard) { Ok(live) } else { Err(Reason::NotOwner) }
    }

    /// Frees the conversation's place, if it is still this actor's.
    pub(crate) fn leave(&self, key: ConversationKey, slot: &Arc<Slot>) {
        if let Some(actors) = self.stripe(key)
            && let Entry::Occupied(entry) = actors.lock().entry(key)
            && Arc::ptr_eq(&entry.get().1, slot)
        {
            entry.remove();
        }
    }

    fn stripe(&self, key: ConversationKey) -> Option<&Mutex<Actors>> {
        self.stripes.get(usize::from(key.shard().0) % STRIPES)
    }

    fn actor(self: &Arc<Self>, key: ConversationKey) -> Result<(Addr<ConversationActor>, Arc<Slot>), Reason> {
        let mut actors = self.stripe(key).ok_or(Reason::Unavailable)?.lock();
        // Under the lock: whoever hands a shard over finds every actor that was let in before.
        if !self.shared.shards.takes(key.shard()) {
            return Err(Reason::NotOwner);
        }
        if let Some((addr, slot)) = actors.get(&key) {
            return Ok((addr.clone(), Arc::clone(slot)));
        }
        let slot = Arc::new(Slot::default());
        let addr = self.start(key, &slot).ok_or(Reason::Unavailable)?;
        actors.insert(key, (addr.clone(), Arc::clone(&slot)));
        Ok((addr, slot))
    }

    /// Ends the actors of a shard when each has finished what it took, and returns then. The shard takes nothing any more.
    pub(crate) async fn retire(&self, shard: ShardId) {
        let (done, mut finished) = mpsc::channel::<()>(1);
        for addr in self.of_shard(shard) {
            // An actor that is gone has finished.
            _ = addr.send(Retire(done.clone())).await;
        }
        drop(done);
        while finished.recv().await.is_some() {}
    }

    /// The same without waiting: the shard is another's.
    pub(crate) fn abandon(&self, shard: ShardId) {
        let (done, _) = mpsc::channel(1);
        for addr in self.of_shard(shard) {
            let retire = addr.send(Retire(done.clone()));
            tokio::spawn(retire);
        }
    }

    fn of_shard(&self, shard: ShardId) -> Vec<Addr<ConversationActor>> {
        let Some(actors) = self.stripes.get(usize::from(shard.0) % STRIPES) else { return Vec::new() };
        let actors = actors.lock();
        actors.iter().filter(|(key, _)| key.shard() == shard).map(|(_, (addr, _))| addr.clone()).collect()
    }

    /// Starts the actor on the arbiter of its shard, with its mailbox bounded from the first message on.
    fn start(self: &Arc<Self>, key: ConversationKey, slot: &Arc<Slot>) -> Option<Addr<ConversationActor>> {
        let arbiter = self.arbiters.get(usize::from(key.shard().0) % self.arbiters.len().max(1))?;
        let (sender, receiver) = channel(self.shared.settings.mailbox);
        let actor = ConversationActor::new(key, Arc::clone(&self.shared), Arc::clone(self), Arc::clone(slot));
        // A stopped arbiter drops the receiver: the caller finds the address closed.
        _ = arbiter.spawn_fn(move || {
            let context = Context::with_receiver(receiver).into_future(actor);
            actix::spawn(context);
        });
        Some(Addr::new(sender))
    }
}

//! The actor of one conversation: it does the IO that the machine asks for, one step at a time.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use actix::fut::{ActorFutureExt as _, WrapFuture as _};
use actix::{Actor, AsyncContext as _, Context, Handler, Message, SpawnHandle};
use mynah_domain::conversation::{Answer, Command, Fact, Lookup, Machine, Step};
use mynah_ports::MessageLog;
use mynah_proto::DirectoryClient;
use mynah_types::{Clock, ConversationAppend, ConversationKey, Reason};
use tokio::sync::mpsc;

use super::loader;
use super::registry::Registry;
use super::slot::{InFlight, Slot};
use super::traced::{self, Asked};
use crate::Settings;
use crate::delivery::Delivery;
use crate::log_writer::{LogWriter, Written};
use crate::ownership::Shards;

/// Appends of one batch that may be refused in a row before its senders are told to try later.
const MOST_RELOADS: u32 = 8;

/// What actors work with.
pub(crate) struct Shared {
    pub(crate) log: Arc<dyn MessageLog>,
    pub(crate) directory: DirectoryClient,
    pub(crate) writer: LogWriter,
    pub(crate) delivery: Delivery,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) shards: Arc<Shards>,
    pub(crate) settings: Settings,
}

/// A command for a conversation's actor.
pub(crate) struct Submit {
    pub(crate) command: Command,
    pub(crate) asked: Asked,
}

impl Message for Submit {
    type Result = ();
}

/// The shard goes to another router: finish what was taken, then leave. The sender is dropped with that.
pub(crate) struct Retire(pub(crate) mpsc::Sender<()>);

impl Message for Retire {
    type Result = ();
}

/// What comes back.
pub(crate) enum Reply {
    /// The answer.
    Answer(Answer),
    /// The queue is full; nothing was done.
    Full,
    /// The actor is leaving; ask its successor.
    Leaving(Command),
}

pub(crate) struct ConversationActor {
    key: ConversationKey,
    machine: Machine<Asked>,
    shared: Arc<Shared>,
    registry: Arc<Registry>,
    slot: Arc<Slot>,
    /// A step of the machine is under way.
    busy: bool,
    leaving: bool,
    retiring: Option<mpsc::Sender<()>>,
    reloads: u32,
    /// When the append began that is under way.
    append_began: SystemTime,
    last_used: Instant,
    idle_check: Option<SpawnHandle>,
}

impl ConversationActor {
    pub(crate) fn new(key: ConversationKey, shared: Arc<Shared>, registry: Arc<Registry>, slot: Arc<Slot>) -> Self {
        Self {
            key,
            machine: Machine::new(key, shared.settings.limits),
            shared,
            registry,
            slot,
            busy: false,
            leaving: false,
            retiring: None,
            reloads: 0,
            append_began: SystemTime::UNIX_EPOCH,
            last_used: Instant::now(),
            idle_check: None,
        }
    }

    /// Goes on until something has to be waited for.
    fn drive(&mut self, ctx: &mut Context<Self>) {
        self.go_on(ctx);
        if self.retiring.is_some() && !self.busy && !self.machine.has_pending() {
            self.leave(ctx);
        }
    }

    fn go_on(&mut self, ctx: &mut Context<Self>) {
        while !self.busy {
            if self.machine.needs_load() {
                if self.machine.has_pending() {
                    self.load(ctx);
                }
                return;
            }
            match self.machine.begin() {
                None => return,
                Some(lookups) if lookups.is_empty() => self.decide(ctx, lookups, Vec::new()),
                Some(lookups) => self.look_up(ctx, lookups),
            }
        }
    }

    fn load(&mut self, ctx: &mut Context<Self>) {
        self.busy = true;
        let load = loader::load(Arc::clone(&self.shared), self.key);
        ctx.spawn(load.into_actor(self).map(|loaded, act, ctx| {
            act.busy = false;
            match loaded {
                Ok(loaded) => {
                    act.machine.loaded(loaded);
                    if act.machine.state().directory_is_behind() {
                        metrics::counter!("mynah_router_directory_behind_total").increment(1);
                        tracing::error!(conversation = %act.key, "the directory is older than the log: nothing is decided here");
                    }
                    act.drive(ctx);
                }
                Err(reason) => act.refuse_all(ctx, reason),
            }
        }));
    }

    fn look_up(&mut self, ctx: &mut Context<Self>, lookups: Vec<Lookup>) {
        self.busy = true;
        let look_up = loader::look_up(Arc::clone(&self.shared), self.key, lookups);
        ctx.spawn(look_up.into_actor(self).map(|found, act, ctx| {
            act.busy = false;
            match found {
                Ok((lookups, facts)) => {
                    act.decide(ctx, lookups, facts);
                    act.drive(ctx);
                }
                Err(reason) => act.refuse_all(ctx, reason),
            }
        }));
    }

    fn decide(&mut self, ctx: &mut Context<Self>, lookups: Vec<Lookup>, facts: Vec<Fact>) {
        // Another router may have written since: what lies in memory decides nothing.
        if !self.shared.shards.speaks(self.key.shard()) {
            return answer(self.machine.refuse_all(Reason::NotOwner));
        }
        match self.machine.decide(self.shared.clock.now_ms(), lookups, facts) {
            Step::Ready(answers) => answer(answers),
            Step::Append(append) => self.append(ctx, append),
        }
    }

    fn append(&mut self, ctx: &mut Context<Self>, append: ConversationAppend) {
        self.busy = true;
        self.append_began = SystemTime::now();
        let (writer, in_flight) = (self.shared.writer.clone(), InFlight::new(&self.slot));
        let append = async move { writer.append(append, in_flight).await };
        ctx.spawn(append.into_actor(self).map(|written, act, ctx| act.written(ctx, written)));
    }

    fn written(&mut self, ctx: &mut Context<Self>, written: Written) {
        match written {
            Written::Done(ids) => {
                self.reloads = 0;
                let done = self.machine.appended(&ids);
                let traces = traced::appended(&done.answers, self.append_began);
                answer(done.answers);
                let (delivery, key) = (self.shared.delivery.clone(), self.key);
                // The next batch waits until these are queued: that is how a full lane slows the conversation down.
                let push = async move { delivery.push(key, done.deliver, traces).await };
                ctx.spawn(push.into_actor(self).map(|(), act, ctx| {
                    act.busy = false;
                    act.drive(ctx);
                }));
            }
            Written::HeadMoved | Written::Unknown => {
                self.busy = false;
                self.reloads += 1;
                metrics::counter!("mynah_router_reloads_total").increment(1);
                if self.reloads > MOST_RELOADS {
                    self.reloads = 0;
                    tracing::error!(conversation = %self.key, "the log refuses every append: giving up for now");
                    return self.refuse_all(ctx, Reason::Unavailable);
                }
                self.machine.failed();
                self.drive(ctx);
            }
            Written::NotOwner => {
                self.busy = false;
                self.refuse_all(ctx, Reason::NotOwner);
            }
        }
    }

    fn refuse_all(&mut self, ctx: &mut Context<Self>, reason: Reason) {
        answer(self.machine.refuse_all(reason));
        self.drive(ctx);
    }

    fn leave_if_idle(&mut self, ctx: &mut Context<Self>) {
        let idle = !self.busy && (self.machine.is_idle() || !self.machine.has_pending());
        if !idle || self.last_used.elapsed() < self.shared.settings.passivate_after {
            return;
        }
        self.leave(ctx);
    }

    fn leave(&mut self, ctx: &mut Context<Self>) {
        // From here on the registry starts a successor; what is still in the mailbox is sent there.
        self.leaving = true;
        self.retiring = None;
        self.registry.leave(self.key, &self.slot);
        if let Some(check) = self.idle_check.take() {
            ctx.cancel_future(check);
        }
    }
}

impl Actor for ConversationActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        metrics::gauge!("mynah_router_actors").increment(1.0);
        ctx.set_mailbox_capacity(self.shared.settings.mailbox);
        let every = (self.shared.settings.passivate_after / 2).max(Duration::from_millis(10));
        self.idle_check = Some(ctx.run_interval(every, Self::leave_if_idle));
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        metrics::gauge!("mynah_router_actors").decrement(1.0);
    }
}

impl Handler<Submit> for ConversationActor {
    type Result = ();

    fn handle(&mut self, submit: Submit, ctx: &mut Self::Context) {
        if self.leaving {
            _ = submit.asked.reply.send(Reply::Leaving(submit.command));
            return;
        }
        self.last_used = Instant::now();
        if let Err((_, asked)) = self.machine.offer(submit.command, submit.asked) {
            metrics::counter!("mynah_router_overloaded_total", "reason" => "queue").increment(1);
            _ = asked.reply.send(Reply::Full);
            return;
        }
        self.drive(ctx);
    }
}

impl Handler<Retire> for ConversationActor {
    type Result = ();

    fn handle(&mut self, retire: Retire, ctx: &mut Self::Context) {
        if !self.leaving {
            self.retiring = Some(retire.0);
            self.drive(ctx);
        }
    }
}

/// A caller that is gone does not hear its answer: its retry will.
fn answer(answers: Vec<(Asked, Answer)>) {
    for (asked, answer) in answers {
        _ = asked.reply.send(Reply::Answer(answer));
    }
}

//! The loop of a generator: what is ready is read, what is due is sent, what is late is looked after.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet, VecDeque};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError};
use std::time::Duration;

use foldhash::fast::RandomState;
use mio::{Events, Poll};
use mynah_oracle::Dice;

use super::clock::{Clock, us};
use super::conn::{Conn, State};
use super::places::{ADMIN, Place};
use super::schedule::Schedule;
use super::stats::{Counter, Part};
use super::{Job, Order, Told};
use crate::Failed;
use crate::client::conv::Key;
use crate::client::read::{Frame, Reader};
use crate::client::text::SERVER;
use crate::judge::Judge;

/// Bytes that one read takes at most.
const READ: usize = 256 << 10;
/// How often what is late is looked after.
pub(super) const TICK_US: u64 = 20_000;
/// Readiness that is taken at one time.
const EVENTS: usize = 4096;
/// Devices that are listened to until what is due is sent: a message waits for so many at most.
const BETWEEN_SENDS: usize = 64;

/// Where the run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Connecting,
    Waiting,
    Load,
    Draining,
    Drained,
    Proving,
}

pub(super) struct Driver {
    pub(super) job: Job,
    pub(super) clock: Clock,
    pub(super) now_us: u64,
    pub(super) poll: Poll,
    pub(super) reader: Reader,
    pub(super) frame: Frame,
    pub(super) buffer: Vec<u8>,
    /// Where the kernel tells when bytes came.
    pub(super) control: Vec<u8>,
    /// When the last bytes of what is being heard came.
    pub(super) arrived_us: u64,
    pub(super) scratch: Vec<u8>,
    /// The user of each local device: everybody's first one in the order of the users, then the second ones.
    pub(super) users: Vec<u32>,
    pub(super) conns: Vec<Conn>,
    pub(super) judge: Judge,
    pub(super) counter: Counter,
    pub(super) schedules: Vec<Schedule>,
    pub(super) flow_of: Vec<u16>,
    pub(super) singles: HashMap<(u32, u32), u32, RandomState>,
    /// Who looks at all of a room.
    pub(super) keepers: HashSet<(usize, u32), RandomState>,
    /// Users with a second device here.
    pub(super) paired: HashSet<u32, RandomState>,
    pub(super) ordinals: HashMap<(u32, u32), u32, RandomState>,
    pub(super) in_flight: usize,
    /// When messages last waited because too many were under way.
    pub(super) limited_us: u64,
    pub(super) ready: u32,
    pub(super) connecting: u32,
    pub(super) queue: BinaryHeap<Reverse<(u64, usize)>>,
    /// Devices with something to write, to acknowledge, to send again.
    pub(super) dirty: Vec<usize>,
    pub(super) unacked: Vec<(u64, usize)>,
    pub(super) held: Vec<usize>,
    pub(super) suspects: VecDeque<(u64, usize, u32)>,
    /// Rooms that did not let a device in for now.
    pub(super) shut: VecDeque<(u64, usize, u32)>,
    pub(super) phase: Phase,
    pub(super) begin_us: u64,
    pub(super) phase_since_us: u64,
    pub(super) seconds: u32,
    pub(super) behind_at_end: u64,
    pub(super) counts: BTreeMap<String, f64>,
    pub(super) times: BTreeMap<String, f64>,
    pub(super) timeline: super::timeline::Timeline,
    pub(super) proof: super::prove::Proof,
    /// The device that was last looked at for its silence.
    pub(super) spoken: usize,
    pub(super) dice: Dice,
    pub(super) told: SyncSender<(u32, Told)>,
}

/// Drives a share of the users until the end.
///
/// # Errors
/// When the system does not give what is needed, or the coordinator is gone.
pub(crate) fn drive(job: Job, orders: &Receiver<Order>, told: SyncSender<(u32, Told)>) -> Result<(), Failed> {
    if let Some(cpu) = job.cpu {
        crate::machine::stay_on(cpu)?;
    }
    let mut driver = Driver::new(job, told)?;
    let mut events = Events::with_capacity(EVENTS);
    let mut tick_at = 0;
    loop {
        let wait = driver.wait(tick_at);
        if let Err(error) = driver.poll.poll(&mut events, Some(wait))
            && error.kind() != std::io::ErrorKind::Interrupted
        {
            return Err(error.into());
        }
        driver.now_us = driver.clock.now_us();
        for (nth, event) in events.iter().enumerate() {
            driver.ready(event.token().0, event.is_readable(), event.is_writable() || event.is_error());
            if nth % BETWEEN_SENDS == BETWEEN_SENDS - 1 {
                driver.send_due();
            }
        }
        driver.send_due();
        if driver.now_us >= tick_at {
            tick_at = driver.now_us + TICK_US;
            match orders.try_recv() {
                Ok(Order::Stop) | Err(TryRecvError::Disconnected) => return Ok(()),
                Ok(order) => driver.ordered(order),
                Err(TryRecvError::Empty) => {}
            }
            if driver.tick()? {
                return driver.finish();
            }
        }
        driver.flush();
    }
}

impl Driver {
    fn new(job: Job, told: SyncSender<(u32, Told)>) -> Result<Self, Failed> {
        let share = job.world.devices(job.share, job.scenario.second_devices);
        let seed = job.scenario.seed ^ (u64::from(job.share.0) << 32);
        let mut judge = Judge::new(job.world.places.len(), &share, job.scenario.strict_pushes);
        let mut conns: Vec<Conn> = share.iter().map(|_| Conn::default()).collect();
        let (mut singles, mut keepers) = (HashMap::default(), HashSet::default());
        let mut flow_of = vec![0; job.world.places.len()];
        let at_of = |user: u32| (user % job.share.1 == job.share.0).then_some((user / job.share.1) as usize);
        for (conv, place) in (0_u32..).zip(&job.world.places) {
            match place {
                Place::Single(a, b) => _ = singles.insert((*a, *b), conv),
                Place::Group(gid, _) => judge.name(conv, Key::group(*gid)),
                Place::Room(id, members) => {
                    judge.name(conv, Key::room(*id));
                    let here = members.iter().filter_map(|user| at_of(*user));
                    keepers.extend(here.clone().take(1).map(|at| (at, conv)));
                    for at in here {
                        if let Some(conn) = conns.get_mut(at) {
                            conn.rooms.push((conv, *id));
                        }
                    }
                }
                Place::Server(user) => _ = singles.insert((*user, SERVER), conv),
            }
        }
        let mut schedules = Vec::new();
        for (nth, flow) in job.world.flows.iter().enumerate() {
            for conv in &flow.places {
                if let Some(of) = flow_of.get_mut(*conv as usize) {
                    *of = u16::try_from(nth)?;
                }
            }
            let is_local = |user| at_of(user).is_some();
            let seed = seed.wrapping_add(nth as u64 + 1);
            schedules.extend(Schedule::new(nth, flow, &job.world.places, is_local, job.scenario.arrivals, seed));
        }
        let (clock, count) = (Clock::new(), conns.len());
        Ok(Self {
            reader: Reader { run: job.world.run, prefix: job.world.prefix.clone(), server: ADMIN },
            now_us: clock.now_us(),
            clock,
            poll: Poll::new()?,
            frame: Frame::default(),
            buffer: vec![0; READ],
            control: super::arrival::control(),
            arrived_us: 0,
            scratch: Vec::new(),
            users: share.iter().map(|(user, _)| *user).collect(),
            conns,
            judge,
            counter: Counter::new(job.world.flows.len())?,
            schedules,
            flow_of,
            singles,
            keepers,
            paired: paired(&share),
            ordinals: HashMap::default(),
            in_flight: 0,
            limited_us: 0,
            ready: 0,
            connecting: 0,
            queue: (0..count).map(|at| Reverse((0, at))).collect(),
            dirty: Vec::new(),
            unacked: Vec::new(),
            held: Vec::new(),
            suspects: VecDeque::new(),
            shut: VecDeque::new(),
            phase: Phase::Connecting,
            begin_us: 0,
            phase_since_us: clock.now_us(),
            seconds: 0,
            behind_at_end: 0,
            counts: BTreeMap::new(),
            times: BTreeMap::new(),
            timeline: super::timeline::Timeline::default(),
            proof: super::prove::Proof::default(),
            spoken: 0,
            dice: Dice::new(seed),
            told,
            job,
        })
    }

    /// The flow that a conversation is of.
    pub(super) fn flow(&self, conv: u32) -> usize {
        self.flow_of.get(conv as usize).copied().unwrap_or_default().into()
    }

    fn send_due(&mut self) {
        self.now_us = self.clock.now_us();
        self.issue();
        self.flush();
    }

    /// How long nothing is to be done.
    fn wait(&self, tick_at: u64) -> Duration {
        let mut until = tick_at;
        if self.phase == Phase::Load && self.in_flight < self.most_in_flight() {
            let due = self.schedules.iter().map(|schedule| self.begin_us + schedule.next()).min();
            until = due.map_or(until, |due| due.min(until));
        }
        Duration::from_micros(until.saturating_sub(self.clock.now_us()))
    }

    pub(super) fn most_in_flight(&self) -> usize {
        (self.job.scenario.in_flight / self.job.share.1.max(1) as usize).max(1)
    }

    pub(super) fn tell(&self, told: Told) {
        // A coordinator that is gone is noticed by its orders.
        _ = self.told.send((self.job.share.0, told));
    }

    pub(super) fn go(&mut self, phase: Phase) {
        (self.phase, self.phase_since_us) = (phase, self.now_us);
    }

    pub(super) fn phase_s(&self) -> f64 {
        self.now_us.saturating_sub(self.phase_since_us) as f64 / 1e6
    }

    fn ordered(&mut self, order: Order) {
        match order {
            Order::Begin(at_us) => {
                self.judge.begin();
                self.begin_us = at_us;
                let window = at_us + us(self.job.scenario.warm_up_s);
                self.counter.window = (window, window + us(self.job.scenario.window_s));
                self.go(Phase::Load);
            }
            Order::Prove => self.prove(),
            Order::Stop => {}
        }
    }

    /// Looks after what is late. True at the end.
    fn tick(&mut self) -> Result<bool, Failed> {
        self.connect_some()?;
        self.acknowledge_late();
        self.send_again();
        self.look_at_suspects();
        self.knock_again();
        self.look_after_connections();
        self.speak();
        self.second();
        match self.phase {
            Phase::Connecting => {
                self.tell(Told::Connected(self.usable(), self.wanted_devices()));
                if self.usable() == self.wanted_devices() {
                    self.go(Phase::Waiting);
                    self.send_away();
                    self.tell(Told::Ready);
                }
            }
            Phase::Waiting | Phase::Drained => {}
            Phase::Load => self.on_time()?,
            Phase::Draining => self.drain(),
            Phase::Proving => return Ok(self.proved()),
        }
        Ok(false)
    }

    pub(super) fn usable(&self) -> u32 {
        u32::try_from(self.conns.iter().filter(|conn| conn.usable()).count()).unwrap_or(u32::MAX)
    }

    pub(super) fn wanted_devices(&self) -> u32 {
        u32::try_from(self.conns.iter().filter(|conn| !conn.stays_away).count()).unwrap_or(u32::MAX)
    }

    /// Ends a second of the load.
    fn second(&mut self) {
        if self.begin_us == 0 || self.now_us < self.begin_us + (u64::from(self.seconds) + 1) * us(1.0) {
            return;
        }
        let kept = self.times.entry("judge_kept".into()).or_default();
        *kept = kept.max(self.judge.kept() as f64);
        let behind = self.behind();
        let part = self.counter.turn(self.seconds, behind, u64::from(self.ready));
        self.seconds += 1;
        self.tell(Told::Second(part));
    }

    /// Messages that are due and not acknowledged.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    pub(super) fn behind(&self) -> u64 {
        let now = self.now_us.saturating_sub(self.begin_us);
        let waiting: f64 = if self.phase == Phase::Load { self.schedules.iter().map(|s| s.waiting(now)).sum() } else { 0.0 };
        self.in_flight as u64 + waiting as u64
    }

    fn finish(self) -> Result<(), Failed> {
        let Self { job, judge, counter, mut counts, times, told, behind_at_end, .. } = self;
        let figures = judge.figures;
        let mut add = |name: &str, count: u64| *counts.entry(name.to_owned()).or_default() += count as f64;
        add("repeated", figures.repeated);
        add("overtaken", figures.overtaken);
        add("skipped", figures.skipped);
        add("paged", figures.paged);
        add("foreign", figures.foreign);
        add("errors_before_load", counter.before);
        let part = Part {
            flows: counter.kinds(),
            lag: super::stats::Curve::of(&counter.lag),
            errors: counter.errors,
            counts,
            times,
            behind: behind_at_end,
            summary: judge.finish(),
        };
        told.send((job.share.0, Told::Done(Box::new(part)))).map_err(|_| "the coordinator is gone")?;
        Ok(())
    }

    pub(super) fn mark_dirty(&mut self, at: usize) {
        if self.dirty.last() != Some(&at) {
            self.dirty.push(at);
        }
    }

    pub(super) fn is_up(&self, at: usize) -> bool {
        self.conns.get(at).is_some_and(|conn| conn.state == State::Ready)
    }
}

/// Users who are there twice: with a second device.
fn paired(share: &[(u32, Vec<u32>)]) -> HashSet<u32, RandomState> {
    let mut once = HashSet::<u32, RandomState>::default();
    share.iter().map(|(user, _)| *user).filter(|user| !once.insert(*user)).collect()
}

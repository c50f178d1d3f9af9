//! A run: the coordinator makes the world, starts the generators, watches, and adds up what they found.

mod agent;
mod figures;
mod generators;
mod progress;
mod scrape;
mod search;
mod soak;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::drive::clock::Clock;
use crate::drive::places::World;
use crate::drive::server_sends::{self, Progress, Sent};
use crate::drive::stats::{Part, SecondPart};
use crate::drive::{Job, Order, Told};
use crate::report::model::{Mark, Report, Second, Series};
use crate::rest::Rest;
use crate::scenario::Scenario;
use crate::{Failed, machine};
use generators::Generators;

pub(crate) use crate::report::figures::GENERATOR;
pub use agent::listen;
pub use progress::{For, Show};
pub use scrape::Source;
pub(crate) use scrape::address;
pub use search::{Found, Search, search};
pub use soak::{Slope, add_slopes, slope};

/// How often the coordinator looks at its generators.
const LOOK: Duration = Duration::from_millis(20);
/// The load begins so long after everybody is ready.
const HEAD_START_US: u64 = 300_000;
/// Connecting takes so long at most, beside what the ramp needs.
const CONNECT_WITHIN: Duration = Duration::from_secs(120);

/// What is driven, from where, and what is looked at beside it.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The gateways.
    pub targets: Vec<SocketAddr>,
    /// The app.
    pub appkey: String,
    /// Its secret.
    pub master_secret: String,
    /// What the names of users begin with, who may be there from an earlier run; none: new users.
    pub reuse: Option<String>,
    /// Generators in this process, each on a thread of its own.
    pub threads: u32,
    /// Agents on other machines, as `host:port`, instead of threads.
    pub agents: Vec<String>,
    /// The processor of this process's generators.
    pub cpu: Option<usize>,
    /// What is scraped.
    pub sources: Vec<Source>,
    /// Seconds between two looks at the sources.
    pub scrape_every_s: u64,
    /// How progress is shown.
    pub show: Show,
}

/// Everything that was found, before it is a report.
struct Outcome {
    world: Arc<World>,
    parts: Vec<Part>,
    seconds: Vec<Second>,
    sent: Option<Sent>,
    series: Vec<Series>,
    marks: Vec<Mark>,
    started_ms: u64,
}

/// Does a run.
///
/// # Errors
/// When something cannot be made, reached or started; what is found wrong is in the report.
pub async fn run(scenario: &Scenario, setting: &Setting) -> Result<Report, Failed> {
    let number = u32::try_from(crate::any_seed() >> 33)?;
    let prefix = setting.reuse.clone().unwrap_or_else(|| format!("l{number:x}u"));
    let mut world = World::plan(scenario, number, prefix, setting.appkey.clone());
    let first = *setting.targets.first().ok_or("no target")?;
    let rest = Rest::new(first, &setting.appkey, &setting.master_secret);
    setting.show.say("making users, groups and rooms");
    world.make(&rest).await?;
    let outcome = drive(scenario, setting, Arc::new(world)).await?;
    figures::report(scenario, setting, outcome)
}

async fn drive(scenario: &Scenario, setting: &Setting, world: Arc<World>) -> Result<Outcome, Failed> {
    let of = u32::try_from(setting.agents.len()).unwrap_or(u32::MAX).max(if setting.agents.is_empty() {
        setting.threads.max(1)
    } else {
        1
    });
    let job = |nth: u32| Job {
        scenario: scenario.clone(),
        world: World::clone(&world),
        share: (nth, of),
        targets: setting.targets.clone(),
        cpu: setting.cpu.filter(|_| setting.agents.is_empty()),
    };
    let mut generators = Generators::start((0..of).map(job).collect(), &setting.agents)?;
    let mut watch = Watch::new(scenario, setting, of);
    let ramp = Duration::from_secs(u64::from(scenario.users / scenario.connect_per_s.max(1)));
    watch.until(&mut generators, CONNECT_WITHIN + ramp, |watch| watch.ready == of).await?;
    let begin_us = Clock::new().now_us() + HEAD_START_US;
    generators.order(Order::Begin(begin_us))?;
    watch.begin();
    let started_ms = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
    let by_server = world.flows.iter().any(|flow| flow.by_server.is_some());
    let sending = by_server.then(|| {
        let (scenario, world, setting) = (scenario.clone(), Arc::clone(&world), setting.clone());
        let progress = Arc::clone(&watch.server);
        tokio::spawn(async move {
            let credentials = (setting.appkey.as_str(), setting.master_secret.as_str());
            server_sends::run(&scenario, world, &setting.targets, credentials, begin_us, progress).await
        })
    });
    let load = Duration::from_secs_f64(scenario.warm_up_s + scenario.window_s);
    let settle = Duration::from_secs_f64(scenario.settle_s) + Duration::from_secs(60);
    watch.until(&mut generators, load + settle, |watch| watch.drained == of).await?;
    let sent = match sending {
        Some(sending) => Some(tokio::time::timeout(settle, sending).await???),
        None => None,
    };
    setting.show.say("proving that everybody has everything");
    generators.order(Order::Prove)?;
    watch.until(&mut generators, settle, |watch| watch.parts.len() == of as usize).await?;
    let Watch { parts, seconds, scraper, .. } = watch;
    let (series, marks) = scraper.done();
    Ok(Outcome { world, parts, seconds, sent, series, marks, started_ms })
}

/// What the coordinator knows of a run.
struct Watch {
    of: u32,
    ready: u32,
    drained: u32,
    connected: Vec<(u32, u32)>,
    parts: Vec<Part>,
    seconds: Vec<Second>,
    /// The seconds of which not all generators told yet.
    open: Vec<(u32, SecondPart)>,
    scraper: scrape::Scraper,
    show: Show,
    server: Arc<Progress>,
    server_seen: (u64, u64, u64),
    total_s: f64,
}

impl Watch {
    fn new(scenario: &Scenario, setting: &Setting, of: u32) -> Self {
        Self {
            of,
            ready: 0,
            drained: 0,
            connected: vec![(0, 0); of as usize],
            parts: Vec::new(),
            seconds: Vec::new(),
            open: Vec::new(),
            scraper: scrape::Scraper::new(setting.sources.clone(), setting.scrape_every_s),
            show: setting.show.clone(),
            server: Arc::default(),
            server_seen: (0, 0, 0),
            total_s: scenario.warm_up_s + scenario.window_s,
        }
    }

    fn begin(&mut self) {
        self.scraper.begin();
    }

    async fn until(
        &mut self,
        generators: &mut Generators,
        within: Duration,
        is_done: impl Fn(&Self) -> bool,
    ) -> Result<(), Failed> {
        let began = Instant::now();
        while !is_done(self) {
            if began.elapsed() > within {
                return Err("the generators do not get on in time".into());
            }
            while !is_done(self)
                && let Some((nth, told)) = generators.told()?
            {
                self.note(nth, told)?;
            }
            self.scraper.look().await;
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    fn note(&mut self, nth: u32, told: Told) -> Result<(), Failed> {
        match told {
            Told::Connected(now, all) => {
                if let Some(of) = self.connected.get_mut(nth as usize) {
                    *of = (now, all);
                }
                let sum = self.connected.iter().fold((0, 0), |sum, of| (sum.0 + of.0, sum.1 + of.1));
                self.show.connecting(sum.0, sum.1);
            }
            Told::Ready => self.ready += 1,
            Told::Second(part) => self.second(part),
            Told::Drained => self.drained += 1,
            Told::Done(part) => self.parts.push(*part),
            Told::Failed(why) => return Err(format!("generator {nth}: {why}").into()),
        }
        Ok(())
    }

    fn second(&mut self, part: SecondPart) {
        let nth = part.nth;
        let place = self.open.iter().position(|(_, open)| open.nth == nth);
        let told = match place.and_then(|place| self.open.get_mut(place)) {
            Some((told, open)) => {
                figures::add_second(open, part);
                *told += 1;
                *told
            }
            None => {
                self.open.push((1, part));
                1
            }
        };
        if told < self.of {
            return;
        }
        let place = self.open.iter().position(|(_, open)| open.nth == nth);
        let Some((_, mut whole)) = place.map(|place| self.open.swap_remove(place)) else { return };
        let load = |counter: &std::sync::atomic::AtomicU64| counter.load(std::sync::atomic::Ordering::Relaxed);
        let now = (load(&self.server.offered), load(&self.server.sends), load(&self.server.errors));
        whole.offered += now.0 - self.server_seen.0;
        whole.sends += now.1 - self.server_seen.1;
        whole.errors += now.2 - self.server_seen.2;
        whole.behind += now.0.saturating_sub(now.1 + now.2);
        self.server_seen = now;
        // What is kept of a second is small: runs last hours.
        let second = figures::second(&whole);
        self.show.second(&second, self.total_s);
        self.seconds.push(second);
    }
}

/// Asks for as many files as the system gives, for many connections.
///
/// # Errors
/// When the system refuses.
pub fn make_room() -> Result<u64, Failed> {
    machine::many_files()
}

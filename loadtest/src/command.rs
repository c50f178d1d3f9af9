//! The commands that drive a deployment by a scenario.

#![allow(clippy::print_stdout, reason = "what is printed is the answer")]

mod marks;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use marks::Growing;
use mynah_measure::process::keep_on;
use serde_json::{Map, Value, json};

use crate::Failed;
use crate::report::model::{Mark, Quantiles, Report};
use crate::report::{self, page, summary, words};
use crate::run::{self, For, Setting, Show, Source, add_slopes, make_room};
use crate::scenario::{BUILT_IN, Scenario, Size};
use crate::server::{QUICK, Server};

/// How far the generator of a soak may grow in an hour, in MiB.
const GENERATOR_MIB: f64 = 32.0;

/// What is driven, and from where.
#[derive(Debug, Clone, Args)]
pub struct Target {
    /// A scenario's file, or the name of one that is built in
    scenario: String,
    /// A gateway's public address, such as http://127.0.0.1:8080; more than one are shared by the devices
    #[arg(long)]
    target: Vec<String>,
    /// The app's key
    #[arg(long, env = "LOADTEST_APP_KEY", default_value = "")]
    app_key: String,
    /// Its secret
    #[arg(long, env = "LOADTEST_MASTER_SECRET", default_value = "", hide_env_values = true)]
    master_secret: String,
    /// Starts a server of its own: the mynah binary
    #[arg(long, conflicts_with = "target")]
    own: Option<PathBuf>,
    /// Settings of the own server, as flags: --own-flag=--log=info
    #[arg(long, requires = "own", allow_hyphen_values = true)]
    own_flag: Vec<String>,
    /// The own server's processor
    #[arg(long, requires = "own")]
    server_cpu: Option<usize>,
    /// The generator's processor
    #[arg(long)]
    generator_cpu: Option<usize>,
    /// Generators in this process, each on a thread of its own
    #[arg(long, default_value_t = 1)]
    threads: u32,
    /// Agents that drive, host:port with commas, instead of this process
    #[arg(long, value_delimiter = ',')]
    agents: Vec<String>,
    /// Takes up users of an earlier run: what their names begin with
    #[arg(long)]
    reuse: Option<String>,
    /// Looks at a server meanwhile: name=http://host:port/metrics or name=pid:1234
    #[arg(long)]
    scrape: Vec<Source>,
    /// Seconds between two looks
    #[arg(long, default_value_t = 1)]
    scrape_every: u64,
    /// Another number of users
    #[arg(long)]
    users: Option<u32>,
    /// Another rate: messages a second, all kinds together
    #[arg(long)]
    rate: Option<f64>,
    /// Another window
    #[arg(long)]
    seconds: Option<f64>,
    /// Another warm-up
    #[arg(long)]
    warm_up: Option<f64>,
    /// Decides who sends to whom, and when
    #[arg(long)]
    seed: Option<u64>,
    /// Something that is done to the deployment at a second of the load: 25=router killed
    #[arg(long, value_parser = marks::mark)]
    mark: Vec<Mark>,
    /// The same from a file to which lines are added while it runs: a second of the load or a Unix time, and what was done
    #[arg(long)]
    marks_from: Option<PathBuf>,
    /// Pushes that come again or behind later ones are counted, and no fault: for runs in which servers are killed
    #[arg(long)]
    lax_pushes: bool,
    /// Ends with one line of JSON, and tells its progress as lines of JSON on standard error
    #[arg(long)]
    json: bool,
    /// Where the report goes, as JSON: for `loadtest report` and `loadtest compare`
    #[arg(long)]
    out: Option<PathBuf>,
    /// Where the report goes, as a page
    #[arg(long)]
    html: Option<PathBuf>,
}

/// `loadtest run`
#[derive(Debug, Clone, Args)]
pub struct Run {
    #[command(flatten)]
    target: Target,
}

/// `loadtest search`
#[derive(Debug, Clone, Args)]
pub struct Search {
    #[command(flatten)]
    target: Target,
    /// Messages a second at the beginning
    #[arg(long, default_value_t = 1000.0)]
    from: f64,
    /// How close to the limit: the part of the rate
    #[arg(long, default_value_t = 0.05)]
    within: f64,
    /// The longest 99 of a hundred acknowledgements, in ms, where the scenario has no limit
    #[arg(long, default_value_t = 100.0)]
    ack_p99_ms: f64,
    /// What may be behind at a window's end, in seconds of the rate, where the scenario has no limit
    #[arg(long, default_value_t = 0.5)]
    behind_s: f64,
}

/// `loadtest soak`
#[derive(Debug, Clone, Args)]
pub struct Soak {
    #[command(flatten)]
    target: Target,
    /// How long
    #[arg(long, default_value_t = 1.0)]
    hours: f64,
    /// How far a server's memory may grow in an hour, in MiB, beyond what may be chance
    #[arg(long, default_value_t = 0.0)]
    growth_mib: f64,
}

/// `loadtest agent`
#[derive(Debug, Clone, Args)]
pub struct Agent {
    /// Where coordinators connect: the loopback address, or one of a private network
    #[arg(long, default_value = "127.0.0.1:7070")]
    listen: SocketAddr,
    /// The generator's processor
    #[arg(long)]
    generator_cpu: Option<usize>,
    /// Ends after so many runs
    #[arg(long)]
    runs: Option<u32>,
}

/// A deployment that is ready to be driven. An own server ends with it.
struct Prepared {
    scenario: Scenario,
    setting: Setting,
    marks: Option<Growing>,
    _own: Option<(Server, tempfile::TempDir)>,
}

impl Target {
    fn show(&self) -> Show {
        Show::new(if self.json { For::Programs } else { For::People })
    }

    async fn prepare(&self) -> Result<Prepared, Failed> {
        let mut scenario = Scenario::find(&self.scenario)?;
        let Self { users, rate, seconds, warm_up, seed, .. } = *self;
        scenario.resize(&Size { users, rate, seconds, warm_up, seed })?;
        scenario.strict_pushes &= !self.lax_pushes;
        make_room()?;
        let mut setting = Setting {
            targets: Vec::new(),
            appkey: self.app_key.clone(),
            master_secret: self.master_secret.clone(),
            reuse: self.reuse.clone(),
            threads: self.threads,
            agents: self.agents.clone(),
            cpu: self.generator_cpu,
            sources: self.scrape.clone(),
            scrape_every_s: self.scrape_every,
            show: self.show(),
        };
        for url in &self.target {
            setting.targets.push(run::address(url)?.0);
        }
        // What the generator itself takes belongs beside what it measures.
        setting.sources.push(format!("{}=pid:{}", run::GENERATOR, std::process::id()).parse()?);
        let own = match &self.own {
            Some(binary) => Some(self.start(binary, &scenario, &mut setting).await?),
            None if setting.targets.is_empty() => return Err("--target or --own".into()),
            None => None,
        };
        if let Some(cpu) = self.generator_cpu {
            // The coordinator's threads too, so that the servers' processors are theirs alone.
            keep_on(std::process::id(), cpu)?;
        }
        Ok(Prepared { scenario, setting, marks: self.marks_from.as_deref().map(Growing::open).transpose()?, _own: own })
    }

    async fn start(
        &self,
        binary: &std::path::Path,
        scenario: &Scenario,
        setting: &mut Setting,
    ) -> Result<(Server, tempfile::TempDir), Failed> {
        let folder = tempfile::tempdir()?;
        let mut flags = QUICK.to_vec();
        flags.extend(["--log", "warn", "--device-connections", "100000", "--connections", "100000"]);
        flags.extend(self.own_flag.iter().flat_map(|flag| flag.split('=')));
        let mut server = Server::prepare(binary, &folder.path().join("data"), &flags, self.server_cpu)?;
        let members = scenario.users.max(500).to_string();
        let rules = ["--max-group-members", &members, "--max-room-members", &members, "--max-groups-per-user", "10000"];
        server.app_command(&[&["set", &server.appkey][..], &rules].concat())?;
        server.restart().await?;
        let pid = server.pid().ok_or("the server is gone")?;
        setting.targets.push(server.http);
        (setting.appkey, setting.master_secret) = (server.appkey.clone(), server.master_secret.clone());
        for source in [format!("mynah=pid:{pid}"), format!("mynah metrics=http://{}/metrics", server.ops)] {
            setting.sources.push(source.parse()?);
        }
        Ok((server, folder))
    }

    /// Tells what was found, everywhere that was asked for. False if the verdict or a gate is against it.
    fn tell(&self, report: &mut Report, marks: Option<Growing>, more: Map<String, Value>) -> Result<bool, Failed> {
        report.marks.extend(self.mark.iter().cloned());
        if let Some(mut added) = marks {
            let (added, others) = added.marks(report.started_ms)?;
            report.marks.extend(added);
            others.iter().for_each(|line| self.show().say(&format!("no mark: {line}")));
        }
        report.marks.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
        if let Some(out) = &self.out {
            std::fs::write(out, serde_json::to_vec_pretty(report)?)?;
        }
        if let Some(html) = &self.html {
            std::fs::write(html, page::render(report))?;
        }
        if self.json {
            let mut line = report::brief(report);
            if let Value::Object(line) = &mut line {
                line.extend(more);
            }
            println!("{line}");
        } else {
            print!("{}", summary::render(report, summary::Style::of_stdout()));
            for (name, value) in more {
                println!("{name}: {value}");
            }
        }
        Ok(words::passed(report))
    }
}

impl Run {
    /// Does it. False if the verdict or a gate is against it.
    ///
    /// # Errors
    /// When the run cannot be done.
    pub async fn run(&self) -> Result<bool, Failed> {
        let Prepared { scenario, setting, marks, _own } = self.target.prepare().await?;
        let mut report = run::run(&scenario, &setting).await?;
        let gates = scenario.gates;
        if gates.resident_growth_mib.or(gates.generator_growth_mib).is_some() {
            add_slopes(&mut report, gates.resident_growth_mib, gates.generator_growth_mib);
        }
        self.target.tell(&mut report, marks, Map::new())
    }
}

impl Search {
    /// Does it. False if no rate is stable, or a verdict is against it.
    ///
    /// # Errors
    /// When a run cannot be done.
    pub async fn run(&self) -> Result<bool, Failed> {
        let Prepared { scenario, setting, marks, _own } = self.target.prepare().await?;
        let how = run::Search { from: self.from, within: self.within, ack_p99_ms: self.ack_p99_ms, behind_s: self.behind_s };
        let mut found = run::search(&scenario, &setting, how).await?;
        let mut more = Map::new();
        more.insert("stable_rate".into(), found.rate.into());
        more.insert("steps".into(), serde_json::to_value(&found.steps)?);
        if let Some(half) = &found.half {
            more.insert("ack_ms_at_half".into(), brief(&half.total.ack_ms));
        }
        match &mut found.best {
            Some(best) => self.target.tell(best, marks, more),
            None => {
                more.insert("verdict".into(), "fail".into());
                println!("{}", Value::Object(more));
                Ok(false)
            }
        }
    }
}

impl Soak {
    /// Does it. False if the verdict or a gate is against it, or a server's memory grew.
    ///
    /// # Errors
    /// When the run cannot be done.
    pub async fn run(&self) -> Result<bool, Failed> {
        let Prepared { mut scenario, mut setting, marks, _own } = self.target.prepare().await?;
        scenario.window_s = self.hours * 3600.0;
        // At most some thousand points of each curve.
        setting.scrape_every_s = setting.scrape_every_s.max((scenario.window_s / 2000.0) as u64);
        let mut report = run::run(&scenario, &setting).await?;
        let gates = scenario.gates;
        let servers = gates.resident_growth_mib.unwrap_or(self.growth_mib);
        add_slopes(&mut report, Some(servers), Some(gates.generator_growth_mib.unwrap_or(GENERATOR_MIB)));
        self.target.tell(&mut report, marks, Map::new())
    }
}

impl Agent {
    /// Works until it has done its runs.
    ///
    /// # Errors
    /// When it cannot listen.
    pub fn run(&self) -> Result<bool, Failed> {
        run::listen(self.listen, self.generator_cpu, self.runs, |address| println!("{address}"))?;
        Ok(true)
    }
}

/// Names what is built in.
///
/// # Errors
/// Never, unless a scenario that is built in is none.
pub fn scenarios() -> Result<bool, Failed> {
    for (name, _) in BUILT_IN {
        println!("{name:16} {}", Scenario::find(name)?.about);
    }
    Ok(true)
}

fn brief(quantiles: &Quantiles) -> Value {
    json!({"p50": quantiles.p50, "p99": quantiles.p99, "max": quantiles.max})
}

//! What each process begins with: its settings, its log lines, an operations address that tells what it waits for, and its end.

use std::error::Error;
use std::future::Future;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{ArgMatches, Command};
use mynah_rpc::{Channels, Serving, Tls, serve};
use mynah_runtime::flags::with_settings;
use mynah_runtime::http::{self, Limits};
use mynah_runtime::ops::{self, Ready};
use mynah_runtime::process;
use mynah_telemetry::Export;
use mynah_types::{Clock, CorrectedClock};
use parking_lot::Mutex;
use tokio::sync::watch;
use tonic::service::Routes;

use crate::settings::{Settings, keys};
use crate::{clock, engines};

/// Pauses between tries of what is waited for.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

pub(crate) type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// The flags of every binary: one a setting, and the file.
pub(crate) fn command(name: &'static str, about: &'static str) -> Command {
    with_settings(Command::new(name).about(about).version(env!("CARGO_PKG_VERSION")), &keys())
}

/// Reads the settings, then runs `work` on a runtime of its own.
pub(crate) fn run<F>(name: &str, matches: &ArgMatches, work: impl FnOnce(Settings) -> F) -> ExitCode
where
    F: Future<Output = Outcome>,
{
    let read = mynah_runtime::flags::settings(&keys(), matches).map_err(Into::into);
    let done: Outcome = read.and_then(|settings: Settings| {
        process::log_lines(&settings.product.log)?;
        let runtime = process::runtime(name)?;
        let done = runtime.block_on(async {
            trace(name, &settings)?;
            work(settings).await
        });
        // While the runtime still carries it.
        mynah_telemetry::end();
        done
    });
    process::end(name, done)
}

/// Spans leave this process from now on, if there is somebody to take them.
fn trace(name: &str, settings: &Settings) -> Outcome {
    if settings.otlp_endpoint.is_empty() {
        return Ok(());
    }
    let instance = if settings.name.is_empty() { settings.address() } else { settings.name.clone() };
    let sink = Box::new(mynah_otlp::Otlp::start(&settings.otlp_endpoint, &format!("mynah-{name}"), &instance)?);
    mynah_telemetry::export_to(Export { sink, ratio: settings.trace_ratio });
    Ok(())
}

/// What a process waits for before it can work, and then whether it does.
#[derive(Clone)]
pub(crate) struct Readiness(Arc<Mutex<State>>);

type Probe = Arc<dyn Fn() -> std::pin::Pin<Box<dyn Future<Output = Ready> + Send>> + Send + Sync>;

enum State {
    Waiting(String),
    Working(Probe),
    Ending,
}

impl Readiness {
    /// Waits until `attempt` succeeds, and says for what. An error of the second kind is for good.
    pub(crate) async fn until<T, F>(&self, what: &str, mut attempt: impl FnMut() -> F) -> Outcome<T>
    where
        F: Future<Output = Result<T, Wait>>,
    {
        let mut pause = PAUSE.0;
        loop {
            match attempt().await {
                Ok(done) => return Ok(done),
                Err(Wait::Never(error)) => return Err(error),
                Err(Wait::Longer(why)) => {
                    let text = format!("waiting for {what}: {why}");
                    tracing::warn!("{text}");
                    *self.0.lock() = State::Waiting(text);
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSE.1);
                }
            }
        }
    }

    /// It works from now on, when `probe` says so.
    pub(crate) fn works<F>(&self, probe: impl Fn() -> F + Send + Sync + 'static)
    where
        F: Future<Output = Ready> + Send + 'static,
    {
        *self.0.lock() = State::Working(Arc::new(move || Box::pin(probe())));
    }

    /// It ends: nothing new is to be sent here.
    pub(crate) fn ends(&self) {
        *self.0.lock() = State::Ending;
    }

    async fn check(self) -> Ready {
        let probe = match &*self.0.lock() {
            State::Waiting(why) => return Err(why.clone()),
            State::Ending => return Err("stopping".into()),
            State::Working(probe) => Arc::clone(probe),
        };
        probe().await
    }
}

/// Why an attempt failed.
pub(crate) enum Wait {
    /// It may succeed later.
    Longer(String),
    /// It never will.
    Never(Box<dyn Error + Send + Sync>),
}

/// A process on its way up.
pub(crate) struct Process {
    pub(crate) settings: Settings,
    pub(crate) readiness: Readiness,
    pub(crate) channels: Channels,
    /// The time of the deployment, once somebody has said what it is.
    pub(crate) clock: Arc<CorrectedClock>,
    /// The PEM of the authorities whose certificates count at engines. None: the system's.
    pub(crate) authorities: Option<String>,
    tls: Option<Tls>,
    stop: watch::Receiver<bool>,
}

impl Process {
    /// Listens on the operations address at once, so that what it waits for can be asked.
    pub(crate) async fn begin(settings: Settings) -> Outcome<Self> {
        let authorities = engines::authorities(&settings)?;
        let metrics = ops::record_metrics()?;
        let readiness = Readiness(Arc::new(Mutex::new(State::Waiting("starting".into()))));
        let asked = readiness.clone();
        let routes = ops::routes(metrics, move || asked.clone().check());
        let listener = process::listen(settings.product.ops_listen).await?;
        tokio::spawn(http::serve(listener, routes, Limits::operations(), std::future::pending()));
        let tls = tls(&settings)?;
        let (stopping, stop) = watch::channel(false);
        tokio::spawn(async move {
            process::signal().await;
            tracing::info!("stopping");
            _ = stopping.send(true);
            // Kept until the process ends: a sender that is gone would say the same.
            std::future::pending::<()>().await;
        });
        let channels = Channels::new(tls.clone())?;
        Ok(Self { channels, clock: clock::own(), authorities, tls, settings, readiness, stop })
    }

    /// Returns when the process was told to stop.
    pub(crate) fn stopped(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut stop = self.stop.clone();
        async move { _ = stop.wait_for(|stop| *stop).await }
    }

    /// Serves a service that begins nothing that its caller has given up, until the process is told to stop. It works when `probe` says so.
    pub(crate) async fn serve_by<F>(&self, probe: impl Fn() -> F + Send + Sync + 'static, routes: Routes) -> Outcome
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.readiness.works(move || {
            let asked = probe();
            async move { asked.await.map(|()| None) }
        });
        let (stopped, readiness) = (self.stopped(), self.readiness.clone());
        let stop = async move {
            stopped.await;
            readiness.ends();
        };
        let clock = Some(Arc::clone(&self.clock) as _);
        self.serve(routes, clock, stop).await?.ended().await
    }

    /// Serves the process's service until `stop`; with a clock, it begins nothing that its caller has given up by it.
    pub(crate) async fn serve(
        &self,
        routes: Routes,
        clock: Option<Arc<dyn Clock>>,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Outcome<Served> {
        let listener = process::listen(self.settings.grpc_listen).await?;
        tracing::info!(name = self.settings.name, grpc = %self.settings.grpc_listen, advertise = self.settings.address(), "serving");
        let serving = Serving { routes, tls: self.tls.clone(), clock };
        Ok(Served(tokio::spawn(serve(listener, serving, stop))))
    }
}

/// A service that is being served.
pub(crate) struct Served(tokio::task::JoinHandle<Outcome>);

impl Served {
    /// Returns when it has ended.
    pub(crate) async fn ended(self) -> Outcome {
        self.0.await?
    }
}

fn tls(settings: &Settings) -> Outcome<Option<Tls>> {
    let text = |path: &PathBuf| std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()));
    match (&settings.tls_ca, &settings.tls_cert, &settings.tls_key) {
        (None, None, None) => Ok(None),
        (Some(ca), Some(cert), Some(key)) => Ok(Some(Tls::new(&text(ca)?, &text(cert)?, &text(key)?, &settings.tls_name))),
        _ => Err("bad settings:\n  tls_ca, tls_cert and tls_key belong together: set all of them, or none".into()),
    }
}

/// A number of a process. Another one at each start: what was told of an earlier life does not count for this one.
pub(crate) fn new_id() -> u64 {
    uuid::Uuid::new_v4().as_u64_pair().0.max(2)
}

//! What servers tell of themselves: metrics as Prometheus reads them, and the system's figures of local processes.

mod gone;

use std::collections::BTreeMap;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::str::FromStr;
use std::time::{Duration, Instant};

use gone::Gone;
use http::Method;
use mynah_measure::process::{cpu_seconds, resident, stolen_seconds};
use serde_json::Value;

use crate::Failed;
use crate::report::figures::{GENERATOR, STOLEN};
use crate::report::model::{Mark, Series};
use crate::rest::Rest;

/// A source that does not answer in this time has a hole there.
const WITHIN: Duration = Duration::from_millis(500);
/// Series that are kept of one source.
const MOST: usize = 400;

/// A server that is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its name in the report.
    pub name: String,
    /// What is looked at.
    pub at: At,
}

/// Where its figures are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum At {
    /// A page of metrics.
    Page(SocketAddr, String),
    /// A local process.
    Process(u32),
}

impl FromStr for Source {
    type Err = String;

    /// `name=http://host:port/metrics` or `name=pid:1234`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, at) = text.split_once('=').ok_or("name=URL or name=pid:N")?;
        let at = match at.strip_prefix("pid:") {
            Some(pid) => At::Process(pid.parse().map_err(|_| "pid: a number")?),
            None => {
                let (address, path) = address(at)?;
                At::Page(address, if path == "/" { "/metrics".into() } else { path })
            }
        };
        Ok(Self { name: name.into(), at })
    }
}

/// The address and the path of an `http` URL.
///
/// # Errors
/// When it is none, or its host is unknown.
pub(crate) fn address(url: &str) -> Result<(SocketAddr, String), String> {
    let rest = url.strip_prefix("http://").unwrap_or(url);
    let (host, path) = rest.split_once('/').map_or((rest, "/".to_owned()), |(host, path)| (host, format!("/{path}")));
    let with_port = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
    let mut found = with_port.to_socket_addrs().map_err(|error| format!("{url}: {error}"))?;
    Ok((found.next().ok_or_else(|| format!("{url}: no address"))?, path))
}

pub(super) struct Scraper {
    sources: Vec<Source>,
    every: Duration,
    began: Option<Instant>,
    last: Option<Instant>,
    /// By source and name.
    series: BTreeMap<(String, String), Drawn>,
    /// The sum and the count of each histogram, as they were last, by the source and the name of its mean.
    sums: BTreeMap<(String, String), (f64, f64)>,
    /// In the order of the sources.
    gone: Vec<Gone>,
    marks: Vec<Mark>,
}

/// A series, and the last value of a counter.
type Drawn = (Option<(f64, f64)>, Series);

impl Scraper {
    pub(super) fn new(sources: Vec<Source>, every_s: u64) -> Self {
        let every = Duration::from_secs(every_s.max(1));
        let gone = sources.iter().map(|source| Gone::new(&source.name, matches!(source.at, At::Process(_)))).collect();
        let (series, sums) = (BTreeMap::new(), BTreeMap::new());
        Self { sources, every, began: None, last: None, series, sums, gone, marks: Vec::new() }
    }

    pub(super) fn begin(&mut self) {
        self.began = Some(Instant::now());
    }

    /// Looks at all sources, if it is time.
    pub(super) async fn look(&mut self) {
        let Some(began) = self.began.filter(|_| self.last.is_none_or(|last| last.elapsed() >= self.every)) else { return };
        self.last = Some(Instant::now());
        for (nth, source) in self.sources.clone().into_iter().enumerate() {
            let at_s = began.elapsed().as_secs_f64();
            let values = values(&source).await;
            let answered = values.is_ok();
            // What does not answer has a hole in its curve.
            let fell = values.is_ok_and(|values| self.add_all(&source.name, at_s, values));
            if let Some(gone) = self.gone.get_mut(nth) {
                gone.looked(at_s, answered, fell, &mut self.marks);
            }
        }
    }

    /// What one look found. A histogram is shown by its mean since the last look, and by how often it counted. True if a counter fell:
    /// the server was started again.
    fn add_all(&mut self, source: &str, at_s: f64, values: Vec<(String, f64)>) -> bool {
        let mut fell = false;
        for (name, value) in &values {
            let Some((mean, count)) = mean_of(name) else { continue };
            let Some((_, count)) = values.iter().find(|(name, _)| *name == count) else { continue };
            let before = self.sums.insert((source.to_owned(), mean.clone()), (*value, *count));
            // A server that was started again counts from nothing.
            if let Some((sum_before, count_before)) = before.filter(|before| *count > before.1 && *value >= before.0) {
                let mean_value = (value - sum_before) / (count - count_before);
                self.add(source, mean, at_s, (mean_value * 1e6).round() / 1e6);
            }
        }
        for (name, value) in values.into_iter().filter(|(name, _)| mean_of(name).is_none()) {
            fell |= self.add(source, name, at_s, value);
        }
        fell
    }

    /// True if it is a counter that fell.
    fn add(&mut self, source: &str, name: String, at_s: f64, value: f64) -> bool {
        let counts = is_counter(&name);
        let key = (source.to_owned(), name.clone());
        if !self.series.contains_key(&key) && self.series.keys().filter(|(of, _)| of == source).count() >= MOST {
            return false;
        }
        let (last, series) = self.series.entry(key).or_insert_with(|| {
            let (name, unit) = shown(&name, counts);
            (None, Series { source: source.to_owned(), name, unit, points: Vec::new() })
        });
        if !counts {
            series.points.push((at_s, value));
            return false;
        }
        let Some((before_s, before)) = last.replace((at_s, value)).filter(|(before_s, _)| at_s > *before_s) else { return false };
        // A server that was started again counts from nothing.
        series.points.push((at_s, ((value - before).max(0.0) / (at_s - before_s) * 1000.0).round() / 1000.0));
        value < before
    }

    /// The curves, and the marks of servers that were gone or started again.
    pub(super) fn done(self) -> (Vec<Series>, Vec<Mark>) {
        // What never moved is no curve.
        let moves = |series: &Series| series.points.iter().any(|(_, value)| *value != 0.0);
        (self.series.into_values().map(|(_, series)| series).filter(moves).collect(), self.marks)
    }
}

fn is_counter(name: &str) -> bool {
    let bare = name.split('{').next().unwrap_or(name);
    ["_total", "_count", "cpu_cores", STOLEN].iter().any(|end| bare.ends_with(end))
}

/// The names of a histogram's mean and of its count, by that of its sum.
fn mean_of(name: &str) -> Option<(String, String)> {
    let (bare, labels) = name.split_at(name.find('{').unwrap_or(name.len()));
    let of = bare.strip_suffix("_sum")?;
    Some((format!("{of}_mean{labels}"), format!("{of}_count{labels}")))
}

/// A series' name and unit.
fn shown(name: &str, counts: bool) -> (String, String) {
    let bare = name.split('{').next().unwrap_or(name);
    let bare = bare.strip_suffix("_mean").unwrap_or(bare);
    let (name, unit) = match bare {
        "process_cpu_seconds_total" | "cpu_cores" => ("cpu_cores", "cores"),
        STOLEN => (STOLEN, "cores"),
        "process_resident_memory_bytes" => ("resident_bytes", "bytes"),
        _ if counts => (name, "per_s"),
        _ if bare.ends_with("_bytes") => (name, "bytes"),
        _ if bare.ends_with("_seconds") => (name, "seconds"),
        _ => (name, ""),
    };
    (name.into(), unit.into())
}

async fn values(source: &Source) -> Result<Vec<(String, f64)>, Failed> {
    match &source.at {
        At::Process(pid) => {
            let resident = resident(*pid)? as f64;
            let mut found = vec![("cpu_cores".into(), cpu_seconds(*pid)?), ("resident_bytes".into(), resident)];
            // The machine is the generator's: a server elsewhere does not know of it.
            if source.name == GENERATOR
                && let Ok(stolen) = stolen_seconds()
            {
                found.push((STOLEN.into(), stolen));
            }
            Ok(found)
        }
        At::Page(address, path) => {
            let rest = Rest::new(*address, "", "");
            let (_, text) = tokio::time::timeout(WITHIN, rest.raw(Method::GET, path, &Value::Null)).await??;
            Ok(parse(&String::from_utf8_lossy(&text)))
        }
    }
}

fn parse(text: &str) -> Vec<(String, f64)> {
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once(' ')?;
        let is_bucket = name.contains("_bucket{") || name.contains("quantile=");
        Some((name.to_owned(), value.parse().ok().filter(|value: &f64| value.is_finite() && !is_bucket)?))
    };
    text.lines().filter(|line| !line.starts_with('#')).filter_map(sample).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_read() {
        let page: Source = "gateway=http://127.0.0.1:9180".parse().unwrap();
        assert_eq!(page.at, At::Page("127.0.0.1:9180".parse().unwrap(), "/metrics".into()));
        assert_eq!("db=pid:12".parse::<Source>().unwrap().at, At::Process(12));
        assert!("db".parse::<Source>().is_err() && "db=pid:x".parse::<Source>().is_err());
    }

    #[test]
    fn a_histogram_becomes_its_mean_between_two_looks() {
        let mut scraper = Scraper::new(Vec::new(), 1);
        for (at, sum, count) in [(1.0, 10.0, 4.0), (2.0, 40.0, 10.0), (3.0, 40.0, 10.0), (4.0, 3.0, 1.0), (5.0, 9.0, 3.0)] {
            let page =
                format!("w_seconds_sum{{q=\"a\"}} {sum}\nw_seconds_count{{q=\"a\"}} {count}\nw_seconds_bucket{{le=\"1\"}} 3\n");
            scraper.add_all("s", at, parse(&page));
        }
        let (series, _) = scraper.done();
        let names: Vec<_> = series.iter().map(|series| (series.name.as_str(), series.unit.as_str())).collect();
        assert_eq!(names, [("w_seconds_count{q=\"a\"}", "per_s"), ("w_seconds_mean{q=\"a\"}", "seconds")]);
        // Nothing at 3, where nothing was counted, and at 4, where it counts anew.
        assert_eq!(series[1].points, [(2.0, 5.0), (5.0, 3.0)]);
    }

    #[tokio::test]
    async fn a_process_that_ends_and_a_server_that_counts_anew_are_marked() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let source = format!("victim=pid:{}", child.id()).parse().unwrap();
        let mut scraper = Scraper::new(vec![source], 1);
        scraper.every = Duration::ZERO;
        scraper.begin();
        scraper.look().await;
        assert!(scraper.marks.is_empty());
        child.kill().unwrap();
        child.wait().unwrap();
        for _ in 0..2 {
            scraper.look().await;
        }
        let told: Vec<_> = scraper.marks.iter().map(|mark| (mark.kind.as_str(), mark.text.as_str())).collect();
        assert_eq!(told, [("fault", "victim is gone")]);
        let page = |value: f64| vec![("x_total".to_owned(), value), ("y".to_owned(), -value)];
        let fell: Vec<bool> =
            (20_u8..).zip([1.0, 7.0, 2.0]).map(|(at, value)| scraper.add_all("t", f64::from(at), page(value))).collect();
        assert_eq!(fell, [false, false, true]);
    }

    #[test]
    fn counters_become_rates_and_buckets_are_left_out() {
        let text = "# TYPE x counter\nx_total{a=\"b c\"} 5\nx_bucket{le=\"1\"} 3\ny_bytes 7\nz NaN\n";
        assert_eq!(parse(text), [("x_total{a=\"b c\"}".to_owned(), 5.0), ("y_bytes".to_owned(), 7.0)]);
        let mut scraper = Scraper::new(Vec::new(), 1);
        for (at, value) in [(1.0, 5.0), (3.0, 9.0), (4.0, 0.0)] {
            scraper.add("s", "x_total".into(), at, value);
            scraper.add("s", "y_bytes".into(), at, value);
        }
        let (series, _) = scraper.done();
        assert_eq!(series[0].points, [(3.0, 2.0), (4.0, 0.0)]);
        assert_eq!((series[1].unit.as_str(), series[1].points.len()), ("bytes", 3));
    }
}

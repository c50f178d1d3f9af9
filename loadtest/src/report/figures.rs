//! The figures of a run: one list, which every view takes its numbers from.

use super::model::{Quantiles, Report, Second, Series, Traffic};
use super::number::{NONE, Unit};

/// Which way is the better one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// The larger.
    More,
    /// The smaller.
    Less,
    /// Nobody can say.
    Unknown,
}

/// One figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Its name for programs: `ack_ms.p99`, `single.sends_per_s`.
    pub key: String,
    /// Its name for people.
    pub label: String,
    /// The figure, if there was anything to measure.
    pub value: Option<f64>,
    /// Its unit.
    pub unit: Unit,
    /// Which way is better.
    pub better: Better,
    /// Whether a comparison may fail by it: what one message decides, as the longest latency, is only shown.
    pub judged: bool,
}

impl Figure {
    fn new(key: impl Into<String>, label: impl Into<String>, value: Option<f64>, unit: Unit) -> Self {
        let better = match unit {
            Unit::PerSecond => Better::More,
            Unit::Ms | Unit::Seconds | Unit::Bytes | Unit::Part => Better::Less,
            Unit::Count | Unit::Cores | Unit::Plain => Better::Unknown,
        };
        let value = value.filter(|value| value.is_finite());
        Self { key: key.into(), label: label.into(), value, unit, better, judged: better != Better::Unknown }
    }

    fn shown_only(mut self) -> Self {
        self.judged = false;
        self
    }

    fn less_is_better(mut self) -> Self {
        self.better = Better::Less;
        self.judged = true;
        self
    }

    /// The number as it is written, as a number.
    #[must_use]
    pub fn rounded(&self) -> Option<f64> {
        self.value.map(|value| self.unit.rounded(value))
    }

    /// The number as it is written, without its unit.
    #[must_use]
    pub fn number(&self) -> String {
        self.value.map_or_else(|| NONE.to_owned(), |value| self.unit.number(value))
    }

    /// The unit as it is written.
    #[must_use]
    pub fn symbol(&self) -> &'static str {
        self.value.map_or("", |value| self.unit.scale(value).1)
    }

    /// Number and unit.
    #[must_use]
    pub fn text(&self) -> String {
        self.value.map_or_else(|| NONE.to_owned(), |value| self.unit.text(value))
    }
}

/// All figures of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures(pub Vec<Figure>);

impl Figures {
    /// Those of this run.
    #[must_use]
    pub fn of(report: &Report) -> Self {
        let mut all = traffic("", &report.total);
        let errors = report.errors.values().fold(0_u64, |sum, count| sum.saturating_add(*count));
        all.push(Figure::new("errors_total", "errors", Some(errors as f64), Unit::Count).less_is_better());
        let behind = report.seconds.iter().filter(|second| second.at_s > report.warm_up_s).map(|second| second.behind).max();
        all.push(Figure::new("behind.peak", "most messages behind", behind.map(|count| count as f64), Unit::Count).shown_only());
        all.push(
            Figure::new("ack_ms.median_second_p99", "ack p99 of the median second", median_second(report), Unit::Ms).shown_only(),
        );
        all.extend(server(report));
        for (name, value) in &report.figures {
            // The unit is written behind the number.
            let words = ["_ms", "_s", "_bytes"].iter().find_map(|unit| name.strip_suffix(unit)).unwrap_or(name);
            all.push(Figure::new(format!("figures.{name}"), words.replace('_', " "), Some(*value), Unit::of_name(name)));
        }
        if report.kinds.len() > 1 {
            for (kind, of) in &report.kinds {
                let rare = |figure: &Figure| figure.key.ends_with("p90") || figure.key.ends_with("p999");
                all.extend(traffic(&format!("{kind}."), of).into_iter().filter(|figure| !rare(figure)));
            }
        }
        Self(all)
    }

    /// A figure by its name for programs.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Figure> {
        self.0.iter().find(|figure| figure.key == key)
    }

    /// How a figure is written.
    #[must_use]
    pub fn text(&self, key: &str) -> String {
        self.get(key).map_or_else(|| NONE.to_owned(), Figure::text)
    }
}

/// The figures of one kind of traffic.
#[must_use]
pub fn traffic(prefix: &str, of: &Traffic) -> Vec<Figure> {
    let words = prefix.replace('.', " ");
    let rate = |key: &str, label: &str, value: f64| {
        Figure::new(format!("{prefix}{key}"), format!("{words}{label}"), Some(value), Unit::PerSecond)
    };
    let mut all = vec![rate("sends_per_s", "sends", of.sends_per_s), rate("deliveries_per_s", "deliveries", of.deliveries_per_s)];
    for (key, label, quantiles) in [("ack_ms", "ack", &of.ack_ms), ("delivery_ms", "delivery", &of.delivery_ms)] {
        for (part, name, value) in parts(quantiles) {
            let value = (quantiles.count > 0).then_some(value);
            let figure = Figure::new(format!("{prefix}{key}.{part}"), format!("{words}{label} {name}"), value, Unit::Ms);
            all.push(if matches!(part, "p50" | "p99") { figure } else { figure.shown_only() });
        }
    }
    all
}

fn parts(of: &Quantiles) -> [(&'static str, &'static str, f64); 5] {
    [("p50", "p50", of.p50), ("p90", "p90", of.p90), ("p99", "p99", of.p99), ("p999", "p99.9", of.p999), ("max", "max", of.max)]
}

/// The 99th percentile of acknowledgements in each second of the window, the median of these: what a machine's own stalls of some
/// milliseconds do not touch.
fn median_second(report: &Report) -> Option<f64> {
    // A second is named by its end: the one that ends with the warm-up belongs to it.
    let in_window = |second: &&Second| second.at_s > report.warm_up_s && second.at_s <= report.warm_up_s + report.window_s;
    let seconds = report.seconds.iter().filter(in_window).filter(|second| second.sends > 0);
    let mut found: Vec<f64> = seconds.map(|second| second.ack_ms.p99).collect();
    found.sort_by(f64::total_cmp);
    found.get(found.len() / 2).copied()
}

/// The source of what the generator tells of itself.
pub const GENERATOR: &str = "generator";

/// What the host of a virtual machine gave to others.
pub const STOLEN: &str = "stolen_cores";

/// What all servers together used in the window.
fn server(report: &Report) -> Vec<Figure> {
    let of = |name: &'static str| {
        let of_servers = report.series.iter().filter(|series| series.source != GENERATOR);
        of_servers.filter(move |series| series.name == name)
    };
    let mut all = Vec::new();
    let busy: Option<f64> = of("cpu_cores").map(|series| mean_in_window(report, series)).sum();
    if let Some(busy) = busy.filter(|busy| *busy > 0.0) {
        let per_core = report.total.sends_per_s / busy;
        all.push(Figure::new("server.sends_per_core_s", "sends per server core", Some(per_core), Unit::PerSecond));
        all.push(Figure::new("server.cpu_cores", "server CPU, mean", Some(busy), Unit::Cores));
    }
    let stolen = report.series.iter().find(|series| series.source == GENERATOR && series.name == STOLEN);
    if let Some(stolen) = stolen.and_then(|series| mean_in_window(report, series)) {
        all.push(Figure::new("machine.stolen_cores", "CPU that the host took away, mean", Some(stolen), Unit::Cores));
    }
    let peaks: Vec<f64> = of("resident_bytes").filter_map(peak).collect();
    if !peaks.is_empty() {
        all.push(Figure::new("server.resident_bytes", "server memory, peak", Some(peaks.iter().sum()), Unit::Bytes));
    }
    all
}

/// The mean of a series while messages were counted.
#[must_use]
pub fn mean_in_window(report: &Report, series: &Series) -> Option<f64> {
    let counted = report.warm_up_s..=report.warm_up_s + report.window_s;
    let values: Vec<f64> =
        series.points.iter().filter(|(at, value)| counted.contains(at) && value.is_finite()).map(|(_, value)| *value).collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The most that a series came to.
#[must_use]
pub fn peak(series: &Series) -> Option<f64> {
    series.points.iter().map(|(_, value)| *value).filter(|value| value.is_finite()).reduce(f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::model::Brief;

    fn second(at_s: f64, sends: u64, p99: f64) -> Second {
        Second { at_s, sends, ack_ms: Brief { p99, ..Brief::default() }, ..Second::default() }
    }

    fn median_second_p99(seconds: Vec<Second>) -> Option<f64> {
        let report = Report { warm_up_s: 2.0, window_s: 3.0, seconds, ..Report::default() };
        Figures::of(&report).get("ack_ms.median_second_p99").and_then(|figure| figure.value)
    }

    #[test]
    fn the_median_second_is_one_of_the_window() {
        let warm_up = [second(1.0, 9, 70.0), second(2.0, 9, 60.0)];
        let window = [second(3.0, 9, 5.0), second(4.0, 9, 900.0), second(5.0, 9, 4.0)];
        let after = [second(6.0, 9, 80.0), second(7.0, 9, 90.0)];
        assert_eq!(median_second_p99([&warm_up[..], &window, &after].concat()), Some(5.0));
    }

    #[test]
    fn a_second_without_an_acknowledgement_has_none_that_is_fast() {
        let seconds = vec![second(3.0, 0, 0.0), second(4.0, 9, 7.0), second(5.0, 0, 0.0)];
        assert_eq!(median_second_p99(seconds), Some(7.0));
        assert_eq!(median_second_p99(vec![second(3.0, 0, 0.0)]), None);
    }
}

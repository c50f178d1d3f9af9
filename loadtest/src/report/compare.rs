//! Runs against runs: what is noise, and what is a change.
//!
//! The spread of the runs of a side is all that is known of noise: where the spreads of both sides overlap, nothing is said to have
//! changed. A side of one run has no spread; then only the tolerance stands between a difference and a change.

mod page;
mod text;

use super::figures::{Better, Figures};
use super::model::Report;
use super::number::Unit;
use super::settings::flat;
use super::words;

pub use page::render;
pub use text::summary;

/// What became of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The same, or too near for the spread of the runs to tell.
    Noise,
    /// Beyond the spread, but not beyond the tolerance.
    Small,
    /// Better beyond the tolerance.
    Better,
    /// Worse beyond the tolerance.
    Worse,
    /// Another value, of which nobody can say which is better.
    Other,
}

/// A figure of several runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The middle one.
    pub median: f64,
    /// The least.
    pub least: f64,
    /// The most.
    pub most: f64,
}

/// A figure on both sides.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// What it is.
    pub label: String,
    /// Its unit.
    pub unit: Unit,
    /// The first side.
    pub a: Spread,
    /// The second side.
    pub b: Spread,
    /// The second median by the first, where the first is not zero.
    pub ratio: Option<f64>,
    /// What became of it.
    pub change: Change,
    /// Whether it counts against the second side.
    pub judged: bool,
}

/// Both sides beside each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Each figure that both sides have.
    pub rows: Vec<Row>,
    /// Runs that passed, of each side.
    pub passed: (usize, usize),
    /// Runs of each side.
    pub runs: (usize, usize),
    /// The part by which a figure may be worse.
    pub tolerance: f64,
}

/// What is not the same on both sides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Differences {
    /// What makes the figures those of different questions: scenario and settings.
    pub question: Vec<String>,
    /// What a reader has to know: machine and commit.
    pub place: Vec<String>,
}

impl Comparison {
    /// Whether the second side is worse: a judged figure beyond the tolerance, or a smaller part of its runs that passed.
    #[must_use]
    pub fn worse(&self) -> bool {
        // a/n > b/m without a division.
        let fewer = self.passed.0 * self.runs.1 > self.passed.1 * self.runs.0;
        fewer || self.rows.iter().any(|row| row.judged && row.change == Change::Worse)
    }
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let upper = *values.get(middle)?;
        let median =
            if values.len().is_multiple_of(2) { f64::midpoint(*values.get(middle.checked_sub(1)?)?, upper) } else { upper };
        Some(Self { median, least: *values.first()?, most: *values.last()? })
    }

    fn overlaps(self, other: Self) -> bool {
        self.least <= other.most && other.least <= self.most
    }
}

/// Compares the runs of two sides.
#[must_use]
pub fn compare(a: &[Report], b: &[Report], tolerance: f64) -> Comparison {
    let (of_a, of_b): (Vec<Figures>, Vec<Figures>) = (a.iter().map(Figures::of).collect(), b.iter().map(Figures::of).collect());
    let values = |of: &[Figures], key: &str| of.iter().filter_map(|figures| figures.get(key)?.value).collect::<Vec<_>>();
    let mut rows = Vec::new();
    for figure in of_a.first().map(|figures| figures.0.as_slice()).unwrap_or_default() {
        let (Some(a), Some(b)) = (Spread::of(values(&of_a, &figure.key)), Spread::of(values(&of_b, &figure.key))) else {
            continue;
        };
        let ratio = (a.median != 0.0).then(|| b.median / a.median);
        let change = change(a, b, figure.better, tolerance);
        rows.push(Row { label: figure.label.clone(), unit: figure.unit, a, b, ratio, change, judged: figure.judged });
    }
    let passed = |of: &[Report]| of.iter().filter(|report| words::passed(report)).count();
    Comparison { rows, passed: (passed(a), passed(b)), runs: (a.len(), b.len()), tolerance }
}

fn change(a: Spread, b: Spread, better: Better, tolerance: f64) -> Change {
    if a.overlaps(b) {
        return Change::Noise;
    }
    if (b.median - a.median).abs() <= tolerance * a.median.abs() {
        return Change::Small;
    }
    match (better, b.median > a.median) {
        (Better::Unknown, _) => Change::Other,
        (Better::More, true) | (Better::Less, false) => Change::Better,
        (Better::More, false) | (Better::Less, true) => Change::Worse,
    }
}

/// What is not the same in all runs.
#[must_use]
pub fn differences(a: &[Report], b: &[Report]) -> Differences {
    let mut found = Differences::default();
    let all: Vec<&Report> = a.iter().chain(b).collect();
    let mut note = |question: bool, what: &str, of: &dyn Fn(&Report) -> String| {
        let mut seen: Vec<String> = Vec::new();
        for value in all.iter().map(|report| of(report)) {
            if !seen.contains(&value) {
                seen.push(value);
            }
        }
        if seen.len() > 1 {
            let line = format!("{what}: {}", seen.join(" | "));
            if question { found.question.push(line) } else { found.place.push(line) }
        }
    };
    note(true, "scenario", &|report| report.scenario.clone());
    // Measured times differ by a little.
    note(true, "warm-up, seconds", &|report| format!("{:.0}", report.warm_up_s));
    note(true, "window, seconds", &|report| format!("{:.0}", report.window_s));
    note(true, "part that was judged", &|report| report.verdict.sampled.to_string());
    let mut names: Vec<String> = all.iter().flat_map(|report| flat(&report.settings)).map(|(name, _)| name).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let value = |report: &Report| {
            flat(&report.settings)
                .into_iter()
                .find(|(other, _)| *other == name)
                .map_or_else(|| "not set".to_owned(), |(_, value)| value)
        };
        note(true, &format!("setting {name}"), &value);
    }
    note(false, "processor", &|report| report.machine.processor.clone());
    note(false, "cores", &|report| report.machine.cores.to_string());
    note(false, "memory", &|report| Unit::Bytes.text(report.machine.memory as f64));
    note(false, "system", &|report| report.machine.system.clone());
    note(false, "commit", &|report| report.commit.clone().unwrap_or_else(|| "not known".to_owned()));
    note(false, "gateways", &|report| report.targets.len().to_string());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(sends_per_s: f64) -> Report {
        let mut report = Report { scenario: "s".to_owned(), ..Report::default() };
        report.verdict.pass = true;
        report.total.sends_per_s = sends_per_s;
        report
    }

    fn runs(rates: &[f64]) -> Vec<Report> {
        rates.iter().copied().map(run).collect()
    }

    fn sends(a: &[f64], b: &[f64], tolerance: f64) -> (Change, bool) {
        let comparison = compare(&runs(a), &runs(b), tolerance);
        (comparison.rows[0].change, comparison.worse())
    }

    #[test]
    fn what_lies_in_the_spread_is_noise() {
        assert_eq!(sends(&[100.0, 90.0, 120.0], &[80.0, 95.0, 85.0], 0.1), (Change::Noise, false));
        assert_eq!(sends(&[100.0, 99.0, 101.0], &[80.0, 79.0, 82.0], 0.1), (Change::Worse, true));
        assert_eq!(sends(&[100.0, 99.0, 101.0], &[95.0, 94.0, 96.0], 0.1), (Change::Small, false));
        assert_eq!(sends(&[100.0, 99.0, 101.0], &[95.0, 94.0, 96.0], 0.01), (Change::Worse, true));
        assert_eq!(sends(&[100.0], &[150.0], 0.1), (Change::Better, false));
        assert_eq!(sends(&[0.0], &[0.0], 0.1), (Change::Noise, false));
    }

    #[test]
    fn the_median_and_the_spread_of_runs() {
        assert_eq!(Spread::of(vec![3.0, 1.0, 2.0]), Some(Spread { median: 2.0, least: 1.0, most: 3.0 }));
        assert_eq!(Spread::of(vec![4.0, 1.0]), Some(Spread { median: 2.5, least: 1.0, most: 4.0 }));
        assert_eq!(Spread::of(Vec::new()), None);
    }

    #[test]
    fn latencies_are_better_when_they_are_less() {
        let with = |p99: f64, max: f64| {
            let mut report = run(1.0);
            report.total.ack_ms.count = 1;
            report.total.ack_ms.p99 = p99;
            report.total.ack_ms.max = max;
            [report]
        };
        assert!(compare(&with(10.0, 10.0), &with(20.0, 10.0), 0.1).worse());
        assert!(!compare(&with(20.0, 10.0), &with(10.0, 10.0), 0.1).worse());
        // One message decides the longest.
        assert!(!compare(&with(10.0, 10.0), &with(10.0, 90.0), 0.1).worse());
    }

    #[test]
    fn errors_where_none_were_and_a_lost_message_are_worse() {
        let (a, mut b) = (runs(&[1.0]), runs(&[1.0]));
        b[0].errors.insert("871201".to_owned(), 3);
        assert!(compare(&a, &b, 0.1).worse());
        b[0].errors.clear();
        b[0].verdict.lost = 1;
        assert!(compare(&a, &b, 0.1).worse() && !compare(&b, &a, 0.1).worse());
    }

    #[test]
    fn other_settings_are_another_question() {
        let (a, mut b) = (runs(&[1.0]), runs(&[1.0]));
        assert_eq!(differences(&a, &b), Differences::default());
        b[0].commit = Some("abc".to_owned());
        b[0].settings = serde_json::json!({"users": {"count": 3}});
        let found = differences(&a, &b);
        assert_eq!(found.question, ["setting users.count: not set | 3"]);
        assert_eq!(found.place, ["commit: not known | abc"]);
        b[0].scenario = "t".to_owned();
        assert_eq!(differences(&a, &b).question[0], "scenario: s | t");
    }
}

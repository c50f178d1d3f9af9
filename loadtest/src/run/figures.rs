//! What the generators counted, added up to a report.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use super::{Outcome, Setting};
use crate::drive::clock::us;
use crate::drive::stats::{Curve, KindPart, SecondPart, histogram};
use crate::judge::{Summary, merge};
use crate::report::model::{Brief, Gate, Mark, Quantiles, Report, Second, Traffic, Verdict};
use crate::scenario::Scenario;
use crate::{Failed, machine};

/// Points of a whole curve.
const CURVE: usize = 60;

/// Latencies and counts of one kind.
struct Sum {
    offered: u64,
    sends: u64,
    deliveries: u64,
    ack: Histogram<u64>,
    delivery: Histogram<u64>,
}

impl Sum {
    fn new() -> Result<Self, Failed> {
        Ok(Self { offered: 0, sends: 0, deliveries: 0, ack: histogram(3)?, delivery: histogram(3)? })
    }

    fn add(&mut self, part: &KindPart) {
        self.offered += part.offered;
        self.sends += part.sends;
        self.deliveries += part.deliveries;
        part.ack.add_to(&mut self.ack);
        part.delivery.add_to(&mut self.delivery);
    }

    fn traffic(&self, window_s: f64) -> Traffic {
        Traffic {
            offered: self.offered,
            sends: self.sends,
            sends_per_s: round(self.sends as f64 / window_s, 1),
            deliveries: self.deliveries,
            deliveries_per_s: round(self.deliveries as f64 / window_s, 1),
            ack_ms: quantiles(&self.ack),
            delivery_ms: quantiles(&self.delivery),
        }
    }
}

pub(super) fn report(scenario: &Scenario, setting: &Setting, outcome: Outcome) -> Result<Report, Failed> {
    let Outcome { world, parts, seconds, sent, series, marks: of_servers, started_ms } = outcome;
    let (mut total, mut kinds) = (Sum::new()?, BTreeMap::<String, Sum>::new());
    let of_server = sent.iter().flat_map(|sent| sent.flows.iter().map(|(nth, part)| (*nth, part)));
    for (nth, part) in parts.iter().flat_map(|part| part.flows.iter().enumerate()).chain(of_server) {
        let Some(flow) = world.flows.get(nth) else { continue };
        total.add(part);
        if !kinds.contains_key(&flow.kind) {
            kinds.insert(flow.kind.clone(), Sum::new()?);
        }
        if let Some(kind) = kinds.get_mut(&flow.kind) {
            kind.add(part);
        }
    }
    let (mut errors, mut figures, mut lag) = (BTreeMap::<String, u64>::new(), BTreeMap::<String, f64>::new(), histogram(3)?);
    for part in &parts {
        for (what, count) in &part.errors {
            *errors.entry(what.clone()).or_default() += count;
        }
        for (what, count) in &part.counts {
            *figures.entry(what.clone()).or_default() += count;
        }
        for (what, time) in &part.times {
            let longest = figures.entry(what.clone()).or_default();
            *longest = longest.max(*time);
        }
        part.lag.add_to(&mut lag);
    }
    let mut behind: u64 = parts.iter().map(|part| part.behind).sum();
    if let Some(sent) = &sent {
        for (what, count) in &sent.errors {
            *errors.entry(what.clone()).or_default() += count;
        }
        sent.lag.iter().for_each(|of| of.add_to(&mut lag));
        behind += sent.behind;
    }
    let mut summary = merge(&parts.iter().map(|part| part.summary.clone()).collect::<Vec<_>>());
    if let Some(sent) = &sent {
        sent.answers.judge(&mut summary);
    }
    figures.insert("generator_lag_p99_ms".into(), ms(lag.value_at_quantile(0.99)));
    figures.insert("behind".into(), behind as f64);
    figures.insert("uncompared".into(), summary.uncompared as f64);
    figures.insert("uncompared_rooms".into(), summary.uncompared_rooms as f64);
    let verdict = verdict(scenario, summary);
    let kinds = kinds.iter().map(|(kind, sum)| (kind.clone(), sum.traffic(scenario.window_s))).collect();
    let mut report = Report {
        scenario: scenario.name.clone(),
        settings: serde_json::to_value(scenario)?,
        targets: setting.targets.iter().map(|target| format!("http://{target}")).collect(),
        machine: machine::describe(),
        commit: option_env!("MYNAH_COMMIT").map(str::to_owned),
        started_ms,
        warm_up_s: scenario.warm_up_s,
        window_s: scenario.window_s,
        verdict,
        gates: Vec::new(),
        total: total.traffic(scenario.window_s),
        kinds,
        errors,
        seconds,
        series,
        marks: marks(scenario, &figures).into_iter().chain(of_servers).collect(),
        figures,
    };
    report.gates = gates(scenario, &report);
    Ok(report)
}

fn verdict(scenario: &Scenario, summary: Summary) -> Verdict {
    let Summary { findings, judged, overflown, .. } = summary;
    let mut told = findings.told.clone();
    if overflown {
        told.push("more was odd than a judge remembers".into());
    }
    Verdict {
        pass: findings.is_clean() && !overflown,
        lost: findings.lost,
        doubled: findings.doubled,
        reordered: findings.reordered,
        leaked: findings.leaked,
        unread: findings.unread,
        judged,
        overflown,
        sampled: scenario.judge_part,
        findings: told,
    }
}

fn marks(scenario: &Scenario, figures: &BTreeMap<String, f64>) -> Vec<Mark> {
    let (warm, end) = (scenario.warm_up_s, scenario.warm_up_s + scenario.window_s);
    let mark = |at_s: f64, until_s: f64, kind: &str, text: &str| Mark { at_s, until_s, kind: kind.into(), text: text.into() };
    let mut marks = vec![mark(0.0, warm, "phase", "warm-up"), mark(warm, end, "phase", "window")];
    if let Some(storm) = scenario.storm {
        let at = warm + storm.at_s;
        marks.push(mark(at, at + figures.get("back_s").copied().unwrap_or(0.0), "fault", "all devices dropped"));
    }
    if scenario.catch_up.is_some() {
        marks.push(mark(end, end + figures.get("caught_up_s").copied().unwrap_or(0.0), "phase", "catching up"));
    }
    marks
}

/// What the scenario limits, and what was found. A figure that is not there does not hold.
fn gates(scenario: &Scenario, report: &Report) -> Vec<Gate> {
    let wanted = scenario.gates;
    let errors: u64 = report.errors.values().sum();
    let figure = |name: &str| report.figures.get(name).copied();
    let behind_s = figure("behind").map(|behind| behind / scenario.rate().max(1e-9));
    let found = [
        ("ack_p99_ms", wanted.ack_p99_ms, Some(report.total.ack_ms.p99)),
        ("delivery_p99_ms", wanted.delivery_p99_ms, Some(report.total.delivery_ms.p99)),
        ("error_ratio", wanted.error_ratio, Some(errors as f64 / (report.total.offered.max(1)) as f64)),
        ("behind_s", wanted.behind_s, behind_s),
        ("generator_lag_ms", Some(wanted.generator_lag_ms.unwrap_or(20.0)), figure("generator_lag_p99_ms")),
        ("unannounced", Some(wanted.unannounced.unwrap_or(0.0)), figure("unannounced").or(Some(0.0))),
        ("unproved", Some(0.0), figure("unproved")),
        ("uncompared", Some(0.0), figure("uncompared")),
        ("back_s", wanted.back_s, figure("back_s")),
        ("caught_up_s", wanted.caught_up_s, figure("caught_up_s")),
    ];
    let gate = |(name, limit, value): (&str, Option<f64>, Option<f64>)| {
        let limit = limit?;
        let found = value.unwrap_or(f64::MAX);
        Some(Gate { name: name.into(), limit, value: round(found, 4), held: found <= limit })
    };
    found.into_iter().filter_map(gate).collect()
}

/// Adds another generator's second.
pub(super) fn add_second(to: &mut SecondPart, part: SecondPart) {
    to.offered += part.offered;
    to.sends += part.sends;
    to.deliveries += part.deliveries;
    to.errors += part.errors;
    to.behind += part.behind;
    to.connected += part.connected;
    to.ack.0.extend(part.ack.0);
    to.delivery.0.extend(part.delivery.0);
}

pub(super) fn second(part: &SecondPart) -> Second {
    Second {
        at_s: f64::from(part.nth + 1),
        offered: part.offered,
        sends: part.sends,
        deliveries: part.deliveries,
        errors: part.errors,
        behind: part.behind,
        connected: part.connected,
        ack_ms: brief(&part.ack),
        delivery_ms: brief(&part.delivery),
    }
}

fn brief(curve: &Curve) -> Brief {
    let mut values = curve.0.clone();
    values.sort_unstable();
    let count: u64 = values.iter().map(|(_, count)| count).sum();
    let at = |part: f64| {
        let (mut seen, wanted) = (0, us(part * count as f64 / 1e6).max(1));
        let found = values.iter().find(|(_, count)| {
            seen += count;
            seen >= wanted
        });
        found.map_or(0.0, |(value, _)| ms(*value))
    };
    Brief { p50: at(0.5), p99: at(0.99), max: values.last().map_or(0.0, |(value, _)| ms(*value)) }
}

fn quantiles(histogram: &Histogram<u64>) -> Quantiles {
    let count = histogram.len();
    if count == 0 {
        return Quantiles::default();
    }
    let at = |quantile: f64| ms(histogram.value_at_quantile(quantile));
    // Denser where the tail is.
    let curve = (0..CURVE).map(|n| 1.0 - 10_f64.powf(-(n as f64) / 12.0)).map(|part| (round(part, 6), at(part))).collect();
    Quantiles {
        count,
        mean: round(histogram.mean() / 1000.0, 3),
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        p999: at(0.999),
        max: ms(histogram.max()),
        curve,
    }
}

/// Microseconds as milliseconds.
fn ms(us: u64) -> f64 {
    round(us as f64 / 1000.0, 3)
}

fn round(value: f64, digits: i32) -> f64 {
    let by = 10_f64.powi(digits);
    if value.abs() < f64::MAX / by { (value * by).round() / by } else { value }
}

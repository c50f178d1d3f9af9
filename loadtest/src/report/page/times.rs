//! The run over its time: rates, latencies, what was behind; and the whole curve of latencies.

use std::fmt::Write;

use crate::report::chart::timeline::{Panel, Time};
use crate::report::chart::{Line, percentiles};
use crate::report::markup::escape;
use crate::report::model::{Brief, Report, Second};
use crate::report::number::{Unit, clock, count};

fn list_of_marks(time: &Time) -> String {
    if time.marks().is_empty() {
        return String::new();
    }
    let mut rows = String::new();
    for (nth, mark) in time.marks().iter().enumerate() {
        let when =
            if mark.until_s > mark.at_s { format!("{} – {}", clock(mark.at_s), clock(mark.until_s)) } else { clock(mark.at_s) };
        let kind = if mark.kind == "fault" { "fault" } else { "phase" };
        let _ = write!(
            rows,
            "<li><span class=\"nth {kind}\">{}</span><span class=\"when\">{when}</span><span>{}{}</span></li>",
            nth + 1,
            if kind == "fault" { "Fault: " } else { "" },
            escape(&mark.text)
        );
    }
    format!("<ol class=\"marks\" aria-label=\"Phases and faults\">{rows}</ol>")
}

pub fn section(report: &Report) -> String {
    if report.seconds.is_empty() {
        return super::section("Over time", "<p class=\"none\">The run has no seconds to show.</p>") + &curves(report);
    }
    let time = Time::of(report);
    let mut html = list_of_marks(&time);
    for panel in panels(report) {
        html.push_str(&time.draw(&panel));
    }
    super::section("Over time", &html) + &curves(report)
}

fn panels(report: &Report) -> Vec<Panel<'_>> {
    let counted =
        |of: fn(&Second) -> u64| report.seconds.iter().map(move |second| (second.at_s, of(second) as f64)).collect::<Vec<_>>();
    let line = |name: &str, look, area, points| Line { name: name.to_owned(), look, area, points };
    let mut rates = Panel::new("sends", "Sends", Unit::PerSecond);
    rates.axis = "msg/s";
    rates.lines = vec![
        line("offered", "offered", false, rate(report, |second| second.offered)),
        line("acknowledged", "ack", true, rate(report, |second| second.sends)),
    ];
    let mut delivered = Panel::new("deliveries", "Deliveries", Unit::PerSecond);
    delivered.axis = "msg/s";
    delivered.lines = vec![line("delivered", "delivery", true, rate(report, |second| second.deliveries))];
    let mut all = vec![rates, delivered];
    let latencies: [(&str, &str, [&'static str; 3], &str, fn(&Second) -> Brief); 2] = [
        ("ack", "Time to acknowledgement", ["ack soft", "ack", "ack most"], "ack_p99_ms", |second| second.ack_ms),
        ("delivery", "Time to delivery", ["delivery soft", "delivery", "delivery most"], "delivery_p99_ms", |second| {
            second.delivery_ms
        }),
    ];
    for (id, title, [low, middle, high], gate, of) in latencies {
        if report.seconds.iter().all(|second| of(second).max <= 0.0) {
            continue;
        }
        let mut panel = Panel::new(format!("{id}-latency"), title, Unit::Ms);
        panel.latency = true;
        panel.note = "from the time a message was due".to_owned();
        panel.lines = vec![
            line("p50", low, false, latency(report, of, |of| of.p50)),
            line("p99", middle, false, latency(report, of, |of| of.p99)),
            line("max", high, false, latency(report, of, |of| of.max)),
        ];
        panel.limit = report.gates.iter().find(|found| found.name == gate).map(|gate| (gate.limit, "p99 limit"));
        all.push(panel);
    }
    let counts: [(&str, &str, &'static str, &str, fn(&Second) -> u64); 3] = [
        ("errors", "Errors", "bad", "a second", |second| second.errors),
        ("behind", "Behind", "ack", "due, and not acknowledged yet", |second| second.behind),
        ("connected", "Connected devices", "delivery", "", |second| second.connected),
    ];
    for (id, title, look, note, of) in counts {
        if id == "errors" && report.seconds.iter().all(|second| second.errors == 0) {
            continue;
        }
        let mut panel = Panel::new(id, title, Unit::Count);
        panel.note = note.to_owned();
        panel.lines = vec![line("", look, true, counted(of))];
        all.push(panel);
    }
    all
}

/// Counts of seconds as rates: the last second of a run may be a part of one.
pub fn rate(report: &Report, of: impl Fn(&Second) -> u64) -> Vec<(f64, f64)> {
    let mut before = 0.0;
    let mut rates = Vec::with_capacity(report.seconds.len());
    for second in &report.seconds {
        let took = second.at_s - before;
        before = second.at_s;
        let took = if took > 0.05 && took.is_finite() { took } else { 1.0 };
        rates.push((second.at_s, of(second) as f64 / took));
    }
    rates
}

/// Latencies of seconds; a second in which nothing came is a gap.
pub fn latency(report: &Report, of: impl Fn(&Second) -> Brief, part: impl Fn(Brief) -> f64) -> Vec<(f64, f64)> {
    let value = |brief: Brief| if brief.max > 0.0 { part(brief) } else { f64::NAN };
    report.seconds.iter().map(|second| (second.at_s, value(of(second)))).collect()
}

fn curves(report: &Report) -> String {
    let total = &report.total;
    let of = [("acknowledged", "ack", &total.ack_ms), ("delivered", "delivery", &total.delivery_ms)];
    let known = || of.iter().filter(|(_, _, quantiles)| !quantiles.curve.is_empty());
    let lines: Vec<Line> = known()
        .map(|(name, look, quantiles)| Line { name: (*name).to_owned(), look, area: false, points: quantiles.curve.clone() })
        .collect();
    if lines.is_empty() {
        return String::new();
    }
    let most = known().map(|(_, _, quantiles)| quantiles.count).max().unwrap_or_default();
    let note = format!(
        "<p class=\"none\">{} acknowledgements and {} deliveries of the window.</p>",
        count(total.ack_ms.count),
        count(total.delivery_ms.count)
    );
    super::section(
        "Latency by percentile",
        &(percentiles::draw("percentiles", "From when a message was due", &lines, most) + &note),
    )
}

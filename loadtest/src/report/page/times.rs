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
    let mut sends = Panel::new("sends", "Sends", Unit::PerSecond);
    sends.axis = "msg/s";
    sends.lines = vec![
        line("offered", "offered", rate(report, |second| second.offered)),
        Line { area: true, ..line("acknowledged", "ack", rate(report, |second| second.sends)) },
    ];
    let mut deliveries = Panel::new("deliveries", "Deliveries", Unit::PerSecond);
    deliveries.axis = "msg/s";
    deliveries.lines = vec![Line { area: true, ..line("delivered", "delivery", rate(report, |second| second.deliveries)) }];
    let mut all = vec![sends, deliveries];
    if report.seconds.iter().any(|second| second.ack_ms.max > 0.0) {
        let looks = ["ack soft", "ack", "ack most"];
        all.push(latencies(report, "ack_p99_ms", "Time to acknowledgement", looks, |second| second.ack_ms));
    }
    if report.seconds.iter().any(|second| second.delivery_ms.max > 0.0) {
        let looks = ["delivery soft", "delivery", "delivery most"];
        all.push(latencies(report, "delivery_p99_ms", "Time to delivery", looks, |second| second.delivery_ms));
    }
    if report.seconds.iter().any(|second| second.errors > 0) {
        all.push(counts(report, "Errors", "bad", "a second", |second| second.errors));
    }
    all.push(counts(report, "Behind", "ack", "due, and not acknowledged yet", |second| second.behind));
    all.push(counts(report, "Connected devices", "delivery", "", |second| second.connected));
    all
}

fn line(name: &str, look: &'static str, points: Vec<(f64, f64)>) -> Line {
    Line { name: name.to_owned(), look, points, ..Line::default() }
}

/// p50, p99 and the longest, and the limit of the gate of this name if there is one.
fn latencies<'a>(
    report: &Report,
    gate: &str,
    title: &str,
    [low, middle, high]: [&'static str; 3],
    of: fn(&Second) -> Brief,
) -> Panel<'a> {
    let mut panel = Panel::new(format!("seconds-{gate}"), title, Unit::Ms);
    panel.latency = true;
    panel.note = "from the time a message was due".to_owned();
    panel.lines = vec![
        line("p50", low, latency(report, of, |of| of.p50)),
        line("p99", middle, latency(report, of, |of| of.p99)),
        Line { crest: true, ..line("max", high, latency(report, of, |of| of.max)) },
    ];
    panel.limit = report.gates.iter().find(|found| found.name == gate).map(|gate| (gate.limit, "p99 limit"));
    panel
}

fn counts<'a>(report: &Report, title: &str, look: &'static str, note: &str, of: fn(&Second) -> u64) -> Panel<'a> {
    let points = report.seconds.iter().map(|second| (second.at_s, of(second) as f64)).collect();
    let mut panel = Panel::new(title.to_lowercase().replace(' ', "-"), title, Unit::Count);
    panel.note = note.to_owned();
    panel.lines = vec![Line { area: true, ..line("", look, points) }];
    panel
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
        .map(|(name, look, quantiles)| Line {
            name: (*name).to_owned(),
            look,
            points: quantiles.curve.clone(),
            ..Line::default()
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_second_has_the_rate_of_a_whole_one() {
        let second = |at_s, sends| Second { at_s, sends, ..Second::default() };
        let report =
            Report { seconds: vec![second(1.0, 100), second(2.0, 100), second(2.25, 25), second(2.25, 7)], ..Report::default() };
        assert_eq!(rate(&report, |second| second.sends), [(1.0, 100.0), (2.0, 100.0), (2.25, 100.0), (2.25, 7.0)]);
    }

    #[test]
    fn a_second_without_a_message_has_no_latency() {
        let some = Second { at_s: 2.0, ack_ms: Brief { p50: 1.0, p99: 2.0, max: 3.0 }, ..Second::default() };
        let report = Report { seconds: vec![Second { at_s: 1.0, ..Second::default() }, some], ..Report::default() };
        let points = latency(&report, |second| second.ack_ms, |brief| brief.p99);
        assert!(points[0].1.is_nan() && points[1] == (2.0, 2.0));
    }
}

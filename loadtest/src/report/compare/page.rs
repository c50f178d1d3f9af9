//! The comparison as a page: the figures beside each other, the charts over one another.

use std::fmt::Write;

use super::{Change, Comparison, Differences, text};
use crate::report::chart::timeline::{Panel, Time};
use crate::report::chart::{Line, percentiles};
use crate::report::markup::escape;
use crate::report::model::{Quantiles, Report};
use crate::report::number::Unit;
use crate::report::page::times::{latency, rate};
use crate::report::page::{section, shell};

/// The page of two sides.
#[must_use]
pub fn render(a: &[Report], b: &[Report], comparison: &Comparison, differences: &Differences) -> String {
    let name = a.first().map(|report| report.scenario.clone()).unwrap_or_default();
    let (class, sign) = if comparison.worse() { ("fail", "✗") } else { ("pass", "✓") };
    let outcome = text::outcome(comparison);
    let mut body = format!(
        "<header><p class=\"eyebrow\">Load test: A against B</p><h1>{}</h1><p class=\"meta\">A: {}<br/>B: {}</p></header>\
         <div class=\"verdict {class}\"><p class=\"said\"><span class=\"sign\" aria-hidden=\"true\">{sign}</span>{}</p><p>Runs that passed: A {} of {}, B {} of {}.</p></div>",
        escape(&name),
        escape(&side(a)),
        escape(&side(b)),
        escape(&outcome),
        comparison.passed.0,
        comparison.runs.0,
        comparison.passed.1,
        comparison.runs.1
    );
    let differs: String =
        differences.question.iter().chain(&differences.place).map(|line| format!("<li>{}</li>", escape(line))).collect();
    if !differs.is_empty() {
        body.push_str(&section("What differs between the sides", &format!("<ul class=\"findings\">{differs}</ul>")));
    }
    body.push_str(&section("Figures", &table(comparison)));
    body.push_str(&charts(a, b));
    shell(&format!("{name} – A against B"), &body)
}

fn side(runs: &[Report]) -> String {
    let began: Vec<String> = runs.iter().map(|run| crate::report::number::moment(run.started_ms)).collect();
    let commit = runs.first().and_then(|run| run.commit.as_deref()).unwrap_or("commit not known");
    format!("{commit}; {}", began.join(", "))
}

fn table(comparison: &Comparison) -> String {
    let mut rows = String::new();
    for row in &comparison.rows {
        let class = match (row.judged, row.change) {
            (true, Change::Worse) => "fail",
            (true, Change::Better) => "pass",
            _ => "",
        };
        let cells: String = text::cells(row).iter().map(|cell| format!("<td class=\"number\">{}</td>", escape(cell))).collect();
        let _ = write!(
            rows,
            "<tr><th scope=\"row\">{}</th>{cells}<td class=\"{class}\">{}</td></tr>",
            escape(&row.label),
            text::word(row)
        );
    }
    let heads: String =
        ["A", "spread", "B", "spread", "B / A"].iter().map(|head| format!("<th class=\"number\">{head}</th>")).collect();
    format!("<div class=\"wide\"><table><thead><tr><th></th>{heads}<th></th></tr></thead><tbody>{rows}</tbody></table></div>")
}

fn charts(a: &[Report], b: &[Report]) -> String {
    let (Some(first), Some(second)) = (a.first(), b.first()) else { return String::new() };
    let time = Time::of(first).with(&Time::of(second));
    let mut html = String::new();
    let mut panel = |id: &str, title: &str, note: &str, unit: Unit, points: &dyn Fn(&Report) -> Vec<(f64, f64)>| {
        let mut panel = Panel::new(id, title, unit);
        panel.note = note.to_owned();
        panel.latency = unit == Unit::Ms;
        panel.lines = over(a, b, points);
        if panel.lines.iter().any(|line| line.points.iter().any(|(_, value)| value.is_finite())) {
            html.push_str(&time.draw(&panel));
        }
    };
    panel("sends", "Acknowledged sends", "", Unit::PerSecond, &|run| rate(run, |second| second.sends));
    panel("deliveries", "Deliveries", "", Unit::PerSecond, &|run| rate(run, |second| second.deliveries));
    panel("ack", "Time to acknowledgement", "p99", Unit::Ms, &|run| latency(run, |second| second.ack_ms, |of| of.p99));
    panel("delivery", "Time to delivery", "p99", Unit::Ms, &|run| latency(run, |second| second.delivery_ms, |of| of.p99));
    panel("behind", "Behind", "", Unit::Count, &|run| {
        run.seconds.iter().map(|second| (second.at_s, second.behind as f64)).collect()
    });
    let curve = |id: &str, title: &str, of: fn(&Report) -> &Quantiles| {
        let lines = over(a, b, &|run| of(run).curve.clone());
        let count = a.iter().chain(b).map(|run| of(run).count).max().unwrap_or_default();
        let known = lines.iter().any(|line| !line.points.is_empty());
        if known { percentiles::draw(id, title, &lines, count) } else { String::new() }
    };
    let drawn = curve("ack-curve", "Time to acknowledgement", |run| &run.total.ack_ms)
        + &curve("delivery-curve", "Time to delivery", |run| &run.total.delivery_ms);
    section("Over time", &html) + &section("Latency by percentile", &drawn)
}

/// A line for each run: the first of each side with its name, the others thin.
fn over(a: &[Report], b: &[Report], points: &dyn Fn(&Report) -> Vec<(f64, f64)>) -> Vec<Line> {
    let side = |runs: &[Report], name: &str, first: &'static str, other: &'static str| -> Vec<Line> {
        let look = |nth: usize| if nth == 0 { (name, first) } else { ("", other) };
        runs.iter()
            .enumerate()
            .map(|(nth, run)| Line { name: look(nth).0.to_owned(), look: look(nth).1, points: points(run), ..Line::default() })
            .collect()
    };
    let mut lines = side(a, "A", "ack", "ack other");
    lines.extend(side(b, "B", "delivery", "delivery other"));
    lines
}

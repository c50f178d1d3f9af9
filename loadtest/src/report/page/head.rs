//! What a reader sees first: the judgement, the figures, the gates.

use std::fmt::Write;

use super::section;
use crate::report::figures::{Figure, Figures};
use crate::report::markup::escape;
use crate::report::model::{Gate, Report};
use crate::report::number::{clock, moment};
use crate::report::words;

pub fn head(report: &Report) -> String {
    let (class, sign) = if words::passed(report) { ("pass", "✓") } else { ("fail", "✗") };
    let machine = &report.machine;
    let mut line = vec![
        moment(report.started_ms),
        format!("{} counted after {} of warm-up", clock(report.window_s), clock(report.warm_up_s)),
    ];
    if !machine.processor.is_empty() {
        line.push(machine.processor.clone());
    }
    if let Some(commit) = &report.commit {
        line.push(format!("commit {}", commit.chars().take(12).collect::<String>()));
    }
    format!(
        "<header><p class=\"eyebrow\">Load test</p><h1>{}</h1><p class=\"meta\">{}</p></header>\
         <div class=\"verdict {class}\"><p class=\"said\"><span class=\"sign\" aria-hidden=\"true\">{sign}</span>{}</p><p>{}</p></div>",
        escape(&report.scenario),
        escape(&line.join(" · ")),
        escape(&words::headline(report)),
        escape(&words::judgement(report))
    )
}

/// The figures that matter, large.
pub fn tiles(report: &Report) -> String {
    let figures = Figures::of(report);
    let latency = |of: &str| -> String {
        let parts = [("p50", "p50"), ("p99.9", "p999"), ("max", "max")];
        let known = parts.iter().filter_map(|(name, part)| Some((name, figures.get(&format!("{of}.{part}"))?)));
        known
            .filter(|(_, figure)| figure.value.is_some())
            .map(|(name, figure)| format!("{name} {}", figure.number()))
            .collect::<Vec<_>>()
            .join(" · ")
    };
    let offered = if report.window_s > 0.0 {
        format!("offered {}", crate::report::number::Unit::PerSecond.text(report.total.offered as f64 / report.window_s))
    } else {
        String::new()
    };
    let mut tiles = vec![
        ("sends_per_s", "Acknowledged sends", offered),
        ("deliveries_per_s", "Deliveries", format!("{} in all", crate::report::number::count(report.total.deliveries))),
        ("ack_ms.p99", "Acknowledged, p99", latency("ack_ms")),
        ("delivery_ms.p99", "Delivered, p99", latency("delivery_ms")),
        ("errors_total", "Errors", String::new()),
        ("behind.peak", "Most messages behind", String::new()),
        ("server.sends_per_core_s", "Sends per server core", format!("with {} busy", figures.text("server.cpu_cores"))),
        ("server.resident_bytes", "Server memory, peak", String::new()),
    ];
    tiles.retain(|(key, _, _)| figures.get(key).is_some());
    let mut html = String::new();
    for (key, label, note) in tiles {
        if let Some(figure) = figures.get(key) {
            html.push_str(&tile(figure, label, &note));
        }
    }
    for figure in figures.0.iter().filter(|figure| figure.key.starts_with("figures.")) {
        html.push_str(&tile(figure, &capital(&figure.label), ""));
    }
    format!("<div class=\"tiles\">{html}</div>")
}

fn tile(figure: &Figure, label: &str, note: &str) -> String {
    let note = if note.is_empty() { String::new() } else { format!("<p class=\"note\">{}</p>", escape(note)) };
    format!(
        "<div class=\"tile\"><p class=\"label\">{}</p><p class=\"big\">{}<span class=\"symbol\"> {}</span></p>{note}</div>",
        escape(label),
        figure.number(),
        figure.symbol()
    )
}

fn capital(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}

/// What was asked to hold.
pub fn gates(report: &Report) -> String {
    if report.gates.is_empty() {
        return String::new();
    }
    let mut rows = String::new();
    for gate in &report.gates {
        let (value, limit) = words::gate(gate);
        let (class, word) = if gate.held { ("pass", "✓ held") } else { ("fail", "✗ broken") };
        let _ = write!(
            rows,
            "<tr><th scope=\"row\">{}</th><td class=\"number\">{value}</td><td class=\"bar\">{}</td><td class=\"number\">{limit}</td><td class=\"{class}\">{word}</td></tr>",
            escape(&gate.name),
            bar(gate)
        );
    }
    section(
        "Gates",
        &format!(
            "<div class=\"wide\"><table class=\"gates\"><thead><tr><th>Gate</th><th class=\"number\">Found</th><th class=\"bar\"></th><th class=\"number\">Limit</th><th></th></tr></thead><tbody>{rows}</tbody></table></div>"
        ),
    )
}

/// The value as a bar, the limit as a stroke across it.
fn bar(gate: &Gate) -> String {
    let most = gate.value.max(gate.limit) * 1.15;
    if !(most.is_finite() && most > 0.0) {
        return String::new();
    }
    let share = |value: f64| (value / most * 100.0).clamp(0.0, 100.0);
    let look = if gate.held { "pass" } else { "fail" };
    format!(
        "<svg class=\"meter\" aria-hidden=\"true\" height=\"14\"><rect class=\"track\" width=\"100%\" y=\"3\" height=\"8\" rx=\"2\"/><rect class=\"{look}\" width=\"{:.1}%\" y=\"3\" height=\"8\" rx=\"2\"/><line class=\"edge\" x1=\"{:.1}%\" x2=\"{:.1}%\" y1=\"0\" y2=\"14\"/></svg>",
        share(gate.value),
        share(gate.limit),
        share(gate.limit)
    )
}

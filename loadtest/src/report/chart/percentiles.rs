//! The whole curve of latencies, the far end of it as wide as the near one.

use super::scale::{Scale, nines, percentile_place, percentile_ticks};
use super::{Frame, Line};
use crate::report::markup::escape;
use crate::report::number::Unit;

const HEIGHT: f64 = 240.0;

/// The chart; the points of a line are parts of all, and the latency there; `count` is of the line with the most values.
pub fn draw(id: &str, title: &str, lines: &[Line], count: u64) -> String {
    let nines = nines(count);
    let told: Vec<String> = lines
        .iter()
        .filter_map(|line| line.points.last().map(|(_, most)| format!("{} up to {}", line.name, Unit::Ms.text(*most))))
        .collect();
    let frame = Frame {
        id,
        title,
        description: format!("Latency by percentile, each nine as wide as the one before it. {}.", told.join("; ")),
        unit: "ms",
        scale: Scale::latency(lines.iter().flat_map(|line| line.points.iter().map(|(_, value)| *value))),
        across: percentile_ticks(nines),
        under: String::new(),
        limit: None,
        height: HEIGHT,
    };
    let svg = frame.draw(lines, |part| percentile_place(part, nines));
    format!(
        "<figure class=\"chart\"><figcaption>{}<span class=\"note\">share of messages that took no longer</span></figcaption><div class=\"plot\">{svg}</div></figure>",
        escape(title)
    )
}

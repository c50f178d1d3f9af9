//! What servers told of themselves: many small charts over the same time.

use std::collections::BTreeMap;

use crate::report::chart::Line;
use crate::report::chart::timeline::{Panel, Time};
use crate::report::figures::{STOLEN, mean_in_window, peak};
use crate::report::model::{Report, Series};
use crate::report::number::{Unit, count};

/// More than these nobody looks at, and the page grows.
const SHOWN: usize = 90;

pub fn section(report: &Report) -> String {
    let mut all: Vec<&Series> = report.series.iter().filter(|series| !series.points.is_empty()).collect();
    all.sort_by(|a, b| (rank(&a.name), &a.name, &a.source).cmp(&(rank(&b.name), &b.name, &b.source)));
    let mut tops: BTreeMap<&str, f64> = BTreeMap::new();
    for series in &all {
        let top = tops.entry(&series.name).or_default();
        *top = top.max(peak(series).unwrap_or_default());
    }
    let several = all.iter().any(|series| all.first().is_some_and(|first| first.source != series.source));
    let time = Time::of(report);
    let mut html = String::new();
    for (nth, series) in all.iter().take(SHOWN).enumerate() {
        let unit = Unit::of_series(&series.unit);
        let title = title(&series.name);
        let mut panel =
            Panel::new(format!("series-{nth}"), if several { format!("{title} – {}", series.source) } else { title }, unit);
        panel.small = true;
        panel.most = tops.get(series.name.as_str()).copied();
        panel.note = match (mean_in_window(report, series), peak(series)) {
            (Some(mean), Some(peak)) => format!("mean {}, peak {}", unit.text(mean), unit.text(peak)),
            (None, Some(peak)) => format!("peak {}", unit.text(peak)),
            _ => String::new(),
        };
        panel.lines = vec![Line {
            name: String::new(),
            look: look(&series.name),
            area: true,
            points: series.points.clone(),
            ..Line::default()
        }];
        html.push_str(&time.draw(&panel));
    }
    if html.is_empty() {
        return String::new();
    }
    let left = all.len().saturating_sub(SHOWN);
    let note = if left > 0 {
        format!("<p class=\"none\">{} more are in the report's file.</p>", count(left as u64))
    } else {
        String::new()
    };
    super::section("Servers", &format!("<div class=\"multiples\">{html}</div>{note}"))
}

/// What says first where the limit is comes first.
fn rank(name: &str) -> u8 {
    // How often something was counted says less than how large it was.
    let counts = name.contains("_count") || name.contains("_total");
    match name {
        "cpu_cores" => 0,
        "resident_bytes" => 1,
        _ if counts => 5,
        name if name.contains("batch") => 2,
        name if ["queue", "mailbox", "waiting", "backlog"].iter().any(|word| name.contains(word)) => 3,
        name if name.contains("lag") => 4,
        _ => 5,
    }
}

fn look(name: &str) -> &'static str {
    match rank(name) {
        0 => "delivery",
        1 => "ack",
        2..=4 => "third",
        _ => "offered solid",
    }
}

/// A metric's name for people.
fn title(name: &str) -> String {
    match name {
        "cpu_cores" => "CPU".to_owned(),
        "resident_bytes" => "Memory".to_owned(),
        STOLEN => "CPU that the host took away".to_owned(),
        name => name.strip_prefix("mynah_").unwrap_or(name).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_queues_and_lags_come_before_what_only_counts_them() {
        let mut names = [
            "mynah_rest_request_seconds_mean{route=\"a\"}",
            "mynah_delivery_queue_seconds_count",
            "mynah_bus_lag_records{topic=\"t\"}",
            "mynah_delivery_queue_seconds_mean",
            "mynah_log_batch_entries_mean",
            "resident_bytes",
            "cpu_cores",
        ];
        names.sort_by_key(|name| (rank(name), *name));
        assert_eq!(names.map(rank), [0, 1, 2, 3, 4, 5, 5]);
        assert_eq!(
            names[2..5],
            ["mynah_log_batch_entries_mean", "mynah_delivery_queue_seconds_mean", "mynah_bus_lag_records{topic=\"t\"}"]
        );
    }
}

//! The one object that a run ends with for programs.

use serde_json::{Map, Value, json};

use super::figures::Figures;
use super::model::Report;
use super::words;

/// Verdict, rates, latencies, errors, and every figure by its key; the numbers are those of the page and of the terminal.
///
/// A figure that there is not, as a latency of no message, is `null`.
#[must_use]
pub fn brief(report: &Report) -> Value {
    let figures = Figures::of(report);
    let number = |key: &str| figures.get(key).and_then(super::figures::Figure::rounded).map_or(Value::Null, whole_or_not);
    let latency = |of: &str| -> Value {
        let parts = ["p50", "p99", "max"];
        parts.iter().map(|part| ((*part).to_owned(), number(&format!("{of}.{part}")))).collect::<Map<_, _>>().into()
    };
    let all: Map<String, Value> = figures.0.iter().map(|figure| (figure.key.clone(), number(&figure.key))).collect();
    let verdict = &report.verdict;
    json!({
        "verdict": if words::passed(report) { "pass" } else { "fail" },
        "lost": verdict.lost,
        "doubled": verdict.doubled,
        "reordered": verdict.reordered,
        "leaked": verdict.leaked,
        "unread": verdict.unread,
        "judged": verdict.judged,
        "overflown": verdict.overflown,
        "broken": words::broken(report).map(|gate| gate.name.as_str()).collect::<Vec<_>>(),
        "sends_per_s": number("sends_per_s"),
        "deliveries_per_s": number("deliveries_per_s"),
        "ack_ms": latency("ack_ms"),
        "delivery_ms": latency("delivery_ms"),
        "errors": report.errors,
        "commit": report.commit,
        "figures": all,
    })
}

/// `12`, and not `12.0`.
fn whole_or_not(number: f64) -> Value {
    if number.fract() == 0.0 && (0.0..1e15).contains(&number) { json!(number as u64) } else { json!(number) }
}

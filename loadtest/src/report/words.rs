//! The judgement in words, the same on every view.

use super::model::{Gate, Report};
use super::number::{Unit, count};

/// Whether nothing is against the run: neither what clients saw nor a gate.
#[must_use]
pub fn passed(report: &Report) -> bool {
    let verdict = &report.verdict;
    // A file that says "pass" beside a loss does not pass.
    let wrong = [verdict.lost, verdict.doubled, verdict.reordered, verdict.leaked, verdict.unread];
    verdict.pass && !verdict.overflown && wrong.iter().all(|count| *count == 0) && broken(report).next().is_none()
}

/// The gates that did not hold.
pub fn broken(report: &Report) -> impl Iterator<Item = &Gate> {
    report.gates.iter().filter(|gate| !gate.held)
}

/// The judgement in a line.
#[must_use]
pub fn headline(report: &Report) -> String {
    if passed(report) {
        let what = if report.verdict.judged == 0 { "there was no message to judge" } else { "nothing was lost" };
        return format!("Passed: {what}");
    }
    let mut against: Vec<String> = wrongs(report)
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{} {what}", count(number)))
        .collect();
    let gates: Vec<&str> = broken(report).map(|gate| gate.name.as_str()).collect();
    match gates.as_slice() {
        [] => {}
        [gate] => against.push(format!("the gate {gate} did not hold")),
        gates => against.push(format!("the gates {} did not hold", gates.join(", "))),
    }
    if against.is_empty() {
        against.push("see what was found".to_owned());
    }
    format!("Failed: {}", against.join("; "))
}

/// What was judged, and what came of it.
#[must_use]
pub fn judgement(report: &Report) -> String {
    let verdict = &report.verdict;
    if verdict.judged == 0 && wrongs(report).iter().all(|(number, _)| *number == 0) {
        return "By what clients saw: no message was sent that could be judged.".to_owned();
    }
    // All messages are judged; lists and unread counts of those who were asked to ask.
    let part = if verdict.sampled >= 1.0 {
        "and the lists of all users".to_owned()
    } else {
        format!("and the lists of {} of the users, as the scenario asks,", Unit::Part.text(verdict.sampled))
    };
    let found: Vec<String> = wrongs(report)
        .into_iter()
        .map(|(number, what)| format!("{} {what}", if number == 0 { "none".to_owned() } else { count(number) }))
        .collect();
    format!("By what clients saw, {} messages {part} were judged: {}.", count(verdict.judged), found.join(", "))
}

fn wrongs(report: &Report) -> [(u64, &'static str); 5] {
    let verdict = &report.verdict;
    [
        (verdict.lost, "lost"),
        (verdict.doubled, "doubled"),
        (verdict.reordered, "out of order"),
        (verdict.leaked, "shown to one who may not see it"),
        (verdict.unread, "miscounted as unread"),
    ]
}

/// A gate's value, and its limit in words.
#[must_use]
pub fn gate(gate: &Gate) -> (String, String) {
    let unit = Unit::of_name(&gate.name);
    (unit.text(gate.value), format!("{} {}", if upper(gate) { "at most" } else { "at least" }, unit.text(gate.limit)))
}

/// Whether the limit is a ceiling: a gate says only whether it held.
#[must_use]
pub fn upper(gate: &Gate) -> bool {
    gate.held == (gate.value <= gate.limit)
}

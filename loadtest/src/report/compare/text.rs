//! The comparison on the terminal.

use std::fmt::Write;

use super::{Change, Comparison, Differences, Row, Spread};
use crate::report::markup::plain;
use crate::report::number::{NONE, Unit, fixed};
use crate::report::summary::{Style, columns};

/// The comparison in columns, and what it comes to.
#[must_use]
pub fn summary(comparison: &Comparison, differences: &Differences, style: Style) -> String {
    let mut text = String::new();
    let (runs, passed) = (comparison.runs, comparison.passed);
    let _ = writeln!(text, "A: {} passed; B: {} passed", of(passed.0, runs.0), of(passed.1, runs.1));
    for line in differences.question.iter().chain(&differences.place) {
        let _ = writeln!(text, "  differs  {}", plain(line));
    }
    text.push('\n');
    let mut rows = vec![["", "A", "spread", "B", "spread", "B / A", ""].map(str::to_owned)];
    rows.extend(comparison.rows.iter().map(|row| {
        let [a, a_spread, b, b_spread, ratio] = cells(row);
        [plain(&row.label), a, a_spread, b, b_spread, ratio, word(row).to_owned()]
    }));
    let table = columns(&rows);
    for (line, row) in table.lines().zip(std::iter::once(None).chain(comparison.rows.iter().map(Some))) {
        let painted = match row.filter(|row| row.judged).map(|row| row.change) {
            Some(Change::Worse) => style.bad(line),
            Some(Change::Better) => style.good(line),
            _ => line.to_owned(),
        };
        let _ = writeln!(text, "{painted}");
    }
    let outcome = outcome(comparison);
    let _ = writeln!(text, "\n{}", if comparison.worse() { style.bad(&outcome) } else { style.strong(&outcome) });
    text
}

fn of(part: usize, all: usize) -> String {
    if all == 1 { if part == 1 { "the run" } else { "the run has not" }.to_owned() } else { format!("{part} of {all} runs") }
}

/// Median and spread of both sides, and the ratio.
pub fn cells(row: &Row) -> [String; 5] {
    let ratio = row.ratio.map_or_else(|| NONE.to_owned(), |ratio| fixed(ratio, if ratio >= 99.95 { 0 } else { 2 }));
    [row.unit.text(row.a.median), spread(row.unit, row.a), row.unit.text(row.b.median), spread(row.unit, row.b), ratio]
}

fn spread(unit: Unit, of: Spread) -> String {
    let (least, most) = (unit.text(of.least), unit.text(of.most));
    if least == most {
        return String::new();
    }
    // The unit stands beside the median, if it is the same.
    let same = unit.scale(of.least) == unit.scale(of.median) && unit.scale(of.most) == unit.scale(of.median);
    if same { format!("{} – {}", unit.number(of.least), unit.number(of.most)) } else { format!("{least} – {most}") }
}

/// What became of a figure, in a word.
pub fn word(row: &Row) -> &'static str {
    match (row.change, row.judged) {
        (Change::Noise, _) if row.a == row.b => "the same",
        (Change::Noise, _) => "noise",
        (Change::Small, _) => "within tolerance",
        (Change::Better, true) => "better",
        (Change::Worse, true) => "WORSE",
        (Change::Better, false) => "better, not judged",
        (Change::Worse, false) => "worse, not judged",
        (Change::Other, _) => "another value",
    }
}

/// What all of it comes to.
pub fn outcome(comparison: &Comparison) -> String {
    let judged = |change: Change| {
        comparison.rows.iter().filter(|row| row.judged && row.change == change).map(|row| row.label.as_str()).collect::<Vec<_>>()
    };
    let tolerance = Unit::Part.text(comparison.tolerance);
    let once = if comparison.runs.0 == 1 || comparison.runs.1 == 1 {
        " A side of one run has no spread: run each three times to tell noise from change."
    } else {
        ""
    };
    let words = if comparison.worse() {
        let mut against = judged(Change::Worse);
        if comparison.passed.0 * comparison.runs.1 > comparison.passed.1 * comparison.runs.0 {
            against.insert(0, "runs that passed");
        }
        format!("B is worse by more than {tolerance}: {}.", against.join(", "))
    } else {
        match judged(Change::Better).as_slice() {
            [] => format!("B is neither better nor worse by more than {tolerance}."),
            better => format!("B is better by more than {tolerance}: {}; nothing is worse.", better.join(", ")),
        }
    };
    plain(&format!("{words}{once}"))
}

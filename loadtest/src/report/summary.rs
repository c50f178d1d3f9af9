//! What the terminal says at the end of a run.

use std::ffi::OsStr;
use std::fmt::Write;
use std::io::IsTerminal;

use super::figures::{Figures, traffic};
use super::markup::plain;
use super::model::{Report, Traffic};
use super::number::{clock, count};
use super::words;

/// Findings that are told; the rest is in the report.
const FINDINGS: usize = 10;

/// Whether a terminal's colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Text alone.
    Plain,
    /// Colours beside the words, never instead of them.
    Colour,
}

impl Style {
    /// For the standard output as it is.
    #[must_use]
    pub fn of_stdout() -> Self {
        Self::of(std::io::stdout().is_terminal(), std::env::var_os("NO_COLOR").as_deref())
    }

    /// For a terminal, or a file; any `NO_COLOR` that is not empty wins.
    #[must_use]
    pub fn of(terminal: bool, no_color: Option<&OsStr>) -> Self {
        if terminal && no_color.is_none_or(OsStr::is_empty) { Self::Colour } else { Self::Plain }
    }

    pub(super) fn good(self, text: &str) -> String {
        self.paint("1;32", text)
    }

    pub(super) fn bad(self, text: &str) -> String {
        self.paint("1;31", text)
    }

    pub(super) fn strong(self, text: &str) -> String {
        self.paint("1", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self == Self::Colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// The summary of a run.
#[must_use]
pub fn render(report: &Report, style: Style) -> String {
    let mut text = String::new();
    let headline = plain(&words::headline(report));
    let headline = if words::passed(report) { style.good(&headline) } else { style.bad(&headline) };
    let _ = writeln!(
        text,
        "{}  {} counted after {} of warm-up\n{}\n{}\n",
        style.strong(&plain(&report.scenario)),
        clock(report.window_s),
        clock(report.warm_up_s),
        headline,
        words::judgement(report)
    );
    rates(&mut text, report);
    latencies(&mut text, report);
    gates(&mut text, report, style);
    errors(&mut text, report);
    findings(&mut text, report);
    text
}

fn rates(text: &mut String, report: &Report) {
    let figures = Figures::of(report);
    let told: Vec<_> = figures
        .0
        .iter()
        .filter(|figure| {
            ["sends_per_s", "deliveries_per_s", "errors_total", "behind.peak"].contains(&figure.key.as_str())
                || figure.key.starts_with("server.")
                || figure.key.starts_with("figures.")
        })
        .collect();
    let label = told.iter().map(|figure| plain(&figure.label).chars().count()).max().unwrap_or_default();
    let number = told.iter().map(|figure| figure.number().chars().count()).max().unwrap_or_default();
    for figure in told {
        let line = format!("  {:<label$}  {:>number$} {}", plain(&figure.label), figure.number(), figure.symbol());
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text.push('\n');
}

fn latencies(text: &mut String, report: &Report) {
    let mut rows = vec![["ms", "p50", "p90", "p99", "p99.9", "max"].map(str::to_owned)];
    rows.extend(rows_of("", &report.total));
    if report.kinds.len() > 1 {
        for (kind, of) in &report.kinds {
            rows.extend(rows_of(&format!("{} ", plain(kind)), of));
        }
    }
    text.push_str(&columns(&rows));
    text.push('\n');
}

fn rows_of(prefix: &str, of: &Traffic) -> [[String; 6]; 2] {
    let figures = Figures(traffic("", of));
    ["ack", "delivery"].map(|name| {
        let number =
            |part: &str| figures.get(&format!("{name}_ms.{part}")).map_or_else(String::new, super::figures::Figure::number);
        [format!("{prefix}{name}"), number("p50"), number("p90"), number("p99"), number("p999"), number("max")]
    })
}

fn gates(text: &mut String, report: &Report, style: Style) {
    if report.gates.is_empty() {
        return;
    }
    let rows: Vec<[String; 4]> = report
        .gates
        .iter()
        .map(|gate| {
            let (value, limit) = words::gate(gate);
            [format!("gate {}", plain(&gate.name)), value, limit, if gate.held { "held" } else { "BROKEN" }.to_owned()]
        })
        .collect();
    for (line, gate) in columns(&rows).lines().zip(&report.gates) {
        let _ = writeln!(text, "{}", if gate.held { line.to_owned() } else { style.bad(line) });
    }
    text.push('\n');
}

fn errors(text: &mut String, report: &Report) {
    let mut all: Vec<_> = report.errors.iter().filter(|(_, number)| **number > 0).collect();
    all.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    if all.is_empty() {
        return;
    }
    let rows: Vec<[String; 2]> =
        all.into_iter().map(|(code, number)| [format!("error {}", plain(code)), count(*number)]).collect();
    text.push_str(&columns(&rows));
    text.push('\n');
}

fn findings(text: &mut String, report: &Report) {
    let all = &report.verdict.findings;
    for finding in all.iter().take(FINDINGS) {
        let _ = writeln!(text, "  - {}", plain(finding));
    }
    if all.len() > FINDINGS {
        let _ = writeln!(text, "  and {} more", all.len() - FINDINGS);
    }
}

/// Rows in columns: the first to the left, numbers to the right.
pub(super) fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or_default();
    let mut text = String::new();
    for row in rows {
        let mut line = String::from(" ");
        for (column, cell) in row.iter().enumerate() {
            let width = width(column);
            let _ = if column == 0 { write!(line, " {cell:<width$}") } else { write!(line, "  {cell:>width$}") };
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_for_terminals_that_want_it() {
        assert_eq!(Style::of(true, None), Style::Colour);
        assert_eq!(Style::of(true, Some(OsStr::new(""))), Style::Colour);
        assert_eq!(Style::of(true, Some(OsStr::new("1"))), Style::Plain);
        assert_eq!(Style::of(false, None), Style::Plain);
    }

    #[test]
    fn columns_are_aligned() {
        let rows = [["a", "1", "x"], ["long", "1,000", ""]].map(|row| row.map(str::to_owned));
        assert_eq!(columns(&rows), "  a         1  x\n  long  1,000\n");
    }
}

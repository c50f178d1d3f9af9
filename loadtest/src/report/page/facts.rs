//! Tables: what was found, kinds of traffic, errors, machine and settings.

use std::fmt::Write;

use super::section;
use crate::report::figures::{Figure, traffic};
use crate::report::markup::escape;
use crate::report::model::Report;
use crate::report::number::{Unit, clock, count, moment};
use crate::report::settings::flat;

/// What was found, in words.
pub fn findings(report: &Report) -> String {
    let found = &report.verdict.findings;
    if found.is_empty() {
        return String::new();
    }
    let items: String = found.iter().map(|finding| format!("<li>{}</li>", escape(finding))).collect();
    section("Findings", &format!("<ol class=\"findings\">{items}</ol>"))
}

/// Each kind of traffic by itself.
pub fn kinds(report: &Report) -> String {
    if report.kinds.is_empty() {
        return String::new();
    }
    let mut rows = String::new();
    let mut names = vec![("all", &report.total)];
    names.extend(report.kinds.iter().map(|(name, of)| (name.as_str(), of)));
    for (name, of) in names {
        let figures = traffic("", of);
        let cells: String = figures
            .iter()
            .filter(|figure| !figure.key.ends_with("p90"))
            .map(|figure| format!("<td class=\"number\">{}</td>", cell(figure)))
            .collect();
        let _ = write!(rows, "<tr><th scope=\"row\">{}</th>{cells}</tr>", escape(name));
    }
    let parts: String = ["p50", "p99", "p99.9", "max"].iter().map(|part| format!("<th class=\"number\">{part}</th>")).collect();
    section(
        "Kinds of traffic",
        &format!(
            "<div class=\"wide\"><table><thead><tr><th></th><th class=\"number\">Sends</th><th class=\"number\">Deliveries</th><th class=\"number group\" colspan=\"4\">To acknowledgement, ms</th><th class=\"number group\" colspan=\"4\">To delivery, ms</th></tr><tr><th></th><th class=\"number\">/s</th><th class=\"number\">/s</th>{parts}{parts}</tr></thead><tbody>{rows}</tbody></table></div>"
        ),
    )
}

fn cell(figure: &Figure) -> String {
    figure.number()
}

/// Errors by code, the most frequent first.
pub fn errors(report: &Report) -> String {
    let mut all: Vec<(&str, u64)> = report.errors.iter().map(|(code, count)| (code.as_str(), *count)).collect();
    all.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let most = all.iter().map(|(_, count)| *count).max().unwrap_or_default();
    if most == 0 {
        return section("Errors by code", "<p class=\"none\">None.</p>");
    }
    let mut rows = String::new();
    for (code, number) in all {
        let share = number as f64 / most as f64 * 100.0;
        let _ = write!(
            rows,
            "<tr><th scope=\"row\">{}</th><td class=\"number\">{}</td><td class=\"bar\"><svg class=\"meter\" aria-hidden=\"true\" height=\"14\"><rect class=\"bad\" width=\"{share:.1}%\" y=\"3\" height=\"8\" rx=\"2\"/></svg></td></tr>",
            escape(code),
            count(number)
        );
    }
    section(
        "Errors by code",
        &format!(
            "<div class=\"wide\"><table class=\"errors\"><thead><tr><th>Code</th><th class=\"number\">Times</th><th class=\"bar\"></th></tr></thead><tbody>{rows}</tbody></table></div>"
        ),
    )
}

/// What the run was made on, and how.
pub fn setting(report: &Report) -> String {
    let machine = &report.machine;
    let mut facts = vec![
        ("Began", moment(report.started_ms)),
        ("Warm-up", clock(report.warm_up_s)),
        ("Window", clock(report.window_s)),
        ("Targets", report.targets.join(", ")),
        ("Processor", machine.processor.clone()),
        ("Cores of the generator", machine.cores.to_string()),
        ("Memory", Unit::Bytes.text(machine.memory as f64)),
        ("System", machine.system.clone()),
        ("Commit", report.commit.clone().unwrap_or_else(|| "not known".to_owned())),
    ];
    facts.retain(|(_, value)| !value.is_empty());
    let facts: Vec<(String, String)> = facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    section("Machine and source", &pairs(&facts)) + &section("Settings", &pairs(&flat(&report.settings)))
}

fn pairs(of: &[(String, String)]) -> String {
    if of.is_empty() {
        return String::new();
    }
    let rows: String =
        of.iter().map(|(name, value)| format!("<div><dt>{}</dt><dd>{}</dd></div>", escape(name), escape(value))).collect();
    format!("<dl>{rows}</dl>")
}

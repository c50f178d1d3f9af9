//! The page: one file that needs nothing else.

mod facts;
mod head;
mod servers;
pub(super) mod times;

use super::markup::escape;
use super::model::Report;

const STYLE: &str = include_str!("page/style.css");
const HOVER: &str = include_str!("page/hover.js");

/// The page of a run.
#[must_use]
pub fn render(report: &Report) -> String {
    let body = [
        head::head(report),
        head::tiles(report),
        facts::findings(report),
        head::gates(report),
        times::section(report),
        facts::kinds(report),
        facts::errors(report),
        servers::section(report),
        facts::setting(report),
    ]
    .concat();
    shell(&format!("{} – load test", report.scenario), &body)
}

/// A whole document around a body; it may fetch nothing.
pub(super) fn shell(title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'\"/>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/><meta name=\"color-scheme\" content=\"light dark\"/>\
         <title>{}</title><style>{STYLE}</style></head><body><main>{body}</main><script>{HOVER}</script></body></html>\n",
        escape(title)
    )
}

/// A section under a heading; nothing if there is nothing in it.
pub(super) fn section(heading: &str, content: &str) -> String {
    if content.is_empty() { String::new() } else { format!("<section><h2>{}</h2>{content}</section>", escape(heading)) }
}

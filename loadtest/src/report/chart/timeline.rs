//! Charts over the time of a run; they share their x axis, and show the warm-up and the marks.

use std::fmt::Write;

use super::scale::{Scale, time_ticks};
use super::thin::thin;
use super::{Frame, Line};
use crate::report::markup::escape;
use crate::report::model::{Mark, Report};
use crate::report::number::{Unit, clock};

/// Points of a line, on a chart as wide as the page and on a small one.
const POINTS: (usize, usize) = (600, 160);
/// Room that a wide chart has on a desk, and that a letter of a mark takes, in pixels.
const ROOM: (f64, f64) = (830.0, 6.4);

/// The time of a run.
#[derive(Debug, Clone, Default)]
pub struct Time {
    end: f64,
    warm_up: f64,
    marks: Vec<Mark>,
}

/// A chart over it.
#[derive(Debug, Clone)]
pub struct Panel<'a> {
    /// Its name in the page.
    pub id: String,
    /// What it shows.
    pub title: String,
    /// A word beside the title.
    pub note: String,
    /// Whole things, or what the values are.
    pub unit: Unit,
    /// Written above the axis, if it is more than the unit's symbol.
    pub axis: &'a str,
    /// The lines.
    pub lines: Vec<Line>,
    /// A limit that was set, and its name.
    pub limit: Option<(f64, &'a str)>,
    /// Whether the values are latencies.
    pub latency: bool,
    /// One of many: small, and without names.
    pub small: bool,
    /// The top of the axis, where several charts share it.
    pub most: Option<f64>,
}

impl Panel<'_> {
    /// A wide chart with nothing in it.
    pub fn new(id: impl Into<String>, title: impl Into<String>, unit: Unit) -> Self {
        let (id, title) = (id.into(), title.into());
        Self {
            id,
            title,
            note: String::new(),
            unit,
            axis: "",
            lines: Vec::new(),
            limit: None,
            latency: false,
            small: false,
            most: None,
        }
    }
}

impl Time {
    /// The time of this run, with its marks in order.
    pub fn of(report: &Report) -> Self {
        let finite = |value: f64| if value.is_finite() { value.max(0.0) } else { 0.0 };
        let seconds = report.seconds.iter().map(|second| finite(second.at_s));
        let marks = report.marks.iter().map(|mark| finite(mark.until_s).max(finite(mark.at_s)));
        let end = seconds.chain(marks).fold(finite(report.warm_up_s + report.window_s), f64::max);
        let mut marks: Vec<Mark> =
            report.marks.iter().filter(|mark| mark.at_s.is_finite() && mark.until_s.is_finite()).cloned().collect();
        marks.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
        Self { end: if end > 0.0 { end } else { 1.0 }, warm_up: finite(report.warm_up_s), marks }
    }

    /// As long as the longer of both.
    pub fn with(mut self, other: &Self) -> Self {
        self.end = self.end.max(other.end);
        self
    }

    /// The marks, in the order of their numbers.
    pub fn marks(&self) -> &[Mark] {
        &self.marks
    }

    fn place(&self, at: f64) -> f64 {
        (at / self.end).clamp(0.0, 1.0)
    }

    /// The chart as a figure of the page.
    pub fn draw(&self, panel: &Panel<'_>) -> String {
        let limit = if panel.small { POINTS.1 } else { POINTS.0 };
        let (size, symbol) = panel.unit.scale(self.top(panel));
        let lines: Vec<Line> = panel
            .lines
            .iter()
            .map(|line| {
                let scaled: Vec<(f64, f64)> =
                    line.points.iter().filter(|(at, _)| at.is_finite()).map(|(at, value)| (*at, value / size)).collect();
                Line { points: thin(&scaled, limit, line.crest), ..line.clone() }
            })
            .collect();
        let limit = panel.limit.map(|(value, name)| (value / size, name));
        let values =
            lines.iter().flat_map(|line| line.points.iter().map(|(_, value)| *value)).chain(limit.map(|(value, _)| value));
        let scale =
            if panel.latency { Scale::latency(values) } else { Scale::linear(self.top(panel) / size, panel.unit == Unit::Count) };
        let height = if panel.small { 72.0 } else { 150.0 };
        let frame = Frame {
            id: &panel.id,
            title: &panel.title,
            description: self.describe(panel),
            unit: if panel.axis.is_empty() { symbol } else { panel.axis },
            scale,
            across: time_ticks(self.end, if panel.small { 3 } else { 8 })
                .into_iter()
                .map(|(at, text)| (self.place(at), text))
                .collect(),
            under: self.under(panel.small, height),
            limit,
            height,
        };
        let svg = frame.draw(&lines, |at| self.place(at));
        let kind = if panel.small { " small" } else { "" };
        format!(
            "<figure class=\"chart{kind}\"><figcaption>{}<span class=\"note\">{}</span></figcaption><div class=\"plot{kind}\" data-end=\"{}\" data-unit=\"{symbol}\" data-lines=\"{}\">{svg}</div></figure>",
            escape(&panel.title),
            escape(&panel.note),
            self.end,
            escape(&told(&lines))
        )
    }

    fn top(&self, panel: &Panel<'_>) -> f64 {
        let values =
            panel.lines.iter().flat_map(|line| line.points.iter().map(|(_, value)| *value)).filter(|value| value.is_finite());
        panel.most.unwrap_or_else(|| values.fold(0.0, f64::max))
    }

    fn describe(&self, panel: &Panel<'_>) -> String {
        let mut words = format!("Over {}.", clock(self.end));
        for line in &panel.lines {
            let known = || line.points.iter().map(|(_, value)| *value).filter(|value| value.is_finite());
            let (Some(least), Some(most)) = (known().reduce(f64::min), known().reduce(f64::max)) else { continue };
            let name = if line.name.is_empty() { "Values" } else { &line.name };
            let _ = write!(words, " {name}: from {} to {}.", panel.unit.text(least), panel.unit.text(most));
        }
        words
    }

    /// The warm-up and the marks, below the lines.
    fn under(&self, small: bool, height: f64) -> String {
        let mut svg = String::new();
        if self.warm_up > 0.0 {
            let _ = write!(
                svg,
                "<rect class=\"warm\" x=\"0\" y=\"0\" width=\"{:.2}%\" height=\"{height}\"/>",
                self.place(self.warm_up) * 100.0
            );
            let free = self.marks.first().map_or(1.0, |mark| self.place(mark.at_s));
            if !small && free > 0.08 {
                svg.push_str("<text class=\"mark early\" x=\"0\" y=\"-8\">warm-up</text>");
            }
        }
        for (nth, mark) in self.marks.iter().enumerate() {
            self.mark(&mut svg, nth, mark, small, height);
        }
        svg
    }

    fn mark(&self, svg: &mut String, nth: usize, mark: &Mark, small: bool, height: f64) {
        let kind = if mark.kind == "fault" { "fault" } else { "phase" };
        let (from, until) = (self.place(mark.at_s) * 100.0, self.place(mark.until_s) * 100.0);
        if kind == "fault" && until > from {
            let _ = write!(
                svg,
                "<rect class=\"fault\" x=\"{from:.2}%\" y=\"0\" width=\"{:.2}%\" height=\"{height}\"/>",
                until - from
            );
        }
        let _ = write!(
            svg,
            "<line class=\"{kind}\" x1=\"{from:.2}%\" x2=\"{from:.2}%\" y1=\"{}\" y2=\"{height}\"/>",
            if small { 0 } else { -3 }
        );
        let next = self.marks.get(nth + 1).map_or(100.0, |next| self.place(next.at_s) * 100.0);
        let gap = (next - from) / 100.0 * ROOM.0;
        // Where marks stand close, a fault keeps its number before a phase, else the first of them; the list tells the rest.
        let near = |other: Option<&Mark>| {
            other.filter(|other| (from - self.place(other.at_s) * 100.0).abs() < 2.0).map(|other| other.kind == "fault")
        };
        let before = near(nth.checked_sub(1).and_then(|last| self.marks.get(last)));
        let after = near(self.marks.get(nth + 1));
        let crowded = if kind == "fault" { before == Some(true) } else { before.is_some() || after == Some(true) };
        if small || crowded {
            return;
        }
        let text = format!(" {}", mark.text);
        let fits = (text.chars().count() as f64 + 2.0) * ROOM.1 < gap + if next >= 100.0 { 90.0 } else { 0.0 };
        let text = if fits { format!("<tspan class=\"said\">{}</tspan>", escape(&text)) } else { String::new() };
        let _ = write!(
            svg,
            "<text class=\"mark {kind}\" x=\"{from:.2}%\" y=\"-8\"><tspan class=\"nth\">{}</tspan>{text}</text>",
            nth + 1
        );
    }
}

/// The lines for the read-out under the pointer.
fn told(lines: &[Line]) -> String {
    let short = |value: f64| match (value * 1000.0).round() / 1000.0 {
        none if !none.is_finite() => serde_json::Value::Null,
        whole if whole.fract() == 0.0 && whole.abs() < 1e15 => serde_json::json!(whole as i64),
        large if large.abs() >= 1000.0 => serde_json::json!(large.round() as i64),
        other => serde_json::json!(other),
    };
    let all: Vec<serde_json::Value> = lines
        .iter()
        .map(|line| {
            serde_json::json!([
                line.name,
                line.points.iter().flat_map(|(at, value)| [short(*at), short(*value)]).collect::<Vec<_>>()
            ])
        })
        .collect();
    serde_json::Value::from(all).to_string()
}

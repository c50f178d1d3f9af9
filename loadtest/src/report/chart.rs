//! Charts as SVG.
//!
//! The picture is as wide as there is room: places along x are percentages, the lines lie in a nested picture that is stretched,
//! and the text is not, so that it can be read on a telephone and on paper.

pub mod percentiles;
pub mod scale;
mod thin;
pub mod timeline;

use std::fmt::Write;

use super::markup::escape;
use scale::Scale;

/// Height of a line of text.
const LINE_PX: f64 = 14.0;
/// From so many points on, a line is drawn thinner.
const DENSE: usize = 300;
/// The stretched picture's own width.
const WIDE: f64 = 1000.0;

/// A line of a chart.
#[derive(Debug, Clone, Default)]
pub struct Line {
    /// Written at its end.
    pub name: String,
    /// Its look: a class of the style sheet.
    pub look: &'static str,
    /// Whether the ground below it is tinted.
    pub area: bool,
    /// Whether only the most of a stretch matters where there is no room for all points.
    pub crest: bool,
    /// Along and up, rising along; what is not finite is a gap.
    pub points: Vec<(f64, f64)>,
}

/// A chart but for what lies along its x axis.
struct Frame<'a> {
    id: &'a str,
    title: &'a str,
    description: String,
    /// Written above the y axis.
    unit: &'a str,
    scale: Scale,
    /// Ticks along x: their place between 0 and 1, and their text.
    across: Vec<(f64, String)>,
    /// What lies below the lines.
    under: String,
    /// A limit, and its name.
    limit: Option<(f64, &'a str)>,
    height: f64,
}

impl Frame<'_> {
    /// The picture with these lines; `along` places an x between 0 and 1.
    fn draw(&self, lines: &[Line], along: impl Fn(f64) -> f64) -> String {
        let Self { id, height, .. } = self;
        let mut svg = format!(
            "<svg role=\"img\" aria-labelledby=\"{id}-t {id}-d\" height=\"{height}\"><title id=\"{id}-t\">{}</title><desc id=\"{id}-d\">{}</desc>",
            escape(self.title),
            escape(&self.description)
        );
        svg.push_str(&self.under);
        self.axes(&mut svg);
        let mut ends = Vec::new();
        if let Some((limit, name)) = self.limit.filter(|(limit, _)| limit.is_finite()) {
            let y = self.up(limit);
            let _ = write!(svg, "<line class=\"limit\" x1=\"0\" x2=\"100%\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>");
            ends.push((y, "most", name));
        }
        let _ = write!(
            svg,
            "<svg width=\"100%\" height=\"{height}\" viewBox=\"0 0 {WIDE} {height}\" preserveAspectRatio=\"none\" overflow=\"visible\">"
        );
        for line in lines {
            let placed: Vec<(f64, f64)> = line.points.iter().map(|(x, y)| (along(*x) * WIDE, self.up(*y))).collect();
            if line.area {
                svg.push_str(&area(&placed, *height, line.look));
            }
            let _ = write!(
                svg,
                "<path class=\"line {}{}\" d=\"{}\"/>",
                line.look,
                if placed.len() > DENSE { " dense" } else { "" },
                path(&placed)
            );
            if let Some((_, y)) = placed.iter().rev().find(|(_, y)| y.is_finite())
                && !line.name.is_empty()
            {
                ends.push((*y, line.look, &line.name));
            }
        }
        svg.push_str("</svg>");
        for (y, look, name) in apart(ends, *height) {
            let _ = write!(svg, "<text class=\"name {look}\" x=\"100%\" dx=\"8\" y=\"{y:.1}\" dy=\"4\">{}</text>", escape(name));
        }
        svg.push_str("</svg>");
        svg
    }

    fn up(&self, value: f64) -> f64 {
        if value.is_finite() { self.height * (1.0 - self.scale.place(value)) } else { f64::NAN }
    }

    fn axes(&self, svg: &mut String) {
        let height = self.height;
        for (value, text) in self.scale.ticks() {
            let y = self.up(value);
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"0\" x2=\"100%\" y1=\"{y:.1}\" y2=\"{y:.1}\"/><text class=\"tick\" x=\"-8\" y=\"{y:.1}\" dy=\"4\" text-anchor=\"end\">{text}</text>"
            );
        }
        if !self.unit.is_empty() {
            let _ = write!(svg, "<text class=\"unit\" x=\"-8\" y=\"-12\" text-anchor=\"end\">{}</text>", escape(self.unit));
        }
        for (nth, (place, text)) in self.across.iter().enumerate() {
            let odd = if nth % 2 == 1 { " odd" } else { "" };
            let x = place * 100.0;
            let _ = write!(
                svg,
                "<line class=\"notch\" x1=\"{x:.2}%\" x2=\"{x:.2}%\" y1=\"{height}\" y2=\"{}\"/><text class=\"tick{odd}\" x=\"{x:.2}%\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                height + 4.0,
                height + 18.0,
                escape(text)
            );
        }
        let _ = write!(svg, "<line class=\"base\" x1=\"0\" x2=\"100%\" y1=\"{height}\" y2=\"{height}\"/>");
    }
}

/// A path through the points; a gap where a value is not finite.
fn path(points: &[(f64, f64)]) -> String {
    let mut d = String::new();
    let mut drawing = false;
    for (x, y) in points {
        if !(x.is_finite() && y.is_finite()) {
            drawing = false;
            continue;
        }
        // The stroke of no length shows a point that stands alone.
        let _ = if drawing { write!(d, "L{x:.1} {y:.1}") } else { write!(d, "M{x:.1} {y:.1}h0") };
        drawing = true;
    }
    d
}

fn area(points: &[(f64, f64)], height: f64, look: &str) -> String {
    let known: Vec<(f64, f64)> = points.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite()).collect();
    let (Some((first, _)), Some((last, _))) = (known.first(), known.last()) else { return String::new() };
    format!("<path class=\"area {look}\" d=\"{}L{last:.1} {height}L{first:.1} {height}Z\"/>", path(&known))
}

/// The names beside the ends of their lines, so far apart that each can be read.
fn apart<'a>(mut ends: Vec<(f64, &'a str, &'a str)>, height: f64) -> Vec<(f64, &'a str, &'a str)> {
    ends.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut free = f64::NEG_INFINITY;
    for (y, _, _) in &mut ends {
        *y = y.max(free);
        free = *y + LINE_PX;
    }
    let mut free = height + 4.0;
    for (y, _, _) in ends.iter_mut().rev() {
        *y = y.min(free);
        free = *y - LINE_PX;
    }
    ends
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_ends_a_line_and_a_lone_point_is_seen() {
        assert_eq!(path(&[(0.0, 1.0), (1.0, 2.0), (2.0, f64::NAN), (3.0, 4.0)]), "M0.0 1.0h0L1.0 2.0M3.0 4.0h0");
        assert_eq!(path(&[]), "");
    }

    #[test]
    fn names_do_not_lie_on_each_other() {
        let placed: Vec<f64> =
            apart(vec![(100.0, "", "a"), (99.0, "", "b"), (98.0, "", "c")], 100.0).iter().map(|(y, _, _)| *y).collect();
        assert_eq!(placed, [76.0, 90.0, 104.0]);
    }
}

//! The highest rate that holds: doubled until a gate breaks, then halved in between.

use serde::{Deserialize, Serialize};

use super::{Setting, run};
use crate::Failed;
use crate::report::model::Report;
use crate::scenario::Scenario;

/// How it is looked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Search {
    /// Messages a second at the beginning.
    pub from: f64,
    /// The rates at the end lie so close together: the part of the rate.
    pub within: f64,
    /// The longest 99 of a hundred acknowledgements, where the scenario says nothing.
    pub ack_p99_ms: f64,
    /// What may be behind at a window's end, in seconds of the rate, where the scenario says nothing.
    pub behind_s: f64,
}

/// One rate that was tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Messages a second that were due.
    pub rate: f64,
    /// Messages a second that were acknowledged.
    pub sends_per_s: f64,
    /// 99 of a hundred acknowledgements.
    pub ack_p99_ms: f64,
    /// What did not hold: nothing if the rate is stable.
    pub broke: Vec<String>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Every rate that was tried.
    pub steps: Vec<Step>,
    /// The highest stable rate; 0 if none was.
    pub rate: f64,
    /// The report of the run at that rate.
    pub best: Option<Report>,
    /// The report of a run at half of it.
    pub half: Option<Report>,
}

/// Looks for the highest stable rate of a scenario.
///
/// # Errors
/// When a run cannot be done.
pub async fn search(scenario: &Scenario, setting: &Setting, how: Search) -> Result<Found, Failed> {
    let mut scenario = scenario.clone();
    scenario.gates.ack_p99_ms.get_or_insert(how.ack_p99_ms);
    scenario.gates.behind_s.get_or_insert(how.behind_s);
    scenario.gates.error_ratio.get_or_insert(0.001);
    let mut found = Found { steps: Vec::new(), rate: 0.0, best: None, half: None };
    let mut bounds = Bounds::new(how.from, how.within);
    while let Some(rate) = bounds.next() {
        let report = at(&scenario, setting, rate).await?;
        let step = step(rate, &report);
        setting.show.say(&format!(
            "{rate:.0}/s: {:.0} acknowledged/s, p99 {:.1} ms, {}",
            step.sends_per_s,
            step.ack_p99_ms,
            told(&step)
        ));
        let lost = !report.verdict.pass;
        bounds.tried(rate, step.broke.is_empty());
        if step.broke.is_empty() {
            (found.rate, found.best) = (rate, Some(report.clone()));
        }
        found.steps.push(step);
        if lost {
            // Whatever the rate, this is no limit but a fault.
            found.best = Some(report);
            return Ok(found);
        }
    }
    if found.rate > 0.0 {
        found.half = Some(at(&scenario, setting, found.rate / 2.0).await?);
    }
    Ok(found)
}

async fn at(scenario: &Scenario, setting: &Setting, rate: f64) -> Result<Report, Failed> {
    let mut scenario = scenario.clone();
    scenario.set_rate(rate);
    // Each run has users of its own, or those of before have it all in their lists.
    run(&scenario, setting).await
}

fn step(rate: f64, report: &Report) -> Step {
    let gates = report.gates.iter().filter(|gate| !gate.held).map(|gate| gate.name.clone());
    let verdict = (!report.verdict.pass).then(|| "verdict".to_owned());
    let (sends_per_s, ack_p99_ms) = (report.total.sends_per_s, report.total.ack_ms.p99);
    Step { rate, sends_per_s, ack_p99_ms, broke: gates.chain(verdict).collect() }
}

fn told(step: &Step) -> String {
    if step.broke.is_empty() { "stable".into() } else { format!("broke {}", step.broke.join(", ")) }
}

/// Between which rates the limit lies.
struct Bounds {
    holds: f64,
    breaks: Option<f64>,
    from: f64,
    within: f64,
}

impl Bounds {
    fn new(from: f64, within: f64) -> Self {
        Self { holds: 0.0, breaks: None, from: from.max(1.0), within: within.max(0.01) }
    }

    fn next(&self) -> Option<f64> {
        match self.breaks {
            None if self.holds == 0.0 => Some(self.from),
            None => Some(self.holds * 2.0),
            // Not even the slowest rate holds.
            Some(breaks) if breaks < 2.0 => None,
            Some(breaks) if breaks - self.holds <= (self.within * breaks).max(1.0) => None,
            Some(breaks) => Some(((self.holds + breaks) / 2.0).round()),
        }
    }

    fn tried(&mut self, rate: f64, held: bool) {
        if held {
            self.holds = rate;
        } else {
            self.breaks = Some(rate);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_found_from_below_and_from_above() {
        for (from, limit) in [(100.0, 3333.0), (5000.0, 3333.0), (1.0, 1.0)] {
            let mut bounds = Bounds::new(from, 0.05);
            let mut tries = 0;
            while let Some(rate) = bounds.next() {
                bounds.tried(rate, rate <= limit);
                tries += 1;
            }
            assert!(bounds.holds <= limit && bounds.holds > limit * 0.94, "{from} {limit}: {}", bounds.holds);
            assert!(tries < 16, "{tries}");
        }
        let mut bounds = Bounds::new(100.0, 0.05);
        while let Some(rate) = bounds.next() {
            bounds.tried(rate, false);
        }
        assert_eq!(bounds.holds, 0.0);
    }
}

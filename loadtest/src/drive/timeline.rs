//! What happens to devices while the load is on: churn, the storm, absence; and the end of the load.

use super::Told;
use super::clock::us;
use super::conn::Asked;
use super::driver::{Driver, Phase};
use crate::Failed;

/// What is under way has this long to be answered when the load is over.
const ANSWER_WITHIN_S: f64 = 15.0;
/// What is missing when the last answer came and nothing was pushed to anybody for so long is asked for.
const PUSHED_WITHIN_S: f64 = 5.0;

/// What was done so far.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    /// Devices that should have gone by now.
    gone: f64,
    storm_us: Option<u64>,
    /// Since when those that were away are back.
    returned_us: Option<u64>,
    /// What was asked for until then.
    paged: u64,
    answered_us: Option<u64>,
    /// When something was pushed to anybody here.
    pub(super) pushed_us: u64,
    asked_for_rest: bool,
}

impl Driver {
    /// Those that are away from the beginning.
    pub(super) fn send_away(&mut self) {
        let Some(catch_up) = self.job.scenario.catch_up else { return };
        let count = (self.conns.len() as f64 * catch_up.part) as usize;
        // Spread over all, so that every conversation has some of both.
        let step = self.conns.len().checked_div(count).unwrap_or(usize::MAX).max(1);
        for at in (0..self.conns.len()).step_by(step).take(count) {
            self.hang_up(at, false, None);
            if let Some(conn) = self.conns.get_mut(at) {
                (conn.stays_away, conn.sent_away) = (true, true);
            }
        }
    }

    /// The load's clock.
    pub(super) fn on_time(&mut self) -> Result<(), Failed> {
        let since = self.now_us.saturating_sub(self.begin_us) as f64 / 1e6;
        if let Some(churn) = self.job.scenario.churn.filter(|_| self.now_us > self.begin_us) {
            let due = since * churn.per_s / f64::from(self.job.share.1.max(1));
            while self.timeline.gone + 1.0 <= due {
                self.timeline.gone += 1.0;
                let at = usize::try_from(self.dice.below(self.conns.len() as u64))?;
                if self.is_up(at) {
                    *self.counts.entry("churned".into()).or_default() += 1.0;
                    self.hang_up(at, false, Some(us(churn.away_s)));
                    if let Some(conn) = self.conns.get_mut(at) {
                        conn.sent_away = true;
                    }
                }
            }
        }
        if let Some(storm) = self.job.scenario.storm
            && self.timeline.storm_us.is_none()
            && self.now_us >= self.counter.window.0.saturating_add(us(storm.at_s))
        {
            self.timeline.storm_us = Some(self.now_us);
            for at in 0..self.conns.len() {
                let after = us(storm.spread_s * self.dice.below(1000) as f64 / 1000.0);
                self.hang_up(at, false, Some(after));
            }
        }
        self.watch_storm();
        if self.now_us >= self.counter.window.1 {
            self.end_of_load();
        }
        Ok(())
    }

    fn watch_storm(&mut self) {
        if let Some(storm_us) = self.timeline.storm_us
            && !self.times.contains_key("back_s")
            && self.usable() == self.wanted_devices()
        {
            self.times.insert("back_s".into(), (self.now_us - storm_us) as f64 / 1e6);
        }
    }

    fn end_of_load(&mut self) {
        self.behind_at_end = self.behind();
        let end = self.now_us - self.begin_us;
        let waiting: Vec<(usize, f64)> = self.schedules.iter().map(|s| (s.flow, s.waiting(end))).collect();
        let window_end = self.counter.window.1;
        for (flow, count) in waiting {
            // They were due, and nobody got to them.
            (0..count as u64).for_each(|_| self.counter.offered(flow, window_end - 1));
        }
        self.go(Phase::Draining);
        if self.job.scenario.catch_up.is_some() {
            self.timeline.returned_us = Some(self.now_us);
            self.timeline.paged = self.judge.figures.paged;
        }
        for at in 0..self.conns.len() {
            if let Some(conn) = self.conns.get_mut(at).filter(|conn| conn.stays_away) {
                conn.stays_away = false;
                self.again(at, 0);
            }
        }
    }

    /// After the load: answers, devices that come back, pushes that are still under way.
    pub(super) fn drain(&mut self) {
        self.watch_storm();
        let late = self.phase_s() > self.job.scenario.settle_s;
        if self.in_flight > 0 && (late || self.phase_s() > ANSWER_WITHIN_S) {
            self.give_up_answers();
        }
        let level = self.usable() == self.wanted_devices() && (0..self.conns.len()).all(|at| self.is_level(at));
        if let Some(returned) = self.timeline.returned_us.filter(|_| level) {
            self.timeline.returned_us = None;
            let took = (self.now_us - returned) as f64 / 1e6;
            let entries = self.judge.figures.paged - self.timeline.paged;
            self.times.insert("caught_up_s".into(), took);
            self.counts.insert("caught_up_entries".into(), entries as f64);
        }
        if self.in_flight > 0 {
            return;
        }
        let answered = *self.timeline.answered_us.get_or_insert(self.now_us);
        let all_back = self.usable() == self.wanted_devices();
        // A server that is behind goes on pushing: only what does not come while nothing comes is missing.
        let quiet = self.now_us > answered.max(self.timeline.pushed_us) + us(PUSHED_WITHIN_S);
        if !level && !self.timeline.asked_for_rest && all_back && (quiet || late) {
            self.timeline.asked_for_rest = true;
            self.ask_for_rest();
        }
        if level || late {
            self.go(Phase::Drained);
            self.tell(Told::Drained);
        }
    }

    /// What was neither pushed nor told is asked for.
    fn ask_for_rest(&mut self) {
        for at in 0..self.conns.len() {
            for conv in self.judge.behind(at) {
                if !self.judge.is_announced(at, conv) {
                    *self.counts.entry("unannounced".into()).or_default() += 1.0;
                }
                self.want(at, conv);
            }
        }
    }

    /// What is not answered now is not going to be.
    fn give_up_answers(&mut self) {
        for at in 0..self.conns.len() {
            let Some(conn) = self.conns.get_mut(at) else { return };
            let held = std::mem::take(&mut conn.held);
            // Their senders did not come back.
            let unsent = std::mem::take(&mut conn.unsent);
            let asked = conn.take_asked();
            let flights = asked.iter().filter_map(|(_, asked)| match asked {
                Asked::Send(flight) => Some(*flight),
                _ => None,
            });
            let flights: Vec<_> = flights.chain(held).collect();
            for (conv, due_us) in unsent {
                self.in_flight -= 1;
                self.gave_up(conv, due_us, "nobody_there");
            }
            for flight in &flights {
                self.in_flight -= 1;
                self.judge.unknown(&flight.own);
                self.gave_up(flight.own.conv, flight.own.due_us, "no answer");
            }
            // What else it waits for is asked for on another connection.
            if !flights.is_empty() {
                self.hang_up(at, true, Some(0));
            }
        }
    }
}

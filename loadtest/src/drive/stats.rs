//! What a generator counts, in a form that several can be added up.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::Failed;
use crate::judge::Summary;

/// The longest latency that is told apart, in microseconds.
const LONGEST_US: u64 = 3_600_000_000;

/// Latencies in microseconds: each that occurred, and how often.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Curve(pub(crate) Vec<(u64, u64)>);

impl Curve {
    pub(crate) fn of(histogram: &Histogram<u64>) -> Self {
        Self(histogram.iter_recorded().map(|step| (step.value_iterated_to(), step.count_at_value())).collect())
    }

    pub(crate) fn add_to(&self, histogram: &mut Histogram<u64>) {
        for (value, count) in &self.0 {
            histogram.saturating_record_n(*value, *count);
        }
    }
}

/// An empty histogram of latencies.
pub(crate) fn histogram(digits: u8) -> Result<Histogram<u64>, Failed> {
    Ok(Histogram::new_with_bounds(1, LONGEST_US, digits)?)
}

/// A second of one generator.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecondPart {
    /// Which second of the load.
    pub(crate) nth: u32,
    pub(crate) offered: u64,
    pub(crate) sends: u64,
    pub(crate) deliveries: u64,
    pub(crate) errors: u64,
    pub(crate) behind: u64,
    pub(crate) connected: u64,
    pub(crate) ack: Curve,
    pub(crate) delivery: Curve,
}

/// A kind of traffic at one generator, in the window.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindPart {
    pub(crate) offered: u64,
    pub(crate) sends: u64,
    pub(crate) deliveries: u64,
    pub(crate) ack: Curve,
    pub(crate) delivery: Curve,
}

/// All that one generator counted and found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// By the number of the flow.
    pub(crate) flows: Vec<KindPart>,
    pub(crate) errors: BTreeMap<String, u64>,
    /// The generator's own delays.
    pub(crate) lag: Curve,
    /// Counts, which add up.
    pub(crate) counts: BTreeMap<String, f64>,
    /// Times, of which the longest counts.
    pub(crate) times: BTreeMap<String, f64>,
    /// Messages that were due and not acknowledged at the window's end.
    pub(crate) behind: u64,
    pub(crate) summary: Summary,
}

/// What is counted while it runs.
pub(crate) struct Counter {
    pub(crate) flows: Vec<Live>,
    pub(crate) errors: BTreeMap<String, u64>,
    /// Refusals and failures before the load.
    pub(crate) before: u64,
    pub(crate) lag: Histogram<u64>,
    pub(crate) second: SecondPart,
    second_ack: Histogram<u64>,
    second_delivery: Histogram<u64>,
    /// The window, in Unix microseconds.
    pub(crate) window: (u64, u64),
}

/// A flow while it runs.
pub(crate) struct Live {
    offered: u64,
    sends: u64,
    deliveries: u64,
    ack: Histogram<u64>,
    delivery: Histogram<u64>,
}

impl Counter {
    pub(crate) fn new(flows: usize) -> Result<Self, Failed> {
        let live = || Ok(Live { offered: 0, sends: 0, deliveries: 0, ack: histogram(3)?, delivery: histogram(3)? });
        Ok(Self {
            flows: (0..flows).map(|_| live()).collect::<Result<_, Failed>>()?,
            errors: BTreeMap::new(),
            before: 0,
            lag: histogram(3)?,
            second: SecondPart::default(),
            second_ack: histogram(2)?,
            second_delivery: histogram(2)?,
            window: (u64::MAX, u64::MAX),
        })
    }

    pub(crate) fn in_window(&self, at_us: u64) -> bool {
        self.window.0 <= at_us && at_us < self.window.1
    }

    pub(crate) fn offered(&mut self, flow: usize, due_us: u64) {
        self.second.offered += 1;
        if self.in_window(due_us)
            && let Some(flow) = self.flows.get_mut(flow)
        {
            flow.offered += 1;
        }
    }

    pub(crate) fn acked(&mut self, flow: usize, due_us: u64, now_us: u64) {
        let took = now_us.saturating_sub(due_us);
        self.second.sends += 1;
        self.second_ack.saturating_record(took);
        let (by_time, by_due) = (self.in_window(now_us), self.in_window(due_us));
        let Some(flow) = self.flows.get_mut(flow) else { return };
        flow.sends += u64::from(by_time);
        if by_due {
            flow.ack.saturating_record(took);
        }
    }

    /// A message was given up: its latency is at least what it waited for. Left out, the worst ones would be missing.
    pub(crate) fn given_up(&mut self, flow: usize, due_us: u64, now_us: u64) {
        let took = now_us.saturating_sub(due_us);
        self.second_ack.saturating_record(took);
        if self.in_window(due_us)
            && let Some(flow) = self.flows.get_mut(flow)
        {
            flow.ack.saturating_record(took);
        }
    }

    pub(crate) fn delivered(&mut self, flow: usize, due_us: u64, now_us: u64) {
        let took = now_us.saturating_sub(due_us);
        self.second.deliveries += 1;
        self.second_delivery.saturating_record(took);
        let (by_time, by_due) = (self.in_window(now_us), self.in_window(due_us));
        let Some(flow) = self.flows.get_mut(flow) else { return };
        flow.deliveries += u64::from(by_time);
        if by_due {
            flow.delivery.saturating_record(took);
        }
    }

    pub(crate) fn error(&mut self, what: &str) {
        if self.window.0 == u64::MAX {
            // Whoever did not get in at once tries again: no failure of the load.
            self.before += 1;
            return;
        }
        self.second.errors += 1;
        match self.errors.get_mut(what) {
            Some(count) => *count += 1,
            None => _ = self.errors.insert(what.to_owned(), 1),
        }
    }

    /// Ends a second.
    pub(crate) fn turn(&mut self, nth: u32, behind: u64, connected: u64) -> SecondPart {
        let part = std::mem::take(&mut self.second);
        let (ack, delivery) = (Curve::of(&self.second_ack), Curve::of(&self.second_delivery));
        self.second_ack.reset();
        self.second_delivery.reset();
        SecondPart { nth, behind, connected, ack, delivery, ..part }
    }

    pub(crate) fn kinds(&self) -> Vec<KindPart> {
        let part = |live: &Live| KindPart {
            offered: live.offered,
            sends: live.sends,
            deliveries: live.deliveries,
            ack: Curve::of(&live.ack),
            delivery: Curve::of(&live.delivery),
        };
        self.flows.iter().map(part).collect()
    }
}

//! What a person sees while it runs.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::report::model::Second;

/// How progress is shown: to people on standard error, by the second; or not at all.
#[derive(Debug, Clone, Default)]
pub struct Show {
    people: bool,
    last: Arc<AtomicU32>,
}

impl Show {
    /// To people, or to nobody.
    #[must_use]
    pub fn new(people: bool) -> Self {
        Self { people, last: Arc::default() }
    }

    pub(super) fn say(&self, what: &str) {
        if self.people {
            eprintln!("loadtest: {what}");
        }
    }

    pub(super) fn connecting(&self, now: u32, all: u32) {
        let before = self.last.swap(now, Ordering::Relaxed);
        if self.people && (now == all || now / 1000 != before / 1000) && now != before {
            eprintln!("loadtest: {now} of {all} devices are connected");
        }
    }

    pub(super) fn second(&self, second: &Second, total_s: f64) {
        // A log file gets a line in ten.
        let wanted = std::io::stderr().is_terminal() || second.at_s % 10.0 < 1.0;
        if !self.people || !wanted {
            return;
        }
        let Second { at_s, sends, deliveries, errors, behind, connected, ack_ms, delivery_ms, .. } = second;
        eprintln!(
            "{at_s:6.0} of {total_s:.0} s │ {sends:7} sends/s │ {deliveries:8} deliveries/s │ ack {:6.1} {:7.1} ms │ delivery {:6.1} {:7.1} ms │ behind {behind} │ {errors} errors │ {connected} devices",
            ack_ms.p50, ack_ms.p99, delivery_ms.p50, delivery_ms.p99,
        );
    }
}

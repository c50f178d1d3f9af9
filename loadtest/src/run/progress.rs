//! What is told on standard error while it runs.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use crate::report::model::Second;

/// Whom progress is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum For {
    /// Nobody: silence.
    #[default]
    Nobody,
    /// People: a line of text a second, in a log file one in ten.
    People,
    /// Programs: a line of JSON a second, and one for each step.
    Programs,
}

/// How progress is shown.
#[derive(Debug, Clone, Default)]
pub struct Show {
    to: For,
    last: Arc<AtomicU32>,
}

impl Show {
    /// To these.
    #[must_use]
    pub fn new(to: For) -> Self {
        Self { to, last: Arc::default() }
    }

    fn tell(&self, people: impl FnOnce() -> String, programs: impl FnOnce() -> Value) {
        match self.to {
            For::Nobody => {}
            For::People => eprintln!("{}", people()),
            For::Programs => eprintln!("{}", programs()),
        }
    }

    /// Says what is done, or what was odd.
    pub fn say(&self, what: &str) {
        self.tell(|| format!("loadtest: {what}"), || json!({"step": what}));
    }

    pub(super) fn connecting(&self, now: u32, all: u32) {
        let before = self.last.swap(now, Ordering::Relaxed);
        if (now == all || now / 1000 != before / 1000) && now != before {
            let people = || format!("loadtest: {now} of {all} devices are connected");
            self.tell(people, || json!({"step": "connecting", "connected": now, "devices": all}));
        }
    }

    pub(super) fn second(&self, second: &Second, total_s: f64) {
        // A log file gets a line in ten.
        if self.to == For::People && !std::io::stderr().is_terminal() && second.at_s % 10.0 >= 1.0 {
            return;
        }
        self.tell(|| line(second, total_s), || object(second, total_s));
    }
}

fn line(second: &Second, total_s: f64) -> String {
    let Second { at_s, sends, deliveries, errors, behind, connected, ack_ms, delivery_ms, .. } = second;
    format!(
        "{at_s:6.0} of {total_s:.0} s │ {sends:7} sends/s │ {deliveries:8} deliveries/s │ ack {:6.1} {:7.1} ms │ delivery {:6.1} {:7.1} ms │ behind {behind} │ {errors} errors │ {connected} devices",
        ack_ms.p50, ack_ms.p99, delivery_ms.p50, delivery_ms.p99,
    )
}

/// The second as it stands in the report, and of how many.
fn object(second: &Second, total_s: f64) -> Value {
    let mut object = json!({"step": "load", "of_s": total_s});
    if let (Value::Object(object), Ok(Value::Object(second))) = (&mut object, serde_json::to_value(second)) {
        object.extend(second);
    }
    object
}

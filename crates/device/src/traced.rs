//! What sampled traces and the histograms see of a device: its sends, and the writes of what is delivered to it.

use std::time::SystemTime;

use mynah_proto::gateway::Record;
use mynah_proto::router::LogEntry;
use mynah_telemetry::{Given, Kind, Span, TraceContext};
use mynah_types::Millis;

/// Devices of a gateway whose writes are spans, of one message: a large room is not told one by one.
pub(crate) const MOST_WRITES: usize = 8;

/// A frame that waits for its device, in the trace that it is of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waiting {
    context: TraceContext,
    since: SystemTime,
}

impl Waiting {
    pub(crate) fn new(context: TraceContext) -> Self {
        Self { context, since: SystemTime::now() }
    }
}

/// Sends of a device: a device gives no trace, so that some are chosen here.
pub(crate) fn sends(count: usize) -> Span {
    let mut span = Span::root("device.send", Given::Nothing);
    span.note("messages", || count);
    span
}

/// A record that came from a router.
pub(crate) fn delivery(record: &Record) -> Span {
    Span::entered(TraceContext::sampled(&record.traceparent), "gateway.deliver", Kind::Consumer)
}

/// The sockets took frames: each was on its way to its device since it was queued.
pub(crate) fn written(frames: Vec<Waiting>, conn: u64) {
    for Waiting { context, since } in frames {
        let mut span = Span::child(Some(context), "device.write", Kind::Internal).since(since);
        span.note("connection", || conn);
    }
}

/// How long an entry took from its time, which the router gave it, to this gateway.
pub(crate) fn lag(log: &LogEntry, now: Millis) {
    let lag = std::time::Duration::from_millis(now.saturating_sub(log.ctime_ms));
    metrics::histogram!("mynah_delivery_lag_seconds").record(lag.as_secs_f64());
}

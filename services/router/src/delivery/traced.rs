//! Records whose trace is sampled: a span where one goes to the bus, and one where it is put on the links to the gateways.

use std::time::SystemTime;

use mynah_ports::Bus;
use mynah_ports::bus::{Error, FanoutRecord};
use mynah_telemetry::{Kind, Span, TraceContext};

/// Hands a record to the bus; whoever takes it goes on under this span.
pub(super) async fn publish(bus: &dyn Bus, mut record: FanoutRecord) -> Result<(), Error> {
    let mut span = Span::child(context(&record), "bus.publish", Kind::Producer);
    under(&mut record, &span);
    let taken = bus.publish(record).await;
    if taken.is_err() {
        span.failed();
    }
    taken
}

/// The span of a record that goes to `gateways`, since its batch was taken up. The gateways go on under it.
pub(super) fn fanned_out(record: &mut FanoutRecord, since: SystemTime, gateways: usize) -> Span {
    let mut span = Span::entered(context(record), "delivery.fan_out", Kind::Consumer).since(since);
    span.note("gateways", || gateways);
    under(record, &span);
    span
}

fn context(record: &FanoutRecord) -> Option<TraceContext> {
    record.traceparent.as_deref().and_then(TraceContext::sampled)
}

fn under(record: &mut FanoutRecord, span: &Span) {
    record.traceparent = span.context().map(|context| context.text().into());
}

//! Spans to a collector, by OTLP over gRPC: in batches, from a thread of its own; what does not fit its queue is dropped.
//!
//! It owns how our spans are told in OpenTelemetry's terms. It knows nothing of what they are about. A crate of its own, so that a binary
//! that only carries contexts does not link it.

use std::time::Duration;

use mynah_telemetry::{Finished, Kind, Sink};
use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SpanData, SpanEvents, SpanLinks, SpanProcessor as _};

/// How long a span waits for others.
const GATHERED: Duration = Duration::from_secs(1);
/// How long the collector may take for a batch, and all that waits at the end.
const WITHIN: Duration = Duration::from_secs(3);
/// Spans that may wait; about a kilobyte each.
const WAITING: usize = 8192;

/// The way to a collector.
#[derive(Debug)]
pub struct Otlp {
    processor: BatchSpanProcessor,
    scope: InstrumentationScope,
}

/// The collector's address does not serve.
#[derive(Debug, thiserror::Error)]
#[error("otlp_endpoint: {0}")]
pub struct OtlpError(String);

impl Otlp {
    /// To the collector at `endpoint` (`http://host:port`), in the name of a process: its service, and which of them it is. The collector
    /// need not be there. Must run inside a tokio runtime, which has to live as long.
    ///
    /// # Errors
    /// When `endpoint` is no address.
    pub fn start(endpoint: &str, service: &str, instance: &str) -> Result<Self, OtlpError> {
        let exporter = SpanExporter::builder().with_tonic().with_endpoint(endpoint).with_timeout(WITHIN).build();
        let exporter = exporter.map_err(|error| OtlpError(error.to_string()))?;
        let config = BatchConfigBuilder::default().with_scheduled_delay(GATHERED).with_max_queue_size(WAITING).build();
        let mut processor = BatchSpanProcessor::builder(exporter).with_batch_config(config).build();
        let instance = KeyValue::new("service.instance.id", instance.to_owned());
        let namespace = KeyValue::new("service.namespace", "mynah");
        let resource = Resource::builder_empty().with_service_name(service.to_owned()).with_attributes([instance, namespace]);
        processor.set_resource(&resource.build());
        Ok(Self { processor, scope: InstrumentationScope::builder("mynah").build() })
    }
}

impl Sink for Otlp {
    fn ended(&self, span: Finished) {
        let context = SpanContext::new(
            TraceId::from_bytes(span.context.trace),
            SpanId::from_bytes(span.context.span),
            TraceFlags::SAMPLED,
            false,
            TraceState::NONE,
        );
        self.processor.on_end(SpanData {
            span_context: context,
            parent_span_id: span.parent.map_or(SpanId::INVALID, SpanId::from_bytes),
            parent_span_is_remote: span.remote,
            span_kind: kind(span.kind),
            name: span.name,
            start_time: span.began,
            end_time: span.ended,
            attributes: span.notes.into_iter().map(|(key, value)| KeyValue::new(key, value)).collect(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: if span.failed { Status::error("") } else { Status::Unset },
            instrumentation_scope: self.scope.clone(),
        });
    }

    fn end(&self) {
        if let Err(error) = self.processor.shutdown_with_timeout(WITHIN) {
            tracing::warn!(%error, "the last spans were not sent");
        }
    }
}

fn kind(kind: Kind) -> SpanKind {
    match kind {
        Kind::Server => SpanKind::Server,
        Kind::Client => SpanKind::Client,
        Kind::Producer => SpanKind::Producer,
        Kind::Consumer => SpanKind::Consumer,
        Kind::Internal => SpanKind::Internal,
    }
}

//! Spans of a process that exports: its exporter is for life, so that this is one test.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use mynah_telemetry::{Export, Finished, Given, Kind, Sink, Span, TraceContext};

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<Finished>>>);

impl Sink for Kept {
    fn ended(&self, span: Finished) {
        self.0.lock().unwrap().push(span);
    }

    fn end(&self) {}
}

impl Kept {
    fn take(&self) -> Vec<Finished> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

const CALLER: TraceContext = TraceContext { trace: [7; 16], span: [9; 8] };

#[tokio::test]
async fn sampled_traces_are_followed_and_others_make_nothing() {
    // Before there is an exporter a context is only passed on.
    let passing = Span::root("request", Given::Sampled(CALLER));
    assert_eq!(passing.context(), Some(CALLER));
    assert_eq!(Span::root("request", Given::Nothing).context(), None);
    drop(passing);

    let kept = Kept::default();
    mynah_telemetry::export_to(Export { sink: Box::new(kept.clone()), ratio: 0.25 });
    assert!(kept.take().is_empty());

    let root = Span::root("request", Given::Sampled(CALLER));
    let in_root = root.context().unwrap();
    assert_eq!(in_root.trace, CALLER.trace);
    assert_ne!(in_root.span, CALLER.span);
    let mut headers = HeaderMap::new();
    mynah_telemetry::within(Some(in_root), async { mynah_telemetry::inject(&mut headers) }).await;
    assert_eq!(mynah_telemetry::extract(&headers), Given::Sampled(in_root));
    let earlier = SystemTime::now() - Duration::from_secs(1);
    let mut child = Span::child(Some(in_root), "append", Kind::Client).since(earlier);
    child.note("records", || 3);
    drop((child, root));
    let spans = kept.take();
    assert_eq!(spans.iter().map(|span| span.name.as_ref()).collect::<Vec<_>>(), ["append", "request"]);
    assert_eq!((spans[0].parent, spans[0].remote, spans[1].parent), (Some(in_root.span), false, Some(CALLER.span)));
    assert_eq!((spans[0].began, &spans[0].notes), (earlier, &vec![("records", "3".to_owned())]));
    assert!(spans[0].ended > earlier && spans[1].remote);

    // What the caller does not sample is not sampled, whatever the ratio.
    let mut asked = false;
    let mut none = Span::root("request", Given::Unsampled);
    none.note("route", || {
        asked = true;
        ""
    });
    assert_eq!((none.context(), asked), (None, false));
    let mut headers = HeaderMap::new();
    mynah_telemetry::within(none.context(), async { mynah_telemetry::inject(&mut headers) }).await;
    assert!(headers.is_empty());
    drop(none);
    assert!(kept.take().is_empty());

    (0..10_000).for_each(|_| drop(Span::root("request", Given::Nothing)));
    let spans = kept.take();
    assert!((2000..3000).contains(&spans.len()), "{} of 10,000 at a quarter", spans.len());
    let mut traces: Vec<_> = spans.iter().map(|span| span.context.trace).collect();
    traces.sort_unstable();
    traces.dedup();
    assert_eq!(traces.len(), spans.len());
}

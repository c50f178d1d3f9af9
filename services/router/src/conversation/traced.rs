//! Commands whose trace is sampled: each has a span from its mailbox to its answer, and one for the batch that it was appended with.

use std::time::SystemTime;

use mynah_domain::conversation::{Answer, Command};
use mynah_telemetry::{Kind, Span, TraceContext};
use mynah_types::{ConversationKey, Seq};
use tokio::sync::oneshot;

use super::actor::Reply;

/// Who asked, and the span of what he asked for.
pub(crate) struct Asked {
    pub(super) reply: oneshot::Sender<Reply>,
    pub(super) span: Span,
    /// Counts it among those that wait.
    pub(super) _waits: Waits,
}

/// A command that waits for its answer: in its actor's mailbox or queue, or for the log.
pub(super) struct Waits(metrics::Gauge);

impl Waits {
    pub(super) fn new(waiting: &metrics::Gauge) -> Self {
        waiting.increment(1.0);
        Self(waiting.clone())
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

/// The span of a command, in the caller's context.
pub(super) fn decision(key: ConversationKey, command: &Command) -> Span {
    let mut span = Span::child(mynah_telemetry::current(), "conversation.decide", Kind::Internal);
    span.note("conversation", || key);
    span.note("bytes", || command.weight());
    span
}

/// Where the entries of a durable batch go on: the places of those whose trace is sampled, each with its span of the append.
///
/// A batch carries messages of many traces. Each of them has an append of its own in its own trace, rather than one that links to all.
pub(super) fn appended(answers: &[(Asked, Answer)], began: SystemTime) -> Vec<(Seq, TraceContext)> {
    let mut traces = Vec::new();
    for (asked, answer) in answers {
        let Some(context) = asked.span.context() else { continue };
        let mut append = |seq: Seq| {
            let mut span = Span::child(Some(context), "log.append", Kind::Client).since(began);
            span.note("seq", || seq);
            span.note("batch", || answers.len());
            traces.extend(span.context().map(|context| (seq, context)));
        };
        match answer {
            Answer::Sent(results) => results.iter().flatten().filter(|sent| !sent.duplicate).for_each(|sent| append(sent.seq)),
            Answer::Retracted(Ok(seq)) => append(*seq),
            _ => {}
        }
    }
    traces
}

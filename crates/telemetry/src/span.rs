//! Spans: they end when they are dropped.

use std::borrow::Cow;
use std::time::SystemTime;

use crate::context::{Given, TraceContext};
use crate::sampling::{self, Finished};

/// The part that a process has in a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It answers a call.
    Server,
    /// It calls.
    Client,
    /// It hands on what is worked on later.
    Producer,
    /// It works on what was handed on.
    Consumer,
    /// Nobody else has a part in it.
    Internal,
}

/// Something that was done for a request whose trace is sampled; nothing for every other request.
#[derive(Debug)]
pub struct Span(State);

#[derive(Debug)]
enum State {
    Nothing,
    /// This process exports nothing: the context goes on as it came.
    Passing(TraceContext),
    Open(Box<Finished>),
}

impl Span {
    /// Where a request comes in: under the caller's span, or the first of a trace if the request is one of those to sample.
    #[must_use]
    pub fn root(name: &'static str, given: Given) -> Self {
        match given {
            Given::Sampled(parent) => Self::of(parent, true, name.into(), Kind::Server),
            Given::Unsampled => Self(State::Nothing),
            Given::Nothing => match sampling::sampled() {
                Some(trace) => Self(State::Open(open(trace, None, false, name.into(), Kind::Server))),
                None => Self(State::Nothing),
            },
        }
    }

    /// Under a span of another process.
    #[must_use]
    pub fn entered(of: Option<TraceContext>, name: impl Into<Cow<'static, str>>, kind: Kind) -> Self {
        of.map_or(Self(State::Nothing), |parent| Self::of(parent, true, name.into(), kind))
    }

    /// Under a span of this process.
    #[must_use]
    pub fn child(of: Option<TraceContext>, name: &'static str, kind: Kind) -> Self {
        of.map_or(Self(State::Nothing), |parent| Self::of(parent, false, name.into(), kind))
    }

    fn of(parent: TraceContext, remote: bool, name: Cow<'static, str>, kind: Kind) -> Self {
        if !sampling::is_on() {
            return Self(State::Passing(parent));
        }
        Self(State::Open(open(parent.trace, Some(parent.span), remote, name, kind)))
    }

    /// It began earlier than it was made.
    #[must_use]
    pub fn since(mut self, at: SystemTime) -> Self {
        if let State::Open(span) = &mut self.0 {
            span.began = at;
        }
        self
    }

    /// What happens under it happens in this context. None: the trace is not sampled.
    #[must_use]
    pub fn context(&self) -> Option<TraceContext> {
        match &self.0 {
            State::Nothing => None,
            State::Passing(context) => Some(*context),
            State::Open(span) => Some(span.context),
        }
    }

    /// Notes more of it; `value` is asked only if the span is made.
    pub fn note<V: ToString>(&mut self, key: &'static str, value: impl FnOnce() -> V) {
        if let State::Open(span) = &mut self.0 {
            span.notes.push((key, value().to_string()));
        }
    }

    /// It did not come to what it was for.
    pub fn failed(&mut self) {
        if let State::Open(span) = &mut self.0 {
            span.failed = true;
        }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        if let State::Open(span) = std::mem::replace(&mut self.0, State::Nothing) {
            sampling::ended(Finished { ended: SystemTime::now(), ..*span });
        }
    }
}

fn open(trace: [u8; 16], parent: Option<[u8; 8]>, remote: bool, name: Cow<'static, str>, kind: Kind) -> Box<Finished> {
    let began = SystemTime::now();
    let context = TraceContext { trace, span: sampling::span_id() };
    Box::new(Finished { context, parent, remote, name, kind, began, ended: began, notes: Vec::new(), failed: false })
}

//! Traces: what a trace context is in our processes, and the spans of those that are sampled.
//!
//! It owns the W3C form of a context, the decision to sample, and which context a task works in. It knows no exporter: one is given to
//! [`export_to`]. A request that is not sampled carries nothing and makes no span, so that tracing costs nothing where it is off.
//!
//! Reading order: [`TraceContext`], [`Span`], [`current`] and [`within`] (the context of a task), [`inject`] and [`extract`] (headers).

mod context;
mod sampling;
mod span;
mod task;

pub use context::{Given, TraceContext};
pub use sampling::{Export, Finished, Sink, end, export_to};
pub use span::{Kind, Span};
pub use task::{HEADER, current, extract, inject, within};

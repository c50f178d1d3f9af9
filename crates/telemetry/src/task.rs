//! The context that a task works in, and headers.

use std::future::Future;

use http::{HeaderMap, HeaderValue};

use crate::{Given, TraceContext};

/// The name of the header, in HTTP, gRPC and Kafka alike.
pub const HEADER: &str = "traceparent";

tokio::task_local! {
    static CURRENT: TraceContext;
}

/// The context in which this task works, if it is sampled.
#[must_use]
pub fn current() -> Option<TraceContext> {
    CURRENT.try_with(|context| *context).ok()
}

/// Has a future work in a context; tasks that it spawns do not inherit it.
pub async fn within<F: Future>(context: Option<TraceContext>, work: F) -> F::Output {
    match context {
        Some(context) => CURRENT.scope(context, work).await,
        None => work.await,
    }
}

/// Adds the task's context to the headers of a call.
pub fn inject(headers: &mut HeaderMap) {
    if let Some(value) = current().and_then(|context| HeaderValue::try_from(context.text()).ok()) {
        headers.insert(HEADER, value);
    }
}

/// What the headers of a request say.
#[must_use]
pub fn extract(headers: &HeaderMap) -> Given {
    let mut values = headers.get_all(HEADER).iter();
    match (values.next(), values.next()) {
        (Some(one), None) => one.to_str().map_or(Given::Nothing, Given::read),
        _ => Given::Nothing,
    }
}

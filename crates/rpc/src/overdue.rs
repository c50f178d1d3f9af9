//! Calls that came in when their callers had given them up already: nobody is answered by them, and what they change may have been changed
//! otherwise since. They lie in the socket of a process that stood still.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::future::Either;
use http::{Request, Response};
use mynah_ports::deadline;
use mynah_proto::{DEADLINE, Failure};
use mynah_types::{Clock, Reason};
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};

/// Before a service.
#[derive(Clone)]
pub(crate) struct RefuseOverdue(pub(crate) Arc<dyn Clock>);

impl<S> Layer<S> for RefuseOverdue {
    type Service = InTime<S>;

    fn layer(&self, inner: S) -> InTime<S> {
        InTime { inner, clock: Arc::clone(&self.0) }
    }
}

#[derive(Clone)]
pub(crate) struct InTime<S> {
    inner: S,
    clock: Arc<dyn Clock>,
}

impl<S, B> Service<Request<B>> for InTime<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Either<S::Future, Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Some(left) = left(&request, &*self.clock) else { return Either::Left(self.inner.call(request)) };
        if left.is_zero() {
            metrics::counter!("mynah_grpc_overdue_total").increment(1);
            let refused = Failure::new(Reason::Unavailable, "the call came when it was given up already: try again");
            return Either::Right(Box::pin(async move { Ok(Status::from(refused).into_http()) }));
        }
        let until = Instant::now() + left;
        Either::Right(Box::pin(deadline::until(Some(until), self.inner.call(request))))
    }
}

/// How long the caller still waits, if he says it and the time is known here.
fn left<B>(request: &Request<B>, clock: &dyn Clock) -> Option<Duration> {
    let deadline: u64 = request.headers().get(DEADLINE)?.to_str().ok()?.parse().ok()?;
    clock.is_certain().then(|| Duration::from_millis(deadline.saturating_sub(clock.now_ms())))
}

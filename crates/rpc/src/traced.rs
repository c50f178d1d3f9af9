//! Calls that come in with a sampled trace: each is a span, and is worked on in its context.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::future::Either;
use http::Request;
use mynah_telemetry::{Given, Kind, Span};
use tower::{Layer, Service};

/// Before a service.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TraceCalls;

impl<S> Layer<S> for TraceCalls {
    type Service = Traced<S>;

    fn layer(&self, inner: S) -> Traced<S> {
        Traced(inner)
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Traced<S>(S);

impl<S, B> Service<Request<B>> for Traced<S>
where
    S: Service<Request<B>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Either<S::Future, Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Given::Sampled(caller) = mynah_telemetry::extract(request.headers()) else {
            return Either::Left(self.0.call(request));
        };
        let name = request.uri().path().trim_start_matches('/').to_owned();
        let span = Span::entered(Some(caller), name, Kind::Server);
        let called = self.0.call(request);
        Either::Right(Box::pin(async move { mynah_telemetry::within(span.context(), called).await }))
    }
}

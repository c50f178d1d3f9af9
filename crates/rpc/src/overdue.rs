//! Calls that came in when their callers had given them up already: nobody is answered by them, and what they change may have been changed
//! otherwise since. They lie in the socket of a process that stood still.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::future::Either;
use http::{Request, Response};
use metrics::Counter;
use mynah_ports::deadline;
use mynah_proto::{DEADLINE, Failure};
use mynah_types::{Clock, Reason};
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};

/// Before a service.
#[derive(Clone)]
pub(crate) struct RefuseOverdue {
    clock: Arc<dyn Clock>,
    refused: Counter,
}

impl RefuseOverdue {
    /// By the deployment's time.
    pub(crate) fn by(clock: Arc<dyn Clock>) -> Self {
        // Shown from the start: an alert asks for it.
        Self { clock, refused: metrics::counter!("mynah_grpc_overdue_total") }
    }
}

impl<S> Layer<S> for RefuseOverdue {
    type Service = InTime<S>;

    fn layer(&self, inner: S) -> InTime<S> {
        InTime { inner, rule: self.clone() }
    }
}

#[derive(Clone)]
pub(crate) struct InTime<S> {
    inner: S,
    rule: RefuseOverdue,
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
        let Some(left) = left(&request, &*self.rule.clock) else { return Either::Left(self.inner.call(request)) };
        if left.is_zero() {
            self.rule.refused.increment(1);
            let refused = Failure::new(Reason::Unavailable, "the call came when it was given up already: try again");
            return Either::Right(Box::pin(async move { Ok(Status::from(refused).into_http()) }));
        }
        let until = Instant::now() + left;
        Either::Right(Box::pin(deadline::until(Some(until), self.inner.call(request))))
    }
}

/// How long the caller still waits, if he says it: by the deployment's time, and in any case no longer than his time-out from now on.
fn left<B>(request: &Request<B>, clock: &dyn Clock) -> Option<Duration> {
    let header = |name| request.headers().get(name)?.to_str().ok();
    let deadline = header(DEADLINE).and_then(|text| text.parse::<u64>().ok()).filter(|_| clock.is_certain());
    let by_clock = deadline.map(|deadline| Duration::from_millis(deadline.saturating_sub(clock.now_ms())));
    let by_timeout = header("grpc-timeout").and_then(timeout);
    by_clock.into_iter().chain(by_timeout).min()
}

/// A time-out as gRPC writes it: at most eight digits and a unit.
fn timeout(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u64 = number.parse().ok().filter(|_| number.len() <= 8)?;
    match unit {
        "H" => Some(Duration::from_secs(number * 3600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::convert::Infallible;

    use mynah_types::{CorrectedClock, ManualClock};
    use tower::ServiceExt as _;

    use super::*;

    const NOW: u64 = 1_000_000;

    /// Whether a call came through, with what is left of its time.
    async fn called(clock: Arc<dyn Clock>, headers: &[(&'static str, &str)]) -> Option<Option<Duration>> {
        let inner = tower::service_fn(|_: Request<()>| async {
            let left = deadline::get().map(|until| until.saturating_duration_since(Instant::now()));
            let mut reply = Response::new(Body::empty());
            reply.extensions_mut().insert(left);
            Ok::<_, Infallible>(reply)
        });
        let mut request = Request::new(());
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let mut reply = RefuseOverdue::by(clock).layer(inner).oneshot(request).await.unwrap();
        let came_through = reply.extensions_mut().remove::<Option<Duration>>();
        let refused = Status::from_header_map(reply.headers()).map(|status| Failure::from(status).why());
        assert_eq!(refused, came_through.is_none().then_some(Reason::Unavailable));
        came_through
    }

    #[tokio::test]
    async fn a_call_that_was_given_up_is_not_begun_and_one_that_was_not_knows_until_when() {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(NOW));
        let by_clock = async |deadline: &str| called(Arc::clone(&clock), &[(DEADLINE, deadline)]).await;
        assert_eq!(by_clock("1000000").await, None, "just now");
        assert_eq!(by_clock("1").await, None);
        let left = by_clock("1600000").await.unwrap().unwrap();
        assert!(left <= Duration::from_secs(600) && left > Duration::from_secs(300), "{left:?}");
        for none in ["", "-1", "soon"] {
            assert_eq!(by_clock(none).await, Some(None), "{none}");
        }
        assert_eq!(called(Arc::clone(&clock), &[]).await, Some(None));
        // The shorter of the two counts.
        for (deadline, timeout) in [("1600000", "60S"), ("1060000", "600S")] {
            let left = called(Arc::clone(&clock), &[(DEADLINE, deadline), ("grpc-timeout", timeout)]).await.unwrap().unwrap();
            assert!(left <= Duration::from_secs(60) && left > Duration::from_secs(30), "{left:?}");
        }
    }

    #[test]
    fn timeouts_are_read_in_every_unit() {
        let read = ["2H", "2M", "2S", "2m", "2u", "2n"].map(|text| timeout(text).unwrap());
        let wanted = [7_200_000_000_000, 120_000_000_000, 2_000_000_000, 2_000_000, 2_000, 2].map(Duration::from_nanos);
        assert_eq!(read, wanted);
        for none in ["", "2", "S", "-2S", "123456789S", "2\u{e9}", "2h"] {
            assert_eq!(timeout(none), None, "{none}");
        }
    }

    #[tokio::test]
    async fn who_does_not_know_what_time_it_is_refuses_nothing() {
        let clock = Arc::new(CorrectedClock::new(Arc::new(ManualClock::at(NOW))));
        assert_eq!(called(Arc::clone(&clock) as _, &[(DEADLINE, "1")]).await, Some(None));
        clock.correct(NOW, NOW);
        assert_eq!(called(clock, &[(DEADLINE, "1")]).await, None);
    }
}

//! A call that any of several replicas can answer: which is tried next, and when a call may be made again.

use std::error::Error as _;
use std::future::Future;
use std::time::Duration;

use mynah_types::Millis;
use tokio::time::Instant;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};

/// The first pause before a call is made again, when every replica was tried.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// A replica to try.
#[derive(Debug, Clone)]
pub struct Try {
    /// Names it to [`Replicas::failed`].
    pub address: String,
    /// The way to it.
    pub channel: Channel,
}

/// The replicas of a service, as they are known now.
pub trait Replicas: Send + Sync {
    /// One to try, if possible none of `tried`. None while nobody is known.
    fn next(&self, tried: &[String]) -> Option<Try>;

    /// It did not answer: others are tried first for a while.
    fn failed(&self, address: &str);

    /// How long a call may take, all tries together.
    fn within(&self) -> Duration;

    /// The time that all processes of a deployment go by, if it is known.
    fn now_ms(&self) -> Option<Millis>;
}

/// Of a request: when its caller gives it up, in milliseconds since the Unix epoch by the time of the deployment. A replica that stood still
/// finds calls that were made again elsewhere long ago: it must not begin them.
pub const DEADLINE: &str = "mynah-deadline-ms";

/// Makes a call at one replica after another until one answers or the time is over. A call whose outcome is unknown is made again
/// only if it is `repeatable`.
pub(crate) async fn call<Q, R, F>(
    replicas: &dyn Replicas,
    repeatable: bool,
    request: Q,
    make: impl Fn(Channel, Request<Q>) -> F,
) -> Result<Response<R>, Status>
where
    Q: Clone,
    F: Future<Output = Result<Response<R>, Status>>,
{
    let until = Instant::now() + replicas.within();
    let deadline = replicas.now_ms().map(|now| now + millis(replicas.within()));
    let (mut tried, mut pause) = (Vec::new(), FIRST_PAUSE);
    let mut last = Status::unavailable("no replica of the service is known");
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(last);
        }
        let Some(replica) = replicas.next(&tried) else {
            tokio::time::sleep(pause.min(left)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            continue;
        };
        let mut attempt = traced(request.clone());
        attempt.set_timeout(left);
        if let Some(deadline) = deadline {
            attempt.metadata_mut().insert(DEADLINE, deadline.into());
        }
        let status = match tokio::time::timeout(left, make(replica.channel, attempt)).await {
            Ok(Ok(reply)) => return Ok(reply),
            Ok(Err(status)) => status,
            Err(_) => Status::deadline_exceeded("the service did not answer in time"),
        };
        if !(never_sent(&status) || (repeatable && broken(&status))) {
            return Err(status);
        }
        replicas.failed(&replica.address);
        last = status;
        if tried.contains(&replica.address) {
            tokio::time::sleep(pause.min(left)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        tried.push(replica.address);
    }
}

fn millis(time: Duration) -> Millis {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A request over a channel, in the trace that the task works in.
pub fn traced<Q>(message: Q) -> Request<Q> {
    let mut request = Request::new(message);
    mynah_telemetry::inject(request.metadata_mut().as_mut());
    request
}

/// Whether a failed call certainly never reached a service.
#[must_use]
pub fn never_sent(status: &Status) -> bool {
    let mut cause = status.source();
    while let Some(error) = cause {
        if error.is::<tonic::ConnectError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Whether the way to the service failed, rather than the service: the outcome is unknown.
#[must_use]
pub fn broken(status: &Status) -> bool {
    // Failures of our services have details; what the transport makes has none.
    status.details().is_empty() && matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Cancelled | Code::Internal)
}

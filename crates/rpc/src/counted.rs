//! How often each method was called here.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use http::Request;
use metrics::Counter;
use prost::Message as _;
use prost_types::FileDescriptorSet;
use tower::{Layer, Service};

/// Before a service. Counts calls of the methods that the schemas name; a caller cannot make up others.
#[derive(Clone)]
pub(crate) struct CountCalls(Arc<HashMap<String, OnceLock<Counter>>>);

impl CountCalls {
    /// Counts methods of these descriptors.
    ///
    /// # Errors
    /// When they are none.
    pub(crate) fn of(descriptors: &[u8]) -> Result<Self, prost::DecodeError> {
        let set = FileDescriptorSet::decode(descriptors)?;
        let mut counters = HashMap::new();
        for file in &set.file {
            for service in &file.service {
                for method in &service.method {
                    counters.insert(format!("/{}.{}/{}", file.package(), service.name(), method.name()), OnceLock::new());
                }
            }
        }
        Ok(Self(Arc::new(counters)))
    }

    fn count(&self, path: &str) {
        if let Some((path, counter)) = self.0.get_key_value(path) {
            // Made at the first call, when there is somebody to tell.
            let method = path.trim_start_matches('/');
            let counter = counter.get_or_init(|| metrics::counter!("mynah_grpc_calls_total", "method" => method.to_owned()));
            counter.increment(1);
        }
    }
}

impl<S> Layer<S> for CountCalls {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted { inner, calls: self.clone() }
    }
}

#[derive(Clone)]
pub(crate) struct Counted<S> {
    inner: S,
    calls: CountCalls,
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for Counted<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> S::Future {
        self.calls.count(request.uri().path());
        self.inner.call(request)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn methods_of_the_schemas_are_counted_and_no_others() {
        let calls = CountCalls::of(mynah_proto::DESCRIPTORS).unwrap();
        let sends = calls.0.get("/mynah.router.v1.Router/Send").unwrap();
        assert!(sends.get().is_none());
        calls.count("/mynah.router.v1.Router/Send");
        assert!(sends.get().is_some());
        let before = calls.0.len();
        calls.count("/mynah.router.v1.Router/Made.Up");
        assert_eq!(calls.0.len(), before);
    }
}

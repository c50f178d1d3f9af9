//! What a call to any of several replicas tells of its caller, and what becomes of it there.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::convert::Infallible;
use std::future::{Ready, pending, ready};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use mynah_ports::deadline;
use mynah_proto::DirectoryClient;
use mynah_proto::directory::GetUserRequest;
use mynah_rpc::{Channels, Names, Pool, Serving, serve};
use mynah_types::{Clock, ManualClock, Reason};
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tonic::Status;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::Routes;
use tower::Service;

const WITHIN: Duration = Duration::from_secs(600);
const NOW: u64 = 1_000_000;

/// A directory that refuses everything, and notes how long its callers still wait.
#[derive(Clone, Default)]
struct Directory(Arc<Mutex<Vec<Option<Duration>>>>);

impl NamedService for Directory {
    const NAME: &'static str = "mynah.directory.v1.Directory";
}

impl Service<Request<Body>> for Directory {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        let left = deadline::get().map(|until| until.saturating_duration_since(std::time::Instant::now()));
        self.0.lock().push(left);
        ready(Ok(Status::unimplemented("it does nothing").into_http()))
    }
}

/// Serves by `theirs`; answers a client that goes by `ours`.
async fn served(directory: Directory, ours: u64, theirs: Option<u64>) -> DirectoryClient {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let clock = theirs.map(|now| Arc::new(ManualClock::at(now)) as Arc<dyn Clock>);
    tokio::spawn(serve(listener, Serving { routes: Routes::new(directory), tls: None, clock }, pending()));
    let names = Names::watch(vec![address]);
    DirectoryClient::Replicas(Pool::new(names, Channels::new(None).unwrap(), WITHIN, Arc::new(ManualClock::at(ours))))
}

#[tokio::test]
async fn a_replica_knows_until_when_its_caller_waits_and_begins_nothing_after() {
    let late = u64::try_from(WITHIN.as_millis()).unwrap();
    // By its clock, at once; in the middle of the time; just over.
    for (theirs, most) in [(NOW, Some(600)), (NOW + late / 2, Some(300)), (NOW + late, None)] {
        let directory = Directory::default();
        let client = served(directory.clone(), NOW, Some(theirs)).await;
        let failure = client.get_user(GetUserRequest::default()).await.unwrap_err();
        let noted = directory.0.lock().clone();
        match most {
            None => assert_eq!((failure.why(), noted), (Reason::Unavailable, Vec::new())),
            Some(most) => {
                let [Some(left)] = noted.as_slice() else { panic!("{noted:?}") };
                assert!(*left <= Duration::from_secs(most) && *left > Duration::from_secs(most - 100), "{left:?} of {most}");
            }
        }
    }
}

#[tokio::test]
async fn a_service_that_decides_by_ids_begins_whatever_comes() {
    let directory = Directory::default();
    let client = served(directory.clone(), NOW, None).await;
    client.get_user(GetUserRequest::default()).await.unwrap_err();
    assert_eq!(*directory.0.lock(), [None]);
}

//! A directory stands still with a call in its socket. Whoever made the call has given it up by the time it goes on.

use std::time::Duration;

use mynah_proto::directory::directory_client::DirectoryClient;
use mynah_proto::directory::{AppByKeyRequest, SetWordFilterRequest, WordFilterRequest};
use mynah_proto::{DEADLINE, Failure};
use mynah_rpc::Channels;
use mynah_types::{Clock as _, Millis, Reason, SystemClock};
use tonic::Request;
use tonic::transport::Channel;

use crate::support::{deployment, until};

/// A caller's patience.
const SHORT: Duration = Duration::from_secs(1);

#[derive(Clone)]
struct Caller {
    directory: DirectoryClient<Channel>,
    app_id: u64,
}

impl Caller {
    async fn switch(&self, on: bool, deadline: Millis) -> Result<(), Failure> {
        let mut request = Request::new(SetWordFilterRequest { app_id: self.app_id, on });
        request.metadata_mut().insert(DEADLINE, deadline.into());
        self.directory.clone().set_word_filter(request).await.map(drop).map_err(Failure::from)
    }

    async fn is_on(&self) -> bool {
        self.directory.clone().word_filter(WordFilterRequest { app_id: self.app_id }).await.unwrap().into_inner().on
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_lay_in_the_socket_of_a_directory_that_stood_still_is_not_begun() {
    let mut deployment = deployment(1, 1).await;
    let status = tokio::task::block_in_place(|| deployment.cluster.status());
    let first = deployment.cluster.settings()["directories"].split(',').next().unwrap().to_owned();
    let mut directory = DirectoryClient::new(Channels::new(None).unwrap().to(&first).unwrap());
    let app = directory.app_by_key(AppByKeyRequest { appkey: status.app.appkey, now: false }).await.unwrap();
    let caller = Caller { directory, app_id: app.into_inner().app_id };
    let handle = tokio::runtime::Handle::current();
    let is_refused = || handle.block_on(caller.switch(true, 1)).is_err_and(|failure| failure.why() == Reason::Unavailable);
    until("it knows what time it is", is_refused).await;
    caller.switch(false, SystemClock.now_ms() + 600_000).await.unwrap();

    deployment.cluster.pause("directory-1").unwrap();
    let deadline = SystemClock.now_ms() + u64::try_from(SHORT.as_millis()).unwrap();
    let called = |on, deadline| {
        let caller = caller.clone();
        tokio::spawn(async move { caller.switch(on, deadline).await })
    };
    let (waiting, overdue) = (called(true, deadline + 600_000), called(false, deadline));
    until("it is given up", || SystemClock.now_ms() > deadline).await;
    assert!(!waiting.is_finished() && !overdue.is_finished(), "it stands still");
    deployment.cluster.resume("directory-1").unwrap();
    waiting.await.unwrap().unwrap();
    assert_eq!(overdue.await.unwrap().map_err(|failure| failure.why()), Err(Reason::Unavailable));
    assert!(caller.is_on().await, "what was in time stands");
}

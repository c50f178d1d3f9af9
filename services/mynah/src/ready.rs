//! Readiness: whether the stores answer.

use mynah_proto::directory::ListRequest;
use mynah_proto::router::LocateRequest;
use mynah_proto::{DirectoryClient, Failure, RouterClient};
use mynah_types::Reason;

/// Asks each service for something that is not there: the answer has to come from its store.
pub async fn ready(directory: &DirectoryClient, router: &RouterClient) -> Result<(), String> {
    let page = directory.list_users(ListRequest { app_id: 0, start: 0, count: 1 }).await.map(|_| ());
    works("directory", page, Reason::AppNotFound)?;
    let message = router.locate(LocateRequest { msg_id: 1 }).await.map(|_| ());
    works("message log", message, Reason::RetractNotFound)
}

fn works(what: &str, answer: Result<(), Failure>, nothing: Reason) -> Result<(), String> {
    match answer {
        Ok(()) => Ok(()),
        Err(failure) if failure.why() == nothing => Ok(()),
        Err(failure) => Err(format!("{what}: {}", failure.message)),
    }
}

//! Whether a service answers out of its store: it is asked for something that is not there.

use mynah_types::Reason;

use crate::directory::ListRequest;
use crate::router::LocateRequest;
use crate::{DirectoryClient, Failure, RouterClient};

/// Whether the directory's store answers.
///
/// # Errors
/// What does not work, in words.
pub async fn directory(directory: &DirectoryClient) -> Result<(), String> {
    let page = directory.list_users(ListRequest { app_id: 0, start: 0, count: 1 }).await.map(|_| ());
    works("directory", page, Reason::AppNotFound)
}

/// Whether the message log answers.
///
/// # Errors
/// What does not work, in words.
pub async fn message_log(router: &RouterClient) -> Result<(), String> {
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

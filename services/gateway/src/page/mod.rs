//! The page under `/ui/`, and what it asks for. The page's files are part of the binary: nothing is fetched at run time.

mod demo;
mod document;
mod files;

use axum::Router as Routes;

use crate::gateway::Gateway;

pub(crate) fn routes() -> Routes<Gateway> {
    files::routes().merge(demo::routes()).merge(document::routes())
}

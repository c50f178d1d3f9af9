//! The suites of the REST API against real gateways, directories and routers on real engines: PostgreSQL, Kafka, Redis and S3.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "../../../mynah/tests/rest/app.rs"]
mod app;
#[path = "../../../mynah/tests/rest/cases.rs"]
mod cases;
#[path = "../../../mynah/tests/rest/documented.rs"]
mod documented;
#[path = "../../../mynah/tests/rest/faults.rs"]
mod faults;
#[path = "../../../mynah/tests/rest/files.rs"]
mod files;
#[path = "../../../mynah/tests/rest/flows.rs"]
mod flows;
#[path = "../../../mynah/tests/rest/races.rs"]
mod races;
#[path = "../../../mynah/tests/rest/reach.rs"]
mod reach;
#[path = "../../../mynah/tests/rest/setup.rs"]
mod setup;
#[path = "../../../mynah/tests/rest/shapes.rs"]
mod shapes;
mod world;

/// What only a clock that a test moves can have.
const BY_THE_CLOCK: [&str; 3] = ["message m1 sent 181 s ago", "cursor of a first page", "messages in range"];

#[tokio::test(flavor = "multi_thread")]
async fn every_case_of_the_contract_is_kept() {
    cases::every_case(world::Server::start().await, &BY_THE_CLOCK).await;
}

//! The contract's cases in every wiring of one process; `services/cluster/tests/rest` keeps them with real processes.

use crate::cases::every_case;
use crate::world::Server;

#[tokio::test(flavor = "multi_thread")]
async fn every_case_of_the_contract_is_kept() {
    every_case(Server::start().await, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_case_is_kept_over_channels() {
    every_case(Server::over_channels().await, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_case_is_kept_on_the_distributed_engines() {
    every_case(Server::on_engines(|product| product).await, &[]).await;
}

//! What a process says of itself to whoever speaks gRPC: health, and what it serves.

use futures_util::stream;
use mynah_engines::{PostgreSql, free_port};
use tonic::transport::Endpoint;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use crate::starts::{Process, key};
use crate::support::{PATIENCE, turn, until};

type Channel = tonic::transport::Channel;

async fn health(channel: &Channel) -> ServingStatus {
    let reply = HealthClient::new(channel.clone()).check(HealthCheckRequest::default()).await.unwrap();
    reply.into_inner().status()
}

/// What reflection answers to one question.
async fn reflected(channel: &Channel, question: MessageRequest) -> MessageResponse {
    let request = ServerReflectionRequest { host: String::new(), message_request: Some(question) };
    let mut client = ServerReflectionClient::new(channel.clone());
    let mut answers = client.server_reflection_info(stream::iter([request])).await.unwrap().into_inner();
    answers.message().await.unwrap().unwrap().message_response.unwrap()
}

/// Health is about calls: they are taken as long as it serves, whether its engine answers is readiness's affair. Whoever watches it is
/// told of the end, and does not hold it up.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_tells_its_health_and_its_services_by_grpc() {
    let _turn = turn().await;
    let mut postgresql = tokio::task::block_in_place(|| PostgreSql::start().unwrap());
    postgresql.create_database("directory").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let nobody = || format!("127.0.0.1:{}", free_port().unwrap());
    let grpc = nobody();
    let directory = Process::start(
        env!("CARGO_BIN_EXE_directory"),
        &[
            ("directory_database", postgresql.url("directory")),
            ("redis", format!("redis://{}/", nobody())),
            ("routers", nobody()),
            ("secret_key_file", key(folder.path())),
            ("grpc_listen", grpc.clone()),
        ],
    );
    until("green", || directory.says(200, "ready")).await;
    let channel = Endpoint::from_shared(format!("http://{grpc}")).unwrap().connect().await.unwrap();
    assert_eq!(health(&channel).await, ServingStatus::Serving);
    let unknown = HealthCheckRequest { service: "mynah.Nothing".into() };
    assert_eq!(HealthClient::new(channel.clone()).check(unknown).await.unwrap_err().code(), tonic::Code::NotFound);

    let MessageResponse::ListServicesResponse(list) = reflected(&channel, MessageRequest::ListServices(String::new())).await
    else {
        panic!("no list of services");
    };
    let names: Vec<_> = list.service.into_iter().map(|service| service.name).collect();
    assert!(names.iter().any(|name| name == "mynah.directory.v1.Directory"), "{names:?}");
    let symbol = MessageRequest::FileContainingSymbol("mynah.directory.v1.Directory".into());
    assert!(matches!(reflected(&channel, symbol).await, MessageResponse::FileDescriptorResponse(_)));

    postgresql.kill();
    until("red", || directory.readiness().is_some_and(|(status, _)| status == 503)).await;
    assert_eq!(health(&channel).await, ServingStatus::Serving);

    let mut watched = HealthClient::new(channel).watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    let status = |told: Option<HealthCheckResponse>| told.map(|told| told.status());
    assert_eq!(status(watched.message().await.unwrap()), Some(ServingStatus::Serving));
    directory.terminate();
    let told = tokio::time::timeout(PATIENCE, watched.message()).await.unwrap().unwrap();
    assert_eq!(status(told), Some(ServingStatus::NotServing));
    until("its end, though somebody watches", || directory.ended().is_some()).await;
}

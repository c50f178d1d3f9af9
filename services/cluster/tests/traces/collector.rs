//! A collector: takes spans by OTLP and keeps them.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::resource::v1::Resource;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// How long spans may take to come.
const WITHIN: Duration = Duration::from_secs(30);

/// A span as it came.
#[derive(Debug, Clone)]
pub struct Told {
    pub service: String,
    pub process: String,
    pub name: String,
    pub trace: String,
    pub id: String,
    pub parent: String,
    pub began: u64,
    pub ended: u64,
}

#[derive(Clone)]
struct Kept(Arc<watch::Sender<Vec<Told>>>);

pub struct Collector {
    address: std::net::SocketAddr,
    kept: watch::Receiver<Vec<Told>>,
}

impl Collector {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, kept) = watch::channel(Vec::new());
        let service = TraceServiceServer::new(Kept(Arc::new(sender)));
        let serving = Server::builder().add_service(service).serve_with_incoming(TcpIncoming::from(listener));
        tokio::spawn(serving);
        Self { address, kept }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn all(&self) -> Vec<Told> {
        self.kept.borrow().clone()
    }

    pub fn of(&self, trace: &str) -> Vec<Told> {
        self.all().into_iter().filter(|span| span.trace == trace).collect()
    }

    /// What `chain` finds in a trace, once it is as long as expected.
    pub async fn trace_with(&self, trace: &str, length: usize, chain: impl Fn(&[Told]) -> Vec<Told>) -> Vec<Told> {
        let of_trace = |all: &[Told]| all.iter().filter(|span| span.trace == trace).cloned().collect::<Vec<_>>();
        self.until(|all| Some(chain(&of_trace(all))).filter(|chain| chain.len() >= length))
            .await
            .unwrap_or_else(|| panic!("no whole chain: {:#?}", self.of(trace)))
    }

    /// The trace of the first span of a name.
    pub async fn trace_of(&self, name: &str) -> String {
        self.until(|all| all.iter().find(|span| span.name == name).map(|span| span.trace.clone())).await.expect("a span in time")
    }

    async fn until<T>(&self, find: impl Fn(&[Told]) -> Option<T>) -> Option<T> {
        let mut kept = self.kept.clone();
        let found = async {
            loop {
                if let Some(found) = find(&kept.borrow_and_update()) {
                    return found;
                }
                kept.changed().await.unwrap();
            }
        };
        tokio::time::timeout(WITHIN, found).await.ok()
    }
}

#[tonic::async_trait]
impl TraceService for Kept {
    async fn export(&self, request: Request<ExportTraceServiceRequest>) -> Result<Response<ExportTraceServiceResponse>, Status> {
        for of_process in request.into_inner().resource_spans {
            let resource = of_process.resource.unwrap_or_default();
            let (service, process) = (text(&resource, "service.name"), text(&resource, "service.instance.id"));
            for span in of_process.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                let told = Told {
                    service: service.clone(),
                    process: process.clone(),
                    name: span.name,
                    trace: hex(&span.trace_id),
                    id: hex(&span.span_id),
                    parent: hex(&span.parent_span_id),
                    began: span.start_time_unix_nano,
                    ended: span.end_time_unix_nano,
                };
                self.0.send_modify(|kept| kept.push(told));
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn text(resource: &Resource, key: &str) -> String {
    let found = resource.attributes.iter().find(|attribute| attribute.key == key);
    match found.and_then(|attribute| attribute.value.clone()?.value) {
        Some(Value::StringValue(text)) => text,
        other => panic!("{key}: {other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

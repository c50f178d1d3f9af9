//! The wire: schemas of the device protocol and of the services, generated code, both device codecs, clients.
//!
//! Owns every message type that leaves a process. A service's generated trait is its in-process interface as well: a client here
//! calls an implementation directly, or over a channel (feature `channel`). It knows no business rule.

#[allow(missing_docs, clippy::all, clippy::allow_attributes_without_reason, clippy::too_many_lines, clippy::pedantic, reason = "generated; the schemas are documented")]
#[rustfmt::skip]
mod generated {
    pub mod mynah {
        pub mod common {
            pub mod v1 { include!("gen/mynah.common.v1.rs"); }
        }
        pub mod device {
            pub mod v1 { include!("gen/mynah.device.v1.rs"); }
        }
        pub mod directory {
            pub mod v1 { include!("gen/mynah.directory.v1.rs"); }
        }
        pub mod gateway {
            pub mod v1 { include!("gen/mynah.gateway.v1.rs"); }
        }
        pub mod report {
            pub mod v1 { include!("gen/mynah.report.v1.rs"); }
        }
        pub mod router {
            pub mod v1 { include!("gen/mynah.router.v1.rs"); }
        }
    }
}

/// The schemas, for tools that ask a server for them (gRPC reflection).
#[cfg(feature = "channel")]
pub const DESCRIPTORS: &[u8] = include_bytes!("gen/descriptors.bin");

pub use generated::mynah::common::v1::Failure;
pub use generated::mynah::device::v1 as device;
pub use generated::mynah::directory::v1 as directory;
pub use generated::mynah::gateway::v1 as gateway;
pub use generated::mynah::report::v1 as report;
pub use generated::mynah::router::v1 as router;

pub mod binary;
mod client;
mod content;
mod failure;
pub mod json;
pub mod probe;
#[cfg(feature = "channel")]
mod replicas;

pub use client::{DirectoryClient, GatewayClient, ReportClient, RouterClient};
pub use content::content_hash;
#[cfg(feature = "channel")]
pub use replicas::{DEADLINE, Replicas, Try, broken, never_sent, traced};

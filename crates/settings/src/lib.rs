//! What the product can be told in either shape: one row a setting, and how the services get theirs.
//!
//! It owns names, bounds and defaults of settings that both shapes have. It knows no engine: what these need is each shape's own.

mod value;

use std::net::SocketAddr;
use std::time::Duration;

use mynah_device::Rate;
use mynah_runtime::settings::Key;

use value::public_url;
pub use value::{list, parse, within};

/// Milliseconds of a day.
const DAY_MS: u64 = 24 * 60 * MINUTE_MS;
/// Milliseconds of a minute.
const MINUTE_MS: u64 = 60 * 1000;

/// What either shape can be told.
#[derive(Debug, Clone)]
pub struct Product {
    /// Public address.
    pub http_listen: SocketAddr,
    /// Operations address.
    pub ops_listen: SocketAddr,
    /// Filter of log lines.
    pub log: String,
    /// Connections of the public address.
    pub connections: usize,
    /// Connections of devices.
    pub device_connections: usize,
    /// Pushes a second that one room may take of a gateway; 0: no bound.
    pub room_pushes_per_second: u32,
    /// Origins that browsers may come from.
    pub origins: Vec<String>,
    /// Zone of times without a zone, in minutes east of UTC.
    pub zone_minutes: i32,
    /// Requests that are worked on at one time.
    pub requests: usize,
    /// REST requests of one app in a minute; 0 = any number.
    pub rest_per_minute: u32,
    /// Messages of one sender by REST in a minute; 0 = any number.
    pub rest_sends_per_minute: u32,
    /// Scheme and host under which clients reach this server.
    pub public_url: Option<String>,
    /// Minutes for which the address of a file is good.
    pub media_url_minutes: u64,
    /// Seconds in which an uploaded file must be there.
    pub upload_seconds: u64,
    /// Seconds in which a request's body must be there.
    pub body_seconds: u64,
    /// Days from its last use after which a session ends.
    pub session_days: u64,
    /// Memory of one password hash, in KiB.
    pub argon2_memory_kib: u32,
    /// Passes of one password hash.
    pub argon2_iterations: u32,
    /// Sends of one user in a minute, from all his devices; 0 = any number.
    pub sends_per_minute: u32,
    /// Calls, lists and read marks of one user in a minute; 0 = any number.
    pub calls_per_minute: u32,
    /// Syncs and history pages of one user in a minute; 0 = any number.
    pub syncs_per_minute: u32,
    /// Over how many milliseconds devices come back after a shutdown.
    pub drain_spread_ms: u32,
}

impl Default for Product {
    fn default() -> Self {
        Self {
            http_listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            ops_listen: SocketAddr::from(([127, 0, 0, 1], 9180)),
            log: "info".into(),
            connections: 19_000,
            device_connections: 18_000,
            room_pushes_per_second: 500_000,
            origins: Vec::new(),
            zone_minutes: 8 * 60,
            requests: 512,
            rest_per_minute: 0,
            rest_sends_per_minute: 0,
            public_url: None,
            media_url_minutes: 60,
            upload_seconds: 120,
            body_seconds: 30,
            session_days: 30,
            argon2_memory_kib: 19_456,
            argon2_iterations: 2,
            sends_per_minute: 0,
            calls_per_minute: 1200,
            syncs_per_minute: 600,
            drain_spread_ms: 2000,
        }
    }
}

/// Settings that hold the product's.
pub trait HasProduct {
    /// These.
    fn product(&mut self) -> &mut Product;
}

/// The rows of the product's settings.
#[must_use]
#[allow(clippy::too_many_lines, reason = "a table: one row a setting")]
pub fn keys<S: HasProduct>() -> Vec<Key<S>> {
    vec![
        Key {
            name: "http_listen",
            help: "Public address: REST API, devices, pages [default: 127.0.0.1:8080]",
            set: |s, v| parse(v, "an address and a port, like 127.0.0.1:8080", &mut s.product().http_listen),
        },
        Key {
            name: "ops_listen",
            help: "Operations address: health, readiness, metrics [default: 127.0.0.1:9180]",
            set: |s, v| parse(v, "an address and a port, like 127.0.0.1:9180", &mut s.product().ops_listen),
        },
        Key {
            name: "log",
            help: "Which log lines are written: a level, or a filter like info,mynah_router=debug [default: info]",
            set: |s, v| {
                let filter = v.parse::<tracing_subscriber::EnvFilter>().map_err(|error| format!("must be a log filter: {error}"));
                filter.map(|_| v.clone_into(&mut s.product().log))
            },
        },
        Key {
            name: "connections",
            help: "Connections of the public address at one time [default: 19000]",
            set: |s, v| within(v, 1..=1_000_000, &mut s.product().connections),
        },
        Key {
            name: "device_connections",
            help: "Device connections at one time; more are asked to come back later [default: 18000]",
            set: |s, v| within(v, 1..=1_000_000, &mut s.product().device_connections),
        },
        Key {
            name: "room_pushes_per_second",
            help: "Pushes a second that one chatroom may take of a gateway, each message to each connection; beyond it devices hear \
                   what was skipped; 0 = no bound [default: 500000]",
            set: |s, v| within(v, 0..=100_000_000, &mut s.product().room_pushes_per_second),
        },
        Key {
            name: "origins",
            help: "Origins of web pages, besides this server's own, that may connect devices; with commas; * = all [default: none]",
            set: |s, v| list(v, &mut s.product().origins),
        },
        Key {
            name: "zone_minutes",
            help: "Zone of the API's times, in minutes east of UTC [default: 480]",
            set: |s, v| within(v, -14 * 60..=14 * 60, &mut s.product().zone_minutes),
        },
        Key {
            name: "requests",
            help: "REST requests worked on at one time; more are answered 503 [default: 512]",
            set: |s, v| within(v, 1..=100_000, &mut s.product().requests),
        },
        Key {
            name: "rest_per_minute",
            help: "REST requests of one app in a minute; more are answered 429; 0 = any number [default: 0]",
            set: |s, v| within(v, 0..=100_000_000, &mut s.product().rest_per_minute),
        },
        Key {
            name: "rest_sends_per_minute",
            help: "Messages of one sender by REST in a minute; more are answered 429; 0 = any number [default: 0]",
            set: |s, v| within(v, 0..=100_000_000, &mut s.product().rest_sends_per_minute),
        },
        Key {
            name: "public_url",
            help: "Scheme and host under which clients reach this server, for the addresses of files [default: none]",
            set: |s, v| public_url(v, &mut s.product().public_url),
        },
        Key {
            name: "media_url_minutes",
            help: "Minutes for which the address of a file is good [default: 60]",
            set: |s, v| within(v, 1..=525_600, &mut s.product().media_url_minutes),
        },
        Key {
            name: "upload_seconds",
            help: "Seconds in which an uploaded file must be there [default: 120]",
            set: |s, v| within(v, 1..=3600, &mut s.product().upload_seconds),
        },
        Key {
            name: "body_seconds",
            help: "Seconds in which the body of a REST request must be there [default: 30]",
            set: |s, v| within(v, 1..=3600, &mut s.product().body_seconds),
        },
        Key {
            name: "session_days",
            help: "Days from its last use after which a device's session ends [default: 30]",
            set: |s, v| within(v, 1..=3650, &mut s.product().session_days),
        },
        Key {
            name: "argon2_memory_kib",
            help: "Memory of one password hash, in KiB [default: 19456]",
            set: |s, v| within(v, 8..=1 << 20, &mut s.product().argon2_memory_kib),
        },
        Key {
            name: "argon2_iterations",
            help: "Passes of one password hash [default: 2]",
            set: |s, v| within(v, 1..=100, &mut s.product().argon2_iterations),
        },
        Key {
            name: "sends_per_minute",
            help: "Sends of one user's devices in a minute, a third of them at once; 0 = any number; the hosted service allows 60 [default: 0]",
            set: |s, v| within(v, 0..=1_000_000, &mut s.product().sends_per_minute),
        },
        Key {
            name: "calls_per_minute",
            help: "Calls, lists and read marks of one user's devices in a minute, a third of them at once; 0 = any number [default: 1200]",
            set: |s, v| within(v, 0..=1_000_000, &mut s.product().calls_per_minute),
        },
        Key {
            name: "syncs_per_minute",
            help: "Syncs and history pages of one user's devices in a minute, a third of them at once; 0 = any number [default: 600]",
            set: |s, v| within(v, 0..=1_000_000, &mut s.product().syncs_per_minute),
        },
        Key {
            name: "drain_spread_ms",
            help: "Over how many milliseconds devices come back after a shutdown [default: 2000]",
            set: |s, v| within(v, 0..=3_600_000, &mut s.product().drain_spread_ms),
        },
    ]
}

impl Product {
    /// The directory's part.
    #[must_use]
    pub fn directory(&self) -> mynah_directory::Settings {
        mynah_directory::Settings {
            argon2_memory_kib: self.argon2_memory_kib,
            argon2_iterations: self.argon2_iterations,
            media_lifetime_ms: self.media_url_minutes * MINUTE_MS,
            session_lifetime_ms: self.session_days * DAY_MS,
            zone_minutes: self.zone_minutes,
            ..mynah_directory::Settings::default()
        }
    }

    /// The device connections' part.
    #[must_use]
    pub fn devices(&self) -> mynah_device::Settings {
        mynah_device::Settings {
            connections: self.device_connections,
            origins: self.origins.clone(),
            public_url: self.public_url.clone(),
            room_pushes: self.room_pushes_per_second,
            sends: Rate::per_minute(self.sends_per_minute),
            calls: Rate::per_minute(self.calls_per_minute),
            syncs: Rate::per_minute(self.syncs_per_minute),
            ..mynah_device::Settings::default()
        }
    }

    /// The REST API's part.
    #[must_use]
    pub fn gateway(&self) -> mynah_gateway::Settings {
        mynah_gateway::Settings {
            zone_minutes: self.zone_minutes,
            public_url: self.public_url.clone(),
            upload_within: Duration::from_secs(self.upload_seconds),
            requests: self.requests,
            requests_per_window: self.rest_per_minute,
            sends_per_window: self.rest_sends_per_minute,
            body_within: Duration::from_secs(self.body_seconds),
            ..mynah_gateway::Settings::default()
        }
    }

    /// The report service's part.
    #[must_use]
    pub fn report(&self) -> mynah_report::Settings {
        mynah_report::Settings { zone_minutes: self.zone_minutes, ..mynah_report::Settings::default() }
    }
}

//! The settings of `mynah`, one row each. The same row is the file's key, the environment's variable and the flag.

use std::fmt::Display;
use std::net::SocketAddr;
use std::ops::RangeBounds;
use std::path::PathBuf;
use std::str::FromStr;

use mynah_runtime::settings::Key;

/// Everything that can be set.
#[derive(Debug)]
pub struct Settings {
    /// Folder of all data.
    pub data_dir: PathBuf,
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
    /// Start although the message log has lost durable commits.
    pub accept_log_loss: bool,
    /// Over how many milliseconds devices come back after a shutdown.
    pub drain_spread_ms: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            data_dir: "data".into(),
            http_listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            ops_listen: SocketAddr::from(([127, 0, 0, 1], 9180)),
            log: "info".into(),
            connections: 19_000,
            device_connections: 18_000,
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
            accept_log_loss: false,
            drain_spread_ms: 2000,
        }
    }
}

/// The table.
pub const KEYS: &[Key<Settings>] = &[
    Key { name: "data_dir", help: "Folder of all data [default: data]", set: |s, v| parse(v, "a path", &mut s.data_dir) },
    Key {
        name: "http_listen",
        help: "Public address: REST API, devices, pages [default: 127.0.0.1:8080]",
        set: |s, v| parse(v, "an address and a port, like 127.0.0.1:8080", &mut s.http_listen),
    },
    Key {
        name: "ops_listen",
        help: "Operations address: health, readiness, metrics [default: 127.0.0.1:9180]",
        set: |s, v| parse(v, "an address and a port, like 127.0.0.1:9180", &mut s.ops_listen),
    },
    Key {
        name: "log",
        help: "Which log lines are written: a level, or a filter like info,mynah_router=debug [default: info]",
        set: |s, v| {
            let filter = v.parse::<tracing_subscriber::EnvFilter>().map_err(|error| format!("must be a log filter: {error}"));
            filter.map(|_| v.clone_into(&mut s.log))
        },
    },
    Key {
        name: "connections",
        help: "Connections of the public address at one time [default: 19000]",
        set: |s, v| within(v, 1..=1_000_000, &mut s.connections),
    },
    Key {
        name: "device_connections",
        help: "Device connections at one time; more are asked to come back later [default: 18000]",
        set: |s, v| within(v, 1..=1_000_000, &mut s.device_connections),
    },
    Key {
        name: "origins",
        help: "Origins of web pages, besides this server's own, that may connect devices; with commas; * = all [default: none]",
        set: |s, v| {
            s.origins = v.split(',').map(str::trim).filter(|origin| !origin.is_empty()).map(Into::into).collect();
            Ok(())
        },
    },
    Key {
        name: "zone_minutes",
        help: "Zone of the API's times, in minutes east of UTC [default: 480]",
        set: |s, v| within(v, -14 * 60..=14 * 60, &mut s.zone_minutes),
    },
    Key {
        name: "requests",
        help: "REST requests worked on at one time; more are answered 503 [default: 512]",
        set: |s, v| within(v, 1..=100_000, &mut s.requests),
    },
    Key {
        name: "rest_per_minute",
        help: "REST requests of one app in a minute; more are answered 429; 0 = any number [default: 0]",
        set: |s, v| within(v, 0..=100_000_000, &mut s.rest_per_minute),
    },
    Key {
        name: "rest_sends_per_minute",
        help: "Messages of one sender by REST in a minute; more are answered 429; 0 = any number [default: 0]",
        set: |s, v| within(v, 0..=100_000_000, &mut s.rest_sends_per_minute),
    },
    Key {
        name: "public_url",
        help: "Scheme and host under which clients reach this server, for the addresses of files [default: none]",
        set: |s, v| public_url(v, &mut s.public_url),
    },
    Key {
        name: "media_url_minutes",
        help: "Minutes for which the address of a file is good [default: 60]",
        set: |s, v| within(v, 1..=525_600, &mut s.media_url_minutes),
    },
    Key {
        name: "upload_seconds",
        help: "Seconds in which an uploaded file must be there [default: 120]",
        set: |s, v| within(v, 1..=3600, &mut s.upload_seconds),
    },
    Key {
        name: "body_seconds",
        help: "Seconds in which the body of a REST request must be there [default: 30]",
        set: |s, v| within(v, 1..=3600, &mut s.body_seconds),
    },
    Key {
        name: "session_days",
        help: "Days from its last use after which a device's session ends [default: 30]",
        set: |s, v| within(v, 1..=3650, &mut s.session_days),
    },
    Key {
        name: "argon2_memory_kib",
        help: "Memory of one password hash, in KiB [default: 19456]",
        set: |s, v| within(v, 8..=1 << 20, &mut s.argon2_memory_kib),
    },
    Key {
        name: "argon2_iterations",
        help: "Passes of one password hash [default: 2]",
        set: |s, v| within(v, 1..=100, &mut s.argon2_iterations),
    },
    Key {
        name: "sends_per_minute",
        help: "Sends of one user's devices in a minute, a third of them at once; 0 = any number; the hosted service allows 60 [default: 0]",
        set: |s, v| within(v, 0..=1_000_000, &mut s.sends_per_minute),
    },
    Key {
        name: "calls_per_minute",
        help: "Calls, lists and read marks of one user's devices in a minute, a third of them at once; 0 = any number [default: 1200]",
        set: |s, v| within(v, 0..=1_000_000, &mut s.calls_per_minute),
    },
    Key {
        name: "syncs_per_minute",
        help: "Syncs and history pages of one user's devices in a minute, a third of them at once; 0 = any number [default: 600]",
        set: |s, v| within(v, 0..=1_000_000, &mut s.syncs_per_minute),
    },
    Key {
        name: "accept_log_loss",
        help: "Start although the message log has lost durable commits; devices then start anew [default: false]",
        set: |s, v| parse(v, "true or false", &mut s.accept_log_loss),
    },
    Key {
        name: "drain_spread_ms",
        help: "Over how many milliseconds devices come back after a shutdown [default: 2000]",
        set: |s, v| within(v, 0..=3_600_000, &mut s.drain_spread_ms),
    },
];

fn public_url(value: &str, into: &mut Option<String>) -> Result<(), String> {
    let host = value.strip_prefix("http://").or_else(|| value.strip_prefix("https://")).map(|rest| rest.trim_end_matches('/'));
    let plain = |host: &&str| !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:[]_/".contains(&b));
    *into = match (value.is_empty(), host.filter(plain)) {
        (true, _) => None,
        (false, Some(_)) => Some(value.to_owned()),
        (false, None) => return Err("must be http:// or https:// and a host".into()),
    };
    Ok(())
}

fn parse<T: FromStr>(value: &str, what: &str, into: &mut T) -> Result<(), String> {
    match value.parse() {
        Ok(read) if !value.is_empty() => {
            *into = read;
            Ok(())
        }
        _ => Err(format!("must be {what}")),
    }
}

fn within<T, R>(value: &str, range: R, into: &mut T) -> Result<(), String>
where
    T: FromStr + PartialOrd + Display,
    R: RangeBounds<T>,
{
    let bound = |bound: std::ops::Bound<&T>| match bound {
        std::ops::Bound::Included(bound) | std::ops::Bound::Excluded(bound) => bound.to_string(),
        std::ops::Bound::Unbounded => "any".into(),
    };
    let what = format!("must be a number from {} to {}", bound(range.start_bound()), bound(range.end_bound()));
    match value.parse::<T>() {
        Ok(read) if range.contains(&read) => {
            *into = read;
            Ok(())
        }
        _ => Err(what),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use mynah_runtime::settings::{Sources, read};

    /// The value that a key's help names as its default changes nothing.
    #[test]
    fn the_help_tells_the_true_defaults() {
        let told = |help: &str| help.rsplit_once("[default: ").and_then(|(_, rest)| rest.strip_suffix(']')).map(str::to_owned);
        let defaults = format!("{:?}", Settings::default());
        for key in KEYS {
            let default = told(key.help).unwrap_or_else(|| panic!("{} tells no default", key.name));
            let value = if default == "none" { String::new() } else { default };
            let sources = Sources { file: None, environment: Vec::new(), flags: vec![(key.name.into(), value)] };
            assert_eq!(format!("{:?}", read(KEYS, &sources).unwrap()), defaults, "{}", key.name);
        }
    }

    #[test]
    fn values_out_of_range_are_refused_by_name() {
        for (name, value) in
            [("http_listen", "8080"), ("data_dir", ""), ("log", "a=b=c"), ("session_days", "0"), ("zone_minutes", "900")]
        {
            let sources = Sources { file: None, environment: Vec::new(), flags: vec![(name.into(), value.into())] };
            let problem = read(KEYS, &sources).unwrap_err().0.concat();
            assert!(problem.contains(&name.replace('_', "-")), "{problem}");
        }
    }
}

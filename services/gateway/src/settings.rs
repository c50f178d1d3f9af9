//! Bounds and times of the HTTP side.

use std::time::Duration;

/// Settings of the REST API.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Largest JSON body, in bytes.
    pub body: usize,
    /// A body must be there in this time.
    pub body_within: Duration,
    /// Requests that may be worked on at one time. Full: refused, retryably.
    pub requests: usize,
    /// Files that may be coming in at one time. Full: refused, retryably.
    pub uploads: usize,
    /// A file must be there in this time.
    pub upload_within: Duration,
    /// Scheme and host under which clients reach this server, for the addresses of files; none: as the request names it.
    pub public_url: Option<String>,
    /// Requests of one app in a window; 0 = any number.
    pub requests_per_window: u32,
    /// Messages of one sender by the API in a window; 0 = any number.
    pub sends_per_window: u32,
    /// Length of a window.
    pub quota_window: Duration,
    /// A request that is not answered in this time is answered as timed out (899030).
    pub deadline: Duration,
    /// A send is repeated, under the same client message id, until then.
    pub send_deadline: Duration,
    /// Zone of times without a zone, in minutes east of UTC (UTC+8).
    pub zone_minutes: i32,
    /// Largest `msg_body`, in bytes as received.
    pub msg_body: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            body: 1 << 20,
            body_within: Duration::from_secs(30),
            requests: 512,
            uploads: 64,
            upload_within: Duration::from_secs(120),
            public_url: None,
            requests_per_window: 0,
            sends_per_window: 0,
            quota_window: Duration::from_secs(60),
            deadline: Duration::from_secs(15),
            send_deadline: Duration::from_secs(5),
            zone_minutes: 8 * 60,
            msg_body: 4096,
        }
    }
}

//! Bounds and times of device connections.

use std::time::Duration;

use crate::rate::Rate;
use crate::rooms::Bounds;

/// Messages and bytes that wait in one room.
const ROOM_WAITING: (usize, usize) = (512, 1 << 20);

/// Settings of device connections.
#[derive(Debug, Clone)]
pub struct Settings {
    /// A connection that says no hello in this time is closed.
    pub hello_within: Duration,
    /// How often a device should speak; silence of 2.5 times this ends the connection.
    pub ping_every: Duration,
    /// Frames that may wait for a device.
    pub queue_frames: usize,
    /// Bytes that may wait for a device.
    pub queue_bytes: usize,
    /// Largest WebSocket message taken.
    pub ws_message: usize,
    /// Largest frame taken.
    pub frame: usize,
    /// Frames of one WebSocket message.
    pub frames_per_message: usize,
    /// Largest `msg_body`.
    pub msg_body: usize,
    /// Largest `send`, all told.
    pub send: usize,
    /// A socket that takes nothing for this long is closed.
    pub stalled_after: Duration,
    /// Sends of one user.
    pub sends: Rate,
    /// Calls and conversation lists of one user.
    pub calls: Rate,
    /// Syncs and history pages of one user.
    pub syncs: Rate,
    /// Pushes a second that one room may take here, each message to each connection; 0: no bound. What is beyond is skipped.
    pub room_pushes: u32,
    /// What a room could not push for so long is skipped, unless it is the newest.
    pub room_patience: Duration,
    /// Refusals for asking too often, without one accepted in between, after which the connection is closed.
    pub refusals: u32,
    /// Logins that may fail on one connection.
    pub failed_logins: u32,
    /// Scheme and host under which clients reach this server, for the addresses of files; none: paths alone.
    pub public_url: Option<String>,
    /// Connections of this gateway.
    pub connections: usize,
    /// Origins that browsers may come from; empty = the same host, or no Origin at all.
    pub origins: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            hello_within: Duration::from_secs(5),
            ping_every: Duration::from_secs(30),
            queue_frames: 512,
            queue_bytes: 256 << 10,
            ws_message: 64 << 10,
            frame: 32 << 10,
            frames_per_message: 64,
            msg_body: 4096,
            send: 8 << 10,
            stalled_after: Duration::from_secs(10),
            sends: Rate::per_minute(60),
            calls: Rate::per_minute(1200),
            syncs: Rate::per_minute(600),
            room_pushes: 500_000,
            room_patience: Duration::from_secs(1),
            refusals: 256,
            failed_logins: 5,
            public_url: None,
            connections: 18_000,
            origins: Vec::new(),
        }
    }
}

impl Settings {
    pub(crate) fn room_bounds(&self) -> Bounds {
        let (messages, bytes) = ROOM_WAITING;
        Bounds { pushes: self.room_pushes, patience: self.room_patience, messages, bytes }
    }
}

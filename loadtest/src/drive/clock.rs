//! Unix time in microseconds that never goes back: alike for all processes of one machine.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    at: Instant,
    unix_us: u64,
}

impl Clock {
    pub(crate) fn new() -> Self {
        let unix_us = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| whole(since.as_micros()));
        Self { at: Instant::now(), unix_us }
    }

    pub(crate) fn now_us(&self) -> u64 {
        self.unix_us + whole(self.at.elapsed().as_micros())
    }
}

fn whole(us: u128) -> u64 {
    u64::try_from(us).unwrap_or(u64::MAX)
}

/// Seconds as microseconds.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "times of a run fit")]
pub(crate) fn us(seconds: f64) -> u64 {
    (seconds.max(0.0) * 1e6) as u64
}

//! How often one user may ask: token buckets that his connections here share.

use mynah_proto::Failure;
use mynah_types::{Millis, Reason};
use parking_lot::Mutex;

/// Units of one token, so that a bucket counts in integers: a rate by the minute refills its number of units each millisecond.
const TOKEN: u64 = 60_000;

/// A rate, and how much of it gathers while nothing is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pub(crate) per_minute: u32,
    burst: u32,
}

impl Rate {
    /// So many a minute, a third of them at once; 0 = without limit.
    #[must_use]
    pub fn per_minute(per_minute: u32) -> Self {
        Self { per_minute, burst: per_minute.div_ceil(3) }
    }
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    level: u64,
    at: Millis,
}

impl Bucket {
    /// Takes tokens, no more than a full bucket holds; or says how many milliseconds to wait.
    fn take(&mut self, rate: Rate, count: u32, now: Millis) -> Result<(), u64> {
        if rate.per_minute == 0 {
            return Ok(());
        }
        let gained = now.saturating_sub(self.at).saturating_mul(u64::from(rate.per_minute));
        self.level = self.level.saturating_add(gained).min(u64::from(rate.burst.max(1)) * TOKEN);
        self.at = now.max(self.at);
        let price = u64::from(count.min(rate.burst.max(1))) * TOKEN;
        match self.level.checked_sub(price) {
            Some(left) => {
                self.level = left;
                Ok(())
            }
            None => Err((price - self.level).div_ceil(u64::from(rate.per_minute))),
        }
    }
}

/// What is counted apart.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Send,
    Call,
    Sync,
}

/// One user's buckets.
#[derive(Debug)]
pub(crate) struct Rates([Mutex<Bucket>; 3]);

impl Rates {
    /// Full buckets: an age ago is when they were last used.
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| Mutex::new(Bucket { level: u64::MAX, at: 0 })))
    }

    /// Takes tokens, or says how long to wait.
    pub(crate) fn take(&self, kind: Kind, rate: Rate, count: u32, now: Millis) -> Result<(), Failure> {
        let [send, call, sync] = &self.0;
        let (bucket, message) = match kind {
            Kind::Send => (send, "too many sends"),
            Kind::Call => (call, "too many calls"),
            Kind::Sync => (sync, "too many syncs"),
        };
        let wait = bucket.lock().take(rate, count, now).err();
        wait.map_or(Ok(()), |ms| {
            metrics::counter!("mynah_device_rate_limited_total").increment(1);
            Err(Failure::new(Reason::RateLimited, message).retry_after(u32::try_from(ms).unwrap_or(u32::MAX)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { per_minute: 60, burst: 2 };

    #[test]
    fn a_burst_then_one_a_second_and_the_wait_is_told() {
        let rates = Rates::new();
        let take = |now| rates.take(Kind::Send, RATE, 1, now).map_err(|failure| failure.retry_after_ms);
        assert_eq!((take(1000), take(1000), take(1000)), (Ok(()), Ok(()), Err(1000)));
        assert_eq!((take(1400), take(2000), take(2000)), (Err(600), Ok(()), Err(1000)));
        assert_eq!((take(60_000), take(60_000), take(60_000)), (Ok(()), Ok(()), Err(1000)));
    }

    #[test]
    fn kinds_are_counted_apart_and_zero_is_no_limit() {
        let rates = Rates::new();
        let rate = Rate { per_minute: 1, burst: 1 };
        assert!(rates.take(Kind::Send, rate, 1, 0).is_ok());
        assert!(rates.take(Kind::Send, rate, 1, 0).is_err());
        assert!(rates.take(Kind::Call, rate, 1, 0).is_ok());
        assert!((0..100).all(|_| rates.take(Kind::Send, Rate::per_minute(0), 1, 0).is_ok()));
    }

    #[test]
    fn what_costs_more_takes_more_and_never_more_than_there_can_be() {
        let rates = Rates::new();
        let take = |count, now| rates.take(Kind::Call, RATE, count, now).map_err(|failure| failure.retry_after_ms);
        assert_eq!((take(2, 0), take(1, 0), take(100, 1000), take(100, 2000)), (Ok(()), Err(1000), Err(1000), Ok(())));
    }

    #[test]
    fn a_clock_that_steps_back_gives_nothing() {
        let rates = Rates::new();
        let take = |now| rates.take(Kind::Sync, RATE, 1, now).is_ok();
        assert!(take(10_000) && take(10_000) && !take(10_000));
        assert!(!take(5_000) && !take(10_000));
    }
}

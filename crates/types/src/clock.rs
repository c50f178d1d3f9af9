//! Time as a port: code that decides by time takes a [`Clock`] or the time itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

/// Milliseconds since the Unix epoch, UTC.
pub type Millis = u64;

/// Tells the wall-clock time. Tests set it; nothing that decides by time reads the system clock directly.
pub trait Clock: Send + Sync + 'static {
    /// The current time.
    fn now_ms(&self) -> Millis;

    /// Whether others may go by it.
    fn is_certain(&self) -> bool {
        true
    }
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> Millis {
        // A clock before 1970 reads as 0: times stay monotonic per conversation anyway.
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
    }
}

/// A clock that goes by another one, which all processes of a deployment can ask: however far apart their machines' clocks are, what they
/// stamp and what they compare is of one time.
pub struct CorrectedClock {
    own: Arc<dyn Clock>,
    ahead_ms: AtomicI64,
    is_certain: AtomicBool,
}

impl CorrectedClock {
    /// An answer that took longer says too little of when it was given.
    pub const ANSWERED_WITHIN_MS: Millis = 500;

    /// The least difference that is corrected.
    pub const STEP_MS: Millis = 50;

    /// As its own clock, until it is corrected.
    #[must_use]
    pub fn new(own: Arc<dyn Clock>) -> Self {
        Self { own, ahead_ms: AtomicI64::new(0), is_certain: AtomicBool::new(false) }
    }

    /// By its own clock alone: when somebody is asked for the time.
    #[must_use]
    pub fn own_ms(&self) -> Millis {
        self.own.now_ms()
    }

    /// The other clock said `theirs` to who asked at `asked`, by [`Self::own_ms`], and has the answer now. Answers how far the other one is
    /// ahead, or nothing if the answer took too long.
    pub fn correct(&self, asked: Millis, theirs: Millis) -> Option<i64> {
        let answered = self.own.now_ms();
        let took = answered.checked_sub(asked).filter(|took| *took <= Self::ANSWERED_WITHIN_MS)?;
        let ahead = i64::try_from(theirs).ok()? - i64::try_from(asked + took / 2).ok()?;
        // What the way of an answer makes of it moves nothing: time would step to and fro.
        if ahead.abs_diff(self.ahead_ms.load(Ordering::Relaxed)) > Self::STEP_MS + took / 2 {
            self.ahead_ms.store(ahead, Ordering::Relaxed);
        }
        self.is_certain.store(true, Ordering::Relaxed);
        Some(ahead)
    }
}

impl Clock for CorrectedClock {
    fn now_ms(&self) -> Millis {
        self.own.now_ms().saturating_add_signed(self.ahead_ms.load(Ordering::Relaxed))
    }

    fn is_certain(&self) -> bool {
        self.is_certain.load(Ordering::Relaxed)
    }
}

/// A clock that a test moves by hand. Clones share the time.
#[derive(Debug, Clone, Default)]
pub struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    /// A clock that stands at `now`.
    #[must_use]
    pub fn at(now: Millis) -> Self {
        Self(Arc::new(AtomicU64::new(now)))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Millis) {
        self.0.fetch_add(by, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> Millis {
        self.0.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_corrected_clock_goes_by_the_other_one() {
        let own = ManualClock::at(10_000);
        let clock = CorrectedClock::new(Arc::new(own.clone()));
        assert_eq!((clock.now_ms(), clock.is_certain()), (10_000, false), "nobody was asked yet");
        let asked = clock.own_ms();
        own.advance(100);
        // It was 15,050 there, halfway: five seconds ahead.
        assert_eq!(clock.correct(asked, 15_050), Some(5_000));
        assert_eq!((clock.now_ms(), clock.is_certain()), (15_100, true));
        own.advance(1_000);
        assert_eq!(clock.correct(clock.own_ms(), 16_130), Some(5_030));
        assert_eq!(clock.now_ms(), 16_100, "too little to step");
        let asked = clock.own_ms();
        own.advance(400);
        clock.correct(asked, 16_540);
        assert_eq!(clock.now_ms(), 16_500, "the way of the answer may have made that");
        assert_eq!(clock.correct(clock.own_ms(), 4_000), Some(-7_500), "behind");
        assert_eq!((clock.now_ms(), clock.own_ms()), (4_000, 11_500));
    }

    #[test]
    fn an_answer_that_took_long_corrects_nothing() {
        let own = ManualClock::at(10_000);
        let clock = CorrectedClock::new(Arc::new(own.clone()));
        own.advance(CorrectedClock::ANSWERED_WITHIN_MS + 1);
        assert_eq!(clock.correct(10_000, 90_000), None);
        // Its own clock was set back meanwhile.
        assert_eq!(clock.correct(20_000, 90_000), None);
        assert_eq!((clock.now_ms(), clock.is_certain()), (10_501, false));
    }
}

//! What a room said and its connections were not pushed yet: bounded by age, number, bytes and by the room's rate. Newest wins, and what
//! was left out is told.

use std::collections::VecDeque;
use std::time::Duration;

use mynah_types::Seq;
use tokio::time::Instant;

/// What is pushed in one go, at most, and one more.
const TOGETHER: usize = 64;

/// From and to, inclusive.
pub(crate) type Range = (Seq, Seq);

/// Bounds of what waits in one room.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Pushes a second, each message to each connection; 0: no bound. A second's worth may come at once.
    pub(crate) pushes: u32,
    /// What waits longer is left out, unless it is the newest.
    pub(crate) patience: Duration,
    /// Messages that wait.
    pub(crate) messages: usize,
    /// Bytes that wait.
    pub(crate) bytes: usize,
}

/// Something a room said.
#[derive(Debug)]
pub(crate) struct Said<T> {
    /// Its place.
    pub(crate) seq: Seq,
    /// What it takes.
    pub(crate) bytes: usize,
    /// When it came.
    pub(crate) since: Instant,
    /// It may be left out.
    pub(crate) may_skip: bool,
    /// What is pushed.
    pub(crate) what: T,
}

/// What is to be done next.
#[derive(Debug)]
pub(crate) enum Next<T> {
    /// Nothing waits.
    Nothing,
    /// Not before this time.
    At(Instant),
    /// What to push in one go, in order.
    Push(Vec<Step<T>>),
}

/// A part of what is pushed.
#[derive(Debug)]
pub(crate) enum Step<T> {
    /// Tell that these were left out.
    Skipped(Range),
    /// Push this.
    Said(Said<T>),
}

/// How many messages were left out, and why.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Shed {
    /// More would have waited than may.
    pub(crate) full: u64,
    /// They waited for too long.
    pub(crate) late: u64,
}

/// The messages that wait, in order, each with what was left out before it.
#[derive(Debug)]
pub(crate) struct Backlog<T> {
    bounds: Bounds,
    waiting: VecDeque<(Option<Range>, Said<T>)>,
    bytes: usize,
    /// Left out behind the last that waits.
    skipped: Option<Range>,
    shed: Shed,
    /// Pushes that are allowed; a message larger than what is left makes a debt.
    allowed: i64,
    refilled: Option<Instant>,
}

impl<T> Backlog<T> {
    pub(crate) fn new(bounds: Bounds) -> Self {
        let allowed = bounds.pushes.into();
        Self { bounds, waiting: VecDeque::new(), bytes: 0, skipped: None, shed: Shed::default(), allowed, refilled: None }
    }

    /// Adds a message; the oldest make room for it.
    pub(crate) fn say(&mut self, said: Said<T>) {
        let over = |log: &Self| log.waiting.len() >= log.bounds.messages || log.bytes + said.bytes > log.bounds.bytes;
        while over(self) && self.leave_out_first() {
            self.shed.full += 1;
        }
        self.bytes += said.bytes;
        let before = self.skipped.take();
        self.waiting.push_back((before, said));
    }

    /// What was said here will not come.
    pub(crate) fn missed(&mut self, range: Range) {
        self.skipped = joined(self.skipped, Some(range));
    }

    /// What to do now, where so many are in the room. What has gathered goes together: a room that is slow to push to takes a larger
    /// part at a time, and each of its connections is written to once for it.
    pub(crate) fn next(&mut self, now: Instant, inside: usize) -> Next<T> {
        if self.waiting.is_empty() && self.skipped.is_none() {
            return Next::Nothing;
        }
        if let Some(at) = self.allowed_at(now) {
            return Next::At(at);
        }
        while self.waiting.len() > 1 && self.is_late(now) && self.leave_out_first() {
            self.shed.late += 1;
        }
        let (mut steps, cost) = (Vec::new(), i64::try_from(inside).unwrap_or(i64::MAX));
        while steps.len() < TOGETHER
            && (self.allowed > 0 || self.bounds.pushes == 0)
            && let Some((before, said)) = self.waiting.pop_front()
        {
            self.allowed = self.allowed.saturating_sub(cost);
            self.bytes -= said.bytes;
            steps.extend(before.map(Step::Skipped));
            steps.push(Step::Said(said));
        }
        if self.waiting.is_empty() {
            steps.extend(self.skipped.take().map(Step::Skipped));
        }
        Next::Push(steps)
    }

    /// How many messages were left out since this was asked last.
    pub(crate) fn take_shed(&mut self) -> Shed {
        std::mem::take(&mut self.shed)
    }

    /// The first one waits for too long.
    fn is_late(&self, now: Instant) -> bool {
        self.waiting.front().is_some_and(|(_, said)| now.saturating_duration_since(said.since) > self.bounds.patience)
    }

    /// Leaves out the oldest that may be; false if there is none.
    fn leave_out_first(&mut self) -> bool {
        let Some(at) = self.waiting.iter().position(|(_, said)| said.may_skip) else { return false };
        let Some((before, said)) = self.waiting.remove(at) else { return false };
        self.bytes -= said.bytes;
        let gap = joined(before, Some((said.seq, said.seq)));
        match self.waiting.get_mut(at) {
            Some((behind, _)) => *behind = joined(gap, *behind),
            None => self.skipped = joined(gap, self.skipped),
        }
        true
    }

    /// When the next push is allowed; none: now.
    fn allowed_at(&mut self, now: Instant) -> Option<Instant> {
        let rate = i64::from(self.bounds.pushes);
        if rate == 0 {
            return None;
        }
        let since = *self.refilled.get_or_insert(now);
        let micros = i64::try_from(now.saturating_duration_since(since).as_micros()).unwrap_or(i64::MAX);
        let gained = micros.saturating_mul(rate) / 1_000_000;
        if gained > 0 {
            // What is gained later than the bound allows is gone; a part of a push is not.
            self.allowed = self.allowed.saturating_add(gained).min(rate);
            self.refilled = Some(now);
        }
        if self.allowed > 0 {
            return None;
        }
        let owed = u64::try_from(1 - self.allowed).unwrap_or(1);
        Some(now + Duration::from_micros(owed.saturating_mul(1_000_000) / u64::from(self.bounds.pushes) + 1))
    }
}

/// One range over both.
fn joined(a: Option<Range>, b: Option<Range>) -> Option<Range> {
    match (a, b) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (range, None) | (None, range) => range,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { pushes: 100, patience: Duration::from_secs(1), messages: 5, bytes: 1000 };

    fn said(seq: Seq, since: Instant) -> Said<()> {
        Said { seq, bytes: 10, since, may_skip: true, what: () }
    }

    /// What was pushed and what was told as left out, in order.
    fn told(next: Next<()>) -> Vec<Result<Seq, Range>> {
        let Next::Push(steps) = next else { panic!("nothing to push: {next:?}") };
        let step = |step: &Step<()>| match step {
            Step::Said(said) => Ok(said.seq),
            Step::Skipped(range) => Err(*range),
        };
        steps.iter().map(step).collect()
    }

    #[test]
    fn all_is_pushed_in_order_while_there_is_room() {
        let (mut log, now) = (Backlog::new(BOUNDS), Instant::now());
        (1..=3).for_each(|seq| log.say(said(seq, now)));
        assert_eq!(told(log.next(now, 2)), [Ok(1), Ok(2), Ok(3)]);
        assert!(matches!(log.next(now, 2), Next::Nothing));
        assert_eq!(log.take_shed(), Shed::default());
    }

    #[test]
    fn a_full_backlog_leaves_out_the_oldest_and_tells_which() {
        let (mut log, now) = (Backlog::new(BOUNDS), Instant::now());
        (1..=9).for_each(|seq| log.say(said(seq, now)));
        assert_eq!(log.take_shed(), Shed { full: 4, late: 0 });
        log.say(Said { bytes: 975, ..said(10, now) });
        assert_eq!(told(log.next(now, 2)), [Err((1, 7)), Ok(8), Ok(9), Ok(10)]);
    }

    #[test]
    fn what_must_not_be_left_out_is_not() {
        let (mut log, now) = (Backlog::new(BOUNDS), Instant::now());
        log.say(Said { may_skip: false, ..said(1, now) });
        (2..=9).for_each(|seq| log.say(said(seq, now)));
        assert_eq!(told(log.next(now, 2)), [Ok(1), Err((2, 5)), Ok(6), Ok(7), Ok(8), Ok(9)]);
    }

    #[test]
    fn a_room_keeps_its_rate_over_time_and_tells_the_newest() {
        let (mut log, start) = (Backlog::new(BOUNDS), Instant::now());
        let (mut pushed, mut left_out, mut last) = (0_u64, 0, 0);
        // 50 connections, 50 messages a second for 10 s: 2500 pushes a second are wanted, 100 allowed.
        for ms in 0..10_000 {
            let now = start + Duration::from_millis(ms);
            if ms % 20 == 0 {
                log.say(said(ms / 20 + 1, now));
            }
            while let next @ Next::Push(_) = log.next(now, 50) {
                for step in told(next) {
                    let Ok(seq) = step.inspect_err(|(from, to)| left_out += to - from + 1) else { continue };
                    pushed += 50;
                    assert!(seq > last, "order");
                    assert!(ms.saturating_sub((seq - 1) * 20) <= 1000, "nothing older than the patience, while there is newer");
                    last = seq;
                }
            }
        }
        // A second's worth at once, a debt of less than one message.
        assert!((1000..=1150).contains(&pushed), "{pushed}");
        assert_eq!(left_out + pushed / 50, last, "each message was pushed or told");
    }

    #[test]
    fn the_newest_is_pushed_however_late() {
        let (mut log, now) = (Backlog::new(BOUNDS), Instant::now());
        (1..=3).for_each(|seq| log.say(said(seq, now)));
        let later = now + Duration::from_secs(60);
        assert_eq!(told(log.next(later, 2)), [Err((1, 2)), Ok(3)]);
        assert_eq!(log.take_shed(), Shed { full: 0, late: 2 });
    }

    #[test]
    fn what_never_came_is_told_in_its_place() {
        let (mut log, now) = (Backlog::new(BOUNDS), Instant::now());
        log.say(said(1, now));
        log.missed((2, 2));
        log.missed((3, 3));
        log.say(said(4, now));
        log.missed((5, 5));
        assert_eq!(told(log.next(now, 2)), [Ok(1), Err((2, 3)), Ok(4), Err((5, 5))]);
    }

    #[test]
    fn a_room_larger_than_its_rate_waits_for_its_debt() {
        let (mut log, now) = (Backlog::new(BOUNDS), Instant::now());
        (1..=2).for_each(|seq| log.say(said(seq, now)));
        assert_eq!(told(log.next(now, 1100)), [Ok(1)]);
        let Next::At(at) = log.next(now, 1100) else { panic!("no debt") };
        assert!((10_000..10_100).contains(&(at - now).as_millis()), "{:?}", at - now);
        assert_eq!(told(log.next(at, 1100)), [Ok(2)]);
    }

    #[test]
    fn without_a_rate_nothing_waits() {
        let (mut log, now) = (Backlog::new(Bounds { pushes: 0, ..BOUNDS }), Instant::now());
        (1..=5).for_each(|seq| log.say(said(seq, now)));
        assert_eq!(told(log.next(now, 1_000_000)), [Ok(1), Ok(2), Ok(3), Ok(4), Ok(5)]);
    }
}

//! Where finished spans go, which requests are sampled, and new ids.

use std::borrow::Cow;
use std::hash::BuildHasher as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use crate::{Kind, TraceContext};

static EXPORT: OnceLock<Running> = OnceLock::new();

/// A span that ended.
#[derive(Debug)]
pub struct Finished {
    /// Itself.
    pub context: TraceContext,
    /// The span under which it is; none: the trace begins with it.
    pub parent: Option<[u8; 8]>,
    /// The parent is another process's.
    pub remote: bool,
    /// What was done.
    pub name: Cow<'static, str>,
    /// In which part.
    pub kind: Kind,
    /// When it began.
    pub began: SystemTime,
    /// When it ended.
    pub ended: SystemTime,
    /// More of it.
    pub notes: Vec<(&'static str, String)>,
    /// It failed.
    pub failed: bool,
}

/// Takes spans out of the process.
pub trait Sink: Send + Sync + 'static {
    /// A span ended. It never waits; what cannot be kept is dropped.
    fn ended(&self, span: Finished);

    /// Sends what waits, and takes no more. Not for a task: it blocks until that is sent, or cannot be.
    fn end(&self);
}

/// How spans leave the process.
pub struct Export {
    /// Where they go.
    pub sink: Box<dyn Sink>,
    /// The part of requests that are sampled where the caller says nothing: 0 to 1.
    pub ratio: f64,
}

struct Running {
    sink: Box<dyn Sink>,
    /// Requests whose number is below it are sampled.
    below: u64,
    seeds: (u64, u64),
    count: AtomicU64,
}

/// From now on spans are made. The first one stays: a process has one exporter.
pub fn export_to(export: Export) {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a bound, and it saturates"
    )]
    let below = (export.ratio.clamp(0.0, 1.0) * u64::MAX as f64) as u64;
    let seed = || std::hash::RandomState::new().hash_one(SystemTime::now());
    _ = EXPORT.set(Running { sink: export.sink, below, seeds: (seed(), seed()), count: AtomicU64::new(0) });
}

/// Sends what waits. It blocks: at the end of a process, outside of its tasks.
pub fn end() {
    if let Some(running) = EXPORT.get() {
        running.sink.end();
    }
}

pub(crate) fn is_on() -> bool {
    EXPORT.get().is_some()
}

/// A new trace, if this request is to be sampled.
pub(crate) fn sampled() -> Option<[u8; 16]> {
    let running = EXPORT.get().filter(|running| running.below > 0)?;
    let (chosen, high) = running.numbers();
    // Another pair: the number that chose it says nothing of its id.
    let (_, low) = running.numbers();
    (chosen <= running.below).then(|| ((u128::from(high) << 64) | u128::from(low | 1)).to_be_bytes())
}

/// An id for a span.
pub(crate) fn span_id() -> [u8; 8] {
    EXPORT.get().map_or([0; 8], |running| (running.numbers().0 | 1).to_be_bytes())
}

pub(crate) fn ended(span: Finished) {
    if let Some(running) = EXPORT.get() {
        running.sink.ended(span);
    }
}

impl Running {
    /// Two numbers that look random, without a lock or a call of the system.
    fn numbers(&self) -> (u64, u64) {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let place = self.count.fetch_add(1, Ordering::Relaxed).wrapping_mul(STEP);
        (mix(self.seeds.0.wrapping_add(place)), mix(self.seeds.1.wrapping_add(place)))
    }
}

/// The output function of the SplitMix64 generator.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

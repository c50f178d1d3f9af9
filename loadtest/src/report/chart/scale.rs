//! Where a value lies on an axis, and which values are written beside it.

use crate::report::number::fixed;

/// A y axis: 0 at the bottom, 1 at the top.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    /// From zero to `high`, a tick each `step`.
    Linear {
        /// The top.
        high: f64,
        /// Between two ticks.
        step: f64,
    },
    /// From `low` to `high`, each ten-fold as far from the next.
    Log {
        /// The bottom; what is less lies there too.
        low: f64,
        /// The top.
        high: f64,
    },
}

/// From this ratio on between the largest and the smallest value, steps of ten are easier to read.
const WIDE: f64 = 20.0;

impl Scale {
    /// From zero to a round value at or above `most`; whole steps where half of a thing is nothing.
    #[must_use]
    pub fn linear(most: f64, whole: bool) -> Self {
        let most = if most.is_finite() && most > 0.0 { most } else { 1.0 };
        let mut step = round_step(most / 4.0);
        if whole {
            step = step.max(1.0);
        }
        Self::Linear { high: (most / step - 1e-9).ceil().max(1.0) * step, step }
    }

    /// For latencies: by tens if they differ much, else from zero.
    #[must_use]
    pub fn latency(values: impl Iterator<Item = f64>) -> Self {
        let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
        for value in values.filter(|value| value.is_finite() && *value > 0.0) {
            least = least.min(value);
            most = most.max(value);
        }
        if most / least < WIDE || most <= 0.0 {
            return Self::linear(most, false);
        }
        Self::Log { low: step_below(least), high: step_above(most) }
    }

    /// Where a value lies, between 0 and 1.
    #[must_use]
    pub fn place(self, value: f64) -> f64 {
        let place = match self {
            Self::Linear { high, .. } => value / high,
            Self::Log { low, high } => (value.max(low) / low).log10() / (high / low).log10(),
        };
        place.clamp(0.0, 1.0)
    }

    /// The values that are written, and how.
    #[must_use]
    pub fn ticks(self) -> Vec<(f64, String)> {
        match self {
            Self::Linear { high, step } => {
                let decimals = decimals(step);
                let count = (high / step).round() as u32;
                (0..=count).map(|nth| f64::from(nth) * step).map(|value| (value, fixed(value, decimals))).collect()
            }
            Self::Log { low, high } => {
                let decades = (high / low).log10();
                let factors: &[f64] = if decades <= 2.05 { &[1.0, 2.0, 5.0] } else { &[1.0] };
                // Each power of ten, or each second, third, … where there are many.
                let every = (decades / 7.0).ceil().max(1.0) as i32;
                let powers =
                    (low.log10().floor() as i32..=high.log10().ceil() as i32).filter(|power| power.rem_euclid(every) == 0);
                let all = powers.flat_map(|power| factors.iter().map(move |factor| factor * 10_f64.powi(power)));
                let near = 1.0 + 1e-9;
                all.filter(|value| *value >= low / near && *value <= high * near)
                    .map(|value| (value, fixed(value, decimals(value))))
                    .collect()
            }
        }
    }
}

/// 1, 2, 2.5 or 5 times a power of ten, at or above.
fn round_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    [1.0, 2.0, 2.5, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= least * (1.0 - 1e-9))
        .unwrap_or(least)
}

fn step_below(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    [5.0, 2.0, 1.0].into_iter().map(|factor| factor * power).find(|step| *step <= value * (1.0 + 1e-9)).unwrap_or(power)
}

fn step_above(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|factor| factor * power).find(|step| *step >= value * (1.0 - 1e-9)).unwrap_or(value)
}

/// How many decimals a tick of such a step needs.
fn decimals(step: f64) -> usize {
    (0..6).find(|places| (step * 10_f64.powi(*places)).fract().abs() < 1e-6).unwrap_or(6).unsigned_abs() as usize
}

/// Steps of a clock, in seconds.
const STEPS: [f64; 23] = [
    0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1200.0, 1800.0, 3600.0, 7200.0,
    10_800.0, 21_600.0, 43_200.0, 86_400.0,
];
/// Up to here seconds are written, then minutes, then hours.
const IN_SECONDS: f64 = 180.0;
const IN_MINUTES: f64 = 7200.0;

/// Ticks along a time line of so many seconds: at most about `wanted`.
#[must_use]
pub fn time_ticks(end: f64, wanted: u32) -> Vec<(f64, String)> {
    let least = end / f64::from(wanted.max(1));
    let whole = if end > IN_SECONDS { 60.0 } else { 0.0 };
    let step =
        STEPS.into_iter().find(|step| *step >= least && *step >= whole).unwrap_or_else(|| (least / 86_400.0).ceil() * 86_400.0);
    let count = (end / step + 1e-9).floor() as u32;
    (0..=count).map(|nth| f64::from(nth) * step).map(|at| (at, time_text(at, step, end))).collect()
}

fn time_text(at: f64, step: f64, end: f64) -> String {
    if at == 0.0 {
        return "0".to_owned();
    }
    if end <= IN_SECONDS {
        return format!("{} s", fixed(at, decimals(step)));
    }
    let minutes = (at / 60.0).round() as u64;
    if end <= IN_MINUTES {
        format!("{minutes} min")
    } else if step % 3600.0 == 0.0 {
        format!("{} h", minutes / 60)
    } else {
        format!("{}:{:02} h", minutes / 60, minutes % 60)
    }
}

/// Where a part of all lies on an axis on which each nine takes the same room, out of `nines` nines.
#[must_use]
pub fn percentile_place(part: f64, nines: f64) -> f64 {
    let beyond = (1.0 - part).max(0.0);
    if beyond <= 0.0 { 1.0 } else { (-beyond.log10() / nines).clamp(0.0, 1.0) }
}

/// How many nines so many values can tell of.
#[must_use]
pub fn nines(count: u64) -> f64 {
    (count as f64).log10().clamp(2.0, 6.0)
}

/// Ticks of such an axis.
#[must_use]
pub fn percentile_ticks(nines: f64) -> Vec<(f64, String)> {
    let all: [(f64, &str); 8] = [
        (0.0, "0"),
        (0.5, "50"),
        (0.9, "90"),
        (0.99, "99"),
        (0.999, "99.9"),
        (0.9999, "99.99"),
        (0.99999, "99.999"),
        (0.999_999, "99.9999"),
    ];
    all.into_iter()
        .filter(|(part, _)| -(1.0 - part).log10() <= nines + 1e-6)
        .map(|(part, text)| (percentile_place(part, nines), if part > 0.0 { format!("{text} %") } else { text.to_owned() }))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(ticks: &[(f64, String)]) -> Vec<&str> {
        ticks.iter().map(|(_, text)| text.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_and_reach_over_the_top() {
        assert_eq!(texts(&Scale::linear(9870.0, true).ticks()), ["0", "2,500", "5,000", "7,500", "10,000"]);
        assert_eq!(texts(&Scale::linear(0.7, false).ticks()), ["0.0", "0.2", "0.4", "0.6", "0.8"]);
        assert_eq!(texts(&Scale::linear(2.0, true).ticks()), ["0", "1", "2"]);
        assert_eq!(texts(&Scale::linear(10_000.0, true).ticks()), ["0", "2,500", "5,000", "7,500", "10,000"]);
        for most in [0.0, f64::NAN, -3.0, f64::INFINITY] {
            assert_eq!(texts(&Scale::linear(most, true).ticks()), ["0", "1"], "{most}");
        }
        for power in -6..12 {
            for factor in [1.0, 1.3, 3.7, 9.99] {
                let most = factor * 10_f64.powi(power);
                let ticks = Scale::linear(most, false).ticks();
                let top = ticks.last().unwrap().0;
                assert!((3..=6).contains(&ticks.len()) && top >= most * 0.999_999 && top <= most * 1.7, "{most}: {ticks:?}");
            }
        }
    }

    #[test]
    fn latencies_that_differ_much_are_shown_by_tens() {
        let scale = Scale::latency([0.0, 0.4, f64::NAN, 310.0].into_iter());
        assert_eq!(scale, Scale::Log { low: 0.2, high: 500.0 });
        assert_eq!(texts(&scale.ticks()), ["1", "10", "100"]);
        assert_eq!(texts(&Scale::Log { low: 0.2, high: 5.0 }.ticks()), ["0.2", "0.5", "1", "2", "5"]);
        assert!(Scale::latency([1e-300, 1e300].into_iter()).ticks().len() < 9);
        assert!((scale.place(10.0) - 0.5).abs() < 1e-9);
        assert_eq!((scale.place(0.0), scale.place(1e9)), (0.0, 1.0));
        assert!(matches!(Scale::latency([1.0, 3.0].into_iter()), Scale::Linear { .. }));
        assert!(matches!(Scale::latency(std::iter::empty()), Scale::Linear { .. }));
    }

    #[test]
    fn time_is_told_as_people_tell_it() {
        assert_eq!(texts(&time_ticks(70.0, 8)), ["0", "10 s", "20 s", "30 s", "40 s", "50 s", "60 s", "70 s"]);
        assert_eq!(texts(&time_ticks(1.0, 8)), ["0", "0.2 s", "0.4 s", "0.6 s", "0.8 s", "1.0 s"]);
        assert_eq!(texts(&time_ticks(200.0, 8)), ["0", "1 min", "2 min", "3 min"]);
        assert_eq!(texts(&time_ticks(10_810.0, 8)), ["0", "0:30 h", "1:00 h", "1:30 h", "2:00 h", "2:30 h", "3:00 h"]);
        assert!(time_ticks(1e9, 8).len() <= 9 && time_ticks(0.001, 8).len() == 1);
    }

    #[test]
    fn each_nine_takes_the_same_room() {
        let places: Vec<f64> = [0.9, 0.99, 0.999].iter().map(|part| percentile_place(*part, 3.0)).collect();
        for (place, third) in places.iter().zip([1.0, 2.0, 3.0]) {
            assert!((place - third / 3.0).abs() < 1e-9, "{places:?}");
        }
        assert_eq!((percentile_place(0.0, 3.0), percentile_place(1.0, 3.0), percentile_place(0.999_999, 3.0)), (0.0, 1.0, 1.0));
        assert_eq!(texts(&percentile_ticks(3.0)), ["0", "50 %", "90 %", "99 %", "99.9 %"]);
        assert_eq!((nines(0), nines(10_000), nines(u64::MAX)), (2.0, 4.0, 6.0));
    }
}

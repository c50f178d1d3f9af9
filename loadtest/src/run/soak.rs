//! Whether a server's memory grows: the slope of its resident bytes, and how sure that is.

use crate::report::figures::GENERATOR;
use crate::report::model::{Gate, Report};

/// Growth with the half of its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slope {
    /// Bytes an hour.
    pub per_hour: f64,
    /// The true slope lies no further from it, 95 times in a hundred.
    pub error: f64,
}

/// The line through points of seconds and values, by least squares. None of fewer than three points.
///
/// Memory is read often and changes slowly, so that neighbouring points say the same: the error is widened by how alike they are.
#[must_use]
pub fn slope(points: &[(f64, f64)]) -> Option<Slope> {
    let count = points.len() as f64;
    if count < 3.0 {
        return None;
    }
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (mean_x, mean_y) = (mean(|p| p.0), mean(|p| p.1));
    let spread: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    if spread <= 0.0 {
        return None;
    }
    let slope = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum::<f64>() / spread;
    let residuals: Vec<f64> = points.iter().map(|(x, y)| y - mean_y - slope * (x - mean_x)).collect();
    let squares: f64 = residuals.iter().map(|r| r * r).sum();
    let alike: f64 = residuals.iter().zip(residuals.iter().skip(1)).map(|(a, b)| a * b).sum();
    let alike = if squares > 0.0 { (alike / squares).clamp(0.0, 0.99) } else { 0.0 };
    let widened = ((1.0 + alike) / (1.0 - alike)).sqrt();
    let error = (squares / (count - 2.0) / spread).sqrt() * widened * 1.96;
    Some(Slope { per_hour: slope * 3600.0, error: error * 3600.0 })
}

/// Adds the slopes of memory to a report, over the second half of the window, since caches fill in the first; and the gates on the
/// worst of the servers', and on the generator's.
pub fn add_slopes(report: &mut Report, limit_mib: Option<f64>, generator_mib: Option<f64>) {
    let from_s = report.warm_up_s + report.window_s / 2.0;
    let until_s = report.warm_up_s + report.window_s;
    let (mut figures, mut worst_server, mut worst_generator) = (Vec::new(), None, None);
    for series in report.series.iter().filter(|series| series.name == "resident_bytes") {
        let points: Vec<(f64, f64)> = series.points.iter().copied().filter(|(at, _)| (from_s..=until_s).contains(at)).collect();
        let Some(slope) = slope(&points) else { continue };
        figures.push((format!("{}_bytes_per_hour", series.source), slope.per_hour.round()));
        figures.push((format!("{}_bytes_per_hour_error", series.source), slope.error.round()));
        let worst: &mut Option<f64> = if series.source == GENERATOR { &mut worst_generator } else { &mut worst_server };
        // What may be chance is no growth.
        *worst = Some(worst.unwrap_or(0.0).max(slope.per_hour - slope.error));
    }
    let gates = [("resident_growth_mib", limit_mib, worst_server), ("generator_growth_mib", generator_mib, worst_generator)];
    for (name, limit, worst) in gates {
        let Some(limit) = limit else { continue };
        // Nobody looked at it: nothing is shown.
        let value = worst.map_or(f64::MAX, |worst| worst / f64::from(1 << 20));
        report.gates.push(Gate { name: name.into(), limit, value, held: value <= limit });
    }
    report.figures.extend(figures);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::model::Series;

    /// Memory that grows by so much a second, in the half of the window that counts.
    fn report(source: &str, growth: f64) -> Report {
        let points = (0..100_u8).map(f64::from).map(|at| (at, 1e8 + if at < 50.0 { at * 1e6 } else { at * growth }));
        let name = "resident_bytes".to_owned();
        let series = Series { source: source.into(), name, unit: "bytes".into(), points: points.collect() };
        Report { window_s: 100.0, series: vec![series], ..Report::default() }
    }

    #[test]
    fn a_server_that_grows_breaks_the_gate_and_one_that_grew_to_its_size_does_not() {
        let cases = [
            ("s", 0.0, [true, false]),
            ("s", 1e4, [false, false]),
            (GENERATOR, 0.0, [false, true]),
            (GENERATOR, 1e4, [false, false]),
        ];
        for (source, growth, held) in cases {
            let mut report = report(source, growth);
            // Whom nobody looked at does not hold.
            add_slopes(&mut report, Some(1.0), Some(32.0));
            assert_eq!(report.gates.iter().map(|gate| gate.held).collect::<Vec<_>>(), held, "{source} {growth}");
            assert!(report.figures.contains_key(&format!("{source}_bytes_per_hour")));
        }
    }

    #[test]
    fn a_slope_is_found_and_chance_is_within_its_error() {
        let mut dice = mynah_oracle::Dice::new(3);
        let mut noise = || dice.below(2000) as f64 - 1000.0;
        let grows: Vec<_> = (0..600).map(|n| (f64::from(n) * 6.0, 1e8 + f64::from(n) * 60.0 + noise())).collect();
        let found = slope(&grows).unwrap();
        assert!((found.per_hour - 36_000.0).abs() < found.error && found.error < 1000.0, "{found:?}");
        let flat: Vec<_> = (0..600).map(|n| (f64::from(n) * 6.0, 1e8 + noise())).collect();
        let found = slope(&flat).unwrap();
        assert!(found.per_hour.abs() < found.error, "{found:?}");
        assert_eq!(slope(&[(1.0, 1.0), (2.0, 2.0)]), None);
    }
}

//! Whether a server's memory grows: the slope of its resident bytes, and how sure that is.

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

/// Adds the slopes of all servers' memory to a report, and the gate on the worst.
pub fn add_slopes(report: &mut Report, limit_mib: Option<f64>) {
    let warm_up = report.warm_up_s;
    let (mut figures, mut worst) = (Vec::new(), 0.0_f64);
    for series in report.series.iter().filter(|series| series.name == "resident_bytes") {
        let points: Vec<(f64, f64)> = series.points.iter().copied().filter(|(at, _)| *at >= warm_up).collect();
        let Some(slope) = slope(&points) else { continue };
        figures.push((format!("{}_bytes_per_hour", series.source), slope.per_hour.round()));
        figures.push((format!("{}_bytes_per_hour_error", series.source), slope.error.round()));
        // What may be chance is no growth.
        worst = worst.max(slope.per_hour - slope.error);
    }
    if let Some(limit) = limit_mib {
        let value = if figures.is_empty() { f64::MAX } else { worst / f64::from(1 << 20) };
        report.gates.push(Gate { name: "resident_growth_mib".into(), limit, value, held: value <= limit });
    }
    report.figures.extend(figures);
}

#[cfg(test)]
mod tests {
    use super::*;

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

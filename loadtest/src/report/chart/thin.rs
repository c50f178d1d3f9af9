//! Fewer points for the same picture.

/// At most about `limit` points that show each peak and each hollow of all of them: of each stretch the least and the most stay,
/// or only the most if it is the `crest` that is wanted.
pub fn thin(points: &[(f64, f64)], limit: usize, crest: bool) -> Vec<(f64, f64)> {
    if points.len() <= limit.max(4) {
        return points.to_vec();
    }
    let stretch = points.len().div_ceil((limit / 2).max(1));
    points.chunks(stretch).flat_map(|stretch| ends(stretch, crest)).collect()
}

/// The least and the most of a stretch, in their order.
fn ends(stretch: &[(f64, f64)], crest: bool) -> Vec<(f64, f64)> {
    let known = || stretch.iter().copied().filter(|(_, value)| value.is_finite());
    let least = known().min_by(|a, b| a.1.total_cmp(&b.1));
    let most = known().max_by(|a, b| a.1.total_cmp(&b.1));
    match (least, most) {
        (Some(least), Some(most)) if crest || least == most => vec![most],
        (Some(least), Some(most)) if least.0 <= most.0 => vec![least, most],
        (Some(least), Some(most)) => vec![most, least],
        // A gap as long as this stays one.
        _ => stretch.first().copied().into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peaks_and_hollows_stay() {
        let mut points: Vec<(f64, f64)> = (0..10_800).map(|at| (f64::from(at), 10.0 + f64::from(at % 7))).collect();
        points[5003].1 = 900.0;
        points[7001].1 = 0.5;
        let fewer = thin(&points, 600, false);
        assert!(fewer.len() <= 600, "{}", fewer.len());
        assert!(fewer.contains(&(5003.0, 900.0)) && fewer.contains(&(7001.0, 0.5)));
        assert!(fewer.windows(2).all(|pair| pair[0].0 < pair[1].0));
        let crest = thin(&points, 600, true);
        assert!(crest.len() <= 300 && crest.contains(&(5003.0, 900.0)) && !crest.contains(&(7001.0, 0.5)));
    }

    #[test]
    fn few_points_stay_as_they_are_and_gaps_stay_gaps() {
        let few = [(0.0, 1.0), (1.0, 2.0)];
        assert_eq!(thin(&few, 600, false), few);
        let gap: Vec<(f64, f64)> = (0..1000).map(|at| (f64::from(at), f64::NAN)).collect();
        assert!(thin(&gap, 100, false).iter().all(|(_, value)| value.is_nan()));
    }
}

use std::time::Instant;

use serde_json::{Value, json};

use crate::Failed;

/// Rounds of a case that count; one before them does not.
const ROUNDS: usize = 5;
/// By what a small run is smaller.
const SMALLER: u64 = 100;

/// The cases of one bench.
#[derive(Debug)]
pub struct Bench {
    name: &'static str,
    small: bool,
    rounds: usize,
    cases: Vec<Value>,
}

impl Bench {
    /// A bench as the command line wants it.
    ///
    /// # Errors
    /// When `--rounds` has no number of one or more.
    pub fn from_args(name: &'static str) -> Result<Self, Failed> {
        let mut bench = Self { name, small: false, rounds: ROUNDS, cases: Vec::new() };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            match word.as_str() {
                "--small" => bench.small = true,
                "--rounds" => {
                    let rounds = words.next().and_then(|n| n.parse().ok()).filter(|n| *n > 0);
                    bench.rounds = rounds.ok_or("--rounds needs a number")?;
                }
                // `cargo bench` says what it runs.
                _ => {}
            }
        }
        Ok(bench)
    }

    /// How many operations a round has: `whole`, or few of them in a small run.
    #[must_use]
    pub fn count(&self, whole: u64) -> u64 {
        if self.small { (whole / SMALLER).max(1) } else { whole }
    }

    /// Measures a case. `round` gives the nanoseconds that one operation took, and those of its floor, right after one another: what
    /// disturbs the machine then disturbs both.
    ///
    /// # Errors
    /// Those of `round`.
    pub fn case(&mut self, name: &str, floor: &str, mut round: impl FnMut() -> Result<(f64, f64), Failed>) -> Result<(), Failed> {
        round()?;
        let (mut own, mut floors) = (Vec::new(), Vec::new());
        for _ in 0..self.rounds {
            let (took, at_least) = round()?;
            own.push(took);
            floors.push(at_least);
        }
        self.cases.push(case(name, "ns", &own, floor, &floors));
        Ok(())
    }

    /// Prints what was measured.
    #[allow(clippy::print_stdout, reason = "the report is a bench's answer")]
    pub fn print(self) {
        println!("{}", json!({"bench": self.name, "rounds": self.rounds, "small": self.small, "cases": self.cases}));
    }
}

/// A case of several rounds in the report: what it costs, what its floor costs, and the floor's part of it: 1 is as good as the floor.
/// Where there are as many rounds of both, the ratio is of round by round.
#[must_use]
pub fn case(name: &str, unit: &str, own: &[f64], floor: &str, floors: &[f64]) -> Value {
    let whole = Spread::of(floors).median;
    let floor_of = |round: usize| if floors.len() == own.len() { floors.get(round).copied().unwrap_or(whole) } else { whole };
    let ratios: Vec<f64> = own.iter().enumerate().map(|(round, own)| floor_of(round) / own.max(f64::MIN_POSITIVE)).collect();
    json!({
        "case": name, "unit": unit, "figure": Spread::of(own).value(), "floor": floor, "floor_figure": Spread::of(floors).value(),
        "ratio": Spread::of(&ratios).value(),
    })
}

/// Nanoseconds that each of `count` operations took, done one after the other or together.
pub fn each<T>(count: u64, work: impl FnOnce() -> T) -> f64 {
    let began = Instant::now();
    std::hint::black_box(work());
    began.elapsed().as_nanos() as f64 / count.max(1) as f64
}

/// A figure of several rounds.
#[derive(Debug, Clone, Copy)]
pub struct Spread {
    /// The one in the middle.
    pub median: f64,
    /// The smallest.
    pub least: f64,
    /// The largest.
    pub most: f64,
}

impl Spread {
    /// Of these rounds; zeros of none.
    #[must_use]
    pub fn of(rounds: &[f64]) -> Self {
        let mut rounds = rounds.to_vec();
        rounds.sort_by(f64::total_cmp);
        let at = |place: usize| rounds.get(place).copied().unwrap_or(0.0);
        Self { median: at(rounds.len() / 2), least: at(0), most: at(rounds.len().saturating_sub(1)) }
    }

    /// As the report has it, in three digits that mean something.
    #[must_use]
    pub fn value(&self) -> Value {
        json!({"median": rounded(self.median), "least": rounded(self.least), "most": rounded(self.most)})
    }
}

fn rounded(figure: f64) -> f64 {
    let scale = match figure.abs() {
        small if small < 1.0 => 10_000.0,
        small if small < 10.0 => 1000.0,
        middle if middle < 1000.0 => 10.0,
        _ => 1.0,
    };
    (figure * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_tells_the_median_of_its_rounds_without_the_first_and_its_part_of_the_floor() {
        let mut bench = Bench { name: "b", small: true, rounds: 3, cases: Vec::new() };
        let mut rounds = [1e9, 200.0, 400.0, 100.0].into_iter();
        bench.case("c", "f", || Ok((rounds.next().unwrap_or(0.0), 100.0))).unwrap_or_default();
        let case = bench.cases.remove(0);
        assert_eq!(case["figure"], json!({"median": 200.0, "least": 100.0, "most": 400.0}));
        assert_eq!(case["ratio"], json!({"median": 0.5, "least": 0.25, "most": 1.0}));
        assert_eq!((bench.count(1000), bench.count(5)), (10, 1));
    }

    #[test]
    fn a_floor_of_other_rounds_counts_by_its_median() {
        let case = case("c", "us", &[10.0, 20.0, 40.0], "f", &[1.0, 2.0]);
        assert_eq!(case["ratio"], json!({"median": 0.1, "least": 0.05, "most": 0.2}));
    }
}

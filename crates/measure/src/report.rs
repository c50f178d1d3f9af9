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
    pub fn case(&mut self, case: &str, floor: &str, mut round: impl FnMut() -> Result<(f64, f64), Failed>) -> Result<(), Failed> {
        round()?;
        let (mut own, mut floors, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..self.rounds {
            let (took, at_least) = round()?;
            own.push(took);
            floors.push(at_least);
            ratios.push(at_least / took);
        }
        let (own, floors, ratios) = (Spread::of(own), Spread::of(floors), Spread::of(ratios));
        self.cases.push(json!({
            "case": case, "ns": own.rounded(1.0), "per_s": (1e9 / own.median).round(), "floor": floor,
            "floor_ns": floors.rounded(1.0), "ratio": ratios.rounded(1000.0),
        }));
        Ok(())
    }

    /// Prints what was measured.
    #[allow(clippy::print_stdout, reason = "the report is a bench's answer")]
    pub fn print(self) {
        println!("{}", json!({"bench": self.name, "rounds": self.rounds, "small": self.small, "cases": self.cases}));
    }
}

/// Nanoseconds that each of `count` operations took, done one after the other or together.
pub fn each<T>(count: u64, work: impl FnOnce() -> T) -> f64 {
    let began = Instant::now();
    std::hint::black_box(work());
    began.elapsed().as_nanos() as f64 / count.max(1) as f64
}

/// A figure of several rounds.
struct Spread {
    median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    fn of(mut rounds: Vec<f64>) -> Self {
        rounds.sort_by(f64::total_cmp);
        let at = |place: usize| rounds.get(place).copied().unwrap_or(0.0);
        Self { median: at(rounds.len() / 2), least: at(0), most: at(rounds.len().saturating_sub(1)) }
    }

    fn rounded(&self, to: f64) -> Value {
        let round = |figure: f64| if figure < 10.0 { (figure * to * 10.0).round() / (to * 10.0) } else { figure.round() };
        json!({"median": round(self.median), "least": round(self.least), "most": round(self.most)})
    }
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
        assert_eq!(case["ns"], json!({"median": 200.0, "least": 100.0, "most": 400.0}));
        assert_eq!(case["ratio"], json!({"median": 0.5, "least": 0.25, "most": 1.0}));
        assert_eq!(case["per_s"], 5e6);
        assert_eq!((bench.count(1000), bench.count(5)), (10, 1));
    }
}

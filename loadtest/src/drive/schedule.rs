//! When which message is due: decided before, whatever the server does.

use mynah_oracle::Dice;

use super::clock::us;
use super::places::{Flow, Place};
use crate::scenario::Arrivals;

/// The due messages of one flow at one generator.
pub(super) struct Schedule {
    /// Which of the run's flows it is.
    pub(super) flow: usize,
    /// Who may send where: conversation and local sender.
    slots: Vec<(u32, u32)>,
    /// The sum of the weights up to each slot; empty: all alike.
    weights: Vec<f64>,
    /// Messages a second.
    pub(super) rate: f64,
    /// In microseconds after the beginning.
    next_us: f64,
    arrivals: Arrivals,
    dice: Dice,
}

impl Schedule {
    /// The part of a flow whose senders are local; none if there is nobody, or it is the server's.
    pub(super) fn new(
        flow: usize,
        of: &Flow,
        places: &[Place],
        is_local: impl Fn(u32) -> bool,
        arrivals: Arrivals,
        seed: u64,
    ) -> Option<Self> {
        if of.by_server.is_some() || of.rate <= 0.0 {
            return None;
        }
        let (mut slots, mut weights, mut all, mut local) = (Vec::new(), Vec::new(), 0.0, 0.0);
        for (rank, conv) in of.places.iter().enumerate() {
            let members = places.get(*conv as usize)?.members();
            let weight = 1.0 / (rank as f64 + 1.0).powf(of.zipf);
            all += weight;
            for member in members.iter().filter(|member| is_local(**member)) {
                local += weight / members.len() as f64;
                slots.push((*conv, *member));
                weights.push(local);
            }
        }
        if slots.is_empty() {
            return None;
        }
        if of.zipf == 0.0
            && of.places.iter().all(|conv| places.get(*conv as usize).map(|p| p.members().len()) == members_of_first(of, places))
        {
            weights = Vec::new();
        }
        let rate = of.rate * local / all;
        let mut schedule = Self { flow, slots, weights, rate, next_us: 0.0, arrivals, dice: Dice::new(seed) };
        schedule.advance();
        Some(schedule)
    }

    /// The next message that is due by `now_us` after the beginning: when, to which conversation, by whom.
    pub(super) fn due(&mut self, now_us: u64) -> Option<(u64, u32, u32)> {
        let due = self.next();
        if due > now_us {
            return None;
        }
        let (conv, sender) = self.pick()?;
        self.advance();
        Some((due, conv, sender))
    }

    /// When the next is due.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "times of a run fit")]
    pub(super) fn next(&self) -> u64 {
        self.next_us as u64
    }

    /// Messages that are due and were not taken.
    pub(super) fn waiting(&self, now_us: u64) -> f64 {
        ((now_us as f64 - self.next_us) * self.rate / 1e6).max(0.0)
    }

    pub(super) fn pick(&mut self) -> Option<(u32, u32)> {
        match self.weights.last() {
            None => self.dice.one_of(&self.slots).copied(),
            Some(all) => {
                let wanted = self.dice.below(1 << 52) as f64 / (1_u64 << 52) as f64 * all;
                let at = self.weights.partition_point(|upto| *upto <= wanted);
                self.slots.get(at.min(self.slots.len() - 1)).copied()
            }
        }
    }

    fn advance(&mut self) {
        let mean = us(1.0) as f64 / self.rate;
        self.next_us += match self.arrivals {
            Arrivals::Uniform => mean,
            Arrivals::Poisson => {
                let part = (self.dice.below(1 << 52) + 1) as f64 / (1_u64 << 52) as f64;
                -part.ln() * mean
            }
        };
    }
}

fn members_of_first(of: &Flow, places: &[Place]) -> Option<usize> {
    places.get(*of.places.first()? as usize).map(|place| place.members().len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(zipf: f64, is_local: impl Fn(u32) -> bool) -> Vec<u32> {
        let places: Vec<Place> = (0..10).map(|n| Place::Single(2 * n, 2 * n + 1)).collect();
        let flow = Flow { kind: "single".into(), rate: 1000.0, zipf, by_server: None, places: (0..10).collect() };
        let mut schedule = Schedule::new(0, &flow, &places, is_local, Arrivals::Poisson, 7).unwrap();
        let mut counts = vec![0; 10];
        while let Some((_, conv, sender)) = schedule.due(20_000_000) {
            assert!(places[conv as usize].members().contains(&sender));
            counts[conv as usize] += 1;
        }
        counts
    }

    #[test]
    fn the_rate_is_kept_and_a_share_has_its_part_of_it() {
        let all: u32 = counts(0.0, |_| true).iter().sum();
        assert!((19_400..20_600).contains(&all), "{all}");
        let half: u32 = counts(0.0, |user| user % 2 == 0).iter().sum();
        assert!((9_500..10_500).contains(&half), "{half}");
    }

    #[test]
    fn a_zipf_law_makes_the_first_the_busiest() {
        let counts = counts(1.0, |_| true);
        assert!(counts[0] > counts[1] && counts[1] > counts[4] && counts[0] > 8 * counts[9], "{counts:?}");
    }

    #[test]
    fn the_same_seed_is_the_same_load() {
        assert_eq!(counts(0.5, |_| true), counts(0.5, |_| true));
    }
}

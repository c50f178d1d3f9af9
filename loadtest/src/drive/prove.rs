//! The end of a run: every user asks how his conversations stand, gets what he lacks, and finds his unread counts right.

use std::collections::VecDeque;

use super::driver::{Driver, Phase};

/// Users who ask at one time.
const TOGETHER: usize = 64;
/// How often a user asks until he has everything.
const ROUNDS: u8 = 8;

/// How far the proof is.
#[derive(Debug, Default)]
pub(super) struct Proof {
    waiting: VecDeque<usize>,
    /// Users who ask, in which round.
    asking: Vec<(usize, u8, bool)>,
    proved: usize,
    unproved: u64,
}

impl Driver {
    /// Begins it. Only the scenario's part of users asks.
    pub(super) fn prove(&mut self) {
        self.go(Phase::Proving);
        let part = (self.job.scenario.judge_part * 1000.0) as u64;
        let users = self.users.iter().enumerate();
        self.proof.waiting =
            users.filter(|(_, user)| u64::from(**user).wrapping_mul(7919) % 1000 < part).map(|(at, _)| at).collect();
        for at in 0..self.conns.len() {
            for conv in self.judge.behind(at) {
                self.want(at, conv);
            }
        }
    }

    /// Goes on with it. True when it is over.
    pub(super) fn proved(&mut self) -> bool {
        let late = self.phase_s() > self.job.scenario.settle_s;
        // Those who have what they asked for ask once more, and then find it right.
        let asking = std::mem::take(&mut self.proof.asking);
        for (at, round, listed) in asking {
            let level = listed && self.is_level(at);
            let up = self.conns.get(at).is_some_and(super::conn::Conn::usable);
            if listed && level && round > 0 && (round >= ROUNDS || self.judge.is_listed(at)) {
                match self.judge.asked_for_lists(at) {
                    0 => self.proof.proved += 1,
                    _ => self.proof.unproved += 1,
                }
            } else if round >= ROUNDS || (late && !level) {
                self.proof.unproved += 1;
            } else if up && listed && level {
                self.ask_for_list(at, round + 1);
            } else {
                self.proof.asking.push((at, round, listed));
            }
        }
        while self.proof.asking.len() < TOGETHER
            && let Some(at) = self.proof.waiting.pop_front()
        {
            if self.conns.get(at).is_some_and(super::conn::Conn::usable) {
                self.ask_for_list(at, 0);
            } else if late {
                self.proof.unproved += 1;
            } else {
                self.proof.waiting.push_back(at);
                break;
            }
        }
        let over = self.proof.waiting.is_empty() && self.proof.asking.is_empty();
        if over {
            self.counts.insert("proved".into(), self.proof.proved as f64);
            self.counts.insert("unproved".into(), self.proof.unproved as f64);
        }
        over
    }

    fn ask_for_list(&mut self, at: usize, round: u8) {
        self.proof.asking.push((at, round, false));
        self.judge.asks_for_list(at);
        self.list(at, "");
    }

    /// A user's list is whole.
    pub(super) fn listed_whole(&mut self, at: usize) {
        if let Some(asking) = self.proof.asking.iter_mut().find(|(of, ..)| *of == at) {
            asking.2 = true;
        }
    }

    /// A user's list was refused: he asks again.
    pub(super) fn not_listed(&mut self, at: usize) {
        if let Some(conn) = self.conns.get_mut(at) {
            conn.set_up = conn.set_up.saturating_sub(1);
        }
        let Some(place) = self.proof.asking.iter().position(|(of, ..)| *of == at) else { return };
        self.proof.asking.swap_remove(place);
        self.proof.waiting.push_back(at);
    }
}

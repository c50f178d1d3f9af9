//! Sends: written when they are due, again when they were refused for now.

use super::conn::{Asked, Flight};
use super::driver::{Driver, Phase};
use super::places::Place;
use crate::client::frames::{self, Target};
use crate::client::text::{self, Own};

/// Senders that are tried where the scenario has sent the first ones away.
const TRIES: usize = 64;
/// Sends of one connection that wait for their answers.
const PER_DEVICE: usize = 64;
/// What was refused for now is sent again after this.
const AGAIN_US: u64 = 100_000;

impl Driver {
    /// Sends what is due.
    pub(super) fn issue(&mut self) {
        if self.phase != Phase::Load || self.now_us < self.begin_us {
            return;
        }
        let (since, most) = (self.now_us - self.begin_us, self.most_in_flight());
        let until = self.counter.window.1;
        let mut schedules = std::mem::take(&mut self.schedules);
        for schedule in &mut schedules {
            while self.in_flight < most
                && let Some((due, conv, sender)) = schedule.due(since)
            {
                let due_us = self.begin_us + due;
                if due_us >= until {
                    break;
                }
                let mut pick = (conv, sender);
                for _ in 0..TRIES {
                    if !self.is_sent_away(pick.1) {
                        break;
                    }
                    pick = schedule.pick().unwrap_or(pick);
                }
                self.counter.offered(schedule.flow, due_us);
                self.offer(pick.0, pick.1, due_us);
            }
        }
        self.schedules = schedules;
        if self.in_flight >= most {
            self.limited_us = self.now_us;
        }
    }

    /// Whether a user is away because the scenario says so: somebody else speaks then. Whoever lost his connection wants to speak all
    /// the same, and waits.
    fn is_sent_away(&self, sender: u32) -> bool {
        self.at_of(sender).and_then(|at| self.conns.get(at)).is_some_and(|conn| conn.sent_away)
    }

    /// A message is due: it goes, or waits for its sender's connection.
    fn offer(&mut self, conv: u32, sender: u32, due_us: u64) {
        let Some(at) = self.at_of(sender) else { return };
        // What waited for answers is late by the server.
        if self.counter.in_window(due_us) && due_us > self.limited_us {
            self.counter.lag.saturating_record(self.clock.now_us().saturating_sub(due_us));
        }
        self.in_flight += 1;
        let Some(conn) = self.conns.get_mut(at) else { return };
        if conn.usable() && conn.unsent.is_empty() {
            self.send(at, conv, sender, due_us);
        } else {
            conn.unsent.push((conv, due_us));
        }
    }

    /// A device is connected: it sends what was due meanwhile.
    pub(super) fn send_unsent(&mut self, at: usize) {
        let (Some(conn), Some(sender)) = (self.conns.get_mut(at), self.users.get(at).copied()) else { return };
        if !conn.usable() {
            return;
        }
        for (conv, due_us) in std::mem::take(&mut conn.unsent) {
            self.send(at, conv, sender, due_us);
        }
    }

    fn send(&mut self, at: usize, conv: u32, sender: u32, due_us: u64) {
        let ordinal = self.ordinals.entry((conv, sender)).or_default();
        *ordinal += 1;
        let own = Own { conv, sender, ordinal: *ordinal, due_us };
        let Some(conn) = self.conns.get_mut(at) else { return };
        if conn.held.iter().any(|held| held.own.conv == conv) || conn.asked_count() >= PER_DEVICE {
            // It may not overtake what is to be sent again.
            conn.held.push(Flight { own, text: 0 });
            self.held.push(at);
            return;
        }
        self.write_send(at, &own);
    }

    fn write_send(&mut self, at: usize, own: &Own) {
        let (Some(user), Some(place)) = (self.users.get(at).copied(), self.job.world.places.get(own.conv as usize)) else {
            return;
        };
        let target = match place {
            Place::Single(a, b) => Target::User(if *a == user { *b } else { *a }),
            Place::Group(gid, _) => Target::Group(*gid),
            Place::Room(room, _) => Target::Room(*room),
            Place::Server(_) => return,
        };
        let Some(conn) = self.conns.get_mut(at) else { return };
        let id = conn.ask(Asked::Ping);
        self.scratch.clear();
        let (run, bytes) = (self.job.world.run, self.job.scenario.text_bytes);
        let range = frames::send(id, run, own, &self.job.world.prefix, target, bytes, &mut self.scratch);
        let text = text::text_digest(self.scratch.get(range).unwrap_or_default());
        conn.re_ask(id, Asked::Send(Flight { own: *own, text }));
        conn.say(&self.scratch, self.now_us);
        self.mark_dirty(at);
    }

    /// A send was refused for now: it goes again, and those behind it after it.
    pub(super) fn hold(&mut self, at: usize, flight: Flight) {
        let Some(conn) = self.conns.get_mut(at) else { return };
        // Answers come in the order of sends; what was held back since comes after them.
        let place = conn.held.iter().position(|held| held.own.conv == flight.own.conv && held.own.ordinal > flight.own.ordinal);
        conn.held.insert(place.unwrap_or(conn.held.len()), flight);
        self.held.push(at);
    }

    /// Sends what was refused for now, once nothing is under way any more that it could overtake.
    pub(super) fn send_again(&mut self) {
        if self.held.is_empty() {
            return;
        }
        let mut held = std::mem::take(&mut self.held);
        held.sort_unstable();
        held.dedup();
        for at in held {
            let Some(conn) = self.conns.get_mut(at) else { continue };
            if conn.held.is_empty() {
                continue;
            }
            if !conn.usable() || conn.asked_count() > 0 || conn.held_since(self.now_us) < AGAIN_US {
                self.held.push(at);
                continue;
            }
            let again: Vec<Flight> = std::mem::take(&mut conn.held);
            conn.held_since_us = 0;
            for flight in again {
                self.write_send(at, &flight.own);
            }
        }
    }
}

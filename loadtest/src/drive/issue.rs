//! Sends: written when they are due, again when they were refused for now.

use super::conn::{Asked, Flight};
use super::driver::{Driver, Phase};
use super::places::Place;
use crate::client::frames::{self, Target};
use crate::client::text::{self, Own};

/// Senders that are tried where the first ones are not connected.
const TRIES: usize = 16;
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
                self.counter.offered(schedule.flow, due_us);
                let mut pick = Some((conv, sender));
                for _ in 0..TRIES {
                    if let Some((_, sender)) = pick
                        && self.at_of(sender).is_some_and(|at| self.conns.get(at).is_some_and(super::conn::Conn::usable))
                    {
                        break;
                    }
                    pick = schedule.pick();
                }
                if let Some((conv, sender)) = pick {
                    self.send(conv, sender, due_us);
                }
            }
        }
        self.schedules = schedules;
        if self.in_flight >= most {
            self.limited_us = self.now_us;
        }
    }

    fn send(&mut self, conv: u32, sender: u32, due_us: u64) {
        let Some(at) = self.at_of(sender).filter(|at| self.conns.get(*at).is_some_and(super::conn::Conn::usable)) else {
            return self.counter.error("nobody connected");
        };
        // What waited for answers is late by the server.
        if self.counter.in_window(due_us) && due_us > self.limited_us {
            self.counter.lag.saturating_record(self.clock.now_us().saturating_sub(due_us));
        }
        let ordinal = self.ordinals.entry((conv, sender)).or_default();
        *ordinal += 1;
        let own = Own { conv, sender, ordinal: *ordinal, due_us };
        let Some(conn) = self.conns.get_mut(at) else { return };
        self.in_flight += 1;
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

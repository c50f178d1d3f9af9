//! Connections: opened, read, written, ended, opened again.

use std::cmp::Reverse;
use std::io::{ErrorKind, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use mio::net::TcpStream;
use mio::{Interest, Token};
use socket2::{Domain, Protocol, Socket, Type};

use super::arrival;
use super::conn::{Asked, State};
use super::driver::{Driver, Phase, TICK_US};
use crate::Failed;
use crate::client::frames::{FIRST, SECOND, greeting, ping, username};
use crate::client::text::SERVER;
use crate::client::ws;
use crate::world::PASSWORD;

/// Connections that are under way to their login at one time.
const CONNECTING: u32 = 1000;
/// A connection that is not logged in by then is given up.
const LOG_IN_WITHIN_US: u64 = 20_000_000;
/// Devices of one source address: beyond it ports run out.
const PER_ADDRESS: usize = 20_000;
/// What comes before the further ones, 127.0.1.1 and so on.
const FURTHER: u32 = Ipv4Addr::new(127, 0, 1, 0).to_bits();
/// A device that said nothing for so long shows that it lives.
const SPEAK_EVERY_US: u64 = 25_000_000;
/// The first pause after a failure; it doubles.
const PAUSE_US: u64 = 500_000;
const LONGEST_PAUSE_US: u64 = 20_000_000;

impl Driver {
    /// Opens those connections whose time has come, as many as the ramp lets through.
    pub(super) fn connect_some(&mut self) -> Result<(), Failed> {
        let ramp = if self.phase == Phase::Connecting {
            let opened = self.phase_s() * f64::from(self.job.scenario.connect_per_s) / f64::from(self.job.share.1.max(1));
            Some((opened as usize).max(1))
        } else {
            None
        };
        while self.connecting < CONNECTING
            && let Some(Reverse((at_us, at))) = self.queue.peek().copied()
            && at_us <= self.now_us
            && ramp.is_none_or(|most| (self.ready + self.connecting) as usize <= most)
        {
            self.queue.pop();
            if let Some(conn) = self.conns.get_mut(at) {
                (conn.queued, conn.sent_away) = (false, false);
            }
            if let Err(error) = self.connect(at) {
                if self.phase == Phase::Connecting {
                    return Err(format!("no connection: {error}").into());
                }
                self.counter.error("no connection");
                self.again(at, PAUSE_US);
            }
        }
        Ok(())
    }

    fn connect(&mut self, at: usize) -> Result<(), Failed> {
        let Some(conn) = self.conns.get_mut(at).filter(|conn| conn.state == State::Off) else { return Ok(()) };
        let (nth, of) = self.job.share;
        let targets = &self.job.targets;
        let target = *targets.get((at + conn.tries) % targets.len().max(1)).ok_or("no gateway")?;
        conn.tries += 1;
        let socket = Socket::new(Domain::for_address(target), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        arrival::note(&socket)?;
        if let Some(source) = source(target, (nth, of), at) {
            socket.bind(&SocketAddr::new(source, 0).into())?;
        }
        match socket.connect(&target.into()) {
            Err(error) if error.kind() != ErrorKind::WouldBlock && error.raw_os_error() != Some(IN_PROGRESS) => {
                return Err(error.into());
            }
            _ => {}
        }
        let mut stream = TcpStream::from_std(socket.into());
        self.poll.registry().register(&mut stream, Token(at), Interest::READABLE | Interest::WRITABLE)?;
        conn.stream = Some(stream);
        (conn.state, conn.since_us) = (State::Connecting, self.now_us);
        self.connecting += 1;
        Ok(())
    }

    /// Connects again after a while.
    pub(super) fn again(&mut self, at: usize, after_us: u64) {
        if let Some(conn) = self.conns.get_mut(at).filter(|conn| !conn.queued && !conn.stays_away) {
            conn.queued = true;
            self.queue.push(Reverse((self.now_us + after_us, at)));
        }
    }

    pub(super) fn ready(&mut self, at: usize, readable: bool, writable: bool) {
        let Some(conn) = self.conns.get_mut(at) else { return };
        if writable && conn.state == State::Connecting {
            let refused =
                conn.stream.as_ref().is_none_or(|stream| !matches!(stream.take_error(), Ok(None)) || stream.peer_addr().is_err());
            if refused {
                return self.lost(at, "connection refused");
            }
            let host =
                conn.stream.as_ref().and_then(|stream| stream.peer_addr().ok()).map_or_else(String::new, |host| host.to_string());
            conn.state = State::Upgrading;
            ws::upgrade(&host, &mut conn.out);
        }
        if writable {
            self.write(at);
        }
        if readable {
            self.read(at);
        }
    }

    fn read(&mut self, at: usize) {
        let (mut buffer, mut control) = (std::mem::take(&mut self.buffer), std::mem::take(&mut self.control));
        while let Some(stream) = self.conns.get(at).and_then(|conn| conn.stream.as_ref()) {
            match arrival::read(stream, &mut buffer, &mut control) {
                Ok((0, _)) => {
                    self.lost(at, "closed");
                    break;
                }
                Ok((count, ago_us)) => {
                    self.arrived_us = self.clock.now_us().saturating_sub(ago_us);
                    let whole = count < buffer.len();
                    if let Err(why) = self.arrived(at, buffer.get(..count).unwrap_or_default()) {
                        self.lost(at, why);
                        break;
                    }
                    if whole {
                        break;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => {
                    self.lost(at, "reset");
                    break;
                }
            }
        }
        (self.buffer, self.control) = (buffer, control);
    }

    fn arrived(&mut self, at: usize, bytes: &[u8]) -> Result<(), &'static str> {
        let Some(conn) = self.conns.get_mut(at) else { return Ok(()) };
        if conn.rest.is_empty() {
            let taken = self.frames(at, bytes)?;
            if let (Some(conn), Some(rest)) = (self.conns.get_mut(at), bytes.get(taken..)) {
                conn.rest.extend_from_slice(rest);
            }
            return Ok(());
        }
        let mut all = std::mem::take(&mut conn.rest);
        all.extend_from_slice(bytes);
        let taken = self.frames(at, &all)?;
        if taken < all.len()
            && let Some(conn) = self.conns.get_mut(at)
        {
            all.drain(..taken);
            conn.rest = all;
        }
        Ok(())
    }

    /// Reads whole frames; answers how many bytes they were.
    fn frames(&mut self, at: usize, bytes: &[u8]) -> Result<usize, &'static str> {
        let mut rest = bytes;
        if self.conns.get(at).is_some_and(|conn| conn.state == State::Upgrading) {
            let Some(end) = memchr::memmem::find(rest, ws::HEADERS_END) else { return Ok(0) };
            if !rest.starts_with(b"HTTP/1.1 101") {
                return Err("upgrade refused");
            }
            rest = rest.get(end + ws::HEADERS_END.len()..).unwrap_or_default();
            self.greet(at);
        }
        while let Some((opcode, payload, behind)) = ws::read(rest) {
            rest = behind;
            match opcode {
                ws::TEXT => {
                    for line in payload.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                        let mut frame = std::mem::take(&mut self.frame);
                        let sound = self.reader.read(line, &mut frame);
                        let heard = if sound { self.hear(at, &frame) } else { Err("bad frame") };
                        self.frame = frame;
                        heard?;
                    }
                }
                ws::PING => {
                    if let Some(conn) = self.conns.get_mut(at) {
                        ws::write(ws::PONG, payload, &mut conn.out);
                    }
                    self.mark_dirty(at);
                }
                ws::CLOSE => return Err("closed"),
                _ => {}
            }
        }
        Ok(bytes.len() - rest.len())
    }

    fn greet(&mut self, at: usize) {
        let Some(user) = self.users.get(at).copied() else { return };
        let device = if self.at_of(user) == Some(at) { FIRST } else { SECOND };
        let Some(conn) = self.conns.get_mut(at) else { return };
        conn.state = State::LoggingIn;
        let name = username(&self.job.world.prefix, user);
        let text = greeting(&self.job.world.appkey, &name, PASSWORD, device, conn.session.as_deref());
        conn.say(text.as_bytes(), self.now_us);
        self.mark_dirty(at);
    }

    /// Writes what waits, as far as the socket takes it.
    fn write(&mut self, at: usize) {
        let Some(conn) = self.conns.get_mut(at) else { return };
        let Some(stream) = conn.stream.as_mut() else { return };
        if matches!(conn.state, State::Off | State::Connecting) {
            return;
        }
        while let Some(rest) = conn.out.get(conn.written..).filter(|rest| !rest.is_empty()) {
            match stream.write(rest) {
                Ok(count) => conn.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return self.lost(at, "reset"),
            }
        }
        conn.relax();
    }

    pub(super) fn flush(&mut self) {
        let mut dirty = std::mem::take(&mut self.dirty);
        for at in dirty.drain(..) {
            self.write(at);
        }
        // What became dirty meanwhile waits for the next turn.
        dirty.append(&mut self.dirty);
        self.dirty = dirty;
    }

    /// A connection ended by itself.
    pub(super) fn lost(&mut self, at: usize, why: &'static str) {
        self.counter.error(why);
        let failed = self.conns.get_mut(at).map_or(0, |conn| {
            conn.failed += 1;
            conn.failed
        });
        let longest = (PAUSE_US << failed.min(8)).min(LONGEST_PAUSE_US);
        let pause = longest / 2 + self.dice.below(longest / 2);
        self.hang_up(at, true, Some(pause));
    }

    /// Ends a connection; it is opened again after a while. What was asked for on it gets no answer.
    pub(super) fn hang_up(&mut self, at: usize, is_fault: bool, again_after_us: Option<u64>) {
        let Some(conn) = self.conns.get_mut(at).filter(|conn| conn.state != State::Off) else { return };
        if let Some(mut stream) = conn.stream.take() {
            // It is closed anyway.
            _ = self.poll.registry().deregister(&mut stream);
        }
        match conn.state {
            State::Ready => self.ready -= 1,
            _ => self.connecting -= 1,
        }
        (conn.state, conn.since_us) = (State::Off, self.now_us);
        (conn.rest, conn.out, conn.unacked, conn.pushes) = (Vec::new(), Vec::new(), Vec::new(), 0);
        (conn.written, conn.set_up) = (0, 0);
        (conn.wanted, conn.catching) = (Vec::new(), Vec::new());
        let (asked, rooms) = (conn.take_asked(), conn.rooms.clone());
        for (_, asked) in asked {
            if let Asked::Send(flight) = asked {
                self.in_flight -= 1;
                self.judge.unknown(&flight.own);
                *self.counts.entry("unanswered".into()).or_default() += 1.0;
                if is_fault {
                    self.gave_up(flight.own.conv, flight.own.due_us, "no answer");
                }
            }
        }
        // Who was asking for his list asks again.
        self.not_listed(at);
        self.judge.hung_up(at);
        for (conv, _) in rooms {
            self.judge.left(at, conv);
        }
        if let Some(after) = again_after_us {
            self.again(at, after);
        }
    }

    /// A message that is due has no answer, and gets none.
    pub(super) fn gave_up(&mut self, conv: u32, due_us: u64, why: &'static str) {
        self.counter.given_up(self.flow(conv), due_us, self.now_us);
        self.counter.error(why);
    }

    /// Ends what does not come to a login.
    pub(super) fn look_after_connections(&mut self) {
        if self.connecting == 0 {
            return;
        }
        for at in 0..self.conns.len() {
            let Some(conn) = self.conns.get(at) else { return };
            let on_its_way = !matches!(conn.state, State::Off | State::Ready);
            if on_its_way && conn.since_us + LOG_IN_WITHIN_US < self.now_us {
                self.lost(at, "no login in time");
            }
        }
    }

    /// Shows that silent devices live: a part of them at a time, all in a second, so that they do not speak at one moment.
    pub(super) fn speak(&mut self) {
        let part = self.conns.len() * TICK_US as usize / 1_000_000 + 1;
        for _ in 0..part.min(self.conns.len()) {
            self.spoken = (self.spoken + 1) % self.conns.len();
            let at = self.spoken;
            let Some(conn) = self.conns.get_mut(at) else { return };
            if conn.state == State::Ready && conn.spoke_us + SPEAK_EVERY_US < self.now_us {
                let id = conn.ask(Asked::Ping);
                conn.say(ping(id).as_bytes(), self.now_us);
                self.mark_dirty(at);
            }
        }
    }

    /// Where a user's first device is among the local ones; the app's server is nowhere.
    pub(super) fn at_of(&self, user: u32) -> Option<usize> {
        let (nth, of) = self.job.share;
        (user != SERVER && user % of == nth).then_some((user / of) as usize)
    }
}

/// The error of a connect that goes on by itself.
const IN_PROGRESS: i32 = 115;

/// Another source address of the loopback network where the first one's ports run out. All generators may be on one machine: what
/// counts is a device's place among those of all of them.
fn source(target: SocketAddr, (nth, of): (u32, u32), at: usize) -> Option<IpAddr> {
    let place = at * of as usize + nth as usize;
    let address = u32::try_from(place / PER_ADDRESS).ok().filter(|address| *address > 0)?;
    target.ip().is_loopback().then(|| IpAddr::V4(Ipv4Addr::from_bits(FURTHER.saturating_add(address))))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn no_address_is_given_to_more_devices_than_it_has_ports_for() {
        let target = "127.0.0.1:8080".parse().unwrap();
        for of in [1, 3, 8] {
            let mut devices: HashMap<Option<IpAddr>, usize> = HashMap::new();
            for user in 0..100_000_u32 {
                *devices.entry(source(target, (user % of, of), (user / of) as usize)).or_default() += 1;
            }
            assert!(devices.values().all(|count| *count <= PER_ADDRESS), "{of}: {devices:?}");
            assert_eq!(devices.len(), 5, "{of}");
        }
        assert_eq!(source("10.0.0.1:80".parse().unwrap(), (0, 1), 90_000), None, "the system chooses");
    }
}

//! When bytes came to a device: the kernel notes it, so that a device does not wait for the other ones of its generator.
//!
//! Thousands of devices share a thread here, and a hot room makes all of them readable at once. Each would have a machine of its own; the time
//! until this thread comes to it is the generator's, and no latency of the server.

use std::io::{self, IoSliceMut};
use std::os::fd::AsRawFd as _;
use std::time::{SystemTime, UNIX_EPOCH};

use mio::net::TcpStream;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt::ReceiveTimestampns};
use nix::sys::time::TimeSpec;

/// Room for the control message that bears a time, and nothing else.
pub(super) fn control() -> Vec<u8> {
    nix::cmsg_space!(TimeSpec)
}

/// Has the kernel note when bytes come.
pub(super) fn note(stream: &impl std::os::fd::AsFd) -> io::Result<()> {
    Ok(setsockopt(stream, ReceiveTimestampns, &true)?)
}

/// Reads what is there; answers how many bytes, and how long ago the last of them came, in microseconds.
pub(super) fn read(stream: &TcpStream, buffer: &mut [u8], control: &mut [u8]) -> io::Result<(usize, u64)> {
    let mut parts = [IoSliceMut::new(buffer)];
    let message = recvmsg::<()>(stream.as_raw_fd(), &mut parts, Some(control), MsgFlags::empty())?;
    let mut came = message.cmsgs()?.filter_map(|control| match control {
        ControlMessageOwned::ScmTimestampns(came) => Some(came),
        _ => None,
    });
    let ago = came.next().map_or(0, |came| ago_us(SystemTime::now(), came));
    Ok((message.bytes, ago))
}

/// Zero for what comes from the future: the clock was set back.
fn ago_us(now: SystemTime, came: TimeSpec) -> u64 {
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let came = std::time::Duration::from(came);
    now.checked_sub(came).and_then(|ago| u64::try_from(ago.as_micros()).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::io::Write as _;
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn what_lay_there_for_a_while_came_when_it_came() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let device = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        note(&device).unwrap();
        let device = TcpStream::from_std(device);
        let lies = Duration::from_millis(30);
        // The first socket that wants times makes the kernel begin to note them, which it does when it finds the time.
        let mut tries = (0..50).map(|_| {
            let before = Instant::now();
            server.write_all(b"one").unwrap();
            let written = Instant::now();
            while written.elapsed() < lies {
                std::thread::yield_now();
            }
            let (bytes, ago) = read(&device, &mut [0; 16], &mut control()).unwrap();
            (bytes, ago, before.elapsed())
        });
        let (bytes, ago, longest) = tries.find(|(_, ago, _)| Duration::from_micros(*ago) >= lies / 2).unwrap();
        assert_eq!(bytes, 3);
        assert!(Duration::from_micros(ago) >= lies - Duration::from_millis(1), "{ago}");
        assert!(Duration::from_micros(ago) <= longest + Duration::from_millis(1), "{ago} of {longest:?}");
    }
}

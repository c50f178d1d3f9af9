//! What is written to one socket, in order: frames from here, and what the library says by itself.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::codec::Wire;

/// Bytes that are written before the socket must have taken them; a frame more, since it is not torn.
const WRITE_BYTES: usize = 16 << 10;
/// Bytes that a thread keeps for what it writes next.
const KEPT_BYTES: usize = 64 << 10;
/// Bytes that wait before the library may not add to them.
const WAITING_BYTES: usize = 16 << 10;

thread_local! {
    /// Where frames are put together.
    static DRAFT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A socket, and what it has not taken yet: whole frames but for the first.
pub(super) struct Line<IO> {
    io: IO,
    waiting: Vec<u8>,
}

impl<IO: AsyncWrite + Unpin> Line<IO> {
    pub(super) fn new(io: IO) -> Self {
        Self { io, waiting: Vec::new() }
    }

    /// Writes some of the frames, at least one. What the socket does not take at once waits for the next flush.
    pub(super) fn put(&mut self, cx: &mut Context<'_>, frames: &mut impl Iterator<Item = Wire>) -> io::Result<()> {
        DRAFT.with_borrow_mut(|draft| {
            draft.clear();
            while draft.len() < WRITE_BYTES
                && let Some(frame) = frames.next()
            {
                add(frame, draft)?;
            }
            let written = self.say(cx, draft);
            draft.shrink_to(KEPT_BYTES);
            written
        })
    }

    fn say(&mut self, cx: &mut Context<'_>, mut bytes: &[u8]) -> io::Result<()> {
        if self.waiting.is_empty()
            && let Poll::Ready(taken) = Pin::new(&mut self.io).poll_write(cx, bytes)
        {
            bytes = bytes.get(some(taken?)?..).unwrap_or_default();
        }
        self.waiting.extend_from_slice(bytes);
        Ok(())
    }

    /// Writes what waits. Keeps nothing when all is written.
    fn write_waiting(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut done = 0;
        let written = loop {
            let rest = self.waiting.get(done..).unwrap_or_default();
            if rest.is_empty() {
                break Poll::Ready(Ok(()));
            }
            match Pin::new(&mut self.io).poll_write(cx, rest).map(|taken| some(taken?)) {
                Poll::Ready(Ok(taken)) => done += taken,
                Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
                Poll::Pending => break Poll::Pending,
            }
        };
        self.waiting.drain(..done);
        if self.waiting.is_empty() {
            self.waiting = Vec::new();
        }
        written
    }

    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.waiting.capacity()
    }
}

/// A frame as it lies on the wire; a server's are not masked.
fn add(frame: Wire, to: &mut Vec<u8>) -> io::Result<()> {
    let data = match frame {
        Wire::Text(_) => Data::Text,
        Wire::Binary(_) => Data::Binary,
    };
    let header = FrameHeader { opcode: OpCode::Data(data), ..FrameHeader::default() };
    header.format(frame.len() as u64, to).map_err(io::Error::other)?;
    to.extend_from_slice(frame.bytes());
    Ok(())
}

/// A socket that takes no byte of some is no more.
fn some(taken: usize) -> io::Result<usize> {
    if taken > 0 { Ok(taken) } else { Err(io::ErrorKind::WriteZero.into()) }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Line<IO> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

/// How the library writes: whole frames, which wait for their turn. What it says last it does not flush.
impl<IO: AsyncWrite + Unpin> AsyncWrite for Line<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.waiting.len() >= WAITING_BYTES {
            ready!(self.write_waiting(cx))?;
        }
        self.waiting.extend_from_slice(bytes);
        match self.write_waiting(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(bytes.len())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.write_waiting(cx))?;
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.write_waiting(cx))?;
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

//! A device's WebSocket. Messages are read by a library; frames are written here, as many as fit to a system call, from a buffer that all
//! connections of a thread share: a connection to which nothing is written keeps none.

mod handshake;
mod line;

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::{FutureExt as _, SinkExt as _, Stream, StreamExt as _};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::codec::Wire;
use crate::errors::Close;

pub(crate) use handshake::Handshake;
use line::Line;

/// Bytes that are read at one time.
const READ_BYTES: usize = 1024;
/// Bytes of what the library writes by itself that it may keep while the socket takes nothing: answers to pings, and a close.
const CONTROL_BYTES: usize = 1024;

/// A connection over which messages come and frames go, on the server's side.
pub(crate) struct Socket<IO = TokioIo<Upgraded>>(WebSocketStream<Line<IO>>);

impl<IO: AsyncRead + AsyncWrite + Unpin> Socket<IO> {
    /// Speaks over a connection that was handed over; messages of more than so many bytes end it.
    pub(crate) async fn over(io: IO, largest: usize) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BYTES)
            .write_buffer_size(0)
            .max_write_buffer_size(CONTROL_BYTES)
            .max_message_size(Some(largest))
            .max_frame_size(Some(largest));
        Self(WebSocketStream::from_raw_socket(Line::new(io), Role::Server, Some(config)).await)
    }

    /// Writes frames, in order. False if the socket is no more, or does not take a part of them (16 KiB, or one frame) within that time.
    pub(crate) async fn write(&mut self, frames: Vec<Wire>, within: Duration) -> bool {
        let line = self.0.get_mut();
        let mut frames = frames.into_iter();
        while !frames.as_slice().is_empty() {
            let some = async {
                poll_fn(|cx| Poll::Ready(line.put(cx, &mut frames))).await?;
                line.flush().await
            };
            let mut some = std::pin::pin!(some);
            // Nearly always the socket takes it at once, and no timer is needed.
            let written: Result<io::Result<()>, _> = match some.as_mut().now_or_never() {
                Some(written) => Ok(written),
                None => tokio::time::timeout(within, some).await,
            };
            if !matches!(written, Ok(Ok(()))) {
                return false;
            }
        }
        true
    }

    /// Tells the peer that this is the end and why, or answers him who said so first, and waits until both have said it. What he still says
    /// is read and let go: a socket that is closed with bytes unread is reset, and the peer would lose what was said to him last.
    pub(crate) async fn close(mut self, why: Option<Close>) {
        // He may be gone, too; there is nobody else to tell.
        let told = match why {
            // Answers to pings may have taken the room that the library has.
            Some(Close(code, reason)) => {
                self.0.flush().await.is_ok() && {
                    let frame = CloseFrame { code: CloseCode::from(code), reason: reason.into() };
                    self.0.send(Message::Close(Some(frame))).await.is_ok()
                }
            }
            None => true,
        };
        if told {
            while let Some(Ok(_)) = self.0.next().await {}
        }
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Stream for Socket<IO> {
    type Item = Result<Message, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(cx)
    }
}

#[cfg(test)]
mod tests;

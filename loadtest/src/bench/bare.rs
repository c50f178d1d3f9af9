//! The floors: programs that do what the server must do at least, each in a process of its own, so that its processor time can be told.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use mynah_measure::process::cpu_seconds;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::Failed;

/// What a floor does.
#[derive(Debug, Clone, Copy, clap::Subcommand)]
pub enum Bare {
    /// Writes one frame after the other to all who connected, as often as a line comes in
    Fanout {
        /// Connections to wait for
        members: usize,
        /// Frames for a line
        messages: usize,
        /// Bytes of a frame
        bytes: usize,
    },
    /// Answers every byte with a page
    Pages {
        /// Bytes of a page
        bytes: usize,
    },
    /// Answers every HTTP request with 204
    Http,
}

/// A floor's process; it ends with this.
pub(super) struct Floor {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    tell: ChildStdin,
    pub(super) address: SocketAddr,
}

impl Floor {
    pub(super) fn start(arguments: &[&str]) -> Result<Self, Failed> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut child = command.arg("bare").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (out, tell) = (child.stdout.take().ok_or("no output")?, child.stdin.take().ok_or("no input")?);
        let mut lines = BufReader::new(out).lines();
        let address = lines.next().ok_or("no address")??.parse()?;
        Ok(Self { child, lines, tell, address })
    }

    /// Waits for its next word.
    pub(super) fn said(&mut self) -> Result<(), Failed> {
        self.lines.next().ok_or("it ended")??;
        Ok(())
    }

    pub(super) fn go(&mut self) -> Result<(), Failed> {
        Ok(self.tell.write_all(b"\n")?)
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn cpu_seconds(&self) -> Result<f64, Failed> {
        cpu_seconds(self.child.id())
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        // Nobody is left to tell.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Is a floor, until it is killed.
///
/// # Errors
/// When it cannot listen, or a connection breaks.
#[allow(clippy::print_stdout, reason = "it tells its address")]
pub async fn run(what: Bare) -> Result<(), Failed> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    match what {
        Bare::Fanout { members, messages, bytes } => fan_out(&listener, members, messages, bytes).await,
        Bare::Pages { bytes } => loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(pages(stream, bytes));
        },
        Bare::Http => loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let answer = service_fn(|request: http::Request<hyper::body::Incoming>| async {
                request.into_body().collect().await?;
                let mut response = Response::new(Full::new(Bytes::new()));
                *response.status_mut() = StatusCode::NO_CONTENT;
                Ok::<_, hyper::Error>(response)
            });
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
        },
    }
}

#[allow(clippy::print_stdout, reason = "it tells when all are there")]
async fn fan_out(listener: &TcpListener, members: usize, messages: usize, bytes: usize) -> Result<(), Failed> {
    let mut streams = Vec::with_capacity(members);
    while streams.len() < members {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        streams.push(stream);
    }
    println!("all are there");
    let frame = vec![1; bytes];
    for line in std::io::stdin().lines() {
        line?;
        for _ in 0..messages {
            for stream in &mut streams {
                stream.write_all(&frame).await?;
            }
        }
    }
    Ok(())
}

async fn pages(mut stream: TcpStream, bytes: usize) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let page = vec![1; bytes];
    while stream.read_u8().await.is_ok() {
        stream.write_all(&page).await?;
    }
    Ok(())
}

//! An agent: drives a share of the users for a coordinator on another machine.
//!
//! It does what it is told by whoever connects, one after the other: it belongs on the loopback address or in a private network.
//! Latencies of deliveries between machines are as exact as their clocks agree.

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{channel, sync_channel};

use super::generators::line;
use crate::drive::{Job, Told, drive};
use crate::{Failed, machine};

/// What was told and is not written.
const UNREAD: usize = 4096;

/// Works for coordinators, one at a time, as many as `runs` says; tells the address that it listens on.
///
/// # Errors
/// When it cannot listen.
pub fn listen(address: SocketAddr, cpu: Option<usize>, runs: Option<u32>, tell: impl Fn(SocketAddr)) -> Result<(), Failed> {
    let listener = TcpListener::bind(address)?;
    tell(listener.local_addr()?);
    machine::many_files()?;
    let mut done = 0;
    while runs.is_none_or(|runs| done < runs) {
        let (stream, peer) = listener.accept()?;
        if let Err(error) = work(stream, cpu) {
            eprintln!("loadtest: for {peer}: {error}");
        }
        done += 1;
    }
    Ok(())
}

fn work(stream: TcpStream, cpu: Option<usize>) -> Result<(), Failed> {
    stream.set_nodelay(true)?;
    let mut out = stream.try_clone()?;
    let mut lines = BufReader::new(stream).lines();
    let mut job: Job = serde_json::from_str(&lines.next().ok_or("no job")??)?;
    job.cpu = cpu;
    let (orders, ordered) = channel();
    let (tell, told) = sync_channel(UNREAD);
    // Ends with the connection; the generator then finds its orders ended.
    std::thread::Builder::new().name("orders".into()).spawn(move || {
        for line in lines.map_while(Result::ok) {
            if serde_json::from_str(&line).is_ok_and(|order| orders.send(order).is_err()) {
                return;
            }
        }
    })?;
    let generator = std::thread::Builder::new().name("generator".into()).spawn(move || {
        if let Err(error) = drive(job, &ordered, tell.clone()) {
            // The other side is gone then.
            _ = tell.send((0, Told::Failed(error.to_string())));
        }
    })?;
    for (_, told) in told {
        line(&mut out, &told)?;
    }
    generator.join().map_err(|_| "the generator fell over")?;
    Ok(())
}

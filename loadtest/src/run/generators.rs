//! The generators of a run: threads of this process, or agents.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, Sender, SyncSender, TryRecvError, channel, sync_channel};

use crate::Failed;
use crate::drive::{Job, Order, Told, drive};

/// What generators told and the coordinator has not read.
const UNREAD: usize = 4096;

/// A hand on each.
enum Hand {
    Thread(Sender<Order>),
    Agent(TcpStream),
}

pub(super) struct Generators {
    hands: Vec<Hand>,
    told: Receiver<(u32, Told)>,
}

impl Generators {
    /// Starts one for each job: at agents if there are any, otherwise as threads.
    pub(super) fn start(jobs: Vec<Job>, agents: &[String]) -> Result<Self, Failed> {
        let (tell, told) = sync_channel(UNREAD);
        let mut hands = Vec::new();
        for (nth, job) in jobs.into_iter().enumerate() {
            hands.push(match agents.get(nth) {
                Some(address) => at_agent(address, &job, tell.clone())?,
                None => on_thread(job, tell.clone())?,
            });
        }
        Ok(Self { hands, told })
    }

    pub(super) fn order(&mut self, order: Order) -> Result<(), Failed> {
        for hand in &mut self.hands {
            match hand {
                Hand::Thread(orders) => orders.send(order).map_err(|_| "a generator is gone")?,
                Hand::Agent(stream) => line(stream, &order)?,
            }
        }
        Ok(())
    }

    /// The next thing that one of them told.
    pub(super) fn told(&mut self) -> Result<Option<(u32, Told)>, Failed> {
        match self.told.try_recv() {
            Ok(told) => Ok(Some(told)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err("the generators are gone".into()),
        }
    }
}

impl Drop for Generators {
    fn drop(&mut self) {
        // Those that are at their end anyway do not listen.
        _ = self.order(Order::Stop);
    }
}

fn on_thread(job: Job, tell: SyncSender<(u32, Told)>) -> Result<Hand, Failed> {
    let (orders, ordered) = channel();
    let nth = job.share.0;
    std::thread::Builder::new().name(format!("generator-{nth}")).spawn(move || {
        if let Err(error) = drive(job, &ordered, tell.clone()) {
            // A coordinator that is gone does not need to know.
            _ = tell.send((nth, Told::Failed(error.to_string())));
        }
    })?;
    Ok(Hand::Thread(orders))
}

fn at_agent(address: &str, job: &Job, tell: SyncSender<(u32, Told)>) -> Result<Hand, Failed> {
    let mut stream = TcpStream::connect(address).map_err(|error| format!("agent {address}: {error}"))?;
    stream.set_nodelay(true)?;
    line(&mut stream, job)?;
    let (nth, from, name) = (job.share.0, BufReader::new(stream.try_clone()?), address.to_owned());
    std::thread::Builder::new().name(format!("agent-{nth}")).spawn(move || {
        for line in from.lines() {
            let told = line.map_err(|e| e.to_string()).and_then(|line| serde_json::from_str(&line).map_err(|e| e.to_string()));
            let done = matches!(told, Ok(Told::Done(_)) | Err(_));
            let told = told.unwrap_or_else(|error| Told::Failed(format!("agent {name}: {error}")));
            if tell.send((nth, told)).is_err() || done {
                return;
            }
        }
        _ = tell.send((nth, Told::Failed(format!("agent {name} hung up"))));
    })?;
    Ok(Hand::Agent(stream))
}

/// Writes a value as a line of JSON.
pub(super) fn line(stream: &mut TcpStream, value: &impl serde::Serialize) -> Result<(), Failed> {
    let mut text = serde_json::to_vec(value)?;
    text.push(b'\n');
    Ok(stream.write_all(&text)?)
}

//! The wire between one process and an engine, to be cut: a proxy on loopback.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::Error;

/// How often a cut wire looks whether it is whole again.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// While it is cut, nothing passes and nobody is told: connections stay, bytes wait. Healed, old connections end, as after a partition
/// whose packets were lost for too long.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) port: u16,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    cut: AtomicBool,
    /// Counts cuts: a connection of an earlier count ends.
    age: AtomicU64,
    open: Mutex<Vec<TcpStream>>,
}

impl Wire {
    /// Passes on whatever comes to a port of its own, to `target` on loopback.
    pub(crate) fn start(target: u16) -> Result<Self, Error> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        // Ends with this process.
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || shared.connect(client, target));
            }
        });
        Ok(Self { port, state })
    }

    pub(crate) fn cut(&self) {
        self.state.cut.store(true, Ordering::SeqCst);
    }

    pub(crate) fn heal(&self) {
        self.state.age.fetch_add(1, Ordering::SeqCst);
        for stream in self.state.open.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // It may have ended by itself.
            _ = stream.shutdown(Shutdown::Both);
        }
        self.state.cut.store(false, Ordering::SeqCst);
    }
}

impl State {
    fn wait_until_whole(&self) {
        while self.cut.load(Ordering::SeqCst) {
            std::thread::sleep(LOOK_EVERY);
        }
    }

    fn connect(self: Arc<Self>, client: TcpStream, target: u16) {
        self.wait_until_whole();
        let age = self.age.load(Ordering::SeqCst);
        let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, target)) else { return };
        // Small statements must not wait for acknowledgements.
        _ = client.set_nodelay(true).and_then(|()| server.set_nodelay(true));
        let (Ok(to_client), Ok(to_server)) = (client.try_clone(), server.try_clone()) else { return };
        {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            open.extend([client.try_clone(), server.try_clone()].into_iter().flatten());
        }
        let other = Arc::clone(&self);
        std::thread::spawn(move || other.pass(server, to_client, age));
        self.pass(client, to_server, age);
    }

    /// One direction, until an end is gone or the wire was cut.
    fn pass(&self, mut from: TcpStream, mut to: TcpStream, age: u64) {
        let mut buffer = [0; 16 << 10];
        while let Ok(count) = from.read(&mut buffer) {
            self.wait_until_whole();
            let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else { break };
            if self.age.load(Ordering::SeqCst) != age || to.write_all(bytes).is_err() {
                break;
            }
        }
        // Either may be gone.
        _ = from.shutdown(Shutdown::Both);
        _ = to.shutdown(Shutdown::Both);
    }
}

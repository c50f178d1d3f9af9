//! The reference device: keeps every conversation without a hole, sends again until it is answered, comes back by itself.

mod frames;
mod session;
mod state;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mynah_oracle::Oracle;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use session::Session;
use state::State;

/// Commands that may wait for a device.
const ASKED: usize = 1024;

/// The notes that all devices of a run write.
pub type Notes = Arc<Mutex<Oracle>>;

/// Who a device is, and where it connects.
#[derive(Debug, Clone)]
pub struct Account {
    /// The gateways, in the order in which they are tried.
    pub addresses: Vec<SocketAddr>,
    /// The app.
    pub appkey: String,
    /// The user.
    pub username: String,
    /// The user's password.
    pub password: String,
    /// The platform letter.
    pub platform: &'static str,
    /// The installation.
    pub device_id: String,
    /// Reads rooms from their beginning, rather than from where they stand.
    pub whole_rooms: bool,
}

/// What a message is sent to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// A user.
    User(String),
    /// A group.
    Group(u64),
    /// A chatroom.
    Room(u64),
}

impl Target {
    /// The conversation's name in the notes, as the sender knows it.
    #[must_use]
    pub fn conversation(&self, sender: &str) -> String {
        match self {
            Self::User(peer) => single(sender, peer),
            Self::Group(gid) => format!("group {gid}"),
            Self::Room(id) => format!("chatroom {id}"),
        }
    }
}

/// The name of a single chat in the notes, the same for both.
#[must_use]
pub fn single(a: &str, b: &str) -> String {
    let (first, second) = if a <= b { (a, b) } else { (b, a) };
    format!("single {first} {second}")
}

/// How a send ended: the conversation that it lies in, or the error code if it was refused for good.
pub type Answer = Result<String, u64>;

/// What is asked of a device.
enum Command {
    /// Send; answered when it is taken, or refused for good.
    Send(Target, String, String, oneshot::Sender<Answer>),
    /// Go into a room and stay there.
    Enter(u64),
    /// Answered when nothing is asked for and nothing waits to be sent.
    Idle(oneshot::Sender<()>),
}

/// What a run counted.
#[derive(Debug, Default)]
pub struct Counts {
    /// Connections that logged in; told to who waits for them.
    logins: watch::Sender<u64>,
    /// Entries pushed.
    pub pushed: AtomicU64,
    /// `heads` frames.
    pub heads: AtomicU64,
    /// Pages of room history.
    pub room_pages: AtomicU64,
    /// Sends that were made again.
    pub resent: AtomicU64,
    /// Answers that said the message was there before.
    pub duplicates: AtomicU64,
    /// Sends and calls that were refused for good with nothing against them.
    pub refused: AtomicU64,
    /// Calls that sent a message and were taken.
    pub calls: AtomicU64,
    /// Calls that sent a message and had no answer, or one that says to try again.
    pub calls_failed: AtomicU64,
    /// Those of them that failed sooner than a gateway gives a message up.
    pub calls_broken: AtomicU64,
    /// Changes of groups' members.
    pub changes: AtomicU64,
    /// Changes that had to be asked for again.
    pub changes_failed: AtomicU64,
}

impl Counts {
    pub(crate) fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn logged_in(&self) {
        self.logins.send_modify(|logins| *logins += 1);
    }

    /// How many connections logged in.
    pub fn logins(&self) -> u64 {
        *self.logins.borrow()
    }

    /// Waits until so many logged in.
    pub(crate) async fn until_logged_in(&self, expected: u64) {
        // The sender is this one's own.
        _ = self.logins.subscribe().wait_for(|logins| *logins >= expected).await;
    }
}

/// A device that runs.
pub struct Device {
    /// The user's name.
    pub username: String,
    sender: Sender,
    task: JoinHandle<()>,
}

impl Device {
    /// Starts it; it connects by itself, again and again.
    #[must_use]
    pub fn start(account: Account, notes: Notes, counts: Arc<Counts>) -> Self {
        let (commands, asked) = mpsc::channel(ASKED);
        let username = account.username.clone();
        let task = tokio::spawn(run(State::new(account, notes, counts), asked));
        Self { username, sender: Sender(commands), task }
    }

    /// A hand on it, for a task of its own.
    #[must_use]
    pub fn sender(&self) -> Sender {
        self.sender.clone()
    }

    /// Waits until it holds everything that it knows of.
    pub async fn idle(&self) {
        let (done, idle) = oneshot::channel();
        _ = self.sender.0.send(Command::Idle(done)).await;
        _ = idle.await;
    }

    /// Enters a room, after each reconnect too.
    pub async fn enter(&self, room: u64) {
        _ = self.sender.0.send(Command::Enter(room)).await;
    }

    /// Ends it, without a word to the server.
    pub fn stop(self) {
        self.task.abort();
    }
}

/// Gives a device messages to send.
#[derive(Clone)]
pub struct Sender(mpsc::Sender<Command>);

impl Sender {
    /// Sends its client message id as a text, again and again with one client message id until it is answered.
    pub async fn send(&self, target: Target, cmid: String) -> oneshot::Receiver<Answer> {
        let text = cmid.clone();
        self.send_text(target, cmid, text).await
    }

    /// The same with a text of its own.
    pub async fn send_text(&self, target: Target, cmid: String, text: String) -> oneshot::Receiver<Answer> {
        let (done, answered) = oneshot::channel();
        // A device that stopped answers nobody: the receiver learns it.
        _ = self.0.send(Command::Send(target, cmid, text, done)).await;
        answered
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(mut state: State, mut asked: mpsc::Receiver<Command>) {
    loop {
        if let Ok(session) = Session::open(&mut state).await {
            // Why it ended does not matter: what is missing is asked for by the next one.
            _ = session.serve(&mut state, &mut asked).await;
        }
        let pause = Duration::from_millis(20 + state.dice.below(80));
        tokio::time::sleep(pause).await;
        while let Ok(command) = asked.try_recv() {
            state.take(command);
        }
    }
}

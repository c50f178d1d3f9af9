//! The app's server: one call of the REST API after the other at each gateway, none with a key of its own. What it hears nothing of it says
//! anew, in another call.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use http::Method;
use mynah_oracle::Dice;
use serde_json::{Value, json};

use super::{Acks, Run};
use crate::Failed;
use crate::device::{Counts, Notes, Target};
use crate::rest::{Kept, Rest};
use crate::world::PASSWORD;

/// Who calls waits no longer for an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// The pause after a call without an answer.
pub(super) const PAUSE: Duration = Duration::from_millis(50);
/// A gateway tries for five seconds to have a message taken. What fails sooner is no slow machine's fault.
const TRIES_FOR: Duration = Duration::from_millis(4500);

/// The admin as whom the server of a gateway speaks.
pub(super) fn name(nth: usize) -> String {
    format!("server{nth}")
}

/// The admin who speaks before and after each stay of a guest.
pub(super) const PORTER: &str = "porter";

/// Makes the admins of so many gateways, and the porter.
pub(super) async fn register(rest: &Rest, gateways: usize) -> Result<(), Failed> {
    for name in (0..gateways).map(name).chain([PORTER.to_owned()]) {
        rest.post("/v1/admins/", &json!({"username": name, "password": PASSWORD})).await?;
    }
    Ok(())
}

/// A hand on one gateway.
pub(super) struct Hand {
    rest: Rest,
    kept: Option<Kept>,
}

/// What became of a message.
pub(super) enum Said {
    /// It has this id.
    Taken(u64),
    /// It was refused for good, by this code.
    Refused(u64, Value),
    /// There was no answer, or one that says to try again.
    Unknown,
}

impl Hand {
    pub(super) fn new(rest: Rest) -> Self {
        Self { rest, kept: None }
    }

    /// One call; none if it has no answer.
    pub(super) async fn call(&mut self, path: &str, body: &Value) -> Option<(u16, Value)> {
        let call = async {
            let mut kept = match self.kept.take() {
                Some(kept) => kept,
                None => self.rest.keep().await?,
            };
            let (status, body) = kept.call(Method::POST, path, body).await?;
            self.kept = Some(kept);
            Ok::<_, Failed>((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
        };
        tokio::time::timeout(ANSWER_WITHIN, call).await.ok()?.ok()
    }

    /// Says something as an admin or a user.
    pub(super) async fn say(&mut self, (kind, from): (&str, &str), target: &Target, text: &str) -> Said {
        let (to, id) = match target {
            Target::User(name) => ("single", name.clone()),
            Target::Group(gid) => ("group", gid.to_string()),
            Target::Room(room) => ("chatroom", room.to_string()),
        };
        let body = json!({
            "version": 1, "target_type": to, "target_id": id, "from_type": kind, "from_id": from,
            "msg_type": "text", "msg_body": {"text": text},
        });
        match self.call("/v1/messages", &body).await {
            Some((201, answer)) => Said::Taken(answer.get("msg_id").and_then(Value::as_u64).unwrap_or(0)),
            Some((400..500, answer)) => Said::Refused(code(&answer), answer),
            Some(_) | None => Said::Unknown,
        }
    }
}

/// A call that was made then had no answer: counts it, and pauses.
pub(super) async fn unanswered(counts: &Counts, made: Instant) {
    Counts::add(&counts.calls_failed);
    if made.elapsed() < TRIES_FOR {
        Counts::add(&counts.calls_broken);
    }
    tokio::time::sleep(PAUSE).await;
}

/// The code of a refusal.
pub(super) fn code(answer: &Value) -> u64 {
    answer.pointer("/error/code").and_then(Value::as_u64).unwrap_or(0)
}

/// One that says things through one gateway, and notes what it hears.
pub(super) struct Server {
    name: String,
    hand: Hand,
    number: u64,
    /// When the first of the calls was made that had no answer since the last one that had.
    unanswered: Option<Instant>,
    notes: Notes,
    counts: Arc<Counts>,
    acks: Acks,
}

impl Server {
    pub(super) fn new(run: &Run, nth: usize, hand: Hand) -> Self {
        let (notes, counts, acks) = (Arc::clone(&run.notes), Arc::clone(&run.counts), run.call_acks.clone());
        Self { name: name(nth), hand, number: 0, unanswered: None, notes, counts, acks }
    }

    /// Says one thing after the other until it is time to stop.
    pub(super) async fn talk(mut self, targets: [Vec<Target>; 2], mut dice: Dice, pause_ms: u64, stop: Arc<AtomicBool>) {
        while !stop.load(Ordering::SeqCst) {
            // As often to one kind as to the other.
            let kind = dice.one_of(&targets).map_or(&[][..], Vec::as_slice);
            if let Some(target) = dice.one_of(kind) {
                self.say(target).await;
            }
            tokio::time::sleep(Duration::from_millis(dice.below(pause_ms))).await;
        }
    }

    async fn say(&mut self, target: &Target) {
        self.number += 1;
        let (conversation, text) = (target.conversation(&self.name), format!("{} says {}", self.name, self.number));
        self.notes.lock().call(&conversation, &self.name, &text);
        let made = Instant::now();
        let began = self.unanswered.take().unwrap_or(made);
        match self.hand.say(("admin", &self.name), target, &text).await {
            Said::Taken(id) => {
                Counts::add(&self.counts.calls);
                self.notes.lock().call_answered(&conversation, &text, id);
                self.acks.note(conversation, began.elapsed());
            }
            Said::Refused(_, answer) => {
                Counts::add(&self.counts.refused);
                self.notes.lock().call_refused_wrongly(&conversation, &text, &answer.to_string());
            }
            Said::Unknown => {
                self.unanswered = Some(began);
                unanswered(&self.counts, made).await;
            }
        }
    }
}

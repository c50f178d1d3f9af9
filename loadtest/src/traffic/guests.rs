//! Guests: members of a group who are taken in and put out again and again, through one gateway, and speak through another at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mynah_oracle::Dice;
use serde_json::{Value, json};

use super::server::{Hand, PAUSE, PORTER, Said, code, unanswered};
use super::{Acks, Run, SETTLE_WITHIN};
use crate::device::{Counts, Notes, Target};

/// The code of a send to a group by one who is not in it.
const NO_MEMBER: u64 = 803_005;
/// The code of taking in who is in.
const IS_IN: u64 = 899_011;
/// The code of putting out who is not in.
const IS_OUT: u64 = 899_014;
/// How often it is looked whether a guest has heard everything.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A guest of a group.
pub(super) struct Guest {
    name: String,
    group: Target,
    gid: u64,
    hands: Vec<Hand>,
    /// The gateway that is called, as they follow one another.
    turn: usize,
    number: u64,
    notes: Notes,
    counts: Arc<Counts>,
    acks: Acks,
}

impl Guest {
    pub(super) fn new(run: &Run, nth: usize, name: &str, gid: u64) -> Self {
        let (notes, counts, acks) = (Arc::clone(&run.notes), Arc::clone(&run.counts), run.call_acks.clone());
        let (name, group, hands) = (name.to_owned(), Target::Group(gid), run.hands());
        Self { name, group, gid, hands, turn: nth, number: 0, notes, counts, acks }
    }

    /// Stays after stay until it is time to stop; the last one lasts. Each lies between what the porter says before and after it,
    /// and the guest has at least what was said between his own first and last words.
    pub(super) async fn come_and_go(mut self, mut dice: Dice, pause_ms: u64, stop: Arc<AtomicBool>) {
        // Where something is refused that must not be, it is noted, and there is no going on.
        _ = self.stays(&mut dice, pause_ms, &stop).await;
    }

    async fn stays(&mut self, dice: &mut Dice, pause_ms: u64, stop: &AtomicBool) -> Option<()> {
        let (conversation, name) = (self.group.conversation(""), self.name.clone());
        let mut before = self.says("admin", PORTER).await?;
        loop {
            self.change(true).await?;
            let first = self.says("user", &name).await?;
            if stop.load(Ordering::SeqCst) {
                self.notes.lock().stay(&conversation, &name, (before, u64::MAX), (first, u64::MAX));
                return Some(());
            }
            tokio::time::sleep(Duration::from_millis(dice.below(pause_ms))).await;
            // No list tells later of a group that he was in for a moment: so his device knows of it before he goes.
            self.has_heard(&conversation, first).await;
            let last = self.says("user", &name).await?;
            self.change(false).await?;
            self.is_not_heard().await?;
            let after = self.says("admin", PORTER).await?;
            // Who comes back sees nothing of an earlier stay: so he has all of this one before.
            self.has_heard(&conversation, last).await;
            self.notes.lock().stay(&conversation, &name, (before, after), (first, last));
            before = after;
            // Six turns are even: with two gateways the next stay begins at the other.
            self.turn += 1;
            tokio::time::sleep(Duration::from_millis(dice.below(pause_ms))).await;
        }
    }

    /// The gateway whose turn it is.
    fn hand(&mut self) -> Option<&mut Hand> {
        let nth = self.turn % self.hands.len().max(1);
        self.hands.get_mut(nth)
    }

    /// Notes that something is about to be said; returns what.
    fn next_text(&mut self, from: &str) -> String {
        self.number += 1;
        let text = format!("{from} at {}: {}", self.name, self.number);
        self.notes.lock().call(&self.group.conversation(""), from, &text);
        text
    }

    /// Takes him in, or puts him out, by the next gateway, until the answer says so.
    async fn change(&mut self, comes: bool) -> Option<()> {
        let (path, name) = (format!("/v1/groups/{}/members", self.gid), &self.name);
        let (body, stands) = if comes { (json!({"add": [name]}), IS_IN) } else { (json!({"remove": [name]}), IS_OUT) };
        self.turn += 1;
        let mut asked_before = false;
        loop {
            match self.hand()?.call(&path, &body).await {
                Some((200..300, _)) => break,
                Some((400..500, answer)) if asked_before && code(&answer) == stands => break,
                Some((400..500, answer)) => return self.wrongly_refused(&body.to_string(), &answer),
                Some(_) | None => {
                    Counts::add(&self.counts.changes_failed);
                    asked_before = true;
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        Counts::add(&self.counts.changes);
        Some(())
    }

    /// Somebody says something by the next gateway, and has to be heard. Returns the message's id.
    async fn says(&mut self, kind: &str, from: &str) -> Option<u64> {
        let (group, began) = (self.group.clone(), Instant::now());
        self.turn += 1;
        loop {
            let (text, made) = (self.next_text(from), Instant::now());
            match self.hand()?.say((kind, from), &group, &text).await {
                Said::Taken(id) => {
                    Counts::add(&self.counts.calls);
                    self.notes.lock().call_answered(&group.conversation(""), &text, id);
                    self.acks.note(group.conversation(""), began.elapsed());
                    return Some(id);
                }
                Said::Refused(_, answer) => return self.wrongly_refused(&text, &answer),
                Said::Unknown => unanswered(&self.counts, made).await,
            }
        }
    }

    /// He says something by the next gateway, and has to be refused.
    async fn is_not_heard(&mut self) -> Option<()> {
        let (group, name) = (self.group.clone(), self.name.clone());
        self.turn += 1;
        loop {
            let (text, made) = (self.next_text(&name), Instant::now());
            self.notes.lock().call_refused(&group.conversation(""), &text);
            match self.hand()?.say(("user", &name), &group, &text).await {
                Said::Refused(NO_MEMBER, _) => return Some(()),
                // Whoever sees it tells.
                Said::Taken(_) => return None,
                Said::Refused(_, answer) => return self.wrongly_refused(&text, &answer),
                Said::Unknown => unanswered(&self.counts, made).await,
            }
        }
    }

    fn wrongly_refused<T>(&self, what: &str, answer: &Value) -> Option<T> {
        Counts::add(&self.counts.refused);
        self.notes.lock().call_refused_wrongly(&self.group.conversation(""), what, &answer.to_string());
        None
    }

    /// Waits until his device has a message; what it has not in time is found to be lost.
    async fn has_heard(&self, conversation: &str, msg_id: u64) {
        let until = Instant::now() + SETTLE_WITHIN;
        while !self.notes.lock().has(conversation, &self.name, msg_id) && Instant::now() < until {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

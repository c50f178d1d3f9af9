//! Which messages of each local sender are in a conversation, and in which order they came there.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;

use super::is_server;
use super::summary::{Findings, OfServer};
use crate::client::text::Own;

/// Messages that are remembered because something was odd about them: beyond it the run has failed anyway.
const MOST_ODD: usize = 100_000;

type Message = (u32, u32, u32);

/// What of one sender is in one conversation.
#[derive(Debug, Default)]
struct Sent {
    last: u32,
    /// Numbers below `last` that are not there.
    gaps: Vec<u32>,
    /// Of the app's server's: all of them with their ids, in one number.
    digest: u64,
}

#[derive(Debug, Default)]
pub(super) struct Order {
    local: HashSet<u32, RandomState>,
    sent: HashMap<(u32, u32), Sent, RandomState>,
    /// Without an answer.
    unknown: HashSet<Message, RandomState>,
    refused: HashSet<Message, RandomState>,
    /// Behind one of the same sender that was sent later.
    late: Vec<Message>,
    /// Whether something was not remembered.
    pub(super) overflown: bool,
}

impl Order {
    pub(super) fn new(local: impl Iterator<Item = u32>) -> Self {
        Self { local: local.collect(), ..Self::default() }
    }

    pub(super) fn answered(&mut self, own: &Own) {
        if !self.unknown.is_empty() {
            self.unknown.remove(&(own.conv, own.sender, own.ordinal));
        }
    }

    pub(super) fn unknown(&mut self, own: &Own) {
        self.overflown |= self.unknown.len() >= MOST_ODD * 10;
        self.unknown.insert((own.conv, own.sender, own.ordinal));
    }

    pub(super) fn refused(&mut self, own: &Own) {
        self.overflown |= self.refused.len() >= MOST_ODD * 10;
        self.refused.insert((own.conv, own.sender, own.ordinal));
    }

    /// Whether a message is in its conversation, as far as that is judged.
    pub(super) fn has(&self, own: &Own) -> bool {
        let sent = self.sent.get(&(own.conv, own.sender));
        sent.is_some_and(|sent| own.ordinal <= sent.last && !sent.gaps.contains(&own.ordinal))
    }

    /// A message has its place. Those of others' senders are judged where their senders are: false.
    pub(super) fn folded(&mut self, conv: u32, sender: u32, (ordinal, msg_id): (u32, u64), findings: &mut Findings) -> bool {
        if !is_server(sender) && !self.local.contains(&sender) {
            return false;
        }
        let sent = self.sent.entry((conv, sender)).or_default();
        if is_server(sender) {
            sent.digest = sent.digest.wrapping_add(OfServer::part(ordinal, msg_id));
        }
        if ordinal > sent.last {
            let skipped = sent.last + 1..ordinal;
            if sent.gaps.len() + skipped.len() < MOST_ODD {
                sent.gaps.extend(skipped);
            } else {
                self.overflown = true;
            }
            sent.last = ordinal;
        } else if let Some(at) = sent.gaps.iter().position(|gap| *gap == ordinal) {
            sent.gaps.swap_remove(at);
            // The app's server sends by many connections, in no order.
            if !is_server(sender) {
                if self.late.len() < MOST_ODD {
                    self.late.push((conv, sender, ordinal));
                } else {
                    self.overflown = true;
                }
            }
        } else {
            findings.doubled += 1;
            findings.tell(|| format!("message {ordinal} of user {sender} is twice in conversation {conv}"));
        }
        true
    }

    /// What can only be told when all answers are there.
    pub(super) fn finish(&self, findings: &mut Findings) {
        for (conv, sender, ordinal) in self.late.iter().filter(|late| !self.unknown.contains(late)) {
            findings.reordered += 1;
            findings.tell(|| format!("message {ordinal} of user {sender} is behind a later one in conversation {conv}"));
        }
        for (conv, sender, ordinal) in &self.refused {
            if self.has(&Own { conv: *conv, sender: *sender, ordinal: *ordinal, due_us: 0 }) {
                findings.doubled += 1;
                findings.tell(|| format!("message {ordinal} of user {sender} was refused, and is in conversation {conv}"));
            }
        }
    }

    /// What of the app's server's messages is in each conversation.
    pub(super) fn of_the_server(&self) -> Vec<OfServer> {
        let of = self.sent.iter().filter(|((_, sender), _)| is_server(*sender));
        of.map(|((conv, _), sent)| OfServer { conv: *conv, last: sent.last, gaps: sent.gaps.clone(), digest: sent.digest })
            .collect()
    }
}

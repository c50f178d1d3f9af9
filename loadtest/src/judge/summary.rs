//! What a generator found, and what the findings of several come to.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::Figures;
use super::conversation::Conversation;
use super::order::Order;
use crate::client::text::mix;

/// Findings that are told in words.
const TOLD: usize = 100;

/// Faults, by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    /// Acknowledged and not to be had.
    pub lost: u64,
    /// Twice.
    pub doubled: u64,
    /// Out of order.
    pub reordered: u64,
    /// Seen by one who may not.
    pub leaked: u64,
    /// Unread counts that were not right.
    pub unread: u64,
    /// The first of them in words.
    pub told: Vec<String>,
}

impl Findings {
    pub(crate) fn tell(&mut self, finding: impl FnOnce() -> String) {
        if self.told.len() < TOLD {
            self.told.push(finding());
        }
    }

    pub(crate) fn tell_if(&mut self, wanted: bool, finding: impl FnOnce() -> String) {
        if wanted {
            self.tell(finding);
        }
    }

    fn add(&mut self, other: &Self) {
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.reordered += other.reordered;
        self.leaked += other.leaked;
        self.unread += other.unread;
        self.told.extend(other.told.iter().take(TOLD.saturating_sub(self.told.len())).cloned());
    }

    /// None of any kind.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.lost + self.doubled + self.reordered + self.leaked + self.unread == 0
    }
}

/// Messages of the app's server in a conversation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfServer {
    /// The conversation.
    pub conv: u32,
    /// The last message that is there.
    pub last: u32,
    /// Those before it that are not.
    pub gaps: Vec<u32>,
    /// All that are there, with their ids, in one number.
    pub digest: u64,
}

impl OfServer {
    /// Whether a message is there.
    #[must_use]
    pub fn has(&self, ordinal: u32) -> bool {
        ordinal <= self.last && !self.gaps.contains(&ordinal)
    }

    /// What a message adds to the digest, in whatever order they come.
    #[must_use]
    pub fn part(ordinal: u32, msg_id: u64) -> u64 {
        mix(u64::from(ordinal), msg_id)
    }
}

/// What one generator found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Faults.
    pub findings: Findings,
    /// Conversations with viewers here: number, from where, up to where, and all of it in one number.
    pub digests: Vec<(u32, u64, u64, u64)>,
    /// Conversations that cannot be compared: not everybody's places were seen here.
    pub uncompared: u64,
    /// The same of rooms, where nobody is owed what was said while he was out.
    pub uncompared_rooms: u64,
    /// Messages of the app's server by conversation.
    pub server: Vec<OfServer>,
    /// Messages that were judged.
    pub judged: u64,
    /// Something was beyond what a judge remembers: the verdict is not whole.
    pub overflown: bool,
}

pub(super) fn summary(conversations: &[Conversation], order: &Order, findings: Findings, figures: Figures) -> Summary {
    let (mut digests, mut uncompared, mut uncompared_rooms) = (Vec::new(), 0, 0);
    for (conv, conversation) in (0_u32..).zip(conversations) {
        if conversation.broken {
            let count = if conversation.is_room() { &mut uncompared_rooms } else { &mut uncompared };
            *count += 1;
        } else if conversation.viewers > 0 {
            // Also where nothing was seen: another generator's viewers may have seen something.
            digests.push((conv, conversation.from, conversation.floor, conversation.digest));
        }
    }
    let (server, judged, overflown) = (order.of_the_server(), figures.judged, order.overflown);
    Summary { findings, digests, uncompared, uncompared_rooms, server, judged, overflown }
}

/// What several generators found, and whether their viewers saw the same.
#[must_use]
pub fn merge(parts: &[Summary]) -> Summary {
    let mut all = Summary::default();
    let mut seen: HashMap<u32, (u64, u64, u64)> = HashMap::new();
    for part in parts {
        all.findings.add(&part.findings);
        all.uncompared += part.uncompared;
        all.uncompared_rooms += part.uncompared_rooms;
        all.judged += part.judged;
        all.overflown |= part.overflown;
        all.server.extend(part.server.iter().cloned());
        for (conv, from, to, digest) in &part.digests {
            let same = (*from, *to, *digest);
            let first = *seen.entry(*conv).or_insert(same);
            if first == same {
                continue;
            }
            let (kind, what) = match () {
                () if first.0 != *from => (&mut all.uncompared, None),
                () if first.1 != *to => (&mut all.findings.lost, Some("reach to different places")),
                () => (&mut all.findings.reordered, Some("saw different entries")),
            };
            *kind += 1;
            if let Some(what) = what {
                all.findings.tell(|| format!("conversation {conv}: the viewers of two generators {what}"));
            }
        }
    }
    all.digests = seen.into_iter().map(|(conv, (from, to, digest))| (conv, from, to, digest)).collect();
    all
}

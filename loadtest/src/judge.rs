//! The judge of a run of any length: what clients see is judged as it comes, and forgotten when every viewer here has it.
//!
//! Each generator judges what its own devices see. A conversation's entries are folded into one number, in their order, so that the
//! coordinator finds out whether the viewers of another generator saw the same.
//!
//! Rules: an entry that a viewer was told to hold, and does not, is lost; so is an acknowledged message that is not where the answer
//! said. A message at two places, or a push that comes again on one connection, is doubled. Two entries at one place, ids or a
//! sender's messages out of order, and pushes out of order are reordered. What reaches one who is no member is leaked. Messages without
//! an answer may be there once, anywhere in the order, or not at all.

mod conversation;
mod listed;
mod order;
mod summary;
mod view;

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::client::conv::Key;
use crate::client::read::Entry;
use crate::client::text::{Own, SERVER};
use conversation::{Conversation, Slot};
use order::Order;
use view::View;

pub use summary::{Findings, OfServer, Summary, merge};

/// How an entry came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// Pushed.
    Push,
    /// In a page that was asked for.
    Page,
}

/// What the device has to do about what it saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// Nothing.
    Fine,
    /// An entry before it is not here yet.
    Hole,
    /// It is not of this run.
    Foreign,
}

/// What a generator's devices saw, as far as it is not judged yet.
pub(crate) struct Judge {
    conversations: Vec<Conversation>,
    by_key: HashMap<Key, u32, RandomState>,
    /// The views of each local user, by conversation.
    views: Vec<Vec<View>>,
    order: Order,
    findings: Findings,
    /// Whether a push that comes again, or out of order, is a fault.
    strict_pushes: bool,
    pub(crate) figures: Figures,
}

/// What was counted beside the judgement.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Figures {
    /// Pushes of what was pushed before on the same connection.
    pub(crate) repeated: u64,
    /// Pushes behind one of a higher place on the same connection.
    pub(crate) overtaken: u64,
    /// Entries that a room did not push, and said so.
    pub(crate) skipped: u64,
    /// Entries that came by a page.
    pub(crate) paged: u64,
    /// Entries of conversations that are not of this run.
    pub(crate) foreign: u64,
    /// Messages folded: judged in full.
    pub(crate) judged: u64,
}

impl Judge {
    /// `conversations`: all of the run. `users`: the local ones, by their numbers, with the conversations of each.
    pub(crate) fn new(conversations: usize, users: &[(u32, Vec<u32>)], strict_pushes: bool) -> Self {
        let mut all: Vec<Conversation> = (0..conversations).map(|_| Conversation::default()).collect();
        let mut views = Vec::with_capacity(users.len());
        for (user, of_user) in users {
            let mut of_user = of_user.clone();
            of_user.sort_unstable();
            for conv in &of_user {
                if let Some(conversation) = all.get_mut(*conv as usize) {
                    conversation.viewers += 1;
                }
            }
            views.push(of_user.into_iter().map(|conv| View::new(conv, *user)).collect());
        }
        Self {
            conversations: all,
            by_key: HashMap::default(),
            views,
            order: Order::new(users.iter().map(|(user, _)| *user)),
            findings: Findings::default(),
            strict_pushes,
            figures: Figures::default(),
        }
    }

    /// A conversation is known by its id from the start.
    pub(crate) fn name(&mut self, conv: u32, key: Key) {
        self.by_key.insert(key, conv);
        if let Some(conversation) = self.conversations.get_mut(conv as usize) {
            conversation.key = Some(key);
        }
    }

    /// The run's number of a conversation.
    pub(crate) fn number(&self, key: Key) -> Option<u32> {
        self.by_key.get(&key).copied()
    }

    /// The id of a conversation, if it is known.
    pub(crate) fn key(&self, conv: u32) -> Option<Key> {
        self.conversations.get(conv as usize).and_then(|c| c.key)
    }

    fn view(&mut self, at: usize, conv: u32) -> Option<(&mut View, &mut Conversation)> {
        let views = self.views.get_mut(at)?;
        let place = views.binary_search_by_key(&conv, |view| view.conv).ok()?;
        Some((views.get_mut(place)?, self.conversations.get_mut(conv as usize)?))
    }

    /// Judges what everybody here has.
    fn fold(&mut self, conv: u32) {
        if let Some(conversation) = self.conversations.get_mut(conv as usize) {
            conversation.fold(conv, &mut self.order, &mut self.findings, &mut self.figures.judged);
        }
    }

    /// Before the load: the local user at `at` finds a conversation at `head` and with so many unread.
    pub(crate) fn base(&mut self, at: usize, conv: u32, head: u64, unread: u64) {
        if let Some((view, conversation)) = self.view(at, conv) {
            view.have = head.max(view.have);
            view.unread = u32::try_from(unread).unwrap_or(u32::MAX);
            conversation.begin_at(head);
        }
    }

    /// All bases are known. What came before is not judged.
    pub(crate) fn begin(&mut self) {
        for view in self.views.iter_mut().flatten() {
            if let Some(conversation) = self.conversations.get(view.conv as usize) {
                view.begin(conversation.floor);
            }
        }
    }

    /// The run's number of the conversation that an entry is of; learns ids by what messages say.
    fn place(&mut self, entry: &Entry) -> Option<u32> {
        let known = self.number(entry.key);
        let Some(own) = &entry.own else { return known };
        match known {
            Some(conv) if conv == own.conv => {}
            None if self.key(own.conv).is_none() && (own.conv as usize) < self.conversations.len() => {
                self.name(own.conv, entry.key)
            }
            _ => {
                self.findings.leaked += 1;
                self.findings.tell(|| format!("a message of conversation {} is in {}", own.conv, entry.key.text()));
                return None;
            }
        }
        Some(own.conv)
    }

    /// The local user at `at` was given an entry.
    pub(crate) fn saw(&mut self, at: usize, user: u32, entry: &Entry, how: How) -> Then {
        let Some(conv) = self.place(entry) else {
            self.figures.foreign += 1;
            return Then::Foreign;
        };
        self.figures.paged += u64::from(how == How::Page);
        if self.view(at, conv).is_none() {
            self.findings.leaked += 1;
            self.findings.tell(|| format!("user {user} got {} of {}, which is not for him", entry.seq, entry.key.text()));
            return Then::Fine;
        }
        let slot = Slot {
            digest: entry.digest,
            msg_id: entry.msg_id,
            sender: entry.own.map(|own| own.sender),
            ordinal: entry.own.map_or(0, |own| own.ordinal),
            delta: entry.delta,
            left: 0,
        };
        self.note(at, user, conv, entry.seq, slot, Some(how))
    }

    /// A send of the local user at `at` was answered.
    pub(crate) fn acked(&mut self, at: usize, own: &Own, key: Key, seq: u64, msg_id: u64, digest: u64) {
        let entry = Entry { key, seq, msg_id, digest, delta: 1, own: Some(*own) };
        self.order.answered(own);
        let Some(conv) = self.place(&entry) else { return };
        let folded = self.conversations.get(conv as usize).is_some_and(|c| seq <= c.floor);
        if folded && !self.order.has(own) {
            self.findings.lost += 1;
            self.findings.tell(|| format!("{} was said to hold message {} of user {}", key.text(), own.ordinal, own.sender));
            return;
        }
        let slot = Slot { digest, msg_id, sender: Some(own.sender), ordinal: own.ordinal, delta: 1, left: 0 };
        self.note(at, own.sender, conv, seq, slot, None);
    }

    fn note(&mut self, at: usize, user: u32, conv: u32, seq: u64, slot: Slot, how: Option<How>) -> Then {
        let Some(views) = self.views.get_mut(at) else { return Then::Fine };
        let Ok(place) = views.binary_search_by_key(&conv, |view| view.conv) else { return Then::Fine };
        let (Some(view), Some(conversation)) = (views.get_mut(place), self.conversations.get_mut(conv as usize)) else {
            return Then::Fine;
        };
        if !conversation.put(seq, slot) {
            self.findings.reordered += 1;
            self.findings
                .tell(|| format!("user {user}: another entry at {seq} of conversation {conv} than others saw or an answer said"));
        }
        if view.away {
            return Then::Fine;
        }
        let fresh = !view.holds(seq);
        if how == Some(How::Push) {
            if !fresh && seq <= view.pushed && seq > view.base {
                self.figures.repeated += 1;
                if self.strict_pushes {
                    self.findings.doubled += 1;
                    self.findings.tell(|| format!("user {user}: {seq} of conversation {conv} was pushed twice"));
                }
            } else if fresh && seq < view.pushed {
                self.figures.overtaken += 1;
                self.findings.reordered += u64::from(self.strict_pushes);
                self.findings.tell_if(self.strict_pushes, || {
                    format!("user {user}: {seq} of conversation {conv} was pushed after {}", view.pushed)
                });
            }
            view.pushed = seq.max(view.pushed);
        }
        if fresh {
            view.take(seq, conversation);
            conversation.fold(conv, &mut self.order, &mut self.findings, &mut self.figures.judged);
        }
        // An answer may come before pushes that it follows.
        if how == Some(How::Push) && view.have < seq { Then::Hole } else { Then::Fine }
    }

    /// The local user at `at` was told that he holds everything up to `to`, the page's entries noted before.
    pub(crate) fn covered(&mut self, at: usize, user: u32, conv: u32, from: u64, to: u64) {
        let Some((view, conversation)) = self.view(at, conv) else { return };
        let missing: Vec<u64> = if from > 0 { view.missing(to).filter(|seq| *seq >= from).collect() } else { Vec::new() };
        for seq in &missing {
            view.take(*seq, conversation);
        }
        self.fold(conv);
        if let Some(first) = missing.first() {
            self.findings.lost += missing.len() as u64;
            let count = missing.len();
            self.findings.tell(|| {
                format!(
                    "user {user} has not {first} of conversation {conv} ({count} in all), and was told that he has everything"
                )
            });
        }
    }

    /// A range was left out for the local user at `at`, and he was told.
    pub(crate) fn skipped(&mut self, at: usize, conv: u32, from: u64, to: u64) {
        let Some((view, conversation)) = self.view(at, conv) else { return };
        let missing: Vec<u64> = view.missing(to).filter(|seq| *seq >= from).collect();
        for seq in &missing {
            view.take(*seq, conversation);
        }
        view.pushed = to.max(view.pushed);
        let count = missing.len() as u64;
        // Only rooms may leave something out.
        if conversation.is_room() {
            self.figures.skipped += count;
        } else {
            let user = view.user;
            self.findings.lost += count;
            self.findings
                .tell(|| format!("user {user} was told to do without {from} to {to} of conversation {conv}, which is no room"));
        }
        self.fold(conv);
    }

    /// A conversation is known to reach to `head`: true if the local user at `at` does not.
    pub(crate) fn moved(&mut self, at: usize, conv: u32, head: u64) -> bool {
        let Some((view, conversation)) = self.view(at, conv) else { return false };
        view.announced = if view.announced == u64::MAX { head } else { head.max(view.announced) };
        conversation.head = head.max(conversation.head);
        head > view.have
    }

    /// Whether the local user at `at` was told how far a conversation reaches.
    pub(crate) fn is_announced(&mut self, at: usize, conv: u32) -> bool {
        self.view(at, conv).is_some_and(|(view, conversation)| conversation.head <= view.announced)
    }

    /// Whether something before what the local user at `at` has is missing, and whether he was told so. None too where all that he has
    /// beyond it is the answer to a message of his own, which comes before the pushes of a server that is behind.
    pub(crate) fn hole(&mut self, at: usize, conv: u32) -> Option<bool> {
        let (view, conversation) = self.view(at, conv)?;
        let first = view.first_ahead()?;
        let told = first.saturating_sub(1) <= view.announced;
        (told || first <= view.pushed || conversation.is_room()).then_some(told)
    }

    /// Whether the local user at `at` has an entry already.
    pub(crate) fn holds(&mut self, at: usize, key: Key, seq: u64) -> bool {
        self.number(key).and_then(|conv| self.view(at, conv)).is_some_and(|(view, _)| view.holds(seq))
    }

    /// The local user at `at` marks what he has of a conversation as read: up to where. None while an earlier mark of his has no answer, and
    /// in rooms, which count nothing.
    pub(crate) fn marks(&mut self, at: usize, conv: u32) -> Option<u64> {
        let (view, conversation) = self.view(at, conv)?;
        if conversation.is_room() || view.since_mark.is_some() || view.have <= view.base {
            return None;
        }
        view.since_mark = Some(0);
        Some(view.have)
    }

    /// The server has taken that.
    pub(crate) fn marked(&mut self, at: usize, conv: u32) {
        if let Some((view, _)) = self.view(at, conv) {
            view.unread = view.since_mark.take().unwrap_or(view.unread);
        }
    }

    /// How far the local user at `at` has everything.
    pub(crate) fn have(&mut self, at: usize, conv: u32) -> u64 {
        self.view(at, conv).map_or(0, |(view, _)| view.have)
    }

    /// The local user's connection ended.
    pub(crate) fn hung_up(&mut self, at: usize) {
        let Some(views) = self.views.get_mut(at) else { return };
        for view in views {
            view.hung_up();
        }
    }

    /// The local user at `at` is not in a room for now.
    pub(crate) fn left(&mut self, at: usize, conv: u32) {
        let Some((view, conversation)) = self.view(at, conv) else { return };
        view.leave(conversation);
        self.fold(conv);
    }

    /// The local user at `at` is in a room again, from `head` on.
    pub(crate) fn entered(&mut self, at: usize, conv: u32, head: u64) {
        if let Some((view, conversation)) = self.view(at, conv) {
            view.enter(head, conversation);
        }
    }

    /// A send was refused for good.
    pub(crate) fn refused(&mut self, own: &Own) {
        self.order.refused(own);
    }

    /// A send has no answer and gets none.
    pub(crate) fn unknown(&mut self, own: &Own) {
        self.order.unknown(own);
    }

    /// Conversations of the local user at `at` in which he lacks what is known to exist.
    pub(crate) fn behind(&self, at: usize) -> Vec<u32> {
        let views = self.views.get(at).map_or(&[][..], Vec::as_slice);
        let lacks = |view: &&View| self.conversations.get(view.conv as usize).is_some_and(|c| view.have < c.head && !view.away);
        views.iter().filter(lacks).map(|view| view.conv).collect()
    }

    /// What was found. Everything that viewers still lack is lost.
    pub(crate) fn finish(mut self) -> Summary {
        for view in self.views.iter_mut().flatten() {
            let Some(conversation) = self.conversations.get_mut(view.conv as usize) else { continue };
            let (user, conv, head) = (view.user, view.conv, conversation.head);
            if view.away || view.have >= head {
                continue;
            }
            let missing: Vec<u64> = view.missing(head).collect();
            self.findings.lost += missing.len() as u64;
            if let Some(first) = missing.first() {
                self.findings.tell(|| format!("user {user} lacks {first} of conversation {conv}, which reaches to {head}"));
            }
            for seq in missing {
                view.take(seq, conversation);
            }
        }
        for (conv, conversation) in (0_u32..).zip(&mut self.conversations) {
            conversation.fold(conv, &mut self.order, &mut self.findings, &mut self.figures.judged);
        }
        let Self { conversations, order, mut findings, figures, .. } = self;
        order.finish(&mut findings);
        summary::summary(&conversations, &order, findings, figures)
    }

    /// What is kept for entries that not every viewer here has: the judge's memory.
    pub(crate) fn kept(&self) -> usize {
        self.conversations.iter().map(Conversation::kept).sum()
    }
}

/// Whether a sender is the app's server.
fn is_server(sender: u32) -> bool {
    sender == SERVER
}

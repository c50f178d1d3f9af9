//! A deterministic simulation of the message path with faults: one seed decides everything.
//!
//! What ships is what runs: the conversation's state machine, the writer's batching, delivery progress, who hears of a group, and what a
//! viewer may see come from `mynah-domain`. What is simulated is everything around them: a log that keeps the append contract, a
//! directory that commits changes, routers that are killed or live on as stale owners, a gateway, devices whose connections break.
//! The oracle judges by what the devices saw, before any of them reconnects.
//!
//! [`Broken`] takes one rule out at a time: the tests show that each is needed.
//!
//! Reading order: [`run`], `world` (the events), `router`, `log`, `gateway`, `device`.

mod device;
mod directory;
mod event;
mod gateway;
mod log;
mod router;
mod world;

use mynah_oracle::Verdict;

/// A rule that is taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// The log takes appends of an owner who has been replaced.
    NoFence,
    /// The log takes an append whose author knew another head.
    NoExpectedHead,
    /// Senders are answered before the log has the entry.
    AckBeforeAppend,
    /// Rights are looked at before it is known whether the message is a repeat.
    DedupeAfterRights,
    /// A repeat is found only among the newest messages.
    DedupeByWindow,
    /// Delivery progress is the newest that was delivered, whatever is still on its way.
    MaxForLowWater,
    /// A new owner delivers nothing again.
    NoRedelivery,
    /// A login reads where conversations stand, and subscribes afterwards.
    ReadBeforeSubscribe,
    /// An append of unknown outcome is tried again without taking the shard anew.
    NoClaimAfterUnknown,
    /// What an append of unknown outcome wrote after all is delivered by nobody.
    NoRedeliveryAfterUnknown,
    /// A group's record goes to whoever is a member when it arrives.
    NoMemberVersions,
    /// A router that was replaced answers out of what it remembers.
    StaleAnswers,
    /// Seq gives no hint: a device takes what is pushed and asks for nothing.
    NoGapRule,
}

impl Broken {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::NoFence,
        Self::NoExpectedHead,
        Self::AckBeforeAppend,
        Self::DedupeAfterRights,
        Self::DedupeByWindow,
        Self::MaxForLowWater,
        Self::NoRedelivery,
        Self::ReadBeforeSubscribe,
        Self::NoClaimAfterUnknown,
        Self::NoRedeliveryAfterUnknown,
        Self::NoMemberVersions,
        Self::StaleAnswers,
        Self::NoGapRule,
    ];
}

/// What one run was.
#[derive(Debug)]
pub struct Report {
    /// The judgement.
    pub verdict: Verdict,
    /// Messages that were acknowledged.
    pub acknowledged: usize,
    /// Owners that were replaced.
    pub takeovers: u32,
}

/// Runs one seed, with all rules or without one.
#[must_use]
pub fn run(seed: u64, broken: Option<Broken>) -> Report {
    world::World::new(seed, broken).run()
}

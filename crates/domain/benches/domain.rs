//! What a command costs from its queue to its answer, without any IO, against a look-up and a push of the same bytes.

#![allow(missing_docs, reason = "a program")]

use std::collections::HashMap;
use std::hint::black_box;

use bytes::Bytes;
use mynah_domain::conversation::{
    Change, Command, Fact, Limits, Loaded, Lookup, Machine, PairRights, SendCommand, SendItem, Step,
};
use mynah_measure::{Bench, Failed, each};
use mynah_types::{Cmid, ConversationKey, MsgId, Role, Uid};

const COMMANDS: u64 = 100_000;
const FLOOR: &str = "hash map look-up and push of the same bytes";
const PAYLOAD: usize = 130;

/// A conversation of so many members, as its actor has it.
fn machine(members: u64) -> Result<Machine<u32>, Failed> {
    if members == 2 {
        let mut machine = Machine::new(ConversationKey::single(Uid(1), Uid(2)), Limits::default());
        let rights = PairRights { a_blocks_b: false, b_blocks_a: false, a_exists: true, b_exists: true };
        machine.loaded(Loaded { rights: Some(rights), ..Loaded::default() });
        return Ok(machine);
    }
    let mut machine = Machine::new(ConversationKey::Group(10_000_001), Limits::default());
    let created = Change {
        version: 1,
        joined: (1..=members).map(|uid| (Uid(uid), Role::Member, false)).collect(),
        left: Vec::new(),
        changed: Vec::new(),
        dissolved: false,
        payload: Bytes::from_static(b"event"),
        actor: Uid(0),
    };
    machine.loaded(Loaded { directory_version: 1, changes: vec![created], ..Loaded::default() });
    append(&mut machine, &[MsgId(1)])?;
    Ok(machine)
}

/// One batch: what is looked up is not there, as with every first send.
fn append(machine: &mut Machine<u32>, ids: &[MsgId]) -> Result<(), Failed> {
    let lookups = machine.begin().ok_or("nothing waits")?;
    let fact = |lookup: &Lookup| match lookup {
        Lookup::Send { .. } => Ok(Fact::Send(None)),
        other => Err(format!("not expected: {other:?}")),
    };
    let facts = lookups.iter().map(fact).collect::<Result<_, _>>()?;
    let Step::Append(append) = machine.decide(1_795_600_000_000, lookups, facts) else { return Err("refused".into()) };
    black_box(append);
    let done = machine.appended(ids);
    if done.deliver.len() == ids.len() { Ok(()) } else { Err("not all was decided".into()) }
}

fn commands(members: u64, from: u64, count: u64) -> Result<Vec<Command>, Failed> {
    let command = |number: u64| {
        let item = SendItem {
            cmid: Cmid::parse(&format!("m{number}")).map_err(|e| e.why)?,
            content_hash: number,
            payload: Bytes::from(vec![(number % 251) as u8; PAYLOAD]),
            no_offline: false,
            unread_delta: 1,
            mentions: Vec::new(),
            mention_all: false,
            sensitive: false,
        };
        let sender = Uid(number % members + 1);
        Ok(Command::Send(SendCommand { sender, privileged: false, in_room: false, origin_conn: 7, items: vec![item] }))
    };
    (from..from + count).map(command).collect()
}

/// So many payloads, each found a place for and copied there.
fn floor(count: u64) -> f64 {
    let mut places: HashMap<u64, Vec<u8>> = (0..1000).map(|place| (place, Vec::new())).collect();
    let payload = [7; PAYLOAD];
    each(count, || {
        for number in 0..count {
            if let Some(place) = places.get_mut(&black_box(number % 1000)) {
                place.extend_from_slice(black_box(&payload));
            }
        }
        places
    })
}

fn main() -> Result<(), Failed> {
    let mut bench = Bench::from_args("domain")?;
    let count = bench.count(COMMANDS) / 64 * 64;
    for (name, members) in [("single chat", 2), ("group of 10", 10), ("group of 500", 500)] {
        for batch in [1, 64] {
            let (mut machine, mut next) = (machine(members)?, 0);
            bench.case(&format!("{name}, batches of {batch}"), FLOOR, || {
                let mut commands = commands(members, next, count)?.into_iter();
                let mut failed = None;
                let took = each(count, || {
                    while commands.len() > 0 {
                        let ids: Vec<MsgId> = (next..next + batch).map(MsgId).collect();
                        next += batch;
                        for command in commands.by_ref().take(ids.len()) {
                            failed = machine.offer(command, 0).err().map(|_| "the queue is full".into()).or(failed.take());
                        }
                        failed = append(&mut machine, &ids).err().or(failed.take());
                    }
                });
                failed.map_or(Ok((took, floor(count))), Err)
            })?;
        }
    }
    bench.print();
    Ok(())
}

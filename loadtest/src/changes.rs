//! Kills the server while an app's server changes friendships and groups: each change is whole or not there, and everybody whom it
//! concerns hears of it once, in order.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use http::Method;
use mynah_oracle::Dice;
use serde_json::{Value, json};

use crate::Failed;
use crate::rest::Rest;
use crate::server::{QUICK, Server};
use crate::wire::Wire;
use crate::world;

/// What the outbox has left is told in this time.
const SETTLE_WITHIN: Duration = Duration::from_secs(30);
/// Users who are changed at one time, two and two.
const PAIRS: usize = 8;

/// What a run is.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The server's binary.
    pub binary: PathBuf,
    /// Kills.
    pub kills: u32,
    /// Decides the rest.
    pub seed: u64,
}

/// Two users, a group of the first, and what is known of them: none where a call had no answer.
struct Pair {
    first: String,
    second: String,
    gid: u64,
    friends: Option<bool>,
    member: Option<bool>,
    changes: u64,
}

/// Does it: figures.
///
/// # Errors
/// When the server does not start, or does not keep a promise.
pub async fn run(plan: &Plan) -> Result<Value, Failed> {
    let folder = tempfile::tempdir()?;
    let mut server = Server::start(&plan.binary, &folder.path().join("data"), QUICK).await?;
    let rest = Rest::new(server.http, &server.appkey, &server.master_secret);
    let mut dice = Dice::new(plan.seed);
    let names = world::users(&rest, 2 * PAIRS).await?;
    let stop = Arc::new(AtomicBool::new(false));
    let mut drivers = Vec::new();
    for pair in names.chunks(2) {
        let [first, second] = pair else { continue };
        let gid = world::group(&rest, std::slice::from_ref(first)).await?;
        let (first, second) = (first.clone(), second.clone());
        let pair = Pair { first, second, gid, friends: Some(false), member: Some(false), changes: 0 };
        let rest = Rest::new(server.http, &server.appkey, &server.master_secret);
        drivers.push(tokio::spawn(drive(pair, rest, Dice::new(dice.bits()), Arc::clone(&stop))));
    }
    for _ in 0..plan.kills {
        tokio::time::sleep(Duration::from_millis(100 + dice.below(400))).await;
        server.kill()?;
        server.restart().await?;
    }
    stop.store(true, Ordering::SeqCst);
    let mut changes = 0;
    for driver in drivers {
        let mut pair = driver.await?;
        settle(&rest, &mut pair).await?;
        prove(&server, &rest, &pair).await?;
        changes += pair.changes;
    }
    Ok(json!({"kills": plan.kills, "seed": plan.seed, "pairs": PAIRS, "changes": changes}))
}

/// Turns one thing after the other over, until it is time to stop.
async fn drive(mut pair: Pair, rest: Rest, mut dice: Dice, stop: Arc<AtomicBool>) -> Pair {
    while !stop.load(Ordering::SeqCst) {
        let outcome = if dice.once_in(2) {
            pair.friends = befriend(&rest, &pair, pair.friends != Some(true)).await;
            pair.friends
        } else {
            pair.member = take_in(&rest, &pair, pair.member != Some(true)).await;
            pair.member
        };
        match outcome {
            Some(_) => pair.changes += 1,
            None => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
    pair
}

/// Makes or ends the friendship; answers how it stands then, if that is known. What stands as wanted already is as good.
async fn befriend(rest: &Rest, pair: &Pair, wanted: bool) -> Option<bool> {
    let method = if wanted { Method::POST } else { Method::DELETE };
    let path = format!("/v1/users/{}/friends", pair.first);
    known(rest.call(method, &path, &json!([pair.second])).await, [899_070, 899_071], wanted)
}

async fn take_in(rest: &Rest, pair: &Pair, wanted: bool) -> Option<bool> {
    let path = format!("/v1/groups/{}/members", pair.gid);
    let body = if wanted { json!({"add": [pair.second]}) } else { json!({"remove": [pair.second]}) };
    known(rest.call(Method::POST, &path, &body).await, [899_011, 899_014], wanted)
}

fn known(answer: Result<(u16, Value), Failed>, stands: [u64; 2], wanted: bool) -> Option<bool> {
    match answer {
        Ok((200..300, _)) => Some(wanted),
        Ok((_, body)) => body.pointer("/error/code").and_then(Value::as_u64).filter(|code| stands.contains(code)).map(|_| wanted),
        // Killed in between.
        Err(_) => None,
    }
}

/// Asks again where the last call had no answer.
async fn settle(rest: &Rest, pair: &mut Pair) -> Result<(), Failed> {
    let began = Instant::now();
    while pair.friends.is_none() || pair.member.is_none() {
        if began.elapsed() > SETTLE_WITHIN {
            return Err(format!("{} is not answered any more", pair.first).into());
        }
        if pair.friends.is_none() {
            pair.friends = befriend(rest, pair, true).await;
        }
        if pair.member.is_none() {
            pair.member = take_in(rest, pair, true).await;
        }
    }
    Ok(())
}

/// Both sides agree, and what devices were told adds up to how it stands.
async fn prove(server: &Server, rest: &Rest, pair: &Pair) -> Result<(), Failed> {
    let (friends, member) = (pair.friends == Some(true), pair.member == Some(true));
    for (of, other) in [(&pair.first, &pair.second), (&pair.second, &pair.first)] {
        let list = rest.get(&format!("/v1/users/{of}/friends")).await?;
        expect(names(&list, "username").any(|name| name == other.as_str()) == friends, &format!("friends of {of}"), &list)?;
    }
    let list = rest.get(&format!("/v1/groups/{}/members/", pair.gid)).await?;
    expect(names(&list, "username").any(|name| name == pair.second) == member, "members", &list)?;
    let list = rest.get(&format!("/v1/users/{}/groups/", pair.second)).await?;
    expect(list.as_array().is_none_or(Vec::is_empty) != member, "groups of the member", &list)?;
    let began = Instant::now();
    loop {
        let told = told(server, pair).await?;
        let complete = told.iter().all(|(events, stands)| events.last().copied().unwrap_or(false) == *stands);
        // In turn: nothing is missing, and nothing was told twice.
        if let Some((events, _)) = told.iter().find(|(events, _)| !in_turn(events)) {
            return Err(format!("{} and {} were told {events:?}", pair.first, pair.second).into());
        }
        if complete {
            return Ok(());
        }
        if began.elapsed() > SETTLE_WITHIN {
            return Err(format!("{} and {} were not told everything: {told:?}", pair.first, pair.second).into());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// What the devices of both were told: friendships made and ended by each feed, joins and removals by the group; and how it stands.
async fn told(server: &Server, pair: &Pair) -> Result<Vec<(Vec<bool>, bool)>, Failed> {
    let mut told = Vec::new();
    for name in [&pair.first, &pair.second] {
        let mut wire = Wire::log_in(server, name).await?;
        let feed = match wire.feed().await? {
            Some(conv_id) => wire.all(&conv_id).await?,
            None => Vec::new(),
        };
        let of_friends = feed.iter().filter(|entry| number(entry, "event_type") == 7);
        told.push((of_friends.map(|entry| number(entry, "extra") == 5).collect(), pair.friends == Some(true)));
    }
    let group = Wire::log_in(server, &pair.first).await?.all(&format!("g.{}", pair.gid)).await?;
    let moves = group.iter().map(|entry| number(entry, "event_type")).filter(|kind| [10, 11].contains(kind));
    told.push((moves.map(|kind| kind == 10).collect(), pair.member == Some(true)));
    Ok(told)
}

fn in_turn(events: &[bool]) -> bool {
    events.iter().enumerate().all(|(nth, made)| *made == (nth % 2 == 0))
}

fn number(entry: &Value, name: &str) -> u64 {
    entry.pointer(&format!("/event/{name}")).and_then(Value::as_u64).unwrap_or(0)
}

fn names<'a>(list: &'a Value, member: &'a str) -> impl Iterator<Item = &'a str> {
    list.as_array().into_iter().flatten().filter_map(move |item| item.get(member)?.as_str())
}

fn expect(holds: bool, what: &str, seen: &Value) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(format!("{what}: {seen}").into()) }
}

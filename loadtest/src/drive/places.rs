//! Who is in which conversation, and what is sent where: decided by the scenario, made by the REST API.

use std::collections::HashSet;

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Failed;
use crate::client::frames::username;
use crate::rest::Rest;
use crate::scenario::{Scenario, Traffic};
use crate::world::PASSWORD;

/// Users that one call registers.
const BATCH: usize = 500;
/// The code of a name that is taken.
const TAKEN: u64 = 899_001;
/// The admin by whom the app's server sends.
pub(crate) const ADMIN: &str = "load-admin";

/// A conversation of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Place {
    Single(u32, u32),
    Group(u64, Vec<u32>),
    Room(u64, Vec<u32>),
    /// The single chat of the app's server with a user.
    Server(u32),
}

impl Place {
    /// Who sees it.
    pub(crate) fn members(&self) -> Vec<u32> {
        match self {
            Self::Single(a, b) => vec![*a, *b],
            Self::Group(_, members) | Self::Room(_, members) => members.clone(),
            Self::Server(user) => vec![*user],
        }
    }
}

/// A kind of traffic, and the conversations that it goes to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Flow {
    pub(crate) kind: String,
    pub(crate) rate: f64,
    pub(crate) zipf: f64,
    /// By the app's server, with so many connections.
    pub(crate) by_server: Option<u32>,
    pub(crate) places: Vec<u32>,
}

/// What a run happens in.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct World {
    /// The number that the run's messages bear.
    pub(crate) run: u32,
    pub(crate) prefix: String,
    pub(crate) appkey: String,
    pub(crate) users: u32,
    pub(crate) places: Vec<Place>,
    pub(crate) flows: Vec<Flow>,
}

impl World {
    /// Plans it; groups and rooms have no ids yet.
    pub(crate) fn plan(scenario: &Scenario, run: u32, prefix: String, appkey: String) -> Self {
        let mut world = Self { run, prefix, appkey, users: scenario.users, ..Self::default() };
        let mut pairs = HashSet::new();
        for traffic in &scenario.traffic {
            let first = world.places.len();
            world.add(traffic, &mut pairs);
            let (zipf, by_server) = match traffic {
                Traffic::Single { zipf, .. } | Traffic::Group { zipf, .. } => (*zipf, None),
                Traffic::Room { .. } => (0.0, None),
                Traffic::Rest { connections, .. } => (0.0, Some(*connections)),
            };
            let places = (first..world.places.len()).filter_map(|place| u32::try_from(place).ok()).collect();
            world.flows.push(Flow { kind: traffic.kind().into(), rate: traffic.rate(), zipf, by_server, places });
        }
        world
    }

    fn add(&mut self, traffic: &Traffic, pairs: &mut HashSet<(u32, u32)>) {
        let users = self.users;
        let ring = |from: u32, count: u32| -> Vec<u32> { (0..count).map(|k| (from + k) % users).collect() };
        match traffic {
            Traffic::Single { peers, .. } => {
                // A second traffic of single chats has other chats than the first.
                let mut distances = (1..users).filter(|distance| !pairs.contains(&sorted(0, *distance)));
                for distance in distances.by_ref().take(*peers as usize).collect::<Vec<_>>() {
                    let new = (0..users).map(|user| sorted(user, (user + distance) % users));
                    let new: Vec<_> = new.filter(|pair| pairs.insert(*pair)).collect();
                    self.places.extend(new.into_iter().map(|(a, b)| Place::Single(a, b)));
                }
            }
            Traffic::Group { groups, members, .. } => {
                self.places.extend((0..*groups).map(|g| Place::Group(0, ring(g.wrapping_mul(*members) % users, *members))));
            }
            Traffic::Room { rooms, members, .. } => {
                self.places.extend((0..*rooms).map(|r| Place::Room(0, ring(r.wrapping_mul(*members) % users, *members))));
            }
            Traffic::Rest { members: 0, .. } => self.places.extend((0..users).map(Place::Server)),
            Traffic::Rest { members, .. } => {
                let groups = (users / members).max(1);
                self.places.extend((0..groups).map(|g| Place::Group(0, ring(g * members, *members))));
            }
        }
    }

    /// Registers users, or takes those that are there; makes groups and rooms.
    pub(crate) async fn make(&mut self, rest: &Rest) -> Result<(), Failed> {
        let names: Vec<String> = (0..self.users).map(|user| username(&self.prefix, user)).collect();
        let mut kept = rest.keep().await?;
        for some in names.chunks(BATCH) {
            let users: Vec<Value> = some.iter().map(|name| json!({"username": name, "password": PASSWORD})).collect();
            let (status, answer) = kept.call(Method::POST, "/v1/users/", &users.into()).await?;
            let answer: Value = serde_json::from_slice(&answer)?;
            let refused = |one: &Value| one.get("error").is_some_and(|e| e.get("code").and_then(Value::as_u64) != Some(TAKEN));
            if !(200..300).contains(&status) || answer.as_array().into_iter().flatten().any(refused) {
                return Err(format!("users are not registered: {status} {answer}").into());
            }
        }
        if self.flows.iter().any(|flow| flow.by_server.is_some()) {
            let body = json!({"username": ADMIN, "password": PASSWORD});
            let (status, answer) = kept.call(Method::POST, "/v1/admins/", &body).await?;
            let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
            let taken = answer.pointer("/error/code").and_then(Value::as_u64) == Some(TAKEN);
            if !(200..300).contains(&status) && !taken {
                return Err(format!("no admin is made: {status} {answer}").into());
            }
        }
        for place in &mut self.places {
            match place {
                Place::Group(gid, members) => *gid = make_group(rest, &names, members).await?,
                Place::Room(id, members) => {
                    let owner = members.first().and_then(|user| names.get(*user as usize)).ok_or("a room needs an owner")?;
                    *id = crate::world::room(rest, owner).await?;
                }
                Place::Single(..) | Place::Server(_) => {}
            }
        }
        Ok(())
    }

    /// The devices of a share, with the user and the conversations of each: everybody's first device in the order of the users, then
    /// the second ones.
    pub(crate) fn devices(&self, share: (u32, u32), second: f64) -> Vec<(u32, Vec<u32>)> {
        let mut devices = self.share(share);
        // As many of any users as of all.
        let has_second = |user: u32| (f64::from(user + 1) * second).floor() > (f64::from(user) * second).floor();
        let is_no_room = |conv: &u32| !matches!(self.places.get(*conv as usize), Some(Place::Room(..)));
        let seconds: Vec<_> = devices.iter().filter(|(user, _)| has_second(*user)).cloned().collect();
        devices.extend(seconds.into_iter().map(|(user, convs)| (user, convs.into_iter().filter(is_no_room).collect())));
        devices
    }

    /// The users of a share, with the conversations of each.
    fn share(&self, (nth, of): (u32, u32)) -> Vec<(u32, Vec<u32>)> {
        let mut shares: Vec<(u32, Vec<u32>)> =
            (nth..self.users).step_by(of.max(1) as usize).map(|user| (user, Vec::new())).collect();
        for (conv, place) in (0_u32..).zip(&self.places) {
            for member in place.members().into_iter().filter(|member| member % of.max(1) == nth) {
                if let Some((_, convs)) = shares.get_mut((member / of.max(1)) as usize) {
                    convs.push(conv);
                }
            }
        }
        shares
    }
}

fn sorted(a: u32, b: u32) -> (u32, u32) {
    (a.min(b), a.max(b))
}

async fn make_group(rest: &Rest, names: &[String], members: &[u32]) -> Result<u64, Failed> {
    let members: Vec<String> = members.iter().filter_map(|user| names.get(*user as usize)).cloned().collect();
    crate::world::large_group(rest, &members).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_is_one_chat_and_every_member_is_in_one_share() {
        let text = "name='x'\nusers=6\n[[traffic]]\nkind='single'\nrate=1.0\npeers=3\n[[traffic]]\nkind='group'\nrate=1.0\ngroups=2\nmembers=4";
        let world = World::plan(&Scenario::parse(text).unwrap(), 1, "u".into(), String::new());
        let pairs: HashSet<_> = world.places.iter().filter(|p| matches!(p, Place::Single(..))).map(Place::members).collect();
        assert_eq!((pairs.len(), world.places.len()), (15, 17), "six people make fifteen pairs");
        let room = World { places: vec![Place::Room(1, vec![0, 1])], users: 2, ..World::default() };
        assert_eq!(room.devices((0, 1), 0.5), [(0, vec![0]), (1, vec![0]), (1, Vec::new())]);
        let of_shares: usize = [0, 1].iter().flat_map(|nth| world.share((*nth, 2))).map(|(_, convs)| convs.len()).sum();
        assert_eq!(of_shares, world.places.iter().map(|p| p.members().len()).sum::<usize>());
        let (users, devices) = (world.share((0, 1)), world.devices((0, 1), 0.5));
        assert_eq!((&devices[..6], &devices[6..]), (&users[..], &[users[1].clone(), users[3].clone(), users[5].clone()][..]));
        assert!(world.share((1, 2)).iter().all(|(user, convs)| user % 2 == 1 && !convs.is_empty()));
    }
}

//! Who is logged in and who is online.

use std::collections::{BTreeMap, HashMap};

use mynah_proto::Failure;
use mynah_proto::directory::{DevicesRequest, GetUserRequest, GetUsersRequest, User};
use mynah_types::{Reason, Uid};
use serde_json::{Value, json};

use super::call::{Answer, Call, Outcome};
use super::lenient::names;
use super::refusal::Refusal;

/// Names in one call.
const NAMES: usize = 500;

/// One platform class of a user.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct State {
    login: bool,
    online: bool,
}

type Platforms = BTreeMap<&'static str, State>;

/// The letter under which a platform is shown: `m` counts as `w`, `x` as `j`.
fn letter(platform: &str) -> &'static str {
    match platform {
        "a" => "a",
        "i" => "i",
        "w" | "m" => "w",
        _ => "j",
    }
}

async fn states(call: &Call, users: &[User]) -> Result<HashMap<u64, Platforms>, Refusal> {
    let uids: Vec<u64> = users.iter().map(|user| user.uid).collect();
    let recorded =
        call.directory().devices(DevicesRequest { app_id: call.app.app_id, uids: uids.clone(), ..Default::default() }).await?;
    let uids: Vec<Uid> = uids.into_iter().map(Uid).collect();
    let online = call.gateway.deps.presence.devices(&uids).await;
    let online = online.map_err(|error| {
        tracing::warn!(%error, "presence does not answer");
        Refusal::from(Failure::new(Reason::Unavailable, "who is online is not known now: try again"))
    })?;
    let mut states: HashMap<u64, Platforms> = HashMap::new();
    for user in recorded.users {
        let platforms = states.entry(user.uid).or_default();
        for device in user.devices {
            platforms.entry(letter(&device.platform)).or_default().login |= device.login;
        }
    }
    for device in online {
        let platforms = states.entry(device.uid.0).or_default();
        platforms.entry(letter(device.platform.encode_utf8(&mut [0; 4]))).or_default().online = true;
    }
    Ok(states)
}

pub(crate) async fn one(call: Call) -> Outcome {
    let username = call.username()?;
    let user = call.directory().get_user(GetUserRequest { app_id: call.app.app_id, username, uid: 0 }).await?;
    let platforms = states(&call, std::slice::from_ref(&user)).await?.remove(&user.uid).unwrap_or_default();
    let any = |of: fn(&State) -> bool| platforms.values().any(of);
    Answer::ok(json!({"login": any(|state| state.login), "online": any(|state| state.online)}))
}

pub(crate) async fn many(call: Call) -> Outcome {
    let usernames = names("body", &call.json()?, NAMES)?;
    let request = GetUsersRequest { app_id: call.app.app_id, usernames, uids: Vec::new(), strict: true, any_app: false };
    let users = call.directory().get_users(request).await?.users;
    let mut states = states(&call, &users).await?;
    let shown = users.iter().map(|user| json!({"username": user.username, "devices": devices(states.remove(&user.uid))}));
    Answer::ok(Value::Array(shown.collect()))
}

fn devices(platforms: Option<Platforms>) -> Vec<Value> {
    let platforms = platforms.unwrap_or_default();
    let shown = platforms.iter().map(|(letter, state)| json!({"platform": letter, "login": state.login, "online": state.online}));
    shown.collect()
}

/// The same for names that may be missing.
pub(crate) async fn many_v2(call: Call) -> Outcome {
    let usernames = names("body", &call.json()?, NAMES)?;
    let request = GetUsersRequest { app_id: call.app.app_id, usernames: usernames.clone(), ..GetUsersRequest::default() };
    let users = call.directory().get_users(request).await?.users;
    let mut states = states(&call, &users).await?;
    let uids: HashMap<&str, u64> = users.iter().map(|user| (user.username.as_str(), user.uid)).collect();
    let shown = usernames.iter().map(|name| match uids.get(name.as_str()) {
        Some(uid) => json!({"username": name, "devices": devices(states.remove(uid)), "statuscode": 0}),
        None => json!({"username": name, "devices": [], "statuscode": 1, "statusmsg": "no_exist"}),
    });
    Answer::ok(Value::Array(shown.collect()))
}

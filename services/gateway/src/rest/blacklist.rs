//! Blacklists.

use mynah_proto::directory::{ChangeBlacklistRequest, GetUserRequest};
use serde_json::Value;

use super::call::{Answer, Call, Outcome};
use super::lenient::names;
use super::show;

/// Names in one call.
const NAMES: usize = 500;

pub(crate) async fn add(call: Call) -> Outcome {
    let username = call.username()?;
    let add = names("body", &call.json()?, NAMES)?;
    change(&call, ChangeBlacklistRequest { app_id: call.app.app_id, username, add, ..Default::default() }).await
}

pub(crate) async fn remove(call: Call) -> Outcome {
    let username = call.username()?;
    let remove = names("body", &call.json()?, NAMES)?;
    change(&call, ChangeBlacklistRequest { app_id: call.app.app_id, username, remove, ..Default::default() }).await
}

async fn change(call: &Call, request: ChangeBlacklistRequest) -> Outcome {
    call.directory().change_blacklist(request).await?;
    Answer::done()
}

/// Those of the calling app; all are in the list across apps.
pub(crate) async fn list(call: Call) -> Outcome {
    let username = call.username()?;
    let request = GetUserRequest { app_id: call.app.app_id, username, uid: 0 };
    let users = call.directory().blacklist(request).await?.users;
    let own = users.iter().filter(|user| user.appkey == call.app.appkey);
    Answer::ok(own.map(|user| Value::Object(show::user(user, call.zone()))).collect())
}

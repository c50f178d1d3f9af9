//! Do not disturb.

use mynah_proto::directory::ChangeDndRequest;
use serde_json::Value;

use super::call::{self, Answer, Call, Outcome};
use super::lenient::Fields;
use super::refusal::Refusal;

/// Names, or groups, in one list.
const LISTED: usize = 500;

pub(crate) async fn change(call: Call) -> Outcome {
    let username = call.username()?;
    let body = call.json()?;
    let fields = Fields::of("body", &body)?;
    let mut request = ChangeDndRequest { app_id: call.app.app_id, username, ..ChangeDndRequest::default() };
    (request.add_users, request.remove_users) = users(fields)?;
    (request.add_groups, request.remove_groups) = groups(fields)?;
    request.global = match fields.integer("global")? {
        None => None,
        Some(0) => Some(false),
        Some(1) => Some(true),
        Some(_) => return Err(Refusal::invalid("global", "must be 0 or 1")),
    };
    call.directory().change_dnd(request).await?;
    Answer::done()
}

/// The users that a body's `single` adds and removes.
pub(crate) fn users(fields: Fields<'_>) -> Result<(Vec<String>, Vec<String>), Refusal> {
    let Some(members) = fields.object("single")? else { return Ok(Default::default()) };
    let members = Value::Object(members);
    let single = Fields::of("single", &members)?;
    Ok((single.names("add", LISTED)?, single.names("remove", LISTED)?))
}

/// The groups that a body's `group` adds and removes.
pub(crate) fn groups(fields: Fields<'_>) -> Result<(Vec<u64>, Vec<u64>), Refusal> {
    let Some(members) = fields.object("group")? else { return Ok(Default::default()) };
    let members = Value::Object(members);
    let group = Fields::of("group", &members)?;
    Ok((gids("add", group.get("add"))?, gids("remove", group.get("remove"))?))
}

/// Group ids, as numbers or as texts, each once.
pub(crate) fn gids(name: &str, list: Option<&Value>) -> Result<Vec<u64>, Refusal> {
    let bad = || Refusal::invalid(name, "must be an array of at most 500 group ids");
    let Some(list) = list else { return Ok(Vec::new()) };
    let items = list.as_array().filter(|items| items.len() <= LISTED).ok_or_else(bad)?;
    let mut gids = Vec::with_capacity(items.len());
    for item in items {
        let gid = match item {
            Value::Number(number) => call::number(name, &number.to_string())?,
            Value::String(text) => call::number(name, text)?,
            _ => return Err(bad()),
        };
        if !gids.contains(&gid) {
            gids.push(gid);
        }
    }
    Ok(gids)
}

//! Users, groups and rooms of a run, made by the REST API.

use serde_json::{Value, json};

use crate::Failed;
use crate::rest::Rest;

/// Users that one call registers.
const BATCH: usize = 500;

/// A password that all users of a run have.
pub const PASSWORD: &str = "secret";

/// Registers users `u0000` and so on.
///
/// # Errors
/// When the server refuses.
pub async fn users(rest: &Rest, count: usize) -> Result<Vec<String>, Failed> {
    let names: Vec<String> = (0..count).map(|n| format!("user{n:05}")).collect();
    register(rest, &names).await?;
    Ok(names)
}

/// Registers users of these names.
///
/// # Errors
/// When the server refuses.
pub async fn register(rest: &Rest, names: &[String]) -> Result<(), Failed> {
    for some in names.chunks(BATCH) {
        let users: Vec<Value> = some.iter().map(|name| json!({"username": name, "password": PASSWORD})).collect();
        rest.post("/v1/users/", &users.into()).await?;
    }
    Ok(())
}

/// A group of these, the first of them its owner.
///
/// # Errors
/// When the server refuses.
pub async fn group(rest: &Rest, members: &[String]) -> Result<u64, Failed> {
    let (owner, others) = members.split_first().ok_or("a group needs an owner")?;
    let body = json!({"owner_username": owner, "name": "group", "members_username": others});
    number(&rest.post("/v1/groups/", &body).await?, "gid")
}

/// A group of more members than one call takes.
///
/// # Errors
/// When the server refuses.
pub async fn large_group(rest: &Rest, members: &[String]) -> Result<u64, Failed> {
    let mut batches = members.chunks(BATCH);
    let gid = group(rest, batches.next().ok_or("a group needs an owner")?).await?;
    for some in batches {
        rest.post(&format!("/v1/groups/{gid}/members"), &json!({"add": some})).await?;
    }
    Ok(gid)
}

/// A chatroom.
///
/// # Errors
/// When the server refuses.
pub async fn room(rest: &Rest, owner: &str) -> Result<u64, Failed> {
    let body = json!({"owner_username": owner, "name": "room", "description": "a room"});
    number(&rest.post("/v1/chatroom/", &body).await?, "chatroom_id")
}

fn number(answer: &Value, name: &str) -> Result<u64, Failed> {
    answer.get(name).and_then(Value::as_u64).ok_or_else(|| format!("no {name} in {answer}").into())
}

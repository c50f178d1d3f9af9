//! What grows with a call: its time against its size, so that a cost that is no straight line shows.

use std::io::Write as _;
use std::time::Instant;

use http::Method;
use serde_json::{Value, json};

use super::{Plan, server};
use crate::Failed;
use crate::rest::{Kept, Rest};
use crate::world;

/// Groups that a deleted user is in.
const GROUPS: [usize; 3] = [50, 150, 450];
/// Members that come into a group in one call.
const MEMBERS: [usize; 3] = [50, 150, 450];
/// Members of a chatroom.
const ROOM: [usize; 3] = [1000, 3000, 9000];
/// Names of one change of a chatroom.
const ROOM_NAMES: usize = 3000;

pub(super) async fn measure(plan: &Plan) -> Result<Value, Failed> {
    let folder = tempfile::tempdir()?;
    let server = server(plan, folder.path()).await?;
    let rest = Rest::new(server.http, &server.appkey, &server.master_secret);
    let names = world::users(&rest, 9500).await?;
    let mut kept = rest.keep().await?;
    let small = pages(&mut kept, 9500).await?;
    let added = added_members(&rest, &mut kept, &names).await?;
    let deleted = deleted_users(&rest, &mut kept, &names).await?;
    let rooms = rooms(&rest, &mut kept, &names).await?;
    let began = Instant::now();
    let file = folder.path().join("users.jsonl");
    write_users(&file, plan.users)?;
    server.app_command(&["import-users", &server.appkey, &file.display().to_string()])?;
    let per_s = (plan.users as f64 / began.elapsed().as_secs_f64()).round();
    let large = pages(&mut kept, plan.users).await?;
    Ok(json!({
        "members_added_in_one_call": added, "user_deleted_who_is_in_groups": deleted, "chatroom_filled": rooms,
        "imported": {"users": plan.users, "per_s": per_s}, "list_of_9500": small, "list_with_imported": large,
    }))
}

fn point(size: usize, began: Instant) -> Value {
    let ms = began.elapsed().as_secs_f64() * 1000.0;
    json!({"size": size, "ms": (ms * 10.0).round() / 10.0, "us_each": (ms * 1000.0 / size as f64).round()})
}

async fn works(kept: &mut Kept, method: Method, path: &str, body: &Value) -> Result<Value, Failed> {
    let (status, bytes) = kept.call(method, path, body).await?;
    if !(200..300).contains(&status) {
        return Err(format!("{path}: {status} {}", String::from_utf8_lossy(&bytes)).into());
    }
    Ok(if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes)? })
}

async fn added_members(rest: &Rest, kept: &mut Kept, names: &[String]) -> Result<Vec<Value>, Failed> {
    let mut points = Vec::new();
    for size in MEMBERS {
        let gid = world::group(rest, names.get(..1).unwrap_or_default()).await?;
        let add = names.get(1..=size).unwrap_or_default();
        let began = Instant::now();
        works(kept, Method::POST, &format!("/v1/groups/{gid}/members"), &json!({"add": add})).await?;
        points.push(point(size, began));
    }
    Ok(points)
}

async fn deleted_users(rest: &Rest, kept: &mut Kept, names: &[String]) -> Result<Vec<Value>, Failed> {
    let mut points = Vec::new();
    for (size, pair) in GROUPS.into_iter().zip(names.rchunks(2)) {
        let [owner, member] = pair else { continue };
        for _ in 0..size {
            world::group(rest, &[owner.clone(), member.clone()]).await?;
        }
        let began = Instant::now();
        works(kept, Method::DELETE, &format!("/v1/users/{member}"), &Value::Null).await?;
        points.push(point(size, began));
    }
    Ok(points)
}

async fn rooms(rest: &Rest, kept: &mut Kept, names: &[String]) -> Result<Vec<Value>, Failed> {
    let mut points = Vec::new();
    for size in ROOM {
        let room = world::room(rest, names.first().ok_or("no user")?).await?;
        let began = Instant::now();
        for some in names.get(1..=size).unwrap_or_default().chunks(ROOM_NAMES) {
            works(kept, Method::PUT, &format!("/v1/chatroom/{room}/members"), &json!(some)).await?;
        }
        points.push(point(size, began));
    }
    Ok(points)
}

/// Microseconds of the first and the last page of 50 users, the middle one of several.
async fn pages(kept: &mut Kept, users: usize) -> Result<Value, Failed> {
    let mut figures = serde_json::Map::new();
    for (name, start) in [("first_page_us", 0), ("middle_page_us", users / 2), ("last_page_us", users - 60)] {
        let mut times = Vec::new();
        for _ in 0..9 {
            let began = Instant::now();
            works(kept, Method::GET, &format!("/v1/users/?start={start}&count=50"), &Value::Null).await?;
            times.push(began.elapsed());
        }
        times.sort_unstable();
        let middle = times.get(times.len() / 2).map_or(0, std::time::Duration::as_micros);
        figures.insert(name.into(), json!(u64::try_from(middle)?));
    }
    Ok(figures.into())
}

/// MD5 of "secret": importing costs no hash.
pub(super) fn write_users(file: &std::path::Path, count: usize) -> Result<(), Failed> {
    let mut out = std::io::BufWriter::new(std::fs::File::create(file)?);
    for n in 0..count {
        writeln!(out, "{{\"username\":\"import{n:08}\",\"password_md5\":\"5ebe2294ecd0e0f08eab7690d2a6ee69\"}}")?;
    }
    Ok(out.flush()?)
}

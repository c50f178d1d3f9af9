//! The REST API over connections that are kept: processor time of the server for each request, against a bare HTTP server that answers
//! everything with an empty 204, in the same run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::Method;
use mynah_measure::case;
use mynah_measure::process::{cpu_seconds, threads};
use serde_json::{Value, json};

use super::bare::Floor;
use super::{Plan, ratio, server};
use crate::Failed;
use crate::rest::{Kept, Rest};
use crate::world;

/// Connections that ask at one time.
const CONNECTIONS: usize = 64;
/// Members of the group, friends of the user.
const LISTED: usize = 50;

/// One kind of request.
struct Asked {
    name: &'static str,
    method: Method,
    path: String,
    body: Value,
    status: u16,
}

pub(super) async fn measure(plan: &Plan) -> Result<Value, Failed> {
    let folder = tempfile::tempdir()?;
    let server = server(plan, folder.path()).await?;
    let rest = Rest::new(server.http, &server.appkey, &server.master_secret);
    let wanted = prepare(&rest).await?;
    let bare = Floor::start(&["http"])?;
    let empty = Asked { name: "empty", method: Method::GET, path: "/".into(), body: Value::Null, status: 204 };
    let (floor, floor_per_s, _) = window(plan, bare.pid(), &Rest::new(bare.address, "", ""), empty).await?;
    let pid = server.pid().ok_or("the server is gone")?;
    let (mut cases, mut requests) = (Vec::new(), Vec::new());
    for asked in wanted {
        let name = asked.name;
        let (us, per_s, cores) = window(plan, pid, &rest, asked).await?;
        cases.push(case(name, "us of a core", &us, "an empty 204 of a bare server", &floor));
        requests.push(json!({"request": name, "per_s": per_s, "cores_of_threads": cores}));
    }
    Ok(json!({"connections": CONNECTIONS, "listed": LISTED, "floor_per_s": floor_per_s, "cases": cases, "requests": requests}))
}

/// Users, a group and friends, and what is asked of them.
async fn prepare(rest: &Rest) -> Result<Vec<Asked>, Failed> {
    let names = world::users(rest, LISTED + 1).await?;
    let (first, others) = names.split_first().ok_or("no users")?;
    rest.post("/v1/admins/", &json!({"username": "admin", "password": "secret"})).await?;
    let gid = world::group(rest, names.get(..LISTED).unwrap_or(&names)).await?;
    rest.post(&format!("/v1/users/{first}/friends"), &json!(others)).await?;
    let message = |kind: &str, id: &str| {
        json!({
            "version": 1, "target_type": kind, "target_id": id, "from_type": "admin", "from_id": "admin",
            "msg_type": "text", "msg_body": {"text": "x".repeat(64)},
        })
    };
    let get = |name, path| Asked { name, method: Method::GET, path, body: Value::Null, status: 200 };
    let post = |name, path: &str, body, status| Asked { name, method: Method::POST, path: path.into(), body, status };
    Ok(vec![
        post("send to a user", "/v1/messages", message("single", first), 201),
        post("send to a group", "/v1/messages", message("group", &gid.to_string()), 201),
        get("profile", format!("/v1/users/{first}")),
        get("state", format!("/v1/users/{first}/userstat")),
        post("states of 50", "/v1/users/userstat", json!(others), 200),
        get("group", format!("/v1/groups/{gid}")),
        get("members, 50", format!("/v1/groups/{gid}/members/")),
        get("groups of a user", format!("/v1/users/{first}/groups/")),
        get("friends, 50", format!("/v1/users/{first}/friends")),
        get("page of 50 users", "/v1/users/?start=0&count=50".into()),
    ])
}

/// Asks over many connections for a while: microseconds of the server's processors for each answer, by parts of the while; answers in a
/// second; its threads.
async fn window(plan: &Plan, pid: u32, rest: &Rest, asked: Asked) -> Result<(Vec<f64>, f64, Value), Failed> {
    let (asked, stop, answered) = (Arc::new(asked), Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut asking = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        let mut kept = rest.keep().await?;
        let (asked, stop, answered) = (Arc::clone(&asked), Arc::clone(&stop), Arc::clone(&answered));
        asking.push(tokio::spawn(async move { ask(&mut kept, &asked, &stop, &answered).await }));
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (began, by_thread) = (Instant::now(), threads(pid)?);
    let (mut rounds, mut total) = (Vec::new(), 0.0);
    for _ in 0..plan.rounds {
        let (from, cpu) = (answered.load(Ordering::Relaxed), cpu_seconds(pid)?);
        tokio::time::sleep(Duration::from_secs(plan.seconds) / 2 / u32::try_from(plan.rounds)?).await;
        let count = (answered.load(Ordering::Relaxed) - from) as f64;
        rounds.push((cpu_seconds(pid)? - cpu) / count.max(1.0) * 1e6);
        total += count;
    }
    let took = began.elapsed().as_secs_f64();
    let mut cores = threads(pid)?;
    for (name, now) in &mut cores {
        *now = ratio(*now - by_thread.get(name).copied().unwrap_or(0.0), took);
    }
    cores.retain(|_, share| *share >= 0.01);
    stop.store(true, Ordering::SeqCst);
    for one in asking {
        one.await??;
    }
    Ok((rounds, (total / took).round(), json!(cores)))
}

async fn ask(kept: &mut Kept, asked: &Asked, stop: &AtomicBool, answered: &AtomicU64) -> Result<(), Failed> {
    while !stop.load(Ordering::Relaxed) {
        let (status, body) = kept.call(asked.method.clone(), &asked.path, &asked.body).await?;
        if status != asked.status {
            return Err(format!("{}: {status} {}", asked.name, String::from_utf8_lossy(&body)).into());
        }
        answered.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

//! What a login costs the server, beyond a connection that only says hello.

use futures_util::future::join_all;
use mynah_measure::case;
use mynah_measure::process::cpu_seconds;
use serde_json::{Value, json};

use super::{Plan, server};
use crate::Failed;
use crate::rest::Rest;
use crate::server::Server;
use crate::wire::Wire;
use crate::world::{self, PASSWORD};

/// Connections that are opened at one time.
const TOGETHER: usize = 100;

/// How a device comes in.
#[derive(Clone, Copy)]
enum Way {
    Hello,
    Password,
    Session,
}

pub(super) async fn measure(plan: &Plan) -> Result<Value, Failed> {
    let folder = tempfile::tempdir()?;
    let server = server(plan, folder.path()).await?;
    let rest = Rest::new(server.http, &server.appkey, &server.master_secret);
    let names = world::users(&rest, plan.logins).await?;
    let mut sessions = vec![String::new(); names.len()];
    let (mut hello, mut password, mut session) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=plan.rounds {
        let figures = [
            come_in(&server, &names, &mut sessions, Way::Hello).await?,
            come_in(&server, &names, &mut sessions, Way::Password).await?,
            come_in(&server, &names, &mut sessions, Way::Session).await?,
        ];
        // The first one is for the server to get warm.
        if round > 0 {
            let [of_hello, of_password, of_session] = figures;
            hello.push(of_hello);
            password.push(of_password);
            session.push(of_session);
        }
    }
    let floor = "a connection and a hello";
    Ok(json!({
        "users": plan.logins, "argon2": "8 KiB, 1 pass: the hash of a deployment costs what its operator chose",
        "cases": [
            case("login by password", "us of a core", &password, floor, &hello),
            case("login by session", "us of a core", &session, floor, &hello),
        ],
    }))
}

/// All users come in, some at a time: microseconds of the server's processors for each.
async fn come_in(server: &Server, names: &[String], sessions: &mut [String], way: Way) -> Result<f64, Failed> {
    let pid = server.pid().ok_or("the server is gone")?;
    let cpu = cpu_seconds(pid)?;
    for (names, sessions) in names.chunks(TOGETHER).zip(sessions.chunks_mut(TOGETHER)) {
        let one = async |(name, session): (&String, &mut String)| {
            let mut wire = Wire::hello(server, name).await?;
            match way {
                Way::Hello => {}
                Way::Password => *session = wire.enter_as(&json!({"username": name, "password": PASSWORD})).await?,
                Way::Session => *session = wire.enter_as(&json!({"session": session})).await?,
            }
            Ok::<_, Failed>(wire)
        };
        for came in join_all(names.iter().zip(sessions).map(one)).await {
            came?;
        }
    }
    Ok((cpu_seconds(pid)? - cpu) / names.len().max(1) as f64 * 1e6)
}

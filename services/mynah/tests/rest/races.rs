//! Calls that meet: what may be given once is given once, and nothing is left half done.

use futures_util::future::{join, join_all};
use mynah_ports::directory_store::AppRules;
use serde_json::{Value, json};

use crate::faults::World;
use crate::flows::message;
use crate::world::{App, PROCESSES, Server, each_way};

each_way!(
    racing_adds_fill_a_group_exactly,
    racing_adds_of_one_user_add_him_once,
    a_retraction_and_the_end_of_its_group_leave_one_truth,
    racing_deletions_of_one_user_end_him_once,
    a_list_stays_as_it_is_while_users_come_in,
);

async fn rules(server: &Server, app: &App, change: impl FnOnce(AppRules) -> AppRules) {
    let apps = server.operator.list_apps().await.unwrap();
    let rules = apps.into_iter().find(|a| a.key.as_str() == app.appkey).unwrap().rules;
    server.operator.set_rules(&app.appkey, change(rules)).await.unwrap();
}

async fn racing_adds_fill_a_group_exactly(server: Server) {
    let app = server.app().await;
    rules(&server, &app, |rules| AppRules { max_group_members: 5, ..rules }).await;
    let names: Vec<String> = (0..12).map(|n| format!("user{n}")).collect();
    app.users(&names).await;
    let gid = app.group("user0", &[]).await;
    let path = format!("/v1/groups/{gid}/members");
    let adds = names[1..].iter().map(|name| {
        let body = json!({"add": [name]});
        let (app, path) = (&app, &path);
        async move { app.call("POST", path, &body).await }
    });
    let answers = join_all(adds).await;
    let in_now = answers.iter().filter(|answer| answer.status == 204).count();
    let full = answers.iter().filter(|answer| answer.code() == Some(899_012)).count();
    assert_eq!((in_now, full), (4, 7), "{answers:?}");
    let members = app.works("GET", &format!("/v1/groups/{gid}/members/"), &Value::Null).await;
    assert_eq!(members.as_array().unwrap().len(), 5);
}

async fn racing_adds_of_one_user_add_him_once(server: Server) {
    let world = World::new(&server).await;
    let path = format!("/v1/groups/{}/members", world.group);
    let body = json!({"add": ["lucy"]});
    let answers = join_all((0..8).map(|_| world.app.call("POST", &path, &body))).await;
    let added = answers.iter().filter(|answer| answer.status == 204).count();
    let there = answers.iter().filter(|answer| answer.code() == Some(899_011)).count();
    // A process takes the change of another one that is not answered yet for its own.
    assert!((1..=PROCESSES).contains(&added) && added + there == 8, "{answers:?}");
    let members = world.app.works("GET", &format!("{path}/"), &Value::Null).await;
    assert_eq!(members.as_array().unwrap().iter().filter(|member| member["username"] == "lucy").count(), 1, "{members}");
}

/// Whichever comes first: the message is taken back or it is not, and its group is gone.
async fn a_retraction_and_the_end_of_its_group_leave_one_truth(server: Server) {
    let world = World::new(&server).await;
    let app = &world.app;
    for _ in 0..10 {
        let gid = app.group("anna", &["tommy"]).await;
        let id = app.works("POST", "/v1/messages", &message("group", gid, "anna")).await["msg_id"].as_u64().unwrap();
        let (retract, delete) = (format!("/v1/messages/anna/{id}/retract"), format!("/v1/groups/{gid}"));
        let (retracted, deleted) =
            join(app.call("POST", &retract, &Value::Null), app.call("DELETE", &delete, &Value::Null)).await;
        assert_eq!(deleted.status, 204, "{deleted:?}");
        match retracted.status {
            204 => assert_eq!(
                app.call("POST", &retract, &Value::Null).await.code().map(|c| c == 855_004 || c == 899_006),
                Some(true)
            ),
            _ => assert_eq!(retracted.code(), Some(899_006), "{retracted:?}"),
        }
        assert_eq!(app.call("POST", "/v1/messages", &message("group", gid, "anna")).await.code(), Some(899_006));
    }
}

async fn racing_deletions_of_one_user_end_him_once(server: Server) {
    let world = World::new(&server).await;
    let app = &world.app;
    let answers = join_all((0..8).map(|_| app.call("DELETE", "/v1/users/tommy", &Value::Null))).await;
    let done = answers.iter().filter(|answer| answer.status == 204).count();
    let gone = answers.iter().filter(|answer| answer.code() == Some(899_002)).count();
    assert_eq!((done, gone), (1, 7), "{answers:?}");
    assert_eq!(app.works("GET", "/v1/users/?start=0&count=10", &Value::Null).await["total"], 2);
}

/// Pages by offset neither skip nor repeat what was there when the first was read.
async fn a_list_stays_as_it_is_while_users_come_in(server: Server) {
    let app = server.app().await;
    let names: Vec<String> = (0..200).map(|n| format!("old{n:03}")).collect();
    app.users(&names).await;
    let register = async {
        for n in 0..40 {
            app.users(&[format!("new{n}")]).await;
        }
    };
    let read = async {
        let mut seen = Vec::new();
        for start in (0..200).step_by(10) {
            let page = app.works("GET", &format!("/v1/users/?start={start}&count=10"), &Value::Null).await;
            seen.extend(page["users"].as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap().to_owned()));
        }
        seen
    };
    let ((), seen) = join(register, read).await;
    assert_eq!(seen, names);
}

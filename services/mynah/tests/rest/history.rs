//! History and statistics: what was said is found again, by those who may ask, in order, page after page.

use serde_json::{Value, json};

use crate::world::{App, NOON, Server};

const DAY: &str = "begin_time=2026-01-01%2000:00:00&end_time=2026-01-01%2023:59:59";
const NONE: Value = Value::Null;

async fn texts(app: &App, path: &str) -> Vec<String> {
    let page = app.works("GET", path, &NONE).await;
    let messages = page["messages"].as_array().unwrap();
    messages.iter().map(|m| m["msg_body"]["text"].as_str().unwrap().to_owned()).collect()
}

/// An app with users, an admin, a group and a room; what was said is a, b, c, d, e in this order.
async fn spoken(server: &Server) -> (App, u64, u64) {
    let app = server.app().await;
    app.users(&["anna", "tommy", "lucy"]).await;
    app.works("POST", "/v1/admins", &json!({"username": "boss", "password": "secret"})).await;
    let group = app.group("anna", &["tommy"]).await;
    let room = app.room("anna", &[]).await;
    let said =
        [("single", "anna".into()), ("group", group.to_string()), ("single", "tommy".into()), ("chatroom", room.to_string())];
    for ((kind, to), text) in said.iter().zip(["a", "b", "c", "d"]) {
        app.say("boss", kind, to, text).await;
        server.clock.advance(1500);
    }
    let body = json!({
        "version": 1, "target_type": "single", "target_id": "tommy", "from_type": "user", "from_id": "anna",
        "msg_type": "custom", "msg_body": {"text": "e"}, "no_offline": true,
    });
    app.works("POST", "/v1/messages", &body).await;
    (app, group, room)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_list_holds_what_belongs_to_it() {
    let server = Server::start().await;
    let (app, group, room) = spoken(&server).await;
    let of = |path: &str| format!("{path}?count=100&{DAY}");
    assert_eq!(texts(&app, &of("/v2/messages")).await, ["a", "b", "c", "d", "e"]);
    assert_eq!(texts(&app, &of("/v2/users/boss/messages")).await, ["a", "b", "c", "d"]);
    assert_eq!(texts(&app, &of("/v2/users/anna/messages")).await, ["a", "e"], "received and sent; not what the group heard");
    assert_eq!(texts(&app, &of("/v2/users/lucy/messages")).await, [""; 0]);
    assert_eq!(texts(&app, &of(&format!("/v2/groups/{group}/messages"))).await, ["b"]);
    assert_eq!(texts(&app, &of(&format!("/v2/chatrooms/{room}/messages"))).await, ["d"]);
    assert_eq!(texts(&app, "/v1/messages?start=1&count=2").await, ["b", "c"]);
    assert_eq!(texts(&app, "/v1/users/anna/messages?start=1&count=9").await, ["e"]);
    // Both ends belong to it, to the second.
    let part = "/v2/messages?count=9&begin_time=2026-01-01+12:00:01&end_time=2026-01-01+12:00:04";
    assert_eq!(texts(&app, part).await, ["b", "c", "d"]);
    let page = app.works("GET", &of("/v2/messages"), &NONE).await;
    let (first, last) = (&page["messages"][0], &page["messages"][4]);
    assert_eq!((&first["from_type"], &first["from_id"], &first["target_id"]), (&json!("admin"), &json!("boss"), &json!("anna")));
    assert_eq!((&first["msg_ctime"], &first["create_time"]), (&json!(NOON), &json!(NOON / 1000)));
    assert_eq!(
        (&last["no_offline"], &last["msg_type"], &last["from_appkey"]),
        (&json!(true), &json!("custom"), &json!(app.appkey))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_follow_one_another_without_a_hole_while_more_is_said() {
    let server = Server::start().await;
    let (app, ..) = spoken(&server).await;
    for n in 0..25 {
        app.say("boss", "single", if n % 2 == 0 { "anna" } else { "lucy" }, &n.to_string()).await;
        server.clock.advance(n % 3);
    }
    let whole = texts(&app, &format!("/v2/messages?count=1000&{DAY}")).await;
    assert_eq!(whole.len(), 30);
    server.clock.advance(10_000);
    let mut page = app.works("GET", &format!("/v2/messages?count=7&{DAY}"), &NONE).await;
    let mut paged = Vec::new();
    loop {
        assert_eq!(page["total"], 30, "as it was at the first page");
        paged.extend(page["messages"].as_array().unwrap().iter().map(|m| m["msg_body"]["text"].as_str().unwrap().to_owned()));
        if paged.len() == 14 {
            server.clock.advance(1);
            app.say("boss", "single", "anna", "later").await;
        }
        let Some(cursor) = page["cursor"].as_str() else { break };
        page = app.works("GET", &format!("/v2/messages?cursor={cursor}"), &NONE).await;
    }
    assert_eq!(paged, [whole, vec!["later".into()]].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_is_of_one_list_and_soon_too_old() {
    let server = Server::start().await;
    let (app, ..) = spoken(&server).await;
    let page = app.works("GET", &format!("/v2/messages?count=1&{DAY}"), &NONE).await;
    let cursor = page["cursor"].as_str().unwrap();
    let answer = app.call("GET", &format!("/v2/users/anna/messages?cursor={cursor}"), &NONE).await;
    assert_eq!((answer.status, answer.code()), (400, Some(899_003)), "{answer:?}");
    let other = server.app().await;
    let answer = other.call("GET", &format!("/v2/messages?cursor={cursor}"), &NONE).await;
    assert_eq!((answer.status, answer.code()), (400, Some(899_003)), "{answer:?}");
    app.works("GET", &format!("/v2/messages?cursor={cursor}"), &NONE).await;
    server.clock.advance(120_000);
    let answer = app.call("GET", &format!("/v2/messages?cursor={cursor}"), &NONE).await;
    assert_eq!((answer.status, answer.code()), (400, Some(899_003)), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_app_finds_nothing_here() {
    let server = Server::start().await;
    let (app, group, room) = spoken(&server).await;
    let other = server.app().await;
    assert!(texts(&other, &format!("/v2/messages?count=10&{DAY}")).await.is_empty());
    let paths = [
        "/v2/users/anna/messages".into(),
        "/v1/users/anna/messages".into(),
        format!("/v2/groups/{group}/messages"),
        format!("/v2/chatrooms/{room}/messages"),
    ];
    for path in paths {
        let theirs = other.call("GET", &format!("{path}?count=10&{DAY}"), &NONE).await;
        let missing =
            path.replace("anna", "nobody").replace(&group.to_string(), "99999999").replace(&room.to_string(), "99999999");
        let nothing = other.call("GET", &format!("{missing}?count=10&{DAY}"), &NONE).await;
        assert!(theirs.status >= 400);
        assert_eq!((theirs.status, &theirs.body), (nothing.status, &nothing.body), "{path}");
    }
    let day = "/v2/statistic/users?time_unit=DAY&start=2026-01-01&duration=1";
    assert_eq!(other.works("GET", day, &NONE).await[0]["send_msg_users"], 0);
    assert_eq!(app.works("GET", day, &NONE).await[0]["send_msg_users"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_back_is_marked() {
    let server = Server::start().await;
    let (app, ..) = spoken(&server).await;
    let id = app.say("boss", "single", "anna", "oops").await;
    app.works("POST", &format!("/v1/messages/boss/{id}/retract"), &NONE).await;
    let page = app.works("GET", &format!("/v2/messages?count=100&{DAY}"), &NONE).await;
    let marked: Vec<_> = page["messages"].as_array().unwrap().iter().filter(|m| m["retracted"] == true).collect();
    assert_eq!((marked.len(), &marked[0]["msgid"], &page["total"]), (1, &json!(id), &json!(6)));
}

#[tokio::test(flavor = "multi_thread")]
async fn statistics_count_what_was_said_by_whom() {
    let server = Server::start().await;
    let (app, ..) = spoken(&server).await;
    let sums = |txt, other| json!({"txt_msg": txt, "image_msg": 0, "voice_msg": 0, "other_msg": other});
    let slot = |time: &str, group, single| json!({"time": time, "group_send_msg": group, "single_send_msg": single});
    let stat = |query: &str| format!("/v2/statistic/messages?{query}");
    let days = app.works("GET", &stat("time_unit=DAY&start=2025-12-31&duration=3"), &NONE).await;
    let by_day = json!([slot("2025-12-31", 0, 0), slot("2026-01-01", 1, 3), slot("2026-01-02", 0, 0)]);
    assert_eq!(days, json!({"send_msg_stat": by_day, "group_msg_stat": sums(1, 0), "single_msg_stat": sums(2, 1)}));
    let hours = app.works("GET", &stat("time_unit=HOUR&start=2026-01-01+11&duration=2"), &NONE).await;
    assert_eq!(hours["send_msg_stat"], json!([slot("2026-01-01 11", 0, 0), slot("2026-01-01 12", 1, 3)]));
    let months = app.works("GET", &stat("time_unit=MONTH&start=2025-12&duration=2"), &NONE).await;
    assert_eq!(months["send_msg_stat"], json!([slot("2025-12", 0, 0), slot("2026-01", 1, 3)]));
    let users = app.works("GET", "/v2/statistic/users?time_unit=DAY&start=2025-12-31&duration=2", &NONE).await;
    let today = json!({"date": "2026-01-01", "active_users": 2, "total_users": 3, "send_msg_users": 2, "new_users": 3});
    let before = json!({"date": "2025-12-31", "active_users": 0, "total_users": 0, "send_msg_users": 0, "new_users": 0});
    assert_eq!(users, json!([before, today]));
    let groups = app.works("GET", "/v2/statistic/groups?time_unit=DAY&start=2026-01-01&duration=2", &NONE).await;
    let day = |date, active, new| json!({"date": date, "active_group": active, "total_group": 1, "new_group": new});
    assert_eq!(groups, json!([day("2026-01-01", 1, 1), day("2026-01-02", 0, 0)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_asked_is_refused_by_name() {
    let server = Server::start().await;
    let app = server.app().await;
    let times = |from: &str, to: &str| format!("count=9&begin_time={from}&end_time={to}");
    let cases = [
        ("/v2/messages", "count=0&begin_time=2026-01-01+00:00:00&end_time=2026-01-01+00:00:00".to_owned(), "count"),
        ("/v2/messages", times("2026-01-02+00:00:00", "2026-01-01+00:00:00"), "end_time"),
        ("/v2/messages", times("2026-01-01+00:00:00", "2026-01-08+00:00:01"), "end_time"),
        ("/v2/messages", times("2026-01-01", "2026-01-01+00:00:00"), "begin_time"),
        ("/v2/messages", "cursor=APSK".to_owned(), "cursor"),
        ("/v1/messages", "start=-1&count=3".to_owned(), "start"),
        ("/v1/messages", "start=0&count=1001".to_owned(), "count"),
        ("/v2/statistic/users", "time_unit=HOUR&start=2026-01-01&duration=1".to_owned(), "time_unit"),
        ("/v2/statistic/users", "time_unit=DAY&start=2026-01-01&duration=61".to_owned(), "duration"),
        ("/v2/statistic/groups", "time_unit=DAY&start=yesterday&duration=1".to_owned(), "start"),
        ("/v2/statistic/messages", "time_unit=HOUR&start=2025-12-31+10&duration=1".to_owned(), "start"),
        ("/v2/statistic/messages", "time_unit=HOUR&start=2026-01-01+23&duration=2".to_owned(), "duration"),
        ("/v2/statistic/messages", "time_unit=MONTH&start=2026-01&duration=3".to_owned(), "duration"),
        ("/v2/statistic/messages", "time_unit=YEAR&start=2026&duration=1".to_owned(), "time_unit"),
    ];
    for (path, query, field) in cases {
        let answer = app.call("GET", &format!("{path}?{query}"), &NONE).await;
        assert_eq!((answer.status, answer.code()), (400, Some(899_003)), "{path}?{query}: {answer:?}");
        assert!(answer.body["error"]["message"].as_str().unwrap().contains(field), "{path}?{query}: {answer:?}");
    }
}

//! Every case of the contract (`cases.jsonl`), against a running server.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::files::{self, MULTIPART};
use crate::setup::{Made, set_up};
use crate::shapes;
use crate::world::{Answer, Server};

#[derive(Deserialize)]
struct Case {
    id: String,
    setup: String,
    method: String,
    path: String,
    query: String,
    body: Value,
    expect_status: u16,
    expect_error_code: Option<u64>,
    expect_body_shape: String,
}

/// All of them, but for those whose setup the server cannot have.
pub async fn every_case(server: Server, without: &[&str]) {
    let text = include_str!("cases.jsonl");
    let cases: Vec<Case> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut broken = Vec::new();
    for case in cases.iter().filter(|case| !without.contains(&case.setup.as_str())) {
        if let Err(why) = run(&server, case).await {
            broken.push(format!("{}: {why}", case.id));
        }
    }
    assert!(broken.is_empty(), "{} cases broken:\n{}", broken.len(), broken.join("\n"));
}

/// An error tells how the case is broken.
async fn run(server: &Server, case: &Case) -> Result<(), String> {
    let mut app = server.app().await;
    let made = set_up(server, &mut app, &case.setup).await;
    let mut path = fill(&case.path, &app.appkey, &made);
    if !case.query.is_empty() {
        path = format!("{path}?{}", fill(&case.query, &app.appkey, &made));
    }
    let body = match case.body.as_str().and_then(|text| text.strip_prefix("MULTIPART:")) {
        Some(file) => {
            app.content_type = Some(MULTIPART);
            multipart_of(file, &case.setup)
        }
        None => body(case, &app.appkey, &made).into_bytes(),
    };
    let answer = app.raw(&case.method, &path, body).await;
    judge(case, &answer)
}

fn fill(text: &str, appkey: &str, made: &Made) -> String {
    let number = |n: u64| n.to_string();
    text.replace("$g1", &number(made.group))
        .replace("$r1", &number(made.room))
        .replace("$m1", &number(made.message))
        .replace("$app2", &made.other)
        .replace("$mid", &made.media)
        .replace("$cursor", &made.cursor)
        .replace("$appkey", appkey)
}

fn body(case: &Case, appkey: &str, made: &Made) -> String {
    match &case.body {
        Value::Null => String::new(),
        Value::String(text) => match (text.strip_prefix("RAW:"), text.strip_prefix("GEN:")) {
            (Some(raw), _) => raw.to_owned(),
            (_, Some(what)) => generate(what).to_string(),
            _ => panic!("{}: unknown body {text}", case.id),
        },
        other => fill(&with_ids(other, made).to_string(), appkey, made),
    }
}

/// The upload that a case names: its part and file name, and the bytes of its setup.
fn multipart_of(file: &str, setup: &str) -> Vec<u8> {
    let name = file.rsplit(['=', ' ']).next().filter(|name| name.contains('.')).unwrap_or("a.bin");
    let part = if file.contains("part 'image'") { "image" } else { "filename" };
    let bytes = match setup.strip_suffix(" bytes").and_then(|count| count.parse().ok()) {
        Some(count) => vec![7; count],
        None if setup == "1x1 png" => files::png(1, 1),
        None => b"some bytes".to_vec(),
    };
    files::multipart(part, name, &bytes)
}

/// Inside lists ids are integers, as a target they are strings.
fn with_ids(body: &Value, made: &Made) -> Value {
    match body {
        Value::Array(items) => items
            .iter()
            .map(|item| match item.as_str() {
                Some("$g1") => made.group.into(),
                Some("$r1") => made.room.into(),
                _ => with_ids(item, made),
            })
            .collect(),
        Value::Object(members) => {
            Value::Object(members.iter().map(|(name, value)| (name.clone(), with_ids(value, made))).collect())
        }
        other => other.clone(),
    }
}

fn generate(what: &str) -> Value {
    let count = what.split(|c: char| !c.is_ascii_digit()).find_map(|n| n.parse::<usize>().ok()).unwrap();
    let names = (0..count).map(|n| format!("gen{n:05}"));
    if what.ends_with("users") {
        return names.map(|name| json!({"username": name, "password": "secret"})).collect();
    }
    if what.ends_with("names") {
        return names.collect();
    }
    // {"text":"…"} is ten bytes and the text.
    let text = "x".repeat(count - r#"{"text":""}"#.len());
    json!({
        "version": 1, "target_type": "single", "target_id": "u1001", "from_type": "admin", "from_id": "adm1",
        "msg_type": "text", "msg_body": {"text": text},
    })
}

fn judge(case: &Case, answer: &Answer) -> Result<(), String> {
    let shown = || String::from_utf8_lossy(&answer.bytes).chars().take(300).collect::<String>();
    if answer.status != case.expect_status {
        return Err(format!("status {} instead of {}: {}", answer.status, case.expect_status, shown()));
    }
    if case.expect_error_code.is_some() && answer.code() != case.expect_error_code {
        return Err(format!("code {:?} instead of {:?}: {}", answer.code(), case.expect_error_code, shown()));
    }
    if shapes::has(&case.expect_body_shape, answer) {
        Ok(())
    } else {
        Err(format!("is not {}: {}", case.expect_body_shape, shown()))
    }
}

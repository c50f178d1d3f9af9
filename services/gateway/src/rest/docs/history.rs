//! History.

use serde_json::{Value, json};

use super::endpoint::{Doc, Query, doc};
use super::schema::{int, list, may, must, object, page, page_example, r};

pub(super) const TEXT: &str = "What was sent: by the whole app, by and to a user, in a group, in a chatroom. Times have no zone: they are of the \
                               server's (UTC+8 unless set otherwise).";

/// A message as history shows it.
pub(super) fn recorded() -> Value {
    let word = || json!({"type": "string"});
    let flag = || json!({"type": "integer", "enum": [0, 1]});
    object(
        &[
            "target_type",
            "target_id",
            "from_type",
            "from_id",
            "msg_type",
            "msg_body",
            "msgid",
            "msg_ctime",
            "create_time",
            "version",
        ],
        json!({
            "target_type": word(), "target_id": word(), "target_name": word(), "target_appkey": word(), "from_type": word(),
            "from_id": word(), "from_name": word(), "from_appkey": word(), "from_platform": word(), "msg_type": word(),
            "msg_body": {"type": "object"}, "version": {"type": "integer"}, "set_from_name": flag(),
            "create_time": int(0, 1 << 53, "Seconds since 1970."), "msg_ctime": int(0, 1 << 53, "Milliseconds since 1970."),
            "msgid": r("Id"), "msg_level": {"type": "integer", "enum": [0, 1], "description": "1: across apps."},
            "no_offline": {"type": "boolean"}, "no_notification": {"type": "boolean"},
            "retracted": {"type": "boolean", "description": "It was taken back later."},
        }),
    )
}

fn example() -> Value {
    json!({"target_type": "single", "target_id": "tommy", "target_name": "", "target_appkey": "", "from_type": "admin", "from_id": "admin",
        "from_name": "", "from_appkey": "0123456789abcdef01234567", "from_platform": "api", "msg_type": "text",
        "msg_body": {"text": "hello"}, "version": 1, "create_time": 1_767_225_600, "msg_ctime": 1_767_225_600_000_u64,
        "msgid": 43_143_728_109_u64, "msg_level": 0})
}

fn moment() -> Value {
    json!({"type": "string", "description": "`yyyy-MM-dd HH:mm:ss`"})
}

fn cursors() -> Vec<Query> {
    let count = json!({"type": "integer", "minimum": 1, "maximum": 1000});
    vec![
        may("count", "How many a page holds; needed at the first call.", count, json!(100)),
        may("begin_time", "From then on; needed at the first call.", moment(), json!("2026-01-01 00:00:00")),
        may("end_time", "Until then, at most 7 days later; needed at the first call.", moment(), json!("2026-01-07 00:00:00")),
    ]
}

fn by_cursor(pattern: &'static str, summary: &'static str) -> Doc {
    let number = || int(0, 1 << 53, "");
    let paged = object(
        &["total", "count", "messages"],
        json!({"total": number(), "count": number(), "cursor": {"type": "string"}, "messages": list(r("Recorded"))}),
    );
    let next = may("cursor", "Alone, at each call after the first.", json!({"type": "string"}), Value::Null);
    doc(
        "GET",
        pattern,
        summary,
        "Ascending by time, 60 days back. The first call gives `count`, `begin_time` and `end_time`; each next one gives only the \
         `cursor` that came, within 120 seconds. No `cursor` in an answer: nothing follows. A page with a `cursor` may hold fewer \
         than `count`: it ends before the last five seconds, in which an earlier message may still be on its way.",
    )
    .query(cursors())
    .query([next])
    .answers(200, "A page of messages.", paged, json!({"total": 1, "count": 1, "messages": [example()]}))
}

fn by_start(pattern: &'static str, summary: &'static str) -> Doc {
    let [start, _] = super::schema::paged(1000);
    let count = json!({"type": "integer", "minimum": 1, "maximum": 1000});
    doc("GET", pattern, summary, "The older call, by offset.")
        .query([
            Query { required: true, ..start },
            must("count", "How many to answer at most.", count, json!(100)),
            may("begin_time", "From then on.", moment(), json!("2026-01-01 00:00:00")),
            may("end_time", "Until then.", moment(), json!("2026-01-07 00:00:00")),
        ])
        .answers(200, "A page of messages.", page("messages", r("Recorded")), page_example("messages", example()))
        .deprecated()
}

pub(super) fn docs() -> Vec<Doc> {
    vec![
        by_cursor("v2/messages", "Messages of the app"),
        by_cursor("v2/users/*/messages", "Messages of a user"),
        by_cursor("v2/groups/*/messages", "Messages in a group"),
        by_cursor("v2/chatrooms/*/messages", "Messages in a chatroom"),
        by_start("v1/messages", "Messages of the app, by offset"),
        by_start("v1/users/*/messages", "Messages of a user, by offset"),
    ]
}

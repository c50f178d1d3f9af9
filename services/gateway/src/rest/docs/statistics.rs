//! Statistics.

use serde_json::{Value, json};

use super::endpoint::{Doc, Query, doc};
use super::schema::{int, list, must, object};

pub(super) const TEXT: &str = "Counts by day, hour or month of the server's zone.";

fn counted(names: &[&str], when: &str) -> Value {
    let mut properties: serde_json::Map<String, Value> =
        names.iter().map(|name| ((*name).to_owned(), int(0, 1 << 53, ""))).collect();
    properties.insert(when.into(), json!({"type": "string"}));
    object(&[names, &[when]].concat(), properties.into())
}

fn span(units: &[&str]) -> [Query; 3] {
    [
        must("time_unit", "What is counted by.", json!({"type": "string", "enum": units}), json!("DAY")),
        must(
            "start",
            "The first: `yyyy-MM-dd` for DAY, `yyyy-MM-dd HH` for HOUR (today only), `yyyy-MM` for MONTH.",
            json!({"type": "string"}),
            json!("2026-01-01"),
        ),
        must(
            "duration",
            "How many: at most 60 days, 24 hours, 2 months.",
            json!({"type": "integer", "minimum": 1, "maximum": 60}),
            json!(7),
        ),
    ]
}

pub(super) fn docs() -> Vec<Doc> {
    let kinds = || counted_only(&["txt_msg", "image_msg", "voice_msg", "other_msg"]);
    let messages = object(
        &["send_msg_stat", "group_msg_stat", "single_msg_stat"],
        json!({"send_msg_stat": list(counted(&["group_send_msg", "single_send_msg"], "time")), "group_msg_stat": kinds(), "single_msg_stat": kinds()}),
    );
    let some = || json!({"txt_msg": 1, "image_msg": 0, "voice_msg": 0, "other_msg": 0});
    vec![
        doc("GET", "v2/statistic/users", "Count users", "Active, all, sending and new ones of each day.")
            .query(span(&["DAY"]))
            .answers(
                200,
                "One element a day.",
                list(counted(&["active_users", "total_users", "send_msg_users", "new_users"], "date")),
                json!([{"date": "2026-01-01", "active_users": 29, "total_users": 66_938, "send_msg_users": 7, "new_users": 2}]),
            ),
        doc("GET", "v2/statistic/messages", "Count messages", "To users and in groups, and by their types.")
            .query(span(&["HOUR", "DAY", "MONTH"]))
            .answers(
                200,
                "The counts.",
                messages,
                json!({"send_msg_stat": [{"time": "2026-01-01", "group_send_msg": 0, "single_send_msg": 1}],
                    "group_msg_stat": some(), "single_msg_stat": some()}),
            ),
        doc("GET", "v2/statistic/groups", "Count groups", "Active, all and new ones of each day.").query(span(&["DAY"])).answers(
            200,
            "One element a day.",
            list(counted(&["active_group", "total_group", "new_group"], "date")),
            json!([{"date": "2026-01-01", "active_group": 5, "total_group": 5, "new_group": 3}]),
        ),
    ]
}

fn counted_only(names: &[&str]) -> Value {
    let properties: serde_json::Map<String, Value> = names.iter().map(|name| ((*name).to_owned(), int(0, 1 << 53, ""))).collect();
    object(names, properties.into())
}

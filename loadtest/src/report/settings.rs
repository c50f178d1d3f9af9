//! A scenario's settings as lines of a name and a value.

use serde_json::Value;

/// Each setting by its path, in the document's order.
#[must_use]
pub fn flat(settings: &Value) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    walk("", settings, &mut lines);
    lines
}

fn walk(path: &str, value: &Value, lines: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                walk(&if path.is_empty() { name.clone() } else { format!("{path}.{name}") }, value, lines);
            }
        }
        Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
            for (nth, value) in items.iter().enumerate() {
                walk(&format!("{path}[{nth}]"), value, lines);
            }
        }
        Value::Null if path.is_empty() => {}
        Value::String(text) => lines.push((path.to_owned(), text.clone())),
        other => lines.push((path.to_owned(), other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_is_a_line() {
        let settings = serde_json::json!({"users": 10, "sizes": [1, 2], "kinds": [{"name": "single"}], "none": {}});
        let lines: Vec<String> = flat(&settings).into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(lines, ["kinds[0].name=single", "none={}", "sizes=[1,2]", "users=10"]);
        assert!(flat(&Value::Null).is_empty());
    }
}

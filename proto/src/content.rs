//! The hash by which a retry is told from another message under the same client message id.

use serde_json::Value;

/// Hash of a message's parsed content: the same for both codecs, for any order of keys and any whitespace.
///
/// `options` are the other parts that make a message what it is, in a fixed order given by the caller.
#[must_use]
pub fn content_hash(msg_type: &str, msg_body: &Value, options: &[&str]) -> u64 {
    let mut hash = Fnv::default();
    hash.part(msg_type.as_bytes());
    hash.value(msg_body);
    for option in options {
        hash.part(option.as_bytes());
    }
    hash.0
}

/// FNV-1a, 64 bits: stable across versions, and a collision can only harm the sender that made it.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    /// Length first, so that the border between two parts counts.
    fn part(&mut self, bytes: &[u8]) {
        self.bytes(&bytes.len().to_le_bytes());
        self.bytes(bytes);
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.bytes(b"n"),
            Value::Bool(b) => self.bytes(if *b { b"t" } else { b"f" }),
            Value::Number(n) => {
                self.bytes(b"#");
                self.part(n.to_string().as_bytes());
            }
            Value::String(s) => {
                self.bytes(b"s");
                self.part(s.as_bytes());
            }
            Value::Array(items) => {
                self.bytes(b"[");
                self.bytes(&items.len().to_le_bytes());
                items.iter().for_each(|item| self.value(item));
            }
            Value::Object(members) => {
                self.bytes(b"{");
                self.bytes(&members.len().to_le_bytes());
                // serde_json keeps members sorted by key.
                for (key, member) in members {
                    self.part(key.as_bytes());
                    self.value(member);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn key_order_and_space_do_not_count_but_content_does() {
        let parse = |s: &str| serde_json::from_str::<Value>(s).unwrap();
        let a = content_hash("text", &parse(r#"{"text":"hi","extras":{"a":1,"b":[2]}}"#), &["x"]);
        let b = content_hash("text", &parse(r#"{ "extras":{"b":[2],"a":1}, "text":"hi" }"#), &["x"]);
        assert_eq!(a, b);
        let others = [
            content_hash("text", &json!({"text":"hi","extras":{"a":1,"b":[3]}}), &["x"]),
            content_hash("text", &json!({"text":"hi","extras":{"a":"1","b":[2]}}), &["x"]),
            content_hash("text", &json!({"text":"hi","extras":{"a":1,"b":[2]}}), &["y"]),
            content_hash("custom", &json!({"text":"hi","extras":{"a":1,"b":[2]}}), &["x"]),
        ];
        assert!(others.iter().all(|o| *o != a));
    }
}

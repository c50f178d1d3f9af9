//! JSON as real clients write it: null is absent, `[]` may stand for `{}`, numbers may be texts. Never a silent
//! default: what cannot be read is refused by the name of its field, and so is a member that comes twice.

use mynah_types::Username;
use serde_json::{Map, Value};

use super::refusal::Refusal;

/// Reads a body.
pub(crate) fn parse(body: &[u8]) -> Result<Value, Refusal> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    if body.trim_ascii().is_empty() {
        return Err(Refusal::invalid("body", "is missing"));
    }
    mynah_proto::json::unique(body).map_err(|e| Refusal::invalid("body", &e.to_string()))
}

/// The members of an object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'a>(&'a Map<String, Value>);

impl<'a> Fields<'a> {
    /// The members of `value`, which must be an object.
    pub(crate) fn of(name: &str, value: &'a Value) -> Result<Self, Refusal> {
        value.as_object().map(Self).ok_or_else(|| Refusal::invalid(name, "must be an object"))
    }

    /// A member; null is absent.
    pub(crate) fn get(self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// A text.
    pub(crate) fn text(self, name: &str) -> Result<Option<&'a str>, Refusal> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Refusal::invalid(name, "must be a string")),
        }
    }

    /// A text that must be there.
    pub(crate) fn required(self, name: &str) -> Result<&'a str, Refusal> {
        self.text(name)?.ok_or_else(|| Refusal::invalid(name, "is missing"))
    }

    /// A text, or an integer read as one.
    pub(crate) fn id(self, name: &str) -> Result<String, Refusal> {
        match self.get(name) {
            None => Err(Refusal::invalid(name, "is missing")),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(Value::Number(number)) if number.is_u64() => Ok(number.to_string()),
            Some(_) => Err(Refusal::invalid(name, "must be a string")),
        }
    }

    /// An integer, or a text of one.
    pub(crate) fn integer(self, name: &str) -> Result<Option<i64>, Refusal> {
        let bad = || Refusal::invalid(name, "must be an integer");
        match self.get(name) {
            None => Ok(None),
            Some(Value::Number(number)) => number.as_i64().map(Some).ok_or_else(bad),
            Some(Value::String(text)) => text.parse().map(Some).map_err(|_| bad()),
            Some(_) => Err(bad()),
        }
    }

    /// A status of 0 or 1, which must be there.
    pub(crate) fn status(self) -> Result<bool, Refusal> {
        match self.integer("status")? {
            Some(0) => Ok(false),
            Some(1) => Ok(true),
            Some(_) => Err(Refusal::invalid("status", "must be 0 or 1")),
            None => Err(Refusal::invalid("status", "is missing")),
        }
    }

    /// A truth value, or a text of one.
    pub(crate) fn boolean(self, name: &str) -> Result<Option<bool>, Refusal> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
            Some(_) => Err(Refusal::invalid(name, "must be true or false")),
        }
    }

    /// An object; an empty array is an empty one, as PHP writes it.
    pub(crate) fn object(self, name: &str) -> Result<Option<Map<String, Value>>, Refusal> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Object(members)) => Ok(Some(members.clone())),
            Some(Value::Array(items)) if items.is_empty() => Ok(Some(Map::new())),
            Some(_) => Err(Refusal::invalid(name, "must be an object")),
        }
    }

    /// A list of usernames that may be absent or empty.
    pub(crate) fn names(self, name: &str, most: usize) -> Result<Vec<String>, Refusal> {
        match self.get(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) if items.is_empty() => Ok(Vec::new()),
            Some(list) => names(name, list, most),
        }
    }
}

/// A list of at least one and at most `most` usernames, in form, each once.
pub(crate) fn names(field: &str, list: &Value, most: usize) -> Result<Vec<String>, Refusal> {
    let items = list.as_array().ok_or_else(|| Refusal::invalid(field, "must be an array of usernames"))?;
    if items.is_empty() {
        return Err(Refusal::invalid(field, "must name at least one user"));
    }
    if items.len() > most {
        return Err(Refusal::invalid(field, &format!("must name at most {most} users")));
    }
    let mut seen = std::collections::HashSet::with_capacity(items.len());
    let mut names = Vec::with_capacity(items.len());
    for item in items {
        let name = item.as_str().ok_or_else(|| Refusal::invalid(field, "must be an array of usernames"))?;
        let name = Username::parse(name).map_err(|e| Refusal::invalid(field, &format!("holds a username that {}", e.why)))?;
        if seen.insert(name.clone()) {
            names.push(name.as_str().to_owned());
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_cannot_be_read_is_refused() {
        let deep = "[".repeat(5000);
        for bad in ["", "  ", "{", "nul", "[1,]", r#"{"a":1,"a":2}"#, r#"{"x":{"b":1,"b":1}}"#, &*deep] {
            assert_eq!(parse(bad.as_bytes()).unwrap_err().code, 899_003, "{bad:.40}");
        }
        assert_eq!(parse(b"\"\xff\"").unwrap_err().code, 899_003);
        assert_eq!(parse("\u{feff}[1]".as_bytes()).unwrap(), json!([1]));
    }

    #[test]
    fn the_shortcuts_of_clients_are_taken() {
        let body = json!({"a": null, "n": "12", "m": 12, "b": "True", "o": [], "bad": [1], "f": 1.5});
        let fields = Fields::of("body", &body).unwrap();
        assert_eq!(fields.text("a").unwrap(), None);
        assert!(fields.required("a").is_err());
        assert_eq!((fields.integer("n").unwrap(), fields.integer("m").unwrap()), (Some(12), Some(12)));
        assert!(fields.integer("f").is_err() && fields.integer("bad").is_err());
        assert_eq!(fields.boolean("b").unwrap(), Some(true));
        assert!(fields.boolean("m").is_err());
        assert_eq!(fields.object("o").unwrap(), Some(Map::new()));
        assert!(fields.object("bad").is_err());
        assert_eq!(fields.id("m").unwrap(), "12");
        assert!(fields.names("bad", 5).is_err());
    }
}

//! The content of a message: which members each type must have.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::lenient::Fields;
use super::refusal::Refusal;

/// A message's content.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) msg_type: String,
    /// As receivers get it: as it was sent, but for `extras` that had to be mended.
    pub(crate) raw: Bytes,
    /// The same, read.
    pub(crate) value: Value,
}

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow)]
    msg_body: &'a RawValue,
}

/// What a member of a content must be.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Integer,
    Number,
}

use Kind::{Integer, Number, Text};

const MEDIA: &[(&str, Kind)] = &[("media_id", Text), ("media_crc32", Integer), ("fsize", Integer)];

/// The types, and the members that each must have.
const TYPES: &[(&str, &[(&str, Kind)])] = &[
    ("text", &[("text", Text)]),
    ("image", &[("width", Integer), ("height", Integer), ("format", Text)]),
    ("voice", &[("duration", Integer)]),
    ("file", &[("fname", Text)]),
    ("location", &[("latitude", Number), ("longitude", Number), ("scale", Integer), ("label", Text)]),
    ("video", &[("duration", Integer)]),
    ("custom", &[]),
];

/// Reads `msg_type` and `msg_body`; `body` is the request's whole body.
pub(crate) fn read(fields: Fields<'_>, body: &[u8], most: usize) -> Result<Content, Refusal> {
    let msg_type = fields.required("msg_type")?;
    let unknown = || Refusal::invalid("msg_type", "must be text, image, voice, file, location, video or custom");
    let (_, required) = TYPES.iter().find(|(name, _)| *name == msg_type).ok_or_else(unknown)?;
    let value = match fields.get("msg_body") {
        None => return Err(Refusal::invalid("msg_body", "is missing")),
        Some(value) => value.clone(),
    };
    if !value.is_object() {
        return Err(Refusal::invalid("msg_body", "must be an object"));
    }
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let raw: Raw<'_> = serde_json::from_slice(body).map_err(|e| Refusal::invalid("body", &e.to_string()))?;
    if raw.msg_body.get().len() > most {
        return Err(Refusal::invalid("msg_body", &format!("must be at most {most} bytes")));
    }
    let (raw, value) = mend(raw.msg_body, value, msg_type == "custom");
    let members = Fields::of("msg_body", &value)?;
    check(members, required)?;
    match msg_type {
        "image" | "voice" | "file" => check(members, MEDIA)?,
        "video" => {
            let video = members.get("video").ok_or_else(|| Refusal::invalid("msg_body.video", "is missing"))?;
            check(Fields::of("msg_body.video", video)?, MEDIA)?;
        }
        _ => {}
    }
    if msg_type != "custom" {
        members.object("extras")?;
    }
    Ok(Content { msg_type: msg_type.to_owned(), raw, value })
}

/// `extras` that are null or an empty array are none, or an empty object. All else reaches the receiver as it was sent.
fn mend(raw: &RawValue, mut value: Value, custom: bool) -> (Bytes, Value) {
    let extras = value.as_object_mut().filter(|_| !custom);
    let mended = extras.is_some_and(|members| match members.get("extras") {
        Some(Value::Null) => members.remove("extras").is_some(),
        Some(Value::Array(items)) if items.is_empty() => members.insert("extras".into(), Map::new().into()).is_some(),
        _ => false,
    });
    let bytes = if mended { Bytes::from(value.to_string()) } else { Bytes::copy_from_slice(raw.get().as_bytes()) };
    (bytes, value)
}

fn check(members: Fields<'_>, required: &[(&str, Kind)]) -> Result<(), Refusal> {
    for (name, kind) in required {
        let field = || format!("msg_body.{name}");
        let there = match (kind, members.get(name)) {
            (_, None) => return Err(Refusal::invalid(&field(), "is missing")),
            (Text, Some(Value::String(text))) => !text.is_empty(),
            (Text, Some(_)) => false,
            (Integer, Some(_)) => members.integer(name)?.is_some_and(|number| number >= 0),
            (Number, Some(Value::String(text))) => text.parse::<f64>().is_ok_and(f64::is_finite),
            (Number, Some(value)) => value.is_number(),
        };
        if !there {
            let kind = match kind {
                Text => "must be a string that is not empty",
                Integer => "must be an integer of at least 0",
                Number => "must be a number",
            };
            return Err(Refusal::invalid(&field(), kind));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rest::lenient::parse;

    fn content(body: &str) -> Result<Content, Refusal> {
        let value = parse(body.as_bytes())?;
        read(Fields::of("body", &value)?, body.as_bytes(), 200)
    }

    #[test]
    fn receivers_get_what_was_sent_byte_for_byte() {
        let sent = r#"{ "text" : "\u0068i", "z":1.50, "a":null }"#;
        let read = content(&format!(r#"{{"msg_type":"text","msg_body":{sent}}}"#)).unwrap();
        assert_eq!(read.raw, sent.as_bytes());
    }

    #[test]
    fn php_writes_an_empty_object_as_an_array() {
        let read = content(r#"{"msg_type":"text","msg_body":{"text":"hi","extras":[]}}"#).unwrap();
        assert_eq!(read.raw, r#"{"extras":{},"text":"hi"}"#.as_bytes());
        let read = content(r#"{"msg_type":"text","msg_body":{"text":"hi","extras":null}}"#).unwrap();
        assert_eq!(read.raw, r#"{"text":"hi"}"#.as_bytes());
        let read = content(r#"{"msg_type":"custom","msg_body":{"extras":[]}}"#).unwrap();
        assert_eq!(read.raw, r#"{"extras":[]}"#.as_bytes());
    }

    #[test]
    fn each_type_names_what_it_misses() {
        for (msg_type, body, field) in [
            ("text", "{}", "msg_body.text"),
            ("text", r#"{"text":""}"#, "msg_body.text"),
            ("text", r#"{"text":5}"#, "msg_body.text"),
            ("text", r#"{"text":"a","extras":"x"}"#, "extras"),
            ("text", "[]", "msg_body"),
            ("image", r#"{"media_id":"m","media_crc32":1,"width":1,"height":1,"fsize":1}"#, "msg_body.format"),
            ("image", r#"{"media_id":"m","media_crc32":1,"width":-1,"height":1,"fsize":1,"format":"jpg"}"#, "msg_body.width"),
            ("voice", r#"{"media_id":"m","media_crc32":1,"duration":1}"#, "msg_body.fsize"),
            ("location", r#"{"latitude":"x","longitude":1,"scale":1,"label":"l"}"#, "msg_body.latitude"),
            ("video", r#"{"duration":1}"#, "msg_body.video"),
            ("shout", "{}", "msg_type"),
        ] {
            let refusal = content(&format!(r#"{{"msg_type":"{msg_type}","msg_body":{body}}}"#)).unwrap_err();
            assert_eq!(refusal.code, 899_003);
            assert!(refusal.message.contains(&format!(" {field} ")), "{msg_type} {body}: {}", refusal.message);
        }
        let long = format!(r#"{{"msg_type":"text","msg_body":{{"text":"{}"}}}}"#, "x".repeat(200));
        assert!(content(&long).unwrap_err().message.contains(" msg_body "));
    }
}

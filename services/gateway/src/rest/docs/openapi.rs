//! The document at `/openapi.json`: OpenAPI 3.1, with what the readable page and `docs/` need beside it (`x-…`).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::AREAS;
use super::endpoint::{Body, Doc, Query, Success};
use super::errors::{ALL, Documented, NOWHERE};
use super::schema::{any, components, r};
use crate::rest::table::TABLE;

const ABOUT: &str = "The REST API of mynah, drop-in compatible with the JMessage REST API. Paths work with and without `/v1` and a trailing \
                     slash. Lenient where real clients are: texts for integers, `[]` for `{}`, `null` for nothing, unknown members ignored. \
                     Lengths are counted in bytes of UTF-8.";

/// The document of every endpoint that has a row.
#[must_use]
pub fn openapi() -> Value {
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    let mut tags = Vec::new();
    for area in AREAS.iter() {
        let published = || area.docs.iter().filter(|doc| has_row(doc));
        if published().next().is_none() {
            continue;
        }
        tags.push(json!({"name": area.title, "description": area.text, "x-file": area.file}));
        for doc in published() {
            paths.entry(doc.path()).or_default().insert(doc.method.to_lowercase(), operation(doc, area.title));
        }
    }
    let errors = ALL.iter().map(
        |error| json!({"status": error.status, "code": error.code, "meaning": error.meaning, "nowhere": NOWHERE.contains(error)}),
    );
    json!({
        "openapi": "3.1.0",
        "info": {"title": "mynah", "version": env!("CARGO_PKG_VERSION"), "description": ABOUT, "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        "servers": [{"url": "/"}],
        "security": [{"basic": []}],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": components(),
            "headers": headers(),
            "securitySchemes": {"basic": {"type": "http", "scheme": "basic", "description": "appKey as the user, masterSecret as the password."}},
        },
        "x-errors": errors.collect::<Vec<_>>(),
    })
}

fn has_row(doc: &Doc) -> bool {
    TABLE.iter().any(|row| (row.method, row.pattern) == (doc.method, doc.pattern))
}

fn operation(doc: &Doc, area: &str) -> Value {
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
    put("operationId", operation_id(doc).into());
    put("summary", doc.summary.into());
    put("description", doc.text.into());
    put("tags", json!([area]));
    put("parameters", parameters(doc).into());
    if doc.deprecated {
        put("deprecated", true.into());
    }
    if let Some(body) = request_body(&doc.body) {
        put("requestBody", body);
    }
    put("responses", responses(doc));
    put("x-pattern", doc.pattern.into());
    put("x-curl", curl(doc).into());
    Value::Object(members)
}

/// E.g. `put_v1_users_username_password`.
fn operation_id(doc: &Doc) -> String {
    doc.method.to_lowercase() + &doc.filled(|place| place.name.to_owned()).replace('/', "_")
}

fn parameters(doc: &Doc) -> Vec<Value> {
    let places = doc.places().into_iter().map(|place| {
        // An id in a path is digits; the example is one, too.
        let example = place.example.parse::<u64>().map_or_else(|_| place.example.into(), Value::from);
        json!({"name": place.name, "in": "path", "required": true, "description": place.text, "schema": r(place.schema), "example": example})
    });
    let query = doc.query.iter().map(|query| {
        let Query { name, required, text, schema, example } = query;
        let mut parameter = json!({"name": name, "in": "query", "required": required, "description": text, "schema": schema});
        if let Some(members) = parameter.as_object_mut().filter(|_| !example.is_null()) {
            members.insert("example".into(), example.clone());
        }
        parameter
    });
    let key = json!({
        "name": "Idempotency-Key", "in": "header", "required": false,
        "description": "The caller's own id of the message, with or without quotes.",
        "schema": {"type": "string", "pattern": "^[!-~]{1,60}$"}, "example": "order-77",
    });
    places.chain(query).chain(doc.takes_key.then_some(key)).collect()
}

fn request_body(body: &Body) -> Option<Value> {
    match body {
        Body::Nothing => None,
        Body::Json { schema, example, required } => {
            let mut media = json!({"schema": schema});
            if let Some(members) = media.as_object_mut().filter(|_| !example.is_null()) {
                members.insert("example".into(), example.clone());
            }
            Some(json!({"required": required, "content": {"application/json": media}}))
        }
        Body::File => {
            let file = json!({"type": "string", "format": "binary", "contentMediaType": "application/octet-stream"});
            let schema = json!({"type": "object", "required": ["file"], "properties": {"file": file}});
            Some(json!({"required": true, "content": {"multipart/form-data": {"schema": schema}}}))
        }
    }
}

fn responses(doc: &Doc) -> Value {
    let mut responses = Map::new();
    for Success { status, text, body } in &doc.answers {
        let mut answer = json!({"description": text, "headers": quota()});
        if let (Some(members), Some((schema, example))) = (answer.as_object_mut(), body) {
            members.insert("content".into(), json!({"application/json": {"schema": schema, "example": example}}));
        }
        responses.insert(status.to_string(), answer);
    }
    let mut refusals: BTreeMap<u16, Vec<Documented>> = BTreeMap::new();
    for error in doc.refusals() {
        refusals.entry(error.status).or_default().push(error);
    }
    for (status, errors) in refusals {
        responses.insert(status.to_string(), refusal(doc, status, &errors));
    }
    responses.into()
}

fn refusal(doc: &Doc, status: u16, errors: &[Documented]) -> Value {
    let mut schema = r("Error");
    if let Some((_, other)) = doc.refused_as.as_ref().filter(|(statuses, _)| statuses.contains(&status)) {
        schema = any(vec![schema, other.clone()]);
    }
    let says: Vec<String> = errors.iter().map(|error| format!("`{}` {}", error.code, error.meaning)).collect();
    let codes: Vec<u32> = errors.iter().map(|error| error.code).collect();
    let mut headers = quota();
    if let Some(members) = headers.as_object_mut().filter(|_| [429, 503].contains(&status)) {
        let wait = json!({"description": "Seconds to wait.", "required": true, "schema": {"type": "integer", "minimum": 1}});
        members.insert("Retry-After".into(), wait);
    }
    json!({
        "description": says.join("\n"), "headers": headers, "content": {"application/json": {"schema": schema}},
        "x-codes": codes,
    })
}

/// The headers that tell an app where it stands.
const QUOTA: [(&str, &str); 3] = [
    ("X-Rate-Limit-Limit", "Requests of the app in a window. Sent only where apps are limited."),
    ("X-Rate-Limit-Remaining", "Requests left in this window."),
    ("X-Rate-Limit-Reset", "Seconds to the next window."),
];

fn quota() -> Value {
    let named = QUOTA.map(|(name, _)| (name.to_owned(), json!({"$ref": format!("#/components/headers/{name}")})));
    Value::Object(named.into_iter().collect())
}

fn headers() -> Value {
    let described =
        QUOTA.map(|(name, says)| (name.to_owned(), json!({"description": says, "schema": {"type": "integer", "minimum": 0}})));
    Value::Object(described.into_iter().collect())
}

/// A command line to paste, with `$APP` as the README sets it.
fn curl(doc: &Doc) -> String {
    let mut path = format!("localhost:8080{}", doc.filled(|place| place.example.to_owned()));
    let given = doc.query.iter().filter(|query| !query.example.is_null()).map(|query| {
        let text = query.example.as_str().map_or_else(|| query.example.to_string(), str::to_owned);
        format!("{}={}", query.name, text.replace(' ', "%20"))
    });
    let given: Vec<String> = given.collect();
    if !given.is_empty() {
        path = format!("'{path}?{}'", given.join("&"));
    }
    let usual = match doc.body {
        Body::Nothing => "GET",
        Body::Json { .. } | Body::File => "POST",
    };
    let method = if doc.method == usual { String::new() } else { format!("-X {} ", doc.method) };
    let body = match &doc.body {
        Body::Json { example, .. } if !example.is_null() => {
            format!(" -d '{}'", example.to_string().replace("$OTHER_APPKEY", "'$OTHER_APPKEY'"))
        }
        Body::File => " -F file=@picture.png".to_owned(),
        Body::Json { .. } | Body::Nothing => String::new(),
    };
    format!("curl -u $APP {method}{path}{body}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_leads_to_a_component() {
        let document = openapi();
        let text = document.to_string();
        let mut found = 0;
        for part in text.split("\"$ref\":\"#").skip(1) {
            let pointer = part.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
            found += 1;
        }
        assert!(found > 100);
    }

    #[test]
    fn every_endpoint_of_the_table_is_in_the_document() {
        let document = openapi();
        let published: usize = document["paths"].as_object().unwrap().values().map(|path| path.as_object().unwrap().len()).sum();
        assert_eq!(published, TABLE.len());
    }

    #[test]
    fn a_line_to_paste_says_what_is_not_usual_only() {
        let document = openapi();
        let line = |pointer: &str| document.pointer(pointer).unwrap()["x-curl"].as_str().unwrap().to_owned();
        assert_eq!(line("/paths/~1v1~1users~1{username}/get"), "curl -u $APP localhost:8080/v1/users/anna");
        assert_eq!(line("/paths/~1v1~1users~1{username}/delete"), "curl -u $APP -X DELETE localhost:8080/v1/users/anna");
        let line = line("/paths/~1v1~1cross~1users~1{username}~1friends/post");
        assert!(line.ends_with(r#"-d '{"appkey":"'$OTHER_APPKEY'","users":["lucy"]}'"#), "{line}");
    }
}

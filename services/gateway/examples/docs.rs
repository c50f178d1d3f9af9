//! Writes the reference under `docs/` from the API's own description: `docs <folder>`. Called by `cargo xtask docs`.

#![allow(clippy::indexing_slicing, reason = "a member that a JSON value lacks reads as null")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

const METHODS: [&str; 4] = ["get", "post", "put", "delete"];
const HOW: &str = "Made by `cargo xtask docs` from `services/gateway/src/rest/docs`. Do not edit.";

fn main() -> std::io::Result<()> {
    let Some(folder) = std::env::args().nth(1) else {
        eprintln!("usage: docs <folder>");
        std::process::exit(2);
    };
    let (folder, document) = (Path::new(&folder), mynah_gateway::openapi());
    std::fs::create_dir_all(folder.join("rest"))?;
    for tag in list(&document["tags"]) {
        std::fs::write(folder.join("rest").join(format!("{}.md", text(&tag["x-file"]))), area(&document, tag))?;
    }
    std::fs::write(folder.join("errors.md"), errors(&document))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Every endpoint: its path, its method, what is said of it.
fn calls(document: &Value) -> Vec<(&String, &'static str, &Value)> {
    let paths = document["paths"].as_object().into_iter().flatten();
    paths.flat_map(|(path, of)| METHODS.into_iter().filter_map(move |method| Some((path, method, of.get(method)?)))).collect()
}

fn heading(path: &str, method: &str) -> String {
    format!("{} {path}", method.to_uppercase())
}

/// The anchor that a heading gets.
fn anchor(path: &str, method: &str) -> String {
    let kept = heading(path, method).to_lowercase();
    kept.chars().filter(|c| c.is_alphanumeric() || "-_ ".contains(*c)).map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn area(document: &Value, tag: &Value) -> String {
    let mut page = format!("# {}\n\n{HOW}\n\n{}\n", text(&tag["name"]), text(&tag["description"]));
    page += "\n`$APP` is `<appKey>:<masterSecret>`. Every call may also answer what stands under \"everywhere\" in [errors.md](../errors.md).\n";
    for (path, method, call) in calls(document).into_iter().filter(|(.., call)| list(&call["tags"]).contains(&tag["name"])) {
        endpoint(&mut page, document, path, method, call);
    }
    page
}

fn endpoint(page: &mut String, document: &Value, path: &str, method: &str, call: &Value) {
    let deprecated = if call["deprecated"] == true { " Deprecated." } else { "" };
    let _ = write!(
        page,
        "\n## {}\n\n**{}.** {}{deprecated}\n",
        heading(path, method),
        text(&call["summary"]),
        text(&call["description"])
    );
    let _ = write!(page, "\n```\n{}\n```\n", text(&call["x-curl"]));
    if !list(&call["parameters"]).is_empty() {
        *page += "\n| parameter | where | | what |\n|---|---|---|---|\n";
        for one in list(&call["parameters"]) {
            let must = if one["required"] == true { "required" } else { "" };
            let what = format!("{} {}", text(&one["description"]), bounds(document, &one["schema"]));
            let _ = writeln!(page, "| `{}` | {} | {must} | {} |", text(&one["name"]), text(&one["in"]), cell(&what));
        }
    }
    body(page, document, call);
    for (status, answer) in call["responses"].as_object().into_iter().flatten().filter(|(status, _)| status.starts_with('2')) {
        let _ = write!(page, "\n{status}: {}\n", text(&answer["description"]));
        if let Some(example) = answer.pointer("/content/application~1json/example") {
            json(page, example);
        }
    }
    refusals(page, call);
}

fn body(page: &mut String, document: &Value, call: &Value) {
    let content = &call["requestBody"]["content"];
    if content.get("multipart/form-data").is_some() {
        *page += "\nThe body is multipart/form-data.\n";
    }
    let Some(of) = content.get("application/json") else { return };
    let needed = if call["requestBody"]["required"] == true { "" } else { " It may be left out." };
    let _ = write!(page, "\nThe body is {}.{needed}\n", bounds(document, &of["schema"]));
    if let Some(example) = of.get("example") {
        json(page, example);
    }
    let mut members = BTreeMap::new();
    collect(document, &of["schema"], true, &mut members);
    if !members.is_empty() {
        *page += "\n| member | | what |\n|---|---|---|\n";
        for (name, member) in members {
            let must = if member.required { "required" } else { "" };
            let _ = writeln!(page, "| `{name}` | {must} | {} |", cell(&format!("{} {}", member.says, member.kinds.join(" or "))));
        }
    }
}

/// What is known of a member of a body.
struct Member {
    required: bool,
    says: String,
    kinds: Vec<String>,
}

fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let pointer = schema["$ref"].as_str().and_then(|pointer| pointer.strip_prefix('#'));
    pointer.and_then(|pointer| document.pointer(pointer)).unwrap_or(schema)
}

/// The members of an object in any of its forms, or of an array's items.
fn collect(document: &Value, schema: &Value, required: bool, into: &mut BTreeMap<String, Member>) {
    let schema = resolve(document, schema);
    if schema["type"] == "array" {
        return collect(document, &schema["items"], required, into);
    }
    for part in list(&schema["allOf"]) {
        collect(document, part, required, into);
    }
    for name in ["anyOf", "oneOf"] {
        let forms = list(&schema[name]);
        let in_all = |member: &str| forms.iter().all(|form| requires(document, form, member));
        for form in forms {
            let mut found = BTreeMap::new();
            collect(document, form, required, &mut found);
            for (name, mut member) in found {
                member.required &= in_all(&name);
                match into.get_mut(&name) {
                    Some(known) => known
                        .kinds
                        .extend(member.kinds.into_iter().filter(|kind| !known.kinds.contains(kind)).collect::<Vec<_>>()),
                    None => _ = into.insert(name, member),
                }
            }
        }
    }
    for (name, of) in schema["properties"].as_object().into_iter().flatten() {
        let says = text(&resolve(document, of)["description"]).to_owned();
        let required = required && list(&schema["required"]).iter().any(|one| one == name);
        into.insert(name.clone(), Member { required, says, kinds: vec![bounds(document, of)] });
    }
}

fn requires(document: &Value, schema: &Value, member: &str) -> bool {
    let mut found = BTreeMap::new();
    collect(document, schema, true, &mut found);
    found.get(member).is_none_or(|found| found.required)
}

/// What a value may be, in a few words.
fn bounds(document: &Value, schema: &Value) -> String {
    let name = schema["$ref"].as_str().and_then(|pointer| pointer.rsplit('/').next());
    let of = resolve(document, schema);
    if let Some(values) = of["enum"].as_array() {
        return values
            .iter()
            .map(|value| format!("`{}`", value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
            .collect::<Vec<_>>()
            .join(", ");
    }
    let range = |least: &str, most: &str| match (of[least].as_u64(), of[most].as_u64().filter(|most| *most < (1 << 32) - 1)) {
        (Some(least), Some(most)) => format!(" {least}–{most}"),
        (None, Some(most)) => format!(" to {most}"),
        (Some(least), None) if least > 0 => format!(" from {least}"),
        _ => String::new(),
    };
    match text(&of["type"]) {
        "array" => format!("an array{} of {}", range("minItems", "maxItems"), bounds(document, &of["items"])),
        _ if name.is_some() => format!("`{}`", name.unwrap_or_default()),
        "string" => format!("text{}", range("minLength", "maxLength")),
        "integer" => format!("integer{}", range("minimum", "maximum")),
        "" => {
            let forms = [&of["anyOf"], &of["oneOf"]].into_iter().flat_map(list);
            let mut kinds: Vec<String> = forms.map(|form| bounds(document, form)).collect();
            kinds.dedup();
            if kinds.is_empty() { "an object".to_owned() } else { kinds.join(", or ") }
        }
        "object" => "an object".to_owned(),
        other => other.to_owned(),
    }
}

/// Refusals that are this endpoint's own.
fn refusals(page: &mut String, call: &Value) {
    let everywhere = ["401", "429", "500", "503"];
    let answers = call["responses"].as_object().into_iter().flatten();
    let own = answers.filter(|(status, answer)| answer.get("x-codes").is_some() && !everywhere.contains(&status.as_str()));
    *page += "\n| status | code | when |\n|---|---|---|\n";
    for (status, answer) in own {
        for line in text(&answer["description"]).lines() {
            let (code, when) = line.split_once(' ').unwrap_or((line, ""));
            let _ = writeln!(page, "| {status} | {} | {} |", code.trim_matches('`'), cell(when));
        }
    }
}

fn json(page: &mut String, value: &Value) {
    let _ = write!(page, "\n```json\n{}\n```\n", serde_json::to_string_pretty(value).unwrap_or_default());
}

fn cell(text: &str) -> String {
    text.trim().replace('|', "\\|")
}

/// Where a code may come: everywhere, nowhere else, or at these endpoints.
fn errors(document: &Value) -> String {
    let mut page = format!("# Error codes\n\n{HOW}\n\n");
    page += "A refusal is `{\"error\":{\"code\":899003,\"message\":\"…\"}}`; what it means is told by code and status. A registration of users\n\
             answers an array whose elements carry `error`. 899003 always names what is wrong.\n\n| code | status | meaning | endpoints |\n|---|---|---|---|\n";
    let files: BTreeMap<&str, &str> =
        list(&document["tags"]).iter().map(|tag| (text(&tag["name"]), text(&tag["x-file"]))).collect();
    let calls = calls(document);
    let mut all: Vec<&Value> = list(&document["x-errors"]).iter().collect();
    all.sort_by_key(|error| (error["code"].as_u64(), error["status"].as_u64()));
    for error in all {
        let gives = |call: &&Value| list(&call["responses"][error["status"].to_string()]["x-codes"]).contains(&error["code"]);
        let givers: Vec<_> = calls.iter().filter(|(.., call)| gives(call)).collect();
        let places = if error["nowhere"] == true {
            "any path that is no endpoint".to_owned()
        } else if givers.len() == calls.len() {
            "everywhere".to_owned()
        } else {
            let link = |path: &str, method: &str, call: &Value| {
                let file = list(&call["tags"]).first().map(text).and_then(|name| files.get(name)).copied().unwrap_or_default();
                format!("[{}](rest/{file}.md#{})", heading(path, method), anchor(path, method))
            };
            givers.iter().map(|(path, method, call)| link(path, method, call)).collect::<Vec<_>>().join(", ")
        };
        let _ = writeln!(page, "| {} | {} | {} | {places} |", error["code"], error["status"], cell(text(&error["meaning"])));
    }
    page
}

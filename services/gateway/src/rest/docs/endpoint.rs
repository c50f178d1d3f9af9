//! What is said about one endpoint.

use serde_json::Value;

use super::errors::{COMMON, Documented, NO_GROUP, NO_ROOM, NO_USER};
#[cfg(test)]
use crate::rest::table::TakesBody;

/// An endpoint's documentation.
pub(super) struct Doc {
    pub(super) method: &'static str,
    pub(super) pattern: &'static str,
    pub(super) summary: &'static str,
    pub(super) text: &'static str,
    pub(super) query: Vec<Query>,
    pub(super) body: Body,
    pub(super) answers: Vec<Success>,
    /// Beyond those that every endpoint may answer.
    pub(super) errors: Vec<Documented>,
    /// The body of a refusal with these statuses, where it is not only the common one.
    pub(super) refused_as: Option<(&'static [u16], Value)>,
    pub(super) takes_key: bool,
    pub(super) deprecated: bool,
}

/// A parameter of the query.
pub(super) struct Query {
    pub(super) name: &'static str,
    pub(super) required: bool,
    pub(super) text: &'static str,
    pub(super) schema: Value,
    pub(super) example: Value,
}

/// What a request carries.
pub(super) enum Body {
    Nothing,
    Json { schema: Value, example: Value, required: bool },
    File,
}

/// An answer to a request that was served.
pub(super) struct Success {
    pub(super) status: u16,
    pub(super) text: &'static str,
    pub(super) body: Option<(Value, Value)>,
}

/// A placeholder of a path: its name, what it is, its schema's name, an example.
pub(super) struct Place {
    pub(super) name: &'static str,
    pub(super) text: &'static str,
    pub(super) schema: &'static str,
    pub(super) example: &'static str,
}

const USERNAME: Place = Place { name: "username", text: "The user.", schema: "Username", example: "anna" };
const ADMIN: Place = Place { name: "username", text: "The admin.", schema: "Username", example: "admin" };
const GID: Place = Place { name: "gid", text: "The group.", schema: "Id", example: "10000001" };
const ROOM: Place = Place { name: "room_id", text: "The chatroom.", schema: "Id", example: "10000002" };
const MSGID: Place =
    Place { name: "msgid", text: "The message: `msg_id` of the answer that sent it.", schema: "Id", example: "1" };

/// Begins an endpoint's documentation. What the path names may be missing, which is an error of its own.
pub(super) fn doc(method: &'static str, pattern: &'static str, summary: &'static str, text: &'static str) -> Doc {
    let mut doc = Doc {
        method,
        pattern,
        summary,
        text,
        query: Vec::new(),
        body: Body::Nothing,
        answers: Vec::new(),
        errors: Vec::new(),
        refused_as: None,
        takes_key: false,
        deprecated: false,
    };
    let missing = doc.places().into_iter().filter_map(|place| match place.name {
        "username" => Some(NO_USER),
        "gid" => Some(NO_GROUP),
        "room_id" => Some(NO_ROOM),
        _ => None,
    });
    doc.errors = missing.collect();
    doc
}

impl Doc {
    /// The placeholders of the pattern, by the segments around them.
    pub(super) fn places(&self) -> Vec<Place> {
        let segments: Vec<&str> = self.pattern.split('/').collect();
        let subject = segments.iter().find(|part| !["v1", "v2", "cross"].contains(*part)).copied();
        let first = match subject {
            Some("groups") => GID,
            Some("chatroom" | "chatrooms") => ROOM,
            Some("admins") => ADMIN,
            _ => USERNAME,
        };
        let second = if subject == Some("messages") { MSGID } else { USERNAME };
        [first, second].into_iter().take(segments.iter().filter(|part| **part == "*").count()).collect()
    }

    /// The path as people read it: `/v1/users/{username}`.
    pub(super) fn path(&self) -> String {
        self.filled(|place| format!("{{{}}}", place.name))
    }

    /// The pattern with something for each placeholder.
    pub(super) fn filled(&self, with: impl Fn(&Place) -> String) -> String {
        let mut places = self.places().into_iter();
        let parts = self.pattern.split('/').map(|part| match part {
            "*" => places.next().map(|place| with(&place)).unwrap_or_default(),
            literal => literal.to_owned(),
        });
        parts.fold(String::new(), |path, part| path + "/" + &part)
    }

    /// Everything that it may be refused with.
    pub(super) fn refusals(&self) -> impl Iterator<Item = Documented> {
        COMMON.iter().chain(&self.errors).copied()
    }

    /// What the table has to say of the body.
    #[cfg(test)]
    pub(super) fn takes(&self) -> TakesBody {
        match self.body {
            Body::Nothing => TakesBody::No,
            Body::Json { .. } => TakesBody::Json,
            Body::File => TakesBody::Stream,
        }
    }

    pub(super) fn query(mut self, query: impl IntoIterator<Item = Query>) -> Self {
        self.query.extend(query);
        self
    }

    pub(super) fn json(mut self, schema: Value, example: Value) -> Self {
        self.body = Body::Json { schema, example, required: true };
        self
    }

    /// A body that may be left out.
    pub(super) fn json_or_nothing(mut self, schema: Value, example: Value) -> Self {
        self.body = Body::Json { schema, example, required: false };
        self
    }

    pub(super) fn file(mut self) -> Self {
        self.body = Body::File;
        self
    }

    pub(super) fn answers(mut self, status: u16, text: &'static str, schema: Value, example: Value) -> Self {
        self.answers.push(Success { status, text, body: Some((schema, example)) });
        self
    }

    /// Answers without a body.
    pub(super) fn done(mut self, status: u16, text: &'static str) -> Self {
        self.answers.push(Success { status, text, body: None });
        self
    }

    pub(super) fn errors(mut self, errors: &[Documented]) -> Self {
        self.errors.extend(errors);
        self
    }

    pub(super) fn refused_as(mut self, statuses: &'static [u16], schema: Value) -> Self {
        self.refused_as = Some((statuses, schema));
        self
    }

    /// Takes an `Idempotency-Key`.
    pub(super) fn keyed(mut self) -> Self {
        self.takes_key = true;
        self
    }

    pub(super) fn deprecated(mut self) -> Self {
        self.deprecated = true;
        self
    }
}

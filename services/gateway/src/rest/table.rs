//! Every endpoint of the API, one row each. A new one is a handler and a row.

use futures_util::future::BoxFuture;
use http::Method;

use super::call::{Call, Outcome};
use super::dispatch::same_method;
use super::path::{self, Path};
use super::{
    blacklist, cross, friends, groups, history, messages, nodisturb, registration, resource, retract, rooms, shield, statistics,
    users, userstat, words,
};

/// What serves an endpoint.
pub(crate) type Handler = fn(Call) -> BoxFuture<'static, Outcome>;

/// What is done with a request's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TakesBody {
    /// It is ignored, whatever it is.
    No,
    /// It is read before the handler begins.
    Json,
    /// The handler reads it while it streams.
    Stream,
}

/// An endpoint.
pub(crate) struct Row {
    pub(crate) method: &'static str,
    /// Segments, the version first; `*` stands for one segment. A literal wins over a placeholder.
    pub(crate) pattern: &'static str,
    pub(crate) body: TakesBody,
    pub(crate) handler: Handler,
}

macro_rules! table {
    ($($method:ident $pattern:literal $body:ident $module:ident :: $handler:ident;)*) => {
        pub(crate) const TABLE: &[Row] = &[$(Row {
            method: stringify!($method),
            pattern: $pattern,
            body: table!(@ $body),
            handler: |call| Box::pin($module::$handler(call)),
        }),*];
    };
    (@ json) => { TakesBody::Json };
    (@ bare) => { TakesBody::No };
    (@ file) => { TakesBody::Stream };
}

table! {
    POST   "v1/users"                       json users::register;
    GET    "v1/users"                       bare users::list;
    DELETE "v1/users"                       json users::delete_many;
    GET    "v1/users/*"                     bare users::get;
    PUT    "v1/users/*"                     json users::update;
    DELETE "v1/users/*"                     bare users::delete;
    PUT    "v1/users/*/password"            json users::password;
    PUT    "v1/users/*/forbidden"           bare users::forbidden;
    POST   "v1/admins"                      json users::register_admin;
    GET    "v1/admins"                      bare users::list_admins;
    GET    "v1/admins/*"                    bare users::get_admin;
    PUT    "v1/admins/*"                    json users::update_admin;
    POST   "v1/users/userstat"              json userstat::many;
    GET    "v1/users/*/userstat"            bare userstat::one;
    POST   "v2/users/statuser"              json userstat::many_v2;
    POST   "v2/users/userstat"              json userstat::many_v2;
    PUT    "v1/users/*/blacklist"           json blacklist::add;
    DELETE "v1/users/*/blacklist"           json blacklist::remove;
    GET    "v1/users/*/blacklist"           bare blacklist::list;
    POST   "v1/users/*/nodisturb"           json nodisturb::change;
    POST   "v1/users/*/groupsShield"        json shield::change;
    POST   "v1/users/*/friends"             json friends::add;
    DELETE "v1/users/*/friends"             json friends::remove;
    PUT    "v1/users/*/friends"             json friends::note;
    GET    "v1/users/*/friends"             bare friends::list;
    GET    "v1/users/*/groups"              bare groups::of_user;
    GET    "v1/users/*/chatroom"            bare rooms::of_user;
    POST   "v1/messages"                    json messages::send;
    POST   "v1/messages/*/*/retract"        bare retract::retract;
    GET    "v1/resource"                    bare resource::address;
    POST   "v1/resource"                    file resource::upload;
    POST   "v1/groups"                      json groups::create;
    GET    "v1/groups"                      bare groups::list;
    GET    "v1/groups/*"                    bare groups::get;
    PUT    "v1/groups/*"                    json groups::update;
    DELETE "v1/groups/*"                    bare groups::delete;
    PUT    "v1/groups/owner/*"              json groups::transfer;
    PUT    "v1/groups/messages/*/silence"   json groups::silence;
    GET    "v1/groups/*/members"            bare groups::members;
    POST   "v1/groups/*/members"            json groups::change_members;
    POST   "v2/groups/*/addMembers"         json groups::add_members;
    POST   "v2/groups/*/delMembers"         json groups::remove_members;
    POST   "v1/chatroom"                    json rooms::create;
    GET    "v1/chatroom"                    bare rooms::list;
    POST   "v1/chatroom/batch"              json rooms::batch;
    PUT    "v1/chatroom/*"                  json rooms::update;
    DELETE "v1/chatroom/*"                  bare rooms::delete;
    PUT    "v1/chatroom/*/forbidden/*"      bare rooms::mute;
    GET    "v1/chatroom/*/members"          bare rooms::members;
    PUT    "v1/chatroom/*/members"          json rooms::add_members;
    DELETE "v1/chatroom/*/members"          json rooms::remove_members;
    POST   "v1/cross/groups/*/members"      json cross::change_members;
    GET    "v1/cross/groups/*/members"      bare cross::members;
    GET    "v1/cross/users/*/groups"        bare cross::groups_of;
    PUT    "v1/cross/users/*/blacklist"     json cross::add_to_blacklist;
    DELETE "v1/cross/users/*/blacklist"     json cross::remove_from_blacklist;
    GET    "v1/cross/users/*/blacklist"     bare cross::blacklist;
    POST   "v1/cross/users/*/nodisturb"     json cross::nodisturb;
    POST   "v1/cross/users/*/friends"       json cross::add_friends;
    DELETE "v1/cross/users/*/friends"       json cross::remove_friends;
    PUT    "v1/cross/users/*/friends"       json cross::note_friends;
    POST   "v1/cross/chatroom/*/members"    json cross::change_room_members;
    POST   "v1/sensitiveword"               json words::add;
    PUT    "v1/sensitiveword"               json words::replace;
    DELETE "v1/sensitiveword"               json words::remove;
    GET    "v1/sensitiveword"               bare words::list;
    GET    "v1/sensitiveword/status"        bare words::get_status;
    PUT    "v1/sensitiveword/status"        json words::set_status;
    GET    "v1/sdkregister/status"          bare registration::get;
    PUT    "v1/sdkregister/status"          json registration::set;
    GET    "v1/messages"                    bare history::of_app_v1;
    GET    "v1/users/*/messages"            bare history::of_user_v1;
    GET    "v2/messages"                    bare history::of_app;
    GET    "v2/users/*/messages"            bare history::of_user;
    GET    "v2/groups/*/messages"           bare history::of_group;
    GET    "v2/chatrooms/*/messages"        bare history::of_room;
    GET    "v2/statistic/users"             bare statistics::users;
    GET    "v2/statistic/messages"          bare statistics::messages;
    GET    "v2/statistic/groups"            bare statistics::groups;
}

/// An endpoint as others may know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    /// The method.
    pub method: &'static str,
    /// Segments, the version first; `*` stands for one segment.
    pub pattern: &'static str,
    /// Whether a JSON body is read.
    pub takes_body: bool,
}

/// Every endpoint of the API.
pub fn endpoints() -> impl Iterator<Item = Endpoint> {
    TABLE.iter().map(|row| Endpoint { method: row.method, pattern: row.pattern, takes_body: row.body == TakesBody::Json })
}

/// The endpoint that a request line leads to.
pub fn endpoint_of(method: &Method, path: &str) -> Option<Endpoint> {
    let Path::Segments(segments) = path::read(path) else { return None };
    match find(method, &segments) {
        Found::Row(row, _) => endpoints().find(|endpoint| (endpoint.method, endpoint.pattern) == (row.method, row.pattern)),
        Found::OtherMethod | Found::Nothing => None,
    }
}

/// What a path and method lead to.
pub(crate) enum Found {
    /// An endpoint, with the texts of its placeholders.
    Row(&'static Row, Vec<String>),
    /// The path is there with another method only.
    OtherMethod,
    /// No such path.
    Nothing,
}

/// Finds the endpoint of a path. A user may be called like a literal segment: the method tells which is meant.
pub(crate) fn find(method: &Method, path: &[String]) -> Found {
    let mut best: Option<(&'static Row, Vec<String>)> = None;
    let mut other_method = false;
    for row in TABLE {
        let Some(params) = matches(row.pattern, path) else { continue };
        if !same_method(method, row.method) {
            other_method = true;
            continue;
        }
        if best.as_ref().is_none_or(|(_, fewest)| params.len() < fewest.len()) {
            best = Some((row, params));
        }
    }
    match best {
        Some((row, params)) => Found::Row(row, params),
        None if other_method => Found::OtherMethod,
        None => Found::Nothing,
    }
}

/// The methods that a path has, as the `Allow` header lists them.
pub(crate) fn allowed(path: &str) -> String {
    let Path::Segments(segments) = path::read(path) else { return String::new() };
    let rows = TABLE.iter().filter(|row| matches(row.pattern, &segments).is_some());
    rows.map(|row| row.method).collect::<Vec<_>>().join(", ")
}

fn matches(pattern: &str, path: &[String]) -> Option<Vec<String>> {
    let mut params = Vec::new();
    let mut segments = path.iter();
    for part in pattern.split('/') {
        let segment = segments.next()?;
        match part {
            "*" => params.push(segment.clone()),
            literal if literal == segment => {}
            _ => return None,
        }
    }
    segments.next().is_none().then_some(params)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(method: Method, path: &[&str]) -> String {
        match find(&method, &path.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>()) {
            Found::Row(row, params) => format!("{} {params:?}", row.pattern),
            Found::OtherMethod => "405".into(),
            Found::Nothing => "404".into(),
        }
    }

    #[test]
    fn a_user_may_be_called_like_an_endpoint() {
        assert_eq!(pattern(Method::POST, &["v1", "users", "userstat"]), "v1/users/userstat []");
        assert_eq!(pattern(Method::GET, &["v1", "users", "userstat"]), r#"v1/users/* ["userstat"]"#);
        assert_eq!(pattern(Method::POST, &["v1", "users", "tommy"]), "405");
        assert_eq!(pattern(Method::GET, &["v1", "users", "tommy", "more"]), "404");
        assert_eq!(pattern(Method::POST, &["v1", "groups", "1", "addMembers"]), "404");
    }

    #[test]
    fn what_a_path_allows_is_of_every_row_that_it_leads_to() {
        assert_eq!(allowed("/v1/users/userstat/"), "GET, PUT, DELETE, POST");
        assert_eq!(allowed("/v1/messages/a/1/retract"), "POST");
        assert_eq!(allowed("/v1/nothing"), "");
    }

    #[test]
    fn no_endpoint_has_two_rows() {
        let mut seen = std::collections::HashSet::new();
        assert!(TABLE.iter().all(|row| seen.insert((row.method, row.pattern))));
    }
}

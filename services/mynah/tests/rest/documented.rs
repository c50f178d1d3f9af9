//! Whatever a test gets from the server has a status and codes that the API's description lists for that endpoint.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use http::Method;
use mynah_gateway::{endpoint_of, openapi};
use serde_json::{Value, json};

use crate::world::{Answer, App, Server};

/// Method and pattern of an endpoint.
type Name = (String, String);
/// The statuses that an endpoint may answer, and the codes with each.
type Answers = HashMap<u16, HashSet<u64>>;

static DESCRIBED: LazyLock<HashMap<Name, Answers>> = LazyLock::new(|| {
    let document = openapi();
    let calls = document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap());
    calls.map(|(method, call)| ((method.to_uppercase(), call["x-pattern"].as_str().unwrap().to_owned()), answers(call))).collect()
});

fn answers(call: &Value) -> Answers {
    let codes = |answer: &Value| answer["x-codes"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
    call["responses"].as_object().unwrap().iter().map(|(status, answer)| (status.parse().unwrap(), codes(answer))).collect()
}

/// Every code in an answer: of its one refusal, or of the elements that were refused.
fn codes(answer: &Answer) -> HashSet<u64> {
    let elements = answer.body.as_array().map(Vec::as_slice).unwrap_or_default();
    elements.iter().chain([&answer.body]).filter_map(|one| one["error"]["code"].as_u64()).collect()
}

/// Panics on what is not described. Elements of a registration have codes under the statuses that they would have alone.
pub fn check(method: &str, path: &str, answer: &Answer) {
    let path = path.split('?').next().unwrap();
    let (codes, status) = (codes(answer), answer.status);
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let Some(endpoint) = endpoint_of(&method, path) else {
        let anywhere = [400, 401, 404, 405, 429, 503].contains(&status) && codes.len() == 1;
        let ours = ["/ui", "/media", "/openapi.json"].iter().any(|prefix| path.starts_with(prefix));
        return assert!(anywhere || ours, "{method} {path} is no endpoint: {answer:?}");
    };
    let name = (endpoint.method.to_owned(), endpoint.pattern.to_owned());
    let described = DESCRIBED.get(&name).unwrap_or_else(|| panic!("{name:?} is not described"));
    let what = || format!("{} {} does not describe {status} {codes:?}: {answer:?}", endpoint.method, endpoint.pattern);
    let of_status = described.get(&status).unwrap_or_else(|| panic!("{}", what()));
    let each: HashSet<u64> =
        if answer.body.is_array() { described.values().flatten().copied().collect() } else { of_status.clone() };
    assert!(codes.is_subset(&each), "{}", what());
    assert!(status < 400 || !codes.is_empty(), "{}", what());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_is_given_to_everybody_and_may_be_kept() {
    let server = Server::start().await;
    let app = App { authorization: None, ..server.app().await };
    let answer = app.call("GET", "/openapi.json", &Value::Null).await;
    assert_eq!((answer.status, &answer.body["openapi"]), (200, &json!("3.1.0")));
    assert_eq!(answer.headers["cache-control"], "public, max-age=300");
    assert_eq!(answer.body, openapi());
}

/// HTTP wants it, and programs that test APIs look for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_method_is_told_which_ones_there_are() {
    let app = Server::start().await.app().await;
    for (path, methods) in
        [("/v1/users/anna/password", "PUT"), ("/groups/1/", "GET, PUT, DELETE"), ("/v2/users/userstat", "POST")]
    {
        let answer = app.call("TRACE", path, &Value::Null).await;
        assert_eq!((answer.status, answer.headers["allow"].to_str().unwrap()), (405, methods), "{path}");
    }
    assert!(app.call("GET", "/v1/nothing", &Value::Null).await.headers.get("allow").is_none());
}

#[test]
#[should_panic(expected = "GET v1/users/* does not describe 403")]
fn what_is_not_described_is_found() {
    let body = json!({"error": {"code": 899_016, "message": "no"}});
    check("GET", "/users/anna/", &Answer { status: 403, bytes: Vec::new(), body, headers: http::HeaderMap::new() });
}

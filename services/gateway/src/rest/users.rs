//! Users and admins.

use mynah_proto::Failure;
use mynah_proto::directory::{
    DeleteUsersRequest, GetUserRequest, ListRequest, NewUser, RegisterRequest, SetDisabledRequest, SetPasswordRequest,
    UpdateUserRequest, User, UserPage,
};
use mynah_types::Reason;
use serde_json::{Map, Value};

use super::call::{Answer, Call, Outcome};
use super::lenient::{Fields, names};
use super::query::Page;
use super::refusal::Refusal;
use super::{profile, show};

/// Users of one registration.
const REGISTRATIONS: usize = 500;
/// Users of one deletion.
const DELETIONS: usize = 100;
/// Rows of one page.
const PAGE: u32 = 500;

fn new_user(element: &Value) -> Result<NewUser, Refusal> {
    let fields = Fields::of("users", element)?;
    Ok(NewUser {
        username: fields.required("username")?.to_owned(),
        password: fields.required("password")?.to_owned(),
        password_is_md5: false,
        profile: Some(profile::read(fields)?),
    })
}

pub(crate) async fn register(call: Call) -> Outcome {
    let body = call.json()?;
    let elements = body.as_array().ok_or_else(|| Refusal::invalid("body", "must be an array of users"))?;
    if elements.is_empty() || !elements.iter().all(Value::is_object) {
        return Err(Refusal::invalid("body", "must be an array of users"));
    }
    if elements.len() > REGISTRATIONS {
        return Err(Refusal::new(400, 899_013, "User list is bigger than 500"));
    }
    let read: Vec<Result<NewUser, Refusal>> = elements.iter().map(new_user).collect();
    let users: Vec<NewUser> = read.iter().filter_map(|user| user.clone().ok()).collect();
    let mut results = Vec::new();
    if !users.is_empty() {
        let request = RegisterRequest { app_id: call.app.app_id, users, admin: false, by_device: false };
        results = call.directory().register(request).await?.results;
    }
    let mut results = results.into_iter();
    let mut answers = Vec::with_capacity(elements.len());
    let (mut any_made, mut first_refusal) = (false, None);
    for (element, user) in elements.iter().zip(read) {
        let made = match user {
            Ok(user) => match results.next().and_then(|result| result.failure) {
                Some(failure) => Err(Refusal::from(failure)),
                None => Ok(user),
            },
            Err(refusal) => Err(refusal),
        };
        any_made |= made.is_ok();
        answers.push(registered(element, made.as_ref()));
        if let Err(refusal) = made {
            first_refusal.get_or_insert(refusal);
        }
    }
    let status = if any_made { 201 } else { first_refusal.map_or(201, |refusal| refusal.status) };
    Ok(Answer { status, body: Some(Value::Array(answers)) })
}

/// One element of a registration's answer.
fn registered(element: &Value, made: Result<&NewUser, &Refusal>) -> Value {
    let mut members = Map::new();
    if let Some(name) = element.get("username").and_then(Value::as_str) {
        members.insert("username".into(), name.into());
    }
    match made {
        Ok(user) => profile::echo(&mut members, user.profile.as_ref().unwrap_or(&Default::default())),
        Err(refusal) => _ = members.insert("error".into(), refusal.error()),
    }
    Value::Object(members)
}

/// One admin, as an object or as an array of one. The answer has no body.
pub(crate) async fn register_admin(call: Call) -> Outcome {
    let body = call.json()?;
    let element = match body.as_array().map(Vec::as_slice) {
        None => &body,
        Some([one]) => one,
        Some(_) => return Err(Refusal::invalid("body", "must be one admin")),
    };
    let users = vec![new_user(element)?];
    let request = RegisterRequest { app_id: call.app.app_id, users, admin: true, by_device: false };
    let reply = call.directory().register(request).await?;
    match reply.results.into_iter().next().and_then(|result| result.failure) {
        Some(failure) => Err(failure.into()),
        None => Ok(Answer { status: 201, body: None }),
    }
}

pub(crate) async fn list(call: Call) -> Outcome {
    let page = call.query.page(PAGE)?;
    let users = call.directory().list_users(list_request(&call, page)).await?;
    Answer::ok(user_page(&call, page, &users, true))
}

pub(crate) async fn list_admins(call: Call) -> Outcome {
    let page = call.query.page(PAGE)?;
    let users = call.directory().list_admins(list_request(&call, page)).await?;
    Answer::ok(user_page(&call, page, &users, false))
}

fn list_request(call: &Call, page: Page) -> ListRequest {
    ListRequest { app_id: call.app.app_id, start: page.start, count: page.count }
}

fn user_page(call: &Call, page: Page, users: &UserPage, with_appkey: bool) -> Value {
    let shown = users.users.iter().map(|user| {
        let mut members = show::user(user, call.zone());
        if !with_appkey {
            members.remove("appkey");
        }
        Value::Object(members)
    });
    show::page(users.total, page.start, "users", shown.collect())
}

pub(crate) async fn get(call: Call) -> Outcome {
    let username = call.username()?;
    let user = call.directory().get_user(GetUserRequest { app_id: call.app.app_id, username, uid: 0 }).await?;
    Answer::ok(Value::Object(show::user(&user, call.zone())))
}

pub(crate) async fn update(call: Call) -> Outcome {
    let username = call.username()?;
    let body = call.json()?;
    let profile = Some(profile::read(Fields::of("body", &body)?)?);
    call.directory().update_user(UpdateUserRequest { app_id: call.app.app_id, username, profile }).await?;
    Answer::done()
}

pub(crate) async fn delete(call: Call) -> Outcome {
    let usernames = vec![call.username()?];
    call.directory().delete_users(DeleteUsersRequest { app_id: call.app.app_id, usernames, path_user: true }).await?;
    Answer::done()
}

pub(crate) async fn delete_many(call: Call) -> Outcome {
    let usernames = names("body", &call.json()?, DELETIONS)?;
    call.directory().delete_users(DeleteUsersRequest { app_id: call.app.app_id, usernames, path_user: false }).await?;
    Answer::done()
}

pub(crate) async fn password(call: Call) -> Outcome {
    let username = call.username()?;
    let body = call.json()?;
    let new_password = Fields::of("body", &body)?.required("new_password")?.to_owned();
    let request = SetPasswordRequest { app_id: call.app.app_id, username, new_password, ..Default::default() };
    call.directory().set_password(request).await?;
    Answer::done()
}

pub(crate) async fn forbidden(call: Call) -> Outcome {
    let username = call.username()?;
    let disabled = call.query.boolean("disable")?;
    call.directory().set_disabled(SetDisabledRequest { app_id: call.app.app_id, username, disabled }).await?;
    Answer::done()
}

/// An admin by the admins' path: who is no admin is not there.
async fn admin(call: &Call) -> Result<User, Refusal> {
    let username = call.username()?;
    let user = call.directory().get_user(GetUserRequest { app_id: call.app.app_id, username, uid: 0 }).await?;
    if user.admin { Ok(user) } else { Err(Failure::new(Reason::UserNotFound, "no such user").into()) }
}

pub(crate) async fn get_admin(call: Call) -> Outcome {
    let user = admin(&call).await?;
    Answer::ok(Value::Object(show::user(&user, call.zone())))
}

pub(crate) async fn update_admin(call: Call) -> Outcome {
    let username = call.username()?;
    let body = call.json()?;
    let profile = Some(profile::read(Fields::of("body", &body)?)?);
    admin(&call).await?;
    call.directory().update_user(UpdateUserRequest { app_id: call.app.app_id, username, profile }).await?;
    Answer::done()
}

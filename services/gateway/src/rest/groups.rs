//! Groups.

use mynah_proto::directory::{
    ChangeMembersRequest, CreateGroupRequest, GetUserRequest, GroupMember, GroupRequest, ListRequest, SilenceRequest,
    TransferGroupRequest, UpdateGroupRequest,
};
use serde_json::{Value, json};

use super::call::{Answer, Call, Outcome};
use super::lenient::{Fields, names};
use super::refusal::Refusal;
use super::show;

/// Names in one change of members.
const NAMES: usize = 500;
/// Rows of one page.
const PAGE: u32 = 500;
/// The role of a group's owner.
const OWNER: u32 = 2;

pub(crate) async fn create(call: Call) -> Outcome {
    let body = call.json()?;
    let fields = Fields::of("body", &body)?;
    let flag = match fields.integer("flag")? {
        None => 1,
        Some(flag) => u32::try_from(flag).ok().filter(|f| [1, 2].contains(f)).ok_or_else(bad_flag)?,
    };
    let text = |name| fields.text(name).map(|text| text.unwrap_or_default().to_owned());
    // How many fit is the group's rule (899012), not a bound of the list.
    let members = fields.names("members_username", usize::MAX)?;
    if members.len() > usize::try_from(call.app.max_group_members).unwrap_or(usize::MAX) {
        return Err(Refusal::new(400, 899_012, "No enough space for members"));
    }
    let request = CreateGroupRequest {
        app_id: call.app.app_id,
        owner: fields.required("owner_username")?.to_owned(),
        name: fields.required("name")?.to_owned(),
        desc: text("desc")?,
        avatar: text("avatar")?,
        flag,
        members: members.clone(),
    };
    let group = call.directory().create_group(request).await?;
    let mut shown = show::group(&group, call.zone());
    let owner = group.owner.map(|owner| owner.username).unwrap_or_default();
    let members: Vec<Value> = members.into_iter().filter(|name| *name != owner).map(Value::from).collect();
    shown.insert("members_username".into(), members.into());
    Answer::created(Value::Object(shown))
}

fn bad_flag() -> Refusal {
    Refusal::invalid("flag", "must be 1 or 2")
}

pub(crate) async fn list(call: Call) -> Outcome {
    let page = call.query.page(PAGE)?;
    let request = ListRequest { app_id: call.app.app_id, start: page.start, count: page.count };
    let groups = call.directory().list_groups(request).await?;
    let shown = groups.groups.iter().map(|group| Value::Object(show::group(group, call.zone())));
    Answer::ok(show::page(groups.total, page.start, "groups", shown.collect()))
}

fn one(call: &Call) -> Result<GroupRequest, Refusal> {
    Ok(GroupRequest { app_id: call.app.app_id, gid: call.number(0, "gid")?, member_uid: 0 })
}

pub(crate) async fn get(call: Call) -> Outcome {
    let group = call.directory().get_group(one(&call)?).await?;
    Answer::ok(Value::Object(show::group(&group, call.zone())))
}

pub(crate) async fn update(call: Call) -> Outcome {
    let gid = call.number(0, "gid")?;
    let body = call.json()?;
    let fields = Fields::of("body", &body)?;
    let text = |name| fields.text(name).map(|text| text.map(str::to_owned));
    let (name, desc, avatar) = (text("name")?, text("desc")?, text("avatar")?);
    call.directory().update_group(UpdateGroupRequest { app_id: call.app.app_id, gid, name, desc, avatar }).await?;
    Answer::done()
}

/// The new owner is named with or without the app's key, in either spelling of it.
pub(crate) async fn transfer(call: Call) -> Outcome {
    let gid = call.number(0, "gid")?;
    let body = call.json()?;
    let fields = Fields::of("body", &body)?;
    let username = fields.required("username")?.to_owned();
    let appkey = match fields.text("appkey")? {
        Some(appkey) => Some(appkey),
        None => fields.text("appKey")?,
    };
    let appkey = appkey.map(|appkey| appkey.trim().to_owned()).unwrap_or_default();
    call.directory().transfer_group(TransferGroupRequest { app_id: call.app.app_id, gid, username, appkey }).await?;
    Answer::done()
}

pub(crate) async fn silence(call: Call) -> Outcome {
    let gid = call.number(0, "gid")?;
    let silenced = call.query.boolean("status")?;
    let usernames = names("body", &call.json()?, NAMES)?;
    call.directory().silence(SilenceRequest { app_id: call.app.app_id, gid, usernames, silenced }).await?;
    Answer::done()
}

pub(crate) async fn delete(call: Call) -> Outcome {
    call.directory().delete_group(one(&call)?).await?;
    Answer::done()
}

/// Members of the calling app; all are in the list across apps.
pub(crate) async fn members(call: Call) -> Outcome {
    let members = call.directory().members(one(&call)?).await?.members;
    let own = members.iter().filter(|member| member.user.as_ref().is_some_and(|user| user.appkey == call.app.appkey));
    Answer::ok(own.map(|of| member(&call, of)).collect())
}

/// A member as lists show him.
pub(crate) fn member(call: &Call, member: &GroupMember) -> Value {
    let mut shown = member.user.as_ref().map(|user| show::user(user, call.zone())).unwrap_or_default();
    shown.insert("flag".into(), json!(u8::from(member.role == OWNER)));
    Value::Object(shown)
}

/// The groups of the calling app that a user is in.
pub(crate) async fn of_user(call: Call) -> Outcome {
    let username = call.username()?;
    let request = GetUserRequest { app_id: call.app.app_id, username, uid: 0 };
    let groups = call.directory().groups_of(request).await?.groups;
    let own = groups.iter().filter(|group| group.appkey == call.app.appkey);
    Answer::ok(own.map(|group| Value::Object(show::group(group, call.zone()))).collect())
}

pub(crate) async fn change_members(call: Call) -> Outcome {
    let gid = call.number(0, "gid")?;
    let body = call.json()?;
    let fields = Fields::of("body", &body)?;
    let (add, remove) = (fields.names("add", NAMES)?, fields.names("remove", NAMES)?);
    if add.is_empty() && remove.is_empty() {
        return Err(Refusal::invalid("add", "or remove must name at least one user"));
    }
    change(&call, gid, add, remove).await
}

pub(crate) async fn add_members(call: Call) -> Outcome {
    let gid = call.number(0, "gid")?;
    let add = names("body", &call.json()?, NAMES)?;
    change(&call, gid, add, Vec::new()).await
}

pub(crate) async fn remove_members(call: Call) -> Outcome {
    let gid = call.number(0, "gid")?;
    let remove = names("body", &call.json()?, NAMES)?;
    change(&call, gid, Vec::new(), remove).await
}

async fn change(call: &Call, gid: u64, add: Vec<String>, remove: Vec<String>) -> Outcome {
    call.directory()
        .change_members(ChangeMembersRequest { app_id: call.app.app_id, id: gid, add, remove, cross: Vec::new() })
        .await?;
    Answer::done()
}

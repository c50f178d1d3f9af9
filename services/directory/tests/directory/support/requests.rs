//! Requests as most tests make them.

use mynah_proto::directory as wire;

pub fn new_user(name: &str) -> wire::NewUser {
    wire::NewUser { username: name.into(), password: "password".into(), ..Default::default() }
}

pub fn by_password(app: u64, name: &str, platform: &str, device: &str) -> wire::LoginRequest {
    wire::LoginRequest {
        app_id: app,
        username: name.into(),
        password: "password".into(),
        platform: platform.into(),
        device_id: device.into(),
        kick_others: true,
        ..Default::default()
    }
}

pub fn named(app: u64, name: &str) -> wire::GetUserRequest {
    wire::GetUserRequest { app_id: app, username: name.into(), uid: 0 }
}

pub fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

pub fn new_group(app: u64, owner: &str, members: &[&str]) -> wire::CreateGroupRequest {
    wire::CreateGroupRequest {
        app_id: app,
        owner: owner.into(),
        name: "the group".into(),
        members: strings(members),
        ..Default::default()
    }
}

pub fn members(app: u64, id: u64, add: &[&str], remove: &[&str]) -> wire::ChangeMembersRequest {
    wire::ChangeMembersRequest { app_id: app, id, add: strings(add), remove: strings(remove), cross: vec![] }
}

//! Users, groups and rooms as the API shows them: a member without a value is left out.

use mynah_proto::directory::{Group, Profile, Room, User};
use serde_json::{Map, Value, json};
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

const DATE_TIME: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");

/// A time without a zone, in the zone that is set.
pub(crate) fn time(ms: u64, zone_minutes: i32) -> String {
    let seconds = i64::try_from(ms / 1000).unwrap_or(0);
    let offset = UtcOffset::from_whole_seconds(zone_minutes.saturating_mul(60)).unwrap_or(UtcOffset::UTC);
    let utc = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    // A format without optional parts does not fail on a valid time.
    utc.to_offset(offset).format(DATE_TIME).unwrap_or_default()
}

/// Puts a text where there is one.
fn put(members: &mut Map<String, Value>, name: &str, text: Option<&str>) {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        members.insert(name.into(), text.into());
    }
}

fn profile(members: &mut Map<String, Value>, profile: &Profile) {
    put(members, "nickname", profile.nickname.as_deref());
    put(members, "avatar", profile.avatar.as_deref());
    if let Some(date) = profile.birthday.as_deref().filter(|date| !date.is_empty()) {
        members.insert("birthday".into(), format!("{date} 00:00:00").into());
    }
    put(members, "signature", profile.signature.as_deref());
    if let Some(gender) = profile.gender {
        members.insert("gender".into(), gender.into());
    }
    put(members, "region", profile.region.as_deref());
    put(members, "address", profile.address.as_deref());
    if let Some(Ok(extras)) = profile.extras.as_deref().map(serde_json::from_slice::<Value>) {
        members.insert("extras".into(), extras);
    }
}

/// A user object.
pub(crate) fn user(user: &User, zone_minutes: i32) -> Map<String, Value> {
    let mut members = Map::new();
    members.insert("username".into(), user.username.as_str().into());
    members.insert("appkey".into(), user.appkey.as_str().into());
    if let Some(of) = &user.profile {
        profile(&mut members, of);
    }
    members.insert("ctime".into(), time(user.ctime_ms, zone_minutes).into());
    members.insert("mtime".into(), time(user.mtime_ms, zone_minutes).into());
    members
}

/// A group object.
pub(crate) fn group(group: &Group, zone_minutes: i32) -> Map<String, Value> {
    let mut members = Map::new();
    members.insert("gid".into(), group.gid.into());
    members.insert("name".into(), group.name.as_str().into());
    put(&mut members, "desc", Some(&group.desc));
    put(&mut members, "avatar", Some(&group.avatar));
    members.insert("appkey".into(), group.appkey.as_str().into());
    members.insert("flag".into(), group.flag.into());
    put(&mut members, "owner_username", group.owner.as_ref().map(|owner| owner.username.as_str()));
    members.insert("MaxMemberCount".into(), group.max_members.into());
    members.insert("ctime".into(), time(group.ctime_ms, zone_minutes).into());
    members.insert("mtime".into(), time(group.mtime_ms, zone_minutes).into());
    members
}

/// A chatroom object.
pub(crate) fn room(room: &Room, zone_minutes: i32) -> Map<String, Value> {
    let mut members = Map::new();
    members.insert("id".into(), room.room_id.into());
    put(&mut members, "owner_username", room.owner.as_ref().map(|owner| owner.username.as_str()));
    members.insert("max_member_count".into(), room.max_members.into());
    members.insert("appkey".into(), room.appkey.as_str().into());
    members.insert("name".into(), room.name.as_str().into());
    put(&mut members, "description", Some(&room.description));
    members.insert("total_member_count".into(), room.members.into());
    members.insert("ctime".into(), time(room.ctime_ms, zone_minutes).into());
    members
}

/// A page of a list: `total` is all there are, `count` what is here.
pub(crate) fn page(total: u64, start: u64, list: &str, items: Vec<Value>) -> Value {
    json!({"total": total, "start": start, "count": items.len(), list: items})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_of_the_zone_that_is_set() {
        assert_eq!(time(1_446_016_259_999, 480), "2015-10-28 15:10:59");
        assert_eq!(time(1_446_016_259_999, 0), "2015-10-28 07:10:59");
    }

    #[test]
    fn what_has_no_value_is_left_out() {
        let of = User { username: "tommy".into(), ..User::default() };
        let shown = user(&of, 0);
        assert_eq!(shown.keys().collect::<Vec<_>>(), ["appkey", "ctime", "mtime", "username"]);
        let profile = Profile {
            nickname: Some(String::new()),
            gender: Some(0),
            birthday: Some("1990-01-24".into()),
            extras: Some(b"{}".to_vec()),
            ..Profile::default()
        };
        let shown = user(&User { profile: Some(profile), ..of }, 0);
        assert_eq!(shown.get("gender"), Some(&json!(0)));
        assert_eq!(shown.get("birthday"), Some(&json!("1990-01-24 00:00:00")));
        assert_eq!(shown.get("extras"), Some(&json!({})));
        assert!(!shown.contains_key("nickname"));
    }
}

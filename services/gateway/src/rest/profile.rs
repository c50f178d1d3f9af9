//! Profiles as bodies give them. Lengths and forms are the directory's to check.

use mynah_proto::directory::Profile;
use serde_json::{Map, Value};

use super::lenient::Fields;
use super::refusal::Refusal;

/// Reads the profile members of a body.
pub(crate) fn read(fields: Fields<'_>) -> Result<Profile, Refusal> {
    let text = |name| fields.text(name).map(|text| text.map(str::to_owned));
    let gender = match fields.integer("gender")? {
        // One client sends -1 for "not set".
        None | Some(-1) => None,
        Some(number) => Some(u32::try_from(number).map_err(|_| Refusal::invalid("gender", "must be 0, 1 or 2"))?),
    };
    Ok(Profile {
        nickname: text("nickname")?,
        avatar: text("avatar")?,
        birthday: text("birthday")?,
        signature: text("signature")?,
        gender,
        region: text("region")?,
        address: text("address")?,
        extras: fields.object("extras")?.map(|members| Value::Object(members).to_string().into_bytes()),
    })
}

/// The profile members that were sent, as a registration echoes them.
pub(crate) fn echo(members: &mut Map<String, Value>, profile: &Profile) {
    let texts = [
        ("nickname", &profile.nickname),
        ("avatar", &profile.avatar),
        ("signature", &profile.signature),
        ("region", &profile.region),
        ("address", &profile.address),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            members.insert(name.into(), text.as_str().into());
        }
    }
    if let Some(date) = profile.birthday.as_deref().and_then(|text| text.split(' ').next()) {
        members.insert("birthday".into(), date.into());
    }
    if let Some(gender) = profile.gender {
        members.insert("gender".into(), gender.into());
    }
    if let Some(Ok(extras)) = profile.extras.as_deref().map(serde_json::from_slice::<Value>) {
        members.insert("extras".into(), extras);
    }
}

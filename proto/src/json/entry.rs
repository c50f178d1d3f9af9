//! An entry in JSON: its kind is the name of its body, beside the other members.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::device::entry::Kind;
use crate::device::{Entry, Event, Message, Party, Retraction, Target};
use crate::json::is_default;

#[derive(Serialize, Deserialize, Default)]
#[serde(default)]
struct EntryJson<'a> {
    conv_id: Cow<'a, str>,
    seq: u64,
    msg_id: u64,
    ctime_ms: u64,
    #[serde(skip_serializing_if = "str::is_empty")]
    cmid: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Cow<'a, Party>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<Cow<'a, Target>>,
    #[serde(skip_serializing_if = "is_default")]
    cum_unread: u64,
    #[serde(skip_serializing_if = "is_default")]
    retracted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Cow<'a, Message>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<Cow<'a, Event>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retract: Option<Cow<'a, Retraction>>,
}

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut json = EntryJson {
            conv_id: Cow::Borrowed(&self.conv_id),
            seq: self.seq,
            msg_id: self.msg_id,
            ctime_ms: self.ctime_ms,
            cmid: Cow::Borrowed(&self.cmid),
            from: self.from.as_ref().map(Cow::Borrowed),
            target: self.target.as_ref().map(Cow::Borrowed),
            cum_unread: self.cum_unread,
            retracted: self.retracted,
            ..EntryJson::default()
        };
        match &self.kind {
            Some(Kind::Message(message)) => json.message = Some(Cow::Borrowed(message)),
            Some(Kind::Event(event)) => json.event = Some(Cow::Borrowed(event)),
            Some(Kind::Retract(retract)) => json.retract = Some(Cow::Borrowed(retract)),
            None => {}
        }
        json.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = EntryJson::deserialize(deserializer)?;
        let kind = match (json.message, json.event, json.retract) {
            (Some(message), None, None) => Some(Kind::Message(message.into_owned())),
            (None, Some(event), None) => Some(Kind::Event(event.into_owned())),
            (None, None, Some(retract)) => Some(Kind::Retract(retract.into_owned())),
            (None, None, None) => None,
            _ => return Err(de::Error::custom("an entry has one kind")),
        };
        Ok(Self {
            conv_id: json.conv_id.into_owned(),
            seq: json.seq,
            msg_id: json.msg_id,
            ctime_ms: json.ctime_ms,
            cmid: json.cmid.into_owned(),
            from: json.from.map(Cow::into_owned),
            target: json.target.map(Cow::into_owned),
            cum_unread: json.cum_unread,
            retracted: json.retracted,
            kind,
        })
    }
}

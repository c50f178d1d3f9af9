//! Forms and limits of values, counted in UTF-8 bytes. The directory is the authority; fields have the names of REST.

use mynah_ports::directory_store::Profile;
use mynah_proto::{Failure, directory as wire};
use mynah_types::Username;
use serde_json::value::RawValue;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use crate::hashing::Md5Form;

/// Names in one list, but for chatroom members.
pub(crate) const NAMES: usize = 500;
/// Names in one change of a chatroom's members.
pub(crate) const ROOM_NAMES: usize = 3000;
/// Users deleted in one call.
pub(crate) const DELETIONS: usize = 100;
/// Users registered in one call.
pub(crate) const REGISTRATIONS: usize = 500;
/// Rows of a page.
const PAGE: u32 = 2000;

const DATE: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");
const DATE_TIME: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");

pub(crate) fn username(field: &str, text: &str) -> Result<Username, Failure> {
    Username::parse(text).map_err(|e| Failure::invalid(field, e.why))
}

/// A name list: at least one, at most `most`, each well formed; repeated names count once.
pub(crate) fn usernames(field: &str, names: &[String], most: usize) -> Result<Vec<Username>, Failure> {
    if names.is_empty() {
        return Err(Failure::invalid(field, "must name at least one user"));
    }
    if names.len() > most {
        return Err(Failure::invalid(field, format!("must name at most {most} users")));
    }
    let mut seen = std::collections::HashSet::with_capacity(names.len());
    let mut list = Vec::with_capacity(names.len());
    for name in names {
        if seen.insert(name.as_str()) {
            list.push(username(field, name)?);
        }
    }
    Ok(list)
}

/// A new password, in the form that is hashed.
pub(crate) fn new_password(field: &str, text: &str, is_md5: bool) -> Result<Md5Form, Failure> {
    if is_md5 {
        return Md5Form::parse(text).ok_or_else(|| Failure::invalid(field, "must be 32 hex digits"));
    }
    if (4..=128).contains(&text.len()) {
        Ok(Md5Form::of_plain(text))
    } else {
        Err(Failure::invalid(field, "must be 4 to 128 bytes"))
    }
}

/// A password to be compared: one of another form is no password of anybody.
pub(crate) fn given_password(text: &str, is_md5: bool) -> Option<Md5Form> {
    if is_md5 { Md5Form::parse(text) } else { Some(Md5Form::of_plain(text)) }
}

pub(crate) fn profile(given: Option<wire::Profile>) -> Result<Profile, Failure> {
    let Some(given) = given else { return Ok(Profile::default()) };
    let nickname = optional("nickname", given.nickname, 64)?;
    if nickname.as_deref().is_some_and(|name| name.contains(['\n', '\r'])) {
        return Err(Failure::invalid("nickname", "must not hold line breaks"));
    }
    let gender = match given.gender {
        None => None,
        Some(number) => {
            Some(u8::try_from(number).ok().filter(|g| *g <= 2).ok_or_else(|| Failure::invalid("gender", "must be 0, 1 or 2"))?)
        }
    };
    Ok(Profile {
        nickname,
        avatar: optional("avatar", given.avatar, 1024)?,
        birthday: given.birthday.map(|text| birthday(&text)).transpose()?,
        signature: optional("signature", given.signature, 250)?,
        gender,
        region: optional("region", given.region, 250)?,
        address: optional("address", given.address, 250)?,
        extras: given.extras.map(|bytes| extras(&bytes)).transpose()?,
    })
}

fn optional(field: &str, text: Option<String>, most: usize) -> Result<Option<String>, Failure> {
    text.map(|text| at_most(field, text, most)).transpose()
}

/// A text of at most so many bytes. Not every store keeps a NUL.
pub(crate) fn at_most(field: &str, text: String, most: usize) -> Result<String, Failure> {
    if text.contains('\0') {
        return Err(Failure::invalid(field, "must not hold a NUL"));
    }
    if text.len() <= most { Ok(text) } else { Err(Failure::invalid(field, format!("must be at most {most} bytes"))) }
}

/// The name of a group or chatroom.
pub(crate) fn roster_name(text: String) -> Result<String, Failure> {
    if text.is_empty() { Err(Failure::invalid("name", "must not be empty")) } else { at_most("name", text, 64) }
}

/// Both documented forms are taken; the date is what is kept.
fn birthday(text: &str) -> Result<String, Failure> {
    if text.is_empty() {
        return Ok(String::new());
    }
    let date = time::Date::parse(text, DATE)
        .or_else(|_| time::PrimitiveDateTime::parse(text, DATE_TIME).map(time::PrimitiveDateTime::date));
    let date = date.ok().and_then(|date| date.format(DATE).ok());
    date.ok_or_else(|| Failure::invalid("birthday", "must be a date as yyyy-MM-dd"))
}

fn extras(bytes: &[u8]) -> Result<String, Failure> {
    let bad = |why: &str| Failure::invalid("extras", why);
    let text = std::str::from_utf8(bytes).map_err(|_| bad("must be UTF-8"))?;
    if text.is_empty() {
        return Ok(String::new());
    }
    if text.len() > 512 {
        return Err(bad("must be at most 512 bytes"));
    }
    match serde_json::from_str::<&RawValue>(text) {
        Ok(json) if json.get().starts_with('{') => Ok(text.to_owned()),
        _ => Err(bad("must be a JSON object")),
    }
}

/// The bounds of a page.
pub(crate) fn page_count(count: u32) -> Result<u32, Failure> {
    if (1..=PAGE).contains(&count) { Ok(count) } else { Err(Failure::invalid("count", format!("must be 1 to {PAGE}"))) }
}

/// A group's kind: 1 private, the default, 2 public.
pub(crate) fn group_flag(flag: u32) -> Result<u8, Failure> {
    match flag {
        0 | 1 => Ok(1),
        2 => Ok(2),
        _ => Err(Failure::invalid("flag", "must be 1 or 2")),
    }
}

/// A platform letter.
pub(crate) fn platform(text: &str) -> Result<char, Failure> {
    match text {
        "a" => Ok('a'),
        "i" => Ok('i'),
        "w" => Ok('w'),
        "m" => Ok('m'),
        "j" => Ok('j'),
        "x" => Ok('x'),
        _ => Err(Failure::invalid("platform", "must be one of a i w m j x")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::Profile as P;

    fn field_of(given: P) -> String {
        profile(Some(given)).err().map(|f| f.field).unwrap_or_default()
    }

    #[test]
    fn profiles_are_measured_in_bytes() {
        let wide = |n: usize| Some("é".repeat(n));
        for good in [
            P { nickname: wide(32), ..P::default() },
            P { signature: wide(125), region: wide(125), address: wide(125), ..P::default() },
            P { avatar: Some("x".repeat(1024)), gender: Some(2), ..P::default() },
            P { extras: Some(b"{}".to_vec()), birthday: Some(String::new()), ..P::default() },
        ] {
            assert!(profile(Some(good.clone())).is_ok(), "{good:?}");
        }
        for (field, bad) in [
            ("nickname", P { nickname: wide(33), ..P::default() }),
            ("nickname", P { nickname: Some("a\nb".into()), ..P::default() }),
            ("region", P { region: Some("a\0b".into()), ..P::default() }),
            ("signature", P { signature: wide(126), ..P::default() }),
            ("region", P { region: wide(126), ..P::default() }),
            ("address", P { address: wide(126), ..P::default() }),
            ("avatar", P { avatar: Some("x".repeat(1025)), ..P::default() }),
            ("gender", P { gender: Some(3), ..P::default() }),
            ("extras", P { extras: Some(b"[1]".to_vec()), ..P::default() }),
            ("extras", P { extras: Some(b"{".to_vec()), ..P::default() }),
            ("extras", P { extras: Some(vec![0xff]), ..P::default() }),
            ("extras", P { extras: Some(format!("{{\"a\":\"{}\"}}", "x".repeat(510)).into_bytes()), ..P::default() }),
            ("birthday", P { birthday: Some("1990-02-30".into()), ..P::default() }),
            ("birthday", P { birthday: Some("yesterday".into()), ..P::default() }),
        ] {
            assert_eq!(field_of(bad.clone()), field, "{bad:?}");
        }
    }

    #[test]
    fn both_forms_of_a_birthday_are_kept_as_its_date() {
        for text in ["1990-01-24", "1990-01-24 00:00:00"] {
            assert_eq!(birthday(text).unwrap(), "1990-01-24");
        }
    }

    #[test]
    fn name_lists_are_bounded_and_lose_their_repeats() {
        let names = |n: usize| (0..n).map(|i| format!("user{i}")).collect::<Vec<_>>();
        assert_eq!(usernames("add", &["tom1".into(), "tom1".into()], 2).unwrap().len(), 1);
        assert!(usernames("add", &names(500), NAMES).is_ok());
        for bad in [names(0), names(501), vec!["x y z w".into()]] {
            assert_eq!(usernames("add", &bad, NAMES).unwrap_err().field, "add");
        }
    }

    #[test]
    fn passwords_have_two_forms() {
        for (text, md5, good) in [
            ("abcd", false, true),
            ("abc", false, false),
            (&*"x".repeat(128), false, true),
            (&*"x".repeat(129), false, false),
            ("E2FC714C4727EE9395F324CD2E7F331F", true, true),
            ("e2fc714c4727ee9395f324cd2e7f331", true, false),
            ("g2fc714c4727ee9395f324cd2e7f331f", true, false),
        ] {
            assert_eq!(new_password("password", text, md5).is_ok(), good, "{text}");
        }
    }
}

//! Reading one value.

use std::fmt::Display;
use std::ops::RangeBounds;
use std::str::FromStr;

pub(crate) fn public_url(value: &str, into: &mut Option<String>) -> Result<(), String> {
    let host = value.strip_prefix("http://").or_else(|| value.strip_prefix("https://")).map(|rest| rest.trim_end_matches('/'));
    let plain = |host: &&str| !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:[]_/".contains(&b));
    *into = match (value.is_empty(), host.filter(plain)) {
        (true, _) => None,
        (false, Some(_)) => Some(value.to_owned()),
        (false, None) => return Err("must be http:// or https:// and a host".into()),
    };
    Ok(())
}

/// A value of a type.
///
/// # Errors
/// What it must be.
pub fn parse<T: FromStr>(value: &str, what: &str, into: &mut T) -> Result<(), String> {
    match value.parse() {
        Ok(read) if !value.is_empty() => {
            *into = read;
            Ok(())
        }
        _ => Err(format!("must be {what}")),
    }
}

/// A number within bounds.
///
/// # Errors
/// The bounds.
pub fn within<T, R>(value: &str, range: R, into: &mut T) -> Result<(), String>
where
    T: FromStr + PartialOrd + Display,
    R: RangeBounds<T>,
{
    let bound = |bound: std::ops::Bound<&T>| match bound {
        std::ops::Bound::Included(bound) | std::ops::Bound::Excluded(bound) => bound.to_string(),
        std::ops::Bound::Unbounded => "any".into(),
    };
    let what = format!("must be a number from {} to {}", bound(range.start_bound()), bound(range.end_bound()));
    match value.parse::<T>() {
        Ok(read) if range.contains(&read) => {
            *into = read;
            Ok(())
        }
        _ => Err(what),
    }
}

/// Texts with commas between them.
///
/// # Errors
/// None.
pub fn list(value: &str, into: &mut Vec<String>) -> Result<(), String> {
    *into = value.split(',').map(str::trim).filter(|part| !part.is_empty()).map(Into::into).collect();
    Ok(())
}

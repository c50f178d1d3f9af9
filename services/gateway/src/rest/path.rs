//! Paths as clients write them: doubled slashes, trailing slashes, missing prefixes, escapes.

use percent_encoding::percent_decode_str;

/// A path's segments, the version first.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Path {
    /// E.g. `["v1", "users", "tommy"]`.
    Segments(Vec<String>),
    /// An escape that is no UTF-8.
    Malformed,
}

/// Longest path, in segments: longer ones are no endpoint's.
const MOST_SEGMENTS: usize = 12;

/// Reads a path: empty segments do not count, and a path without a version is one of `v1`.
pub(crate) fn read(path: &str) -> Path {
    let mut segments = Vec::new();
    for raw in path.split('/').filter(|raw| !raw.is_empty()).take(MOST_SEGMENTS) {
        match percent_decode_str(raw).decode_utf8() {
            Ok(text) => segments.push(text.into_owned()),
            Err(_) => return Path::Malformed,
        }
    }
    if !matches!(segments.first().map(String::as_str), Some("v1" | "v2")) {
        segments.insert(0, "v1".into());
    }
    Path::Segments(segments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_path_are_one() {
        let users = || Path::Segments(["v1", "users", "a@b"].map(String::from).to_vec());
        for spelling in ["/v1/users/a@b", "/users/a%40b/", "//v1//users///a%40b//"] {
            assert_eq!(read(spelling), users(), "{spelling}");
        }
        assert_eq!(read("/v2//groups/"), Path::Segments(["v2", "groups"].map(String::from).to_vec()));
        assert_eq!(read("/users/%ff"), Path::Malformed);
        // An escaped slash does not make another segment.
        assert_eq!(read("/users/a%2fb"), Path::Segments(["v1", "users", "a/b"].map(String::from).to_vec()));
    }
}

//! Where a history goes on: all that the next page needs, in a text that clients hand back as it is.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mynah_proto::content_hash;
use serde_json::Value;

/// How long a cursor is good.
const LIFETIME_MS: u64 = 120_000;
/// The longest text that is looked at.
const LONGEST: usize = 512;

/// A place in a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) from_ms: u64,
    pub(crate) to_ms: u64,
    pub(crate) count: u32,
    pub(crate) total: u64,
    pub(crate) after_ms: u64,
    pub(crate) after_id: u64,
}

impl Cursor {
    /// The text for a list. It grants nothing: who may read the list is decided anew by each request.
    pub(crate) fn write(&self, list: &str, now: u64) -> String {
        let Self { from_ms, to_ms, count, total, after_ms, after_id } = *self;
        let numbers = [from_ms, to_ms, count.into(), total, after_ms, after_id, now + LIFETIME_MS];
        let numbers = [numbers.as_slice(), &[check(list, &numbers)]].concat();
        let text: Vec<String> = numbers.iter().map(u64::to_string).collect();
        URL_SAFE_NO_PAD.encode(text.join("."))
    }

    /// Reads one back; none if it is of another list, is too old, or was never made.
    pub(crate) fn read(text: &str, list: &str, now: u64) -> Option<Self> {
        let bytes = Some(text).filter(|text| text.len() <= LONGEST).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok())?;
        let text = String::from_utf8(bytes).ok()?;
        let numbers = text.split('.').map(|part| part.parse().ok()).collect::<Option<Vec<u64>>>()?;
        let (numbers, [made]) = numbers.split_last_chunk::<1>()?;
        let [from_ms, to_ms, count, total, after_ms, after_id, until] = *<&[u64; 7]>::try_from(numbers).ok()?;
        let count = u32::try_from(count).ok()?;
        let good = *made == check(list, numbers) && now < until;
        good.then_some(Self { from_ms, to_ms, count, total, after_ms, after_id })
    }
}

fn check(list: &str, numbers: &[u64]) -> u64 {
    content_hash(list, &Value::from(numbers), &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_of_one_list_for_two_minutes() {
        let cursor = Cursor { from_ms: 1, to_ms: 2, count: 3, total: 4, after_ms: 5, after_id: 1 << 60 };
        let text = cursor.write("app", 1000);
        assert_eq!(Cursor::read(&text, "app", 120_999), Some(cursor));
        assert_eq!(Cursor::read(&text, "app", 121_000), None);
        assert_eq!(Cursor::read(&text, "user", 1000), None);
        for bad in ["", "x", "MS4y", text.trim_start_matches('M'), &"A".repeat(5000)] {
            assert_eq!(Cursor::read(bad, "app", 1000), None, "{bad}");
        }
    }
}

//! The query of a request, and pages.

use super::refusal::Refusal;

/// A request's query.
#[derive(Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

/// A page as it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) start: u64,
    pub(crate) count: u32,
}

/// Parameters that are read; nobody documents more than four.
const MOST: usize = 64;

impl Query {
    pub(crate) fn read(text: Option<&str>) -> Self {
        let pairs = form_urlencoded::parse(text.unwrap_or_default().as_bytes());
        Self(pairs.take(MOST).map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// A parameter as it came.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.get(name)
    }

    /// A truth value in any spelling that clients use; it must be there.
    pub(crate) fn boolean(&self, name: &str) -> Result<bool, Refusal> {
        match self.get(name) {
            Some(v) if v.eq_ignore_ascii_case("true") || v == "1" => Ok(true),
            Some(v) if v.eq_ignore_ascii_case("false") || v == "0" => Ok(false),
            Some(_) => Err(Refusal::invalid(name, "must be true or false")),
            None => Err(Refusal::invalid(name, "is missing")),
        }
    }

    /// A status of 0 or 1, if one is given.
    pub(crate) fn status(&self) -> Option<Result<bool, Refusal>> {
        self.get("status").map(|text| match text {
            "0" => Ok(false),
            "1" => Ok(true),
            _ => Err(Refusal::invalid("status", "must be 0 or 1")),
        })
    }

    /// `start` and `count`; a count that is not given is the most that may be.
    pub(crate) fn page(&self, most: u32) -> Result<Page, Refusal> {
        let start = match self.get("start") {
            Some(text) => text.parse().ok().filter(|start| *start <= mynah_types::MsgId::MAX),
            None => Some(0),
        };
        let start = start.ok_or_else(|| Refusal::invalid("start", "must be an integer of at least 0"))?;
        let count = match self.get("count") {
            Some(text) => text.parse().ok().filter(|count| (1..=most).contains(count)),
            None => Some(most),
        };
        let count = count.ok_or_else(|| Refusal::invalid("count", &format!("must be an integer from 1 to {most}")))?;
        Ok(Page { start, count })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truth_has_many_spellings() {
        let query = |text| Query::read(Some(text)).boolean("disable").ok();
        for (text, value) in [("disable=True", true), ("disable=1", true), ("disable=FALSE", false), ("disable=0", false)] {
            assert_eq!(query(text), Some(value), "{text}");
        }
        for bad in ["", "disable=", "disable=2", "disable=yes", "other=true"] {
            assert_eq!(query(bad), None, "{bad}");
        }
    }

    #[test]
    fn pages_are_bounded() {
        let page = |text| Query::read(Some(text)).page(500).ok();
        assert_eq!(page(""), Some(Page { start: 0, count: 500 }));
        assert_eq!(page("start=7&count=3"), Some(Page { start: 7, count: 3 }));
        for bad in
            ["count=0", "count=501", "count=-1", "count=x", "start=-1", "start=1.5", "count=", "start=99999999999999999999"]
        {
            assert_eq!(page(bad), None, "{bad}");
        }
    }
}

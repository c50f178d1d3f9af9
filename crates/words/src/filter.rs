//! Matching: one pass over a text, however many words there are.

use aho_corasick::{AhoCorasick, BuildError, MatchKind};

/// The words of one app, ready to match. Case does not count, in any script.
#[derive(Debug)]
pub struct Filter {
    automaton: AhoCorasick,
    words: Vec<String>,
}

impl Filter {
    /// Prepares a list; an empty one matches nothing.
    ///
    /// # Errors
    /// When the list is larger than an automaton can be.
    pub fn new(words: Vec<String>) -> Result<Self, BuildError> {
        let folded = words.iter().map(|word| fold(word));
        let automaton = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(folded)?;
        Ok(Self { automaton, words })
    }

    /// The first word that the text holds, as it was listed.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<&str> {
        if self.words.is_empty() {
            return None;
        }
        let found = self.automaton.find(&fold(text))?;
        self.words.get(found.pattern().as_usize()).map(String::as_str)
    }
}

/// Takes case away by way of capitals, so that letters with two small forms (σ, ς) and those that grow (ß) meet.
fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(words: &[&str], text: &str) -> Option<String> {
        Filter::new(words.iter().map(|word| (*word).to_owned()).collect()).unwrap().find(text).map(ToOwned::to_owned)
    }

    #[test]
    fn a_word_is_found_in_every_script_and_case() {
        let words = ["FUCK", "傻瓜", "💩", "Straße", "ΟΔΟΣ", "a b"];
        for (text, word) in [
            ("what the fUcK", "FUCK"),
            ("你是傻瓜吗", "傻瓜"),
            ("so 💩!", "💩"),
            ("HAUPTSTRASSE", "Straße"),
            ("οδος", "ΟΔΟΣ"),
            ("A B", "a b"),
        ] {
            assert_eq!(find(&words, text).as_deref(), Some(word), "{text}");
        }
    }

    #[test]
    fn what_only_resembles_a_word_is_let_through() {
        let words = ["傻瓜", "💩", "duck"];
        for text in ["", "傻", "瓜傻", "💨", "duc k", "d\u{fc}ck"] {
            assert_eq!(find(&words, text), None, "{text}");
        }
        assert_eq!(find(&[], "anything"), None);
    }

    #[test]
    fn of_words_that_begin_together_the_longest_is_told() {
        assert_eq!(find(&["ab", "abcd"], "xabcdx").as_deref(), Some("abcd"));
    }
}

//! Sensitive words: which texts an app does not let through.
//!
//! It owns the matching, and what a gateway remembers of the apps' lists. It knows no message, and decides nothing: the conversation
//! refuses, after it has looked whether the message is a retry.

mod filter;
mod lists;

use mynah_proto::Failure;
use mynah_types::Reason;

pub use filter::Filter;
pub use lists::Words;

/// The refusal of a message for a word: its text ends with the word.
#[must_use]
pub fn refusal(word: Option<&str>) -> Failure {
    Failure::new(Reason::SensitiveWord, format!("the message contains sensitive word: {}", word.unwrap_or_default()))
}

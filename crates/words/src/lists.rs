//! What a gateway remembers of the apps' lists.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use mynah_proto::directory::WordFilterRequest;
use mynah_proto::{DirectoryClient, Failure};
use parking_lot::Mutex;
use serde::Deserialize;
use tokio::time::Instant;

use crate::Filter;

/// A list is read again after so long, should the word of its change have been missed.
const LIFETIME: Duration = Duration::from_secs(5);
/// Apps remembered; beyond that all are forgotten and read again.
const MOST: usize = 10_000;

/// The lists of the apps that speak here. Clones share them.
#[derive(Clone)]
pub struct Words(Arc<Inner>);

struct Inner {
    directory: DirectoryClient,
    known: Mutex<Known>,
}

/// The part of a text message's body that is read.
#[derive(Default, Deserialize)]
struct Body {
    text: String,
}

#[derive(Default)]
struct Known {
    lists: HashMap<u64, List>,
    /// Counts what was forgotten: a list that was read before that is not kept.
    forgotten: u64,
}

#[derive(Clone)]
struct List {
    /// None: the app lets every text through.
    filter: Option<Arc<Filter>>,
    until: Instant,
}

impl Words {
    /// Nothing is remembered yet.
    #[must_use]
    pub fn new(directory: DirectoryClient) -> Self {
        Self(Arc::new(Inner { directory, known: Mutex::default() }))
    }

    /// The word for which the app refuses a message: only texts are held against the list.
    ///
    /// # Errors
    /// When the list is not known and the directory does not answer.
    pub async fn find(&self, app_id: u64, msg_type: &str, msg_body: &[u8]) -> Result<Option<String>, Failure> {
        if msg_type != "text" {
            return Ok(None);
        }
        let Some(filter) = self.filter(app_id).await? else { return Ok(None) };
        // What is no text message in form is refused elsewhere.
        let body: Body = serde_json::from_slice(msg_body).unwrap_or_default();
        Ok(filter.find(&body.text).map(ToOwned::to_owned))
    }

    /// The list of an app changed.
    pub fn forget(&self, app_id: u64) {
        let mut known = self.0.known.lock();
        known.forgotten += 1;
        known.lists.remove(&app_id);
    }

    /// Any list may have changed.
    pub fn forget_all(&self) {
        let mut known = self.0.known.lock();
        known.forgotten += 1;
        known.lists.clear();
    }

    async fn filter(&self, app_id: u64) -> Result<Option<Arc<Filter>>, Failure> {
        let (kept, mark) = {
            let known = self.0.known.lock();
            (known.lists.get(&app_id).filter(|list| Instant::now() < list.until).cloned(), known.forgotten)
        };
        if let Some(list) = kept {
            return Ok(list.filter);
        }
        let until = Instant::now() + LIFETIME;
        let reply = self.0.directory.word_filter(WordFilterRequest { app_id }).await?;
        let filter = if reply.on && !reply.words.is_empty() { built(reply.words) } else { None };
        let mut known = self.0.known.lock();
        if known.forgotten == mark {
            if known.lists.len() >= MOST {
                known.lists.clear();
            }
            known.lists.insert(app_id, List { filter: filter.clone(), until });
        }
        Ok(filter)
    }
}

/// The directory bounds a list far below what an automaton takes.
fn built(words: Vec<String>) -> Option<Arc<Filter>> {
    Filter::new(words).map(Arc::new).inspect_err(|error| tracing::error!(%error, "a list of words is too large")).ok()
}

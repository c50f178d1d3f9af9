//! Sensitive words of an app.

use mynah_ports::changes::Subject;
use mynah_proto::gateway::RefreshRequest;
use mynah_proto::{Failure, directory as wire};
use mynah_types::AppId;

use crate::{Inner, convert};

/// Characters of a word.
const LONGEST: usize = 10;
/// Words of an app.
const MOST: u32 = 100;
/// Words of one page.
const PAGE: u32 = 2000;

impl Inner {
    pub(crate) async fn add_words(&self, request: wire::WordsRequest) -> Result<wire::Done, Failure> {
        let app = self.app(request.app_id).await?;
        let words = words(request.words)?;
        self.store.add_words(app.id, words, MOST, self.clock.now_ms()).await.map_err(convert::store)?;
        self.tell_words(request.app_id).await
    }

    pub(crate) async fn remove_words(&self, request: wire::WordsRequest) -> Result<wire::Done, Failure> {
        let app = self.app(request.app_id).await?;
        let words = words(request.words)?;
        self.store.remove_words(app.id, words).await.map_err(convert::store)?;
        self.tell_words(request.app_id).await
    }

    pub(crate) async fn replace_word(&self, request: wire::ReplaceWordRequest) -> Result<wire::Done, Failure> {
        let app = self.app(request.app_id).await?;
        let (old, new) = (word("old_word", request.old_word)?, word("new_word", request.new_word)?);
        self.store.replace_word(app.id, old, new, self.clock.now_ms()).await.map_err(convert::store)?;
        self.tell_words(request.app_id).await
    }

    pub(crate) async fn list_words(&self, request: wire::ListRequest) -> Result<wire::WordPage, Failure> {
        let app = self.app(request.app_id).await?;
        if !(1..=PAGE).contains(&request.count) {
            return Err(Failure::invalid("count", format!("must be 1 to {PAGE}")));
        }
        let (total, words) = self.store.list_words(app.id, request.start, request.count).await.map_err(convert::store)?;
        let words = words.into_iter().map(|(word, ctime_ms)| wire::Word { word, ctime_ms });
        Ok(wire::WordPage { total, words: words.collect() })
    }

    pub(crate) async fn set_word_filter(&self, request: wire::SetWordFilterRequest) -> Result<wire::Done, Failure> {
        let app = self.app(request.app_id).await?;
        self.store.set_word_filter(app.id, request.on).await.map_err(convert::store)?;
        self.tell_words(request.app_id).await
    }

    pub(crate) async fn word_filter(&self, request: wire::WordFilterRequest) -> Result<wire::WordFilterReply, Failure> {
        let app = self.app(request.app_id).await?;
        let (on, words) = self.store.word_filter(app.id).await.map_err(convert::store)?;
        Ok(wire::WordFilterReply { on, words })
    }

    /// The next message is held against the new list. A gateway that does not hear of it reads the list again by itself soon.
    async fn tell_words(&self, app_id: u64) -> Result<wire::Done, Failure> {
        let request = RefreshRequest { app_ids: vec![app_id], ..RefreshRequest::default() };
        match tokio::time::timeout(self.settings.handover_deadline, self.gateway.refresh(request)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "a gateway was not told of an app's words"),
            Err(_) => tracing::warn!("a gateway does not answer the word of an app's words"),
        }
        self.announcer.tell(Subject::App(AppId(app_id)), 0);
        Ok(wire::Done {})
    }
}

fn words(texts: Vec<String>) -> Result<Vec<String>, Failure> {
    if texts.is_empty() {
        return Err(Failure::invalid("body", "must hold at least one word"));
    }
    if texts.len() > usize::try_from(MOST).unwrap_or(usize::MAX) {
        return Err(Failure::invalid("body", format!("must hold at most {MOST} words")));
    }
    texts.into_iter().map(|text| word("body", text)).collect()
}

fn word(field: &str, text: String) -> Result<String, Failure> {
    if (1..=LONGEST).contains(&text.chars().count()) && !text.contains('\0') {
        Ok(text)
    } else {
        Err(Failure::invalid(field, format!("must be words of 1 to {LONGEST} characters, without NUL")))
    }
}

//! How long a feed keeps its events: by count and by age.

use mynah_ports::message_log::{Error, Span};
use mynah_types::{ConversationKey, Seq, Tail};

use crate::conversation::Shared;

/// The first entry of a stretch that is young enough; one above its end if none is.
pub(crate) async fn kept_from(shared: &Shared, key: ConversationKey, from: Seq, to: Seq) -> Result<Seq, Error> {
    let oldest = shared.clock.now_ms().saturating_sub(shared.settings.feed_age_ms);
    let (mut low, mut high) = (from, to + 1);
    // Times never fall along a conversation. Nearly always the first look ends it.
    let mut look = from;
    while low < high {
        let span = Span { from: look, to: look, limit: 1, max_bytes: usize::MAX, newest: false };
        let found = shared.log.entries(key, span).await?;
        let is_young = found.first().is_some_and(|logged| logged.entry.ctime >= oldest);
        if is_young {
            high = look;
        } else {
            low = look + 1;
        }
        look = low.midpoint(high);
    }
    Ok(low)
}

/// The first entry of a feed that its reader gets.
pub(crate) async fn floor(shared: &Shared, key: ConversationKey, tail: &Tail) -> Result<Seq, Error> {
    let crowded = (tail.head_seq + 1).saturating_sub(shared.settings.limits.feed_entries);
    let first = tail.meta.min_seq.max(crowded).max(1);
    if first > tail.head_seq { Ok(first) } else { kept_from(shared, key, first, tail.head_seq).await }
}

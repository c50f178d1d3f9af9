//! Messages of a scope: places from the index, contents from the log.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mynah_ports::message_log::Location;
use mynah_ports::report_index::{Place, Scope, Stretch};
use mynah_proto::Failure;
use mynah_proto::report::{HistoryReply, HistoryRequest, ReportedMessage};
use mynah_types::{Millis, MsgId, Reason, Uid};

use crate::projector;
use crate::service::{Inner, app, unreadable};

/// Most messages of a page.
const MOST: usize = 1000;
/// How long an append may take before a page is said not to be there yet.
const UNDER_WAY: Duration = Duration::from_millis(500);
/// Most payload bytes of a page: a reply stays below what a channel takes.
const MOST_BYTES: usize = 3 << 20;

pub(crate) async fn history(inner: &Arc<Inner>, request: HistoryRequest) -> Result<HistoryReply, Failure> {
    let scope = scope(&request)?;
    let limit = usize::try_from(request.limit).ok().filter(|limit| (1..=MOST).contains(limit));
    let limit = limit.ok_or_else(|| Failure::invalid("limit", "must be from 1 to 1000"))?;
    let stretch = Stretch { from: request.from_ms, to: request.to_ms };
    let after = (request.after_ms > 0).then_some((request.after_ms, MsgId(request.after_id)));
    let asked = Asked { scope, stretch, after, skip: request.skip, limit };
    let (places, mut more) = if request.settled { settled(inner, &asked).await? } else { asked.newest(inner).await? };
    let total = match request.with_total {
        true => inner.deps.index.count(&asked.scope, stretch).await.map_err(|error| unreadable("report index", &error))?,
        false => 0,
    };
    let locations: Vec<Location> = places.iter().map(|place| Location { key: place.key, seq: place.seq }).collect();
    let found = inner.deps.log.at(&locations).await.map_err(|error| unreadable("message log", &error))?;
    let mut messages = Vec::with_capacity(found.len());
    let mut bytes = 0;
    for (place, logged) in places.into_iter().zip(found) {
        let Some(logged) = logged else { continue };
        bytes += logged.entry.payload.len();
        if bytes > MOST_BYTES {
            more = true;
            break;
        }
        messages.push(ReportedMessage {
            conv_id: place.key.to_string(),
            seq: place.seq,
            msg_id: place.msg_id.0,
            ctime_ms: place.ctime,
            payload: logged.entry.payload,
            retracted: logged.retracted,
        });
    }
    Ok(HistoryReply { messages, more, total })
}

/// A page that is asked for.
struct Asked {
    scope: Scope,
    stretch: Stretch,
    after: Option<(Millis, MsgId)>,
    skip: u64,
    limit: usize,
}

impl Asked {
    /// The page of an index that has followed the log.
    async fn newest(&self, inner: &Arc<Inner>) -> Result<(Vec<Place>, bool), Failure> {
        projector::followed(inner).await?;
        self.places(inner).await
    }

    /// The page, and whether there is more behind it.
    async fn places(&self, inner: &Inner) -> Result<(Vec<Place>, bool), Failure> {
        let found = inner.deps.index.places(&self.scope, self.stretch, self.after, self.skip, self.limit + 1).await;
        let mut places = found.map_err(|error| unreadable("report index", &error))?;
        let more = places.len() > self.limit;
        places.truncate(self.limit);
        Ok((places, more))
    }
}

/// A page after whose last message nothing comes with an earlier time: a message gets its time a moment before its append begins, and
/// another one may get into the log first. The last page may hold younger ones, as nobody goes on after it.
async fn settled(inner: &Arc<Inner>, asked: &Asked) -> Result<(Vec<Place>, bool), Failure> {
    let (now, since) = (inner.deps.clock.now_ms(), Instant::now());
    if let Some(page) = settled_at(inner, asked, now).await? {
        return Ok(page);
    }
    // All are young. Soon they are old enough, unless an append hangs.
    tokio::time::sleep(inner.deps.settings.settles_after + UNDER_WAY).await;
    let page = settled_at(inner, asked, now + millis(since.elapsed())).await?;
    page.ok_or_else(|| Failure::new(Reason::Unavailable, "messages of that time are still on their way into the log: try again"))
}

/// The page, without what is too young at that time; none if all is.
async fn settled_at(inner: &Arc<Inner>, asked: &Asked, now: Millis) -> Result<Option<(Vec<Place>, bool)>, Failure> {
    // Asked before the index follows: what ends in between is in it.
    let under_way = inner.deps.log.under_way().await.map_err(|error| unreadable("message log", &error))?;
    let (mut places, more) = asked.newest(inner).await?;
    if more {
        let settled = now.saturating_sub(millis(inner.deps.settings.settles_after + under_way));
        places.truncate(places.partition_point(|place| place.ctime < settled));
    }
    Ok((!more || !places.is_empty()).then_some((places, more)))
}

fn millis(duration: Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX)
}

fn scope(request: &HistoryRequest) -> Result<Scope, Failure> {
    match (request.appkey.as_str(), request.uid, request.conv_id.as_str()) {
        (appkey, 0, "") if !appkey.is_empty() => app(appkey).map(Scope::App),
        ("", uid, "") if uid > 0 => Ok(Scope::User(Uid(uid))),
        ("", 0, conv_id) => {
            conv_id.parse().map(Scope::Conversation).map_err(|_| Failure::invalid("conv_id", "is not a conversation id"))
        }
        _ => Err(Failure::invalid("scope", "is an app, a user or a conversation")),
    }
}

//! Messages of a scope: places from the index, contents from the log.

use std::sync::Arc;

use mynah_ports::message_log::Location;
use mynah_ports::report_index::{Place, Scope, Stretch};
use mynah_proto::Failure;
use mynah_proto::report::{HistoryReply, HistoryRequest, ReportedMessage};
use mynah_types::{Millis, MsgId, Uid};

use crate::projector;
use crate::service::{Inner, app, unreadable};

/// Most messages of a page.
const MOST: usize = 1000;
/// Most payload bytes of a page: a reply stays below what a channel takes.
const MOST_BYTES: usize = 3 << 20;

pub(crate) async fn history(inner: &Arc<Inner>, request: HistoryRequest) -> Result<HistoryReply, Failure> {
    let scope = scope(&request)?;
    let limit = usize::try_from(request.limit).ok().filter(|limit| (1..=MOST).contains(limit));
    let limit = limit.ok_or_else(|| Failure::invalid("limit", "must be from 1 to 1000"))?;
    let stretch = Stretch { from: request.from_ms, to: request.to_ms };
    projector::followed(inner).await?;
    let index_failed = |error: mynah_ports::report_index::Error| unreadable("report index", &error);
    let total = match request.with_total {
        true => inner.deps.index.count(&scope, stretch).await.map_err(index_failed)?,
        false => 0,
    };
    let after = (request.after_ms > 0).then_some((request.after_ms, MsgId(request.after_id)));
    let asked = Asked { scope, stretch, after, skip: request.skip, limit };
    let (places, mut more) = if request.settled { settled(inner, &asked).await? } else { asked.places(inner).await? };
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
    /// The page, and whether there is more behind it.
    async fn places(&self, inner: &Inner) -> Result<(Vec<Place>, bool), Failure> {
        let found = inner.deps.index.places(&self.scope, self.stretch, self.after, self.skip, self.limit + 1).await;
        let mut places = found.map_err(|error| unreadable("report index", &error))?;
        let more = places.len() > self.limit;
        places.truncate(self.limit);
        Ok((places, more))
    }
}

/// A page after whose last message nothing comes with an earlier time: a message gets its time a moment before it is in the log, and
/// another one may get there first. The last page may hold younger ones, as nobody goes on after it.
async fn settled(inner: &Arc<Inner>, asked: &Asked) -> Result<(Vec<Place>, bool), Failure> {
    let (mut places, more) = asked.places(inner).await?;
    if !more {
        return Ok((places, false));
    }
    let settles_after = inner.deps.settings.settles_after;
    let young = inner.deps.clock.now_ms().saturating_sub(u64::try_from(settles_after.as_millis()).unwrap_or(u64::MAX));
    let old = places.partition_point(|place| place.ctime < young);
    if old > 0 {
        places.truncate(old);
        return Ok((places, true));
    }
    // All are young: once the last of them is old enough, what belongs before it is there.
    tokio::time::sleep(settles_after).await;
    projector::followed(inner).await?;
    asked.places(inner).await
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

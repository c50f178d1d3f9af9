//! Messages of a scope: places from the index, contents from the log.

use std::sync::Arc;

use mynah_ports::message_log::Location;
use mynah_ports::report_index::{Scope, Stretch};
use mynah_proto::Failure;
use mynah_proto::report::{HistoryReply, HistoryRequest, ReportedMessage};
use mynah_types::{MsgId, Uid};

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
    // One more than asked for tells whether there is more.
    let mut places = inner.deps.index.places(&scope, stretch, after, request.skip, limit + 1).await.map_err(index_failed)?;
    let mut more = places.len() > limit;
    places.truncate(limit);
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

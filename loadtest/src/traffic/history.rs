//! The app's history, compared with what was acknowledged.

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime};

use http::Method;
use mynah_oracle::Verdict;
use serde_json::Value;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

use super::{Run, SETTLE_WITHIN};
use crate::Failed;
use crate::rest::Rest;

/// The time of the server's lists, where nothing else is set.
const HOURS_EAST: i8 = 8;
/// Clocks and beginnings are not exact.
const MARGIN: Duration = Duration::from_secs(60);
/// A history that is not ready is asked for again.
const PAUSE: Duration = Duration::from_millis(200);
/// Faults that are told in words.
const TOLD: usize = 20;

impl Run {
    /// Every message of a single chat or a group that was acknowledged is listed, and nothing is listed twice. Adds what is found to a
    /// verdict; returns how many messages are listed.
    ///
    /// # Errors
    /// When the list is not answered.
    pub async fn compare_history(&self, verdict: &mut Verdict) -> Result<usize, Failed> {
        let listed = listed(&self.place.rest()?, self.began - MARGIN, SystemTime::now() + MARGIN).await?;
        let mut tell = |fault: String| {
            if verdict.faults.len() < TOLD {
                verdict.faults.push(fault);
            }
        };
        for (id, times) in listed.iter().filter(|(_, times)| **times > 1) {
            verdict.doubled += 1;
            tell(format!("history lists {id} {times} times"));
        }
        let notes = self.notes.lock();
        for (conversation, id) in notes.acknowledged_ids().filter(|(conversation, _)| !conversation.starts_with("chatroom")) {
            if !listed.contains_key(&id) {
                verdict.lost += 1;
                tell(format!("{conversation}: {id} was acknowledged, and history does not list it"));
            }
        }
        Ok(listed.len())
    }
}

/// How often each message of the app is listed, by its id.
async fn listed(rest: &Rest, from: SystemTime, to: SystemTime) -> Result<HashMap<u64, u32>, Failed> {
    let mut listed = HashMap::new();
    let mut path = format!("/v2/messages?count=1000&begin_time={}&end_time={}", text(from)?, text(to)?);
    loop {
        let page = page(rest, &path).await?;
        for message in page.get("messages").and_then(Value::as_array).into_iter().flatten() {
            let id = message.get("msgid").and_then(Value::as_u64).ok_or("a message has no id")?;
            *listed.entry(id).or_default() += 1;
        }
        match page.get("cursor").and_then(Value::as_str) {
            Some(cursor) => path = format!("/v2/messages?cursor={cursor}"),
            None => return Ok(listed),
        }
    }
}

async fn page(rest: &Rest, path: &str) -> Result<Value, Failed> {
    let until = Instant::now() + SETTLE_WITHIN;
    loop {
        match rest.call(Method::GET, path, &Value::Null).await {
            Ok((200, page)) => return Ok(page),
            Ok((500.., _)) | Err(_) if Instant::now() < until => tokio::time::sleep(PAUSE).await,
            other => return Err(format!("GET {path}: {other:?}").into()),
        }
    }
}

/// A time as lists have it.
fn text(time: SystemTime) -> Result<String, Failed> {
    let format = format_description!("[year]-[month]-[day]%20[hour]:[minute]:[second]");
    Ok(OffsetDateTime::from(time).to_offset(UtcOffset::from_hms(HOURS_EAST, 0, 0)?).format(format)?)
}

//! The message callback: an app's server is told of each message that its users sent, at least once, in the order of each
//! conversation.
//!
//! What is to be told waits in the index, put there with the message's own record, so it outlives a crash. One batch of an app is
//! under way at a time; while it fails the app waits, and only that app.

mod address;
mod request;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use mynah_ports::message_log::Location;
use mynah_ports::report_index::Queued;
use mynah_proto::directory::{Callback, CallbacksRequest};
use mynah_proto::report::ReportedMessage;
use mynah_types::AppKey;
use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;

use crate::service::{Inner, unreadable};
use request::Sender;

/// Messages of one call.
const BATCH: usize = 100;

/// Who is told.
#[derive(Default)]
pub(crate) struct Callbacks {
    targets: RwLock<HashMap<AppKey, Arc<Callback>>>,
    /// Apps with a task that tells them.
    served: Mutex<HashSet<AppKey>>,
    sender: Sender,
    /// Something may wait.
    pub(crate) more: Notify,
}

impl Callbacks {
    /// Whether an app's messages are to be told.
    pub(crate) fn wants(&self, app: &AppKey) -> bool {
        self.targets.read().contains_key(app)
    }

    fn target(&self, app: &AppKey) -> Option<Arc<Callback>> {
        self.targets.read().get(app).cloned()
    }
}

/// Reads anew who is to be told. While the directory does not answer, it stays as it was.
pub(crate) async fn refresh(inner: &Arc<Inner>) {
    let callbacks = match inner.deps.directory.callbacks(CallbacksRequest {}).await {
        Ok(reply) => reply.callbacks,
        Err(failure) => {
            tracing::warn!(error = failure.message, "the callbacks cannot be read");
            return;
        }
    };
    let keyed = callbacks.into_iter().filter_map(|target| Some((AppKey::parse(&target.appkey).ok()?, Arc::new(target))));
    let targets: HashMap<AppKey, Arc<Callback>> = keyed.collect();
    let new: Vec<AppKey> = {
        let mut served = inner.callbacks.served.lock();
        targets.keys().filter(|app| served.insert((*app).clone())).cloned().collect()
    };
    *inner.callbacks.targets.write() = targets;
    for app in new {
        tokio::spawn(serve(Arc::clone(inner), app));
    }
}

/// Tells one app until it asks for it no more.
async fn serve(inner: Arc<Inner>, app: AppKey) {
    let mut tries = 0;
    while let Some(target) = inner.callbacks.target(&app) {
        let more = inner.callbacks.more.notified();
        match tell(&inner, &app, &target).await {
            Told::Nothing => {
                _ = tokio::time::timeout(inner.deps.settings.follow_every, more).await;
            }
            Told::Batch => tries = 0,
            Told::Failed => {
                give_up_the_oldest(&inner, &app).await;
                let pauses = &inner.deps.settings.callback_pauses;
                let pause = pauses.get(tries).or(pauses.last()).copied().unwrap_or_default();
                tries += 1;
                tokio::time::sleep(pause).await;
            }
        }
    }
    inner.callbacks.served.lock().remove(&app);
}

enum Told {
    Nothing,
    Batch,
    Failed,
}

async fn tell(inner: &Inner, app: &AppKey, target: &Callback) -> Told {
    let queued = match inner.deps.index.queued(app, BATCH).await {
        Ok(queued) => queued,
        Err(error) => {
            _ = unreadable("report index", &error);
            return Told::Failed;
        }
    };
    let (Some(first), Some(last)) = (queued.first(), queued.last()) else { return Told::Nothing };
    let id = format!("{app}-{}-{}", first.number, last.number);
    let sent = match messages(inner, &queued).await {
        Ok(messages) => {
            let now = inner.deps.clock.now_ms();
            inner.callbacks.sender.send(target, &id, now, messages, inner.deps.settings.callback_within).await
        }
        Err(why) => Err(why),
    };
    match sent {
        Ok(()) => {
            metrics::counter!("mynah_report_callbacks_total", "outcome" => "ok").increment(1);
            match inner.deps.index.taken(app, last.number).await {
                Ok(()) => Told::Batch,
                // It is told again, which the receiver can see by the ids.
                Err(error) => {
                    _ = unreadable("report index", &error);
                    Told::Failed
                }
            }
        }
        Err(why) => {
            metrics::counter!("mynah_report_callbacks_total", "outcome" => "failed").increment(1);
            tracing::warn!(%app, error = why, "a callback failed: it is tried again");
            Told::Failed
        }
    }
}

async fn messages(inner: &Inner, queued: &[Queued]) -> Result<Vec<ReportedMessage>, String> {
    let locations: Vec<_> = queued.iter().map(|q| Location { key: q.place.key, seq: q.place.seq }).collect();
    let found = inner.deps.log.at(&locations).await.map_err(|error| error.to_string())?;
    let messages = queued.iter().zip(found).filter_map(|(queued, logged)| {
        let logged = logged?;
        Some(ReportedMessage {
            conv_id: queued.place.key.to_string(),
            seq: queued.place.seq,
            msg_id: queued.place.msg_id.0,
            ctime_ms: queued.place.ctime,
            payload: logged.entry.payload,
            retracted: logged.retracted,
        })
    });
    Ok(messages.collect())
}

/// Keeps the queue of an app that cannot be told within its bound. History has what is given up.
async fn give_up_the_oldest(inner: &Inner, app: &AppKey) {
    let most = inner.deps.settings.callback_queue;
    let given_up = match inner.deps.index.waiting(app).await {
        Ok(Some((first, last))) if last - first >= most => {
            let upto = last - most;
            inner.deps.index.taken(app, upto).await.map(|()| upto + 1 - first)
        }
        Ok(_) => Ok(0),
        Err(error) => Err(error),
    };
    match given_up {
        Ok(0) => {}
        Ok(count) => {
            metrics::counter!("mynah_report_callbacks_given_up_total").increment(count);
            tracing::error!(%app, count, "messages waited too long for a callback and are not told; history has them");
        }
        Err(error) => _ = unreadable("report index", &error),
    }
}

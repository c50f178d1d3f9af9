//! What an actor reads: its start from log and directory, and the facts that a batch needs.

use std::sync::Arc;

use mynah_domain::conversation::{Change, Fact, Loaded, Lookup, PairRights, TargetFact};
use mynah_ports::MessageLog;
use mynah_ports::message_log::{self, Span};
use mynah_proto::directory::{ChangesRequest, PairRightsRequest};
use mynah_proto::{DirectoryClient, Failure};
use mynah_types::{ConversationKey, ConversationKind, MsgId, Reason, Seq, Uid};

use super::actor::Shared;
use crate::{convert, retention};

/// Reads the log first, then the directory: a change committed in between is among the changes.
pub(crate) async fn load(shared: Arc<Shared>, key: ConversationKey) -> Result<Loaded, Reason> {
    let tail = shared.log.load(key, shared.settings.limits.window).await.map_err(|e| log_failed(&e))?;
    let mut loaded = Loaded { tail, ..Loaded::default() };
    match key.kind() {
        ConversationKind::Single => loaded.rights = Some(rights(&shared.directory, key).await?),
        ConversationKind::Feed => {}
        ConversationKind::Group | ConversationKind::Room => {
            let applied = loaded.tail.meta.member_version;
            loaded.members = shared.log.members(key).await.map_err(|e| log_failed(&e))?;
            if loaded.tail.meta.dissolved {
                loaded.directory_version = applied;
            } else {
                (loaded.changes, loaded.directory_version) = changes(&shared.directory, key, applied).await?;
            }
        }
    }
    Ok(loaded)
}

/// Answers a batch's lookups, in their order.
pub(crate) async fn look_up(
    shared: Arc<Shared>,
    key: ConversationKey,
    lookups: Vec<Lookup>,
) -> Result<(Vec<Lookup>, Vec<Fact>), Reason> {
    let mut facts = Vec::with_capacity(lookups.len());
    for lookup in &lookups {
        let log = |error| log_failed(&error);
        facts.push(match lookup {
            Lookup::Send { sender, cmid } => Fact::Send(shared.log.find_send(key, *sender, cmid).await.map_err(log)?),
            Lookup::Target(id) => Fact::Target(target(&*shared.log, key, *id).await?),
            Lookup::ReadMark(uid) => Fact::ReadMark(shared.log.position(key, *uid).await.map_err(log)?.read_seq),
            Lookup::KeptFrom { from, to } => Fact::KeptFrom(retention::kept_from(&shared, key, *from, *to).await.map_err(log)?),
            Lookup::Hidden(uid) => Fact::Hidden(open_stretch(&*shared.log, key, *uid).await.map_err(log)?),
            Lookup::Rights => Fact::Rights(rights(&shared.directory, key).await?),
            Lookup::Changes { after } => Fact::Changes(changes(&shared.directory, key, *after).await?.0),
        });
    }
    Ok((lookups, facts))
}

async fn open_stretch(log: &dyn MessageLog, key: ConversationKey, uid: Uid) -> Result<Option<Seq>, message_log::Error> {
    Ok(log.hidden(key, uid).await?.last().filter(|hidden| hidden.until.is_none()).map(|hidden| hidden.from))
}

async fn target(log: &dyn MessageLog, key: ConversationKey, id: MsgId) -> Result<Option<TargetFact>, Reason> {
    let location = log.find_message(id).await.map_err(|e| log_failed(&e))?;
    let Some(seq) = location.filter(|l| l.key == key).map(|l| l.seq) else { return Ok(None) };
    let span = Span { from: seq, to: seq, limit: 1, max_bytes: usize::MAX, newest: false };
    let found = log.entries(key, span).await.map_err(|e| log_failed(&e))?;
    Ok(found.into_iter().next().map(|logged| TargetFact {
        seq,
        sender: logged.entry.sender,
        ctime: logged.entry.ctime,
        kind: logged.entry.kind,
        retracted: logged.retracted,
    }))
}

async fn rights(directory: &DirectoryClient, key: ConversationKey) -> Result<PairRights, Reason> {
    let ConversationKey::Single(a, b) = key else { return Err(Reason::Invalid) };
    let rights = directory.pair_rights(PairRightsRequest { a: a.0, b: b.0 }).await.map_err(|e| directory_failed(&e))?;
    Ok(PairRights {
        a_blocks_b: rights.a_blocks_b,
        b_blocks_a: rights.b_blocks_a,
        a_exists: rights.a_exists,
        b_exists: rights.b_exists,
    })
}

/// Changes above a version, and the directory's version; none and 0 for what it never heard of.
async fn changes(directory: &DirectoryClient, key: ConversationKey, after: u64) -> Result<(Vec<Change>, u64), Reason> {
    match directory.changes(ChangesRequest { conv_id: key.to_string(), after_version: after }).await {
        Ok(reply) => Ok((reply.changes.into_iter().map(convert::change).collect(), reply.version)),
        Err(failure) if matches!(failure.why(), Reason::GroupNotFound | Reason::RoomNotFound) => Ok((Vec::new(), 0)),
        Err(failure) => Err(directory_failed(&failure)),
    }
}

fn log_failed(error: &mynah_ports::message_log::Error) -> Reason {
    metrics::counter!("mynah_router_engine_failures_total", "engine" => "log").increment(1);
    tracing::warn!(%error, "the log does not answer");
    Reason::Unavailable
}

fn directory_failed(failure: &Failure) -> Reason {
    metrics::counter!("mynah_router_engine_failures_total", "engine" => "directory").increment(1);
    tracing::warn!(error = %failure, "the directory does not answer");
    Reason::Unavailable
}

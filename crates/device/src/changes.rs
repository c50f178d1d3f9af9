//! What the directory says has changed: words are read again, and sessions that were revoked lose their connections.
//!
//! A revoked session's devices are put out by a call to this gateway. Where that did not get through, this finds them.

use std::collections::BTreeSet;
use std::time::Duration;

use mynah_ports::Changes;
use mynah_ports::changes::{Heard, Subject};
use mynah_proto::directory::DevicesRequest;
use mynah_proto::gateway::KickRequest;
use mynah_types::Uid;
use tokio::time::{Instant, MissedTickBehavior};

use crate::devices::{Devices, Inner};

/// Changes taken up at one time.
const HEARD: usize = 256;
/// Users whose sessions are asked for in one question.
const LOOK: usize = 256;
/// The time between questions.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The pause after one that was not answered.
const PAUSE: Duration = Duration::from_secs(1);

impl Devices {
    /// Follows the changes until they are closed.
    pub async fn follow(&self, changes: &dyn Changes) {
        let mut due = BTreeSet::new();
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                heard = changes.next(HEARD) => match heard {
                    Some(heard) => self.0.hear(heard, &mut due),
                    None => return,
                },
                _ = look.tick(), if !due.is_empty() => {
                    if let Err(error) = self.0.look(&mut due).await {
                        tracing::warn!(%error, users = due.len(), "sessions were not looked at");
                        look.reset_at(Instant::now() + PAUSE);
                    }
                }
            }
        }
    }
}

impl Inner {
    /// Notes the connected users whose sessions are to be looked at.
    fn hear(&self, heard: Heard, due: &mut BTreeSet<Uid>) {
        let changes = match heard {
            Heard::Everything => {
                self.deps.words.forget_all();
                self.targets.forget_all();
                due.extend(self.hub.users().into_iter().map(|(uid, _)| uid));
                return;
            }
            Heard::Changes(changes) => changes,
        };
        for change in changes {
            if let Subject::User(uid) = change.subject {
                self.targets.forget_user(uid);
            }
            match change.subject {
                Subject::App(app) => self.deps.words.forget(app.0),
                Subject::User(uid) if !self.hub.connections_of(uid).is_empty() => _ = due.insert(uid),
                // Subscriptions follow the conversations themselves.
                Subject::User(_) | Subject::Group(_) | Subject::Room(_) | Subject::Everything => {}
            }
        }
    }

    /// Looks at the sessions of some users, and puts out those that are revoked.
    async fn look(&self, due: &mut BTreeSet<Uid>) -> Result<(), mynah_proto::Failure> {
        let uids: Vec<Uid> = due.iter().take(LOOK).copied().collect();
        let connected = || uids.iter().flat_map(|uid| self.hub.connections_of(*uid));
        let mut sessions: Vec<u64> = connected().filter_map(|out| Some(out.identity()?.session_id)).collect();
        sessions.sort_unstable();
        sessions.dedup();
        if !sessions.is_empty() {
            let reply = self.deps.directory.devices(DevicesRequest { sessions, ..DevicesRequest::default() }).await?;
            for out in connected() {
                // One that logs out has revoked its session itself, and stays.
                let Some(who) = out.identity().filter(|_| !out.is_leaving()) else { continue };
                if reply.revoked_sessions.contains(&who.session_id) {
                    metrics::counter!("mynah_device_revoked_found_total").increment(1);
                    let (uid, sessions) = (who.uid.0, vec![who.session_id]);
                    let (reason, time_ms) = ("session_revoked".into(), self.deps.clock.now_ms());
                    self.kick(&KickRequest { uid, sessions, reason, time_ms, ..KickRequest::default() });
                }
            }
        }
        for uid in uids {
            due.remove(&uid);
        }
        Ok(())
    }
}

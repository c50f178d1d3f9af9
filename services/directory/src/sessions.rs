//! Device sessions: login, logout, who is put out.

use std::sync::Arc;

use mynah_ports::changes::Subject;
use mynah_ports::directory_store::{
    App, DeviceRecord, Error, Login, LoginOutcome, Refusal, Session, SessionState, TokenDigest, User,
};
use mynah_proto::gateway::KickRequest;
use mynah_proto::{Failure, directory as wire};
use mynah_types::{AppId, Reason, Uid};

use crate::cross::Apps;
use crate::hashing::Md5Form;
use crate::secret::{digest, session_token};
use crate::{Inner, apps, convert, hashing, validate};

/// Longest device id, in bytes.
const DEVICE_ID: usize = 256;

impl Inner {
    pub(crate) async fn login(&self, request: wire::LoginRequest) -> Result<wire::LoginReply, Failure> {
        let app = self.app(request.app_id).await?;
        apps::enabled(&app)?;
        let outcome = if request.session.is_empty() {
            self.login_by_password(&app, request).await
        } else {
            self.login_by_session(&app, request).await
        };
        let how = if outcome.is_ok() { "ok" } else { "refused" };
        metrics::counter!("mynah_directory_logins_total", "outcome" => how).increment(1);
        outcome
    }

    async fn login_by_password(&self, app: &Arc<App>, request: wire::LoginRequest) -> Result<wire::LoginReply, Failure> {
        let platform = validate::platform(&request.platform)?;
        let device_id = validate::at_most("device_id", request.device_id, DEVICE_ID)?;
        let user = self.user_named(app.id, &request.username).await?;
        let wrong = || Failure::new(Reason::BadPassword, "wrong password");
        let form = validate::given_password(&request.password, request.password_is_md5).ok_or_else(wrong)?;
        let stored = self.store.password(user.uid).await.map_err(convert::store)?.ok_or_else(convert::no_user)?;
        if !self.hashing.verify(form.clone(), stored.clone()).await? {
            return Err(wrong());
        }
        let stored = self.strengthen(user.uid, form, stored).await?;
        let now = self.clock.now_ms();
        let token = session_token();
        let login = Login {
            app: app.id,
            uid: user.uid,
            verified: stored,
            token: TokenDigest(digest(&token)),
            platform,
            device_id,
            rule: app.rules.multi_device,
            kick_others: request.kick_others,
            now,
            day: self.day_of(now),
            expires: now + self.settings.session_lifetime_ms,
        };
        let outcome = self.store.login(login).await.map_err(|error| match error {
            // Stored anew between the check and the transaction: what was given may be right or wrong now.
            Error::Refused(Refusal::PasswordMoved) => wrong(),
            other => convert::store_about_user(other),
        })?;
        self.tell_kicked(&outcome).await;
        let LoginOutcome { session, kicked, .. } = outcome;
        self.login_reply(app, &user, token, session, &kicked).await
    }

    /// Puts a real hash in the place of an imported one, now that the password is known. Answers what is stored.
    async fn strengthen(&self, uid: Uid, form: Md5Form, stored: String) -> Result<String, Failure> {
        if !hashing::is_weak(&stored) {
            return Ok(stored);
        }
        let strong = self.hashing.hash(form.clone()).await?;
        if self.store.rehash_password(uid, stored, strong.clone()).await.map_err(convert::store)? {
            return Ok(strong);
        }
        // Another device logged in at the same time, or the password is another one by now.
        let stored = self.store.password(uid).await.map_err(convert::store)?.ok_or_else(convert::no_user)?;
        let right = self.hashing.verify(form, stored.clone()).await?;
        if right { Ok(stored) } else { Err(Failure::new(Reason::BadPassword, "wrong password")) }
    }

    /// One keyed look-up and no hash: what every device does when it reconnects.
    async fn login_by_session(&self, app: &Arc<App>, request: wire::LoginRequest) -> Result<wire::LoginReply, Failure> {
        let invalid = || Failure::new(Reason::SessionInvalid, "the session has ended: log in again");
        let token = TokenDigest(digest(&request.session));
        let session = self.store.session(&token).await.map_err(convert::store)?.ok_or_else(invalid)?;
        if session.app != app.id || request.platform != session.platform.to_string() {
            return Err(invalid());
        }
        let user = self.known_uids(app.id, &[session.uid]).await?.remove(&session.uid).ok_or_else(invalid)?;
        if user.disabled {
            return Err(Failure::new(Reason::UserDisabled, "the user is disabled"));
        }
        let now = self.clock.now_ms();
        if session.state == SessionState::Revoked || session.expires <= now {
            return Err(invalid());
        }
        let session = self.touch(session, now).await?;
        self.login_reply(app, &user, request.session, session, &[]).await
    }

    /// Moves the session's end, at most once an hour, and at the first use of a day.
    async fn touch(&self, mut session: Session, now: u64) -> Result<Session, Failure> {
        let day = self.day_of(now);
        if now.saturating_sub(session.last_used) >= self.settings.session_touch_ms || day != self.day_of(session.last_used) {
            session.last_used = now;
            session.expires = now + self.settings.session_lifetime_ms;
            self.store.touch_session(session.id, now, day, session.expires).await.map_err(convert::store)?;
        }
        Ok(session)
    }

    async fn login_reply(
        &self,
        app: &Arc<App>,
        user: &Arc<User>,
        token: String,
        session: Session,
        kicked: &[Session],
    ) -> Result<wire::LoginReply, Failure> {
        let generation = self.store.next_generation().await.map_err(convert::store)?;
        let records = self.store.devices(&[user.uid], self.clock.now_ms()).await.map_err(convert::store)?;
        let records = records.into_iter().flat_map(|(_, records)| records).collect();
        Ok(wire::LoginReply {
            user: Some(convert::user(&Apps::one(app), user)),
            session: token,
            session_id: session.id,
            session_expires_ms: session.expires,
            generation,
            devices: device_list(records, kicked),
            kicked_sessions: kicked.iter().map(|session| session.id).collect(),
        })
    }

    pub(crate) async fn logout(&self, request: wire::LogoutRequest) -> Result<wire::Done, Failure> {
        let app = self.app(request.app_id).await?;
        let uid = Uid(request.uid);
        if !self.known_uids(app.id, &[uid]).await?.contains_key(&uid) {
            return Err(convert::no_user());
        }
        let which = Some(request.session_id).filter(|_| !request.all_devices);
        let mut revoked = self.store.revoke_sessions(uid, which, self.clock.now_ms()).await.map_err(convert::store)?;
        // The device that asks keeps its connection.
        revoked.retain(|session| session.id != request.session_id);
        self.put_out(uid, &revoked, "session_revoked").await;
        Ok(wire::Done {})
    }

    pub(crate) async fn devices(&self, request: wire::DevicesRequest) -> Result<wire::DevicesReply, Failure> {
        let revoked_sessions = match request.sessions.as_slice() {
            [] => Vec::new(),
            sessions => self.store.revoked_sessions(sessions).await.map_err(convert::store)?,
        };
        if request.uids.is_empty() {
            return Ok(wire::DevicesReply { revoked_sessions, ..wire::DevicesReply::default() });
        }
        let app = self.app(request.app_id).await?;
        let mut uids: Vec<Uid> = request.uids.into_iter().map(Uid).collect();
        let known = self.known_uids(app.id, &uids).await?;
        uids.retain(|uid| known.contains_key(uid));
        let all = self.store.devices(&uids, self.clock.now_ms()).await.map_err(convert::store)?;
        let users = all.into_iter().map(|(uid, records)| wire::UserDevices {
            uid: uid.0,
            devices: records.into_iter().map(|record| device(record, false)).collect(),
        });
        Ok(wire::DevicesReply { users: users.collect(), revoked_sessions })
    }

    async fn tell_kicked(&self, outcome: &LoginOutcome) {
        if outcome.kicked.is_empty() {
            return;
        }
        self.kick(KickRequest {
            uid: outcome.session.uid.0,
            sessions: outcome.kicked.iter().map(|session| session.id).collect(),
            reason: "other_device".into(),
            by_platform: outcome.session.platform.to_string(),
            by_device_id: outcome.session.device_id.clone(),
            ..KickRequest::default()
        })
        .await;
    }

    /// Puts out the devices of sessions that were revoked.
    pub(crate) async fn put_out(&self, uid: Uid, revoked: &[Session], reason: &str) {
        if revoked.is_empty() {
            return;
        }
        let sessions = revoked.iter().map(|session| session.id).collect();
        self.kick(KickRequest { uid: uid.0, sessions, reason: reason.into(), ..KickRequest::default() }).await;
    }

    /// Puts out every device of a user: of earlier sessions too, whose kick may have been lost.
    pub(crate) async fn put_out_all(&self, uid: Uid, reason: &str) {
        self.kick(KickRequest { uid: uid.0, reason: reason.into(), ..KickRequest::default() }).await;
    }

    /// The sessions are revoked already, so a gateway that does not answer fails no call: its devices cannot log in again. The change
    /// is told afterwards, so that a gateway that was not reached looks at them all the same.
    pub(crate) async fn kick(&self, request: KickRequest) -> bool {
        let subject = if request.app_id == 0 { Subject::User(Uid(request.uid)) } else { Subject::App(AppId(request.app_id)) };
        let reached = self.kick_directly(request).await;
        self.announcer.tell(subject, 0);
        reached
    }

    async fn kick_directly(&self, request: KickRequest) -> bool {
        let (uid, app, reason) = (request.uid, request.app_id, request.reason.clone());
        let request = KickRequest { time_ms: self.clock.now_ms(), ..request };
        let told = tokio::time::timeout(self.settings.handover_deadline, self.gateway.kick(request)).await;
        let error = match told {
            Ok(Ok(_)) => return true,
            Ok(Err(failure)) => failure.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        metrics::counter!("mynah_directory_kicks_failed_total").increment(1);
        tracing::warn!(uid, app, reason, error, "devices could not be put out");
        false
    }
}

/// The newest record of each class, and those that this login put out.
fn device_list(records: Vec<DeviceRecord>, kicked: &[Session]) -> Vec<wire::DeviceRecord> {
    let mut newest: Vec<DeviceRecord> = Vec::new();
    for record in records {
        match newest.iter_mut().find(|other| other.class() == record.class()) {
            Some(other) if (other.last_login, other.session_id) < (record.last_login, record.session_id) => *other = record,
            Some(_) => {}
            None => newest.push(record),
        }
    }
    let shown: Vec<u64> = newest.iter().map(|record| record.session_id).collect();
    let is_kicked = |id: u64| kicked.iter().any(|session| session.id == id);
    let mut list: Vec<wire::DeviceRecord> = newest
        .into_iter()
        .map(|r| {
            let kicked = is_kicked(r.session_id);
            device(r, kicked)
        })
        .collect();
    list.extend(kicked.iter().filter(|session| !shown.contains(&session.id)).map(|session| wire::DeviceRecord {
        platform: session.platform.to_string(),
        device_id: session.device_id.clone(),
        login: false,
        last_login_ms: session.ctime,
        kicked: true,
        session_id: session.id,
    }));
    list
}

fn device(record: DeviceRecord, kicked: bool) -> wire::DeviceRecord {
    wire::DeviceRecord {
        platform: record.platform.to_string(),
        device_id: record.device_id,
        login: record.login,
        last_login_ms: record.last_login,
        kicked,
        session_id: record.session_id,
    }
}

//! Hello, login, logout, leaving.

use std::sync::Arc;

use mynah_ports::presence::OnlineDevice;
use mynah_proto::device::{self, Hello, Limits, Login, LoginAck, Logout, Reconnect, Resume, ServerFrame, Welcome, server_frame};
use mynah_proto::{Failure, directory};
use mynah_types::{AppId, ConversationKey, Reason, Uid};

use crate::codec::Shared;
use crate::connection::{Answered, Session, done, ok};
use crate::errors::{self, Close};
use crate::outbound::Identity;

const PLATFORMS: [&str; 6] = ["a", "i", "w", "m", "j", "x"];

impl Session {
    pub(crate) async fn hello(&mut self, id: u32, hello: Hello) -> Answered {
        if self.app.is_some() {
            return Ok(vec![errors::refuse(id, errors::INVALID, "hello", "was said before")]);
        }
        if !PLATFORMS.contains(&hello.platform.as_str()) {
            return Ok(vec![errors::refuse(id, errors::INVALID, "hello.platform", "must be one of a i w m j x")]);
        }
        if hello.device_id.is_empty() || hello.device_id.len() > 128 {
            return Ok(vec![errors::refuse(id, errors::INVALID, "hello.device_id", "must be 1 to 128 bytes")]);
        }
        match self.check_app(&hello).await {
            Ok(app) => {
                let log_epoch = match self.inner.log_epoch().await {
                    Ok(epoch) => epoch,
                    Err(failure) => return Ok(vec![errors::frame(id, &failure)]),
                };
                let window = hello.recv_window.unwrap_or_default();
                let size = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
                self.out.narrow(size(window.frames), size(window.bytes));
                self.app = Some(app);
                (self.platform, self.device_id) = (hello.platform, hello.device_id);
                Ok(vec![ok(id, server_frame::Body::Welcome(self.welcome(log_epoch)))])
            }
            Err(failure) if failure.why().is_retryable() => Ok(vec![errors::frame(id, &failure)]),
            Err(failure) => {
                self.say(errors::frame(id, &failure));
                Err(Close::AUTH)
            }
        }
    }

    async fn check_app(&self, hello: &Hello) -> Result<directory::App, Failure> {
        let directory = &self.inner.deps.directory;
        let appkey = hello.appkey.clone();
        if let Some(auth) = &hello.auth_payload {
            let request = directory::CheckSignatureRequest {
                appkey,
                random_str: auth.random_str.clone(),
                timestamp: auth.timestamp.clone(),
                signature: auth.signature.clone(),
                alg: auth.alg.clone(),
            };
            return directory.check_signature(request).await;
        }
        let app = directory.app_by_key(directory::AppByKeyRequest { appkey, now: false }).await?;
        let must_sign = match app.require_signature.as_str() {
            "all" => true,
            "never" => false,
            _ => matches!(hello.platform.as_str(), "j" | "x"),
        };
        if must_sign {
            return Err(Failure {
                field: "auth_payload".into(),
                ..Failure::new(Reason::BadCredentials, "a signature is required")
            });
        }
        Ok(app)
    }

    fn welcome(&self, log_epoch: String) -> Welcome {
        let deps = &self.inner.deps;
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Welcome {
            conn_id: self.out.conn.to_string(),
            server_time_ms: deps.clock.now_ms(),
            ping_ms: u32::try_from(deps.settings.ping_every.as_millis()).unwrap_or(u32::MAX),
            features: Vec::new(),
            limits: Some(Limits {
                msg_body: number(deps.settings.msg_body),
                frame: number(deps.settings.frame),
                ws_message: number(deps.settings.ws_message),
                sends_per_min: deps.settings.sends.per_minute,
                sync_entries: 200,
                subs: 0,
            }),
            reconnect: Some(Reconnect { base_ms: 500, cap_ms: 20_000 }),
            log_epoch,
        }
    }

    /// Writes an answer before the connection closes.
    fn say(&self, frame: ServerFrame) {
        self.out.push_beside(&Shared::new(frame));
    }

    pub(crate) async fn login(&mut self, id: u32, login: Login) -> Answered {
        if self.user.is_some() {
            return Ok(vec![errors::refuse(id, errors::INVALID, "login", "log out first")]);
        }
        if !matches!(login.form.as_str(), "" | "plain" | "md5") {
            return Ok(vec![errors::refuse(id, errors::INVALID, "login.form", "must be plain or md5")]);
        }
        let mark = self.inner.hub.kick_mark();
        match self.try_login(&login).await {
            Ok(reply) => {
                let ack = self.logged_in(reply, mark, login.resume).await;
                Ok(vec![match ack {
                    Ok(ack) => ok(id, server_frame::Body::LoginAck(ack)),
                    Err(failure) => {
                        self.leave().await;
                        errors::frame(id, &failure)
                    }
                }])
            }
            Err(failure) => {
                let answer = errors::frame(id, &failure);
                if !failure.why().is_retryable() {
                    self.failed_logins += 1;
                    if self.failed_logins >= self.inner.deps.settings.failed_logins {
                        self.say(answer);
                        return Err(Close::AUTH);
                    }
                }
                Ok(vec![answer])
            }
        }
    }

    async fn try_login(&self, login: &Login) -> Result<directory::LoginReply, Failure> {
        let request = directory::LoginRequest {
            app_id: self.app.as_ref().map_or(0, |app| app.app_id),
            username: login.username.clone(),
            password: login.password.clone(),
            password_is_md5: login.form == "md5",
            session: login.session.clone(),
            platform: self.platform.clone(),
            device_id: self.device_id.clone(),
            kick_others: login.kick_others.unwrap_or(true),
        };
        self.inner.deps.directory.login(request).await
    }

    /// Registers first, then reads the groups: what is sent in between is pushed, what was sent before is found by sync.
    async fn logged_in(&mut self, reply: directory::LoginReply, mark: u64, resume: Option<Resume>) -> Result<LoginAck, Failure> {
        let user = reply.user.clone().ok_or_else(|| Failure::new(Reason::Internal, "a login without a user"))?;
        let uid = Uid(user.uid);
        let who = Arc::new(Identity {
            app: AppId(self.app.as_ref().map_or(0, |app| app.app_id)),
            uid,
            session_id: reply.session_id,
            device_id: self.device_id.clone(),
            platform: self.platform.clone(),
        });
        let before = self.inner.hub.connections_of(uid);
        self.out.identify(Some(Arc::clone(&who)));
        self.user = Some(user);
        self.online_since = self.inner.deps.clock.now_ms();
        self.rates = self.inner.hub.rates_of(uid);
        self.inner.hub.register(uid, &self.out);
        self.come_online(&who, reply.generation).await?;
        for old in before {
            let same =
                |o: &Identity| o.session_id == who.session_id || (o.device_id == who.device_id && o.platform == who.platform);
            if old.identity().is_some_and(|o| same(&o)) {
                old.close(Close::REPLACED);
            }
        }
        self.inner.join_groups(who.app.0, uid).await?;
        if self.inner.hub.kicks_since(mark).iter().any(|kick| crate::deliver::concerns(kick, &who, self.out.conn)) {
            return Err(Failure::new(Reason::SessionInvalid, "the session was revoked while it logged in"));
        }
        let heads = match resume {
            Some(resume) => Some(self.moved_since(&resume.cursor).await?),
            None => None,
        };
        Ok(LoginAck { heads, ..self.ack(reply).await? })
    }

    async fn come_online(&self, who: &Identity, generation: u64) -> Result<(), Failure> {
        let online = OnlineDevice {
            uid: who.uid,
            conn: self.out.conn,
            gateway: self.inner.deps.gateway_id,
            platform: self.platform.chars().next().unwrap_or('a'),
            session_id: who.session_id,
            generation,
        };
        let failed = |e: mynah_ports::presence::Error| Failure::new(Reason::Unavailable, e.to_string());
        self.inner.deps.presence.online(online).await.map_err(failed)
    }

    async fn ack(&self, reply: directory::LoginReply) -> Result<LoginAck, Failure> {
        let user = reply.user.unwrap_or_default();
        let online = self.inner.deps.presence.devices(&[Uid(user.uid)]).await.unwrap_or_default();
        let devices = reply.devices.into_iter().map(|d| device::Device {
            online: online.iter().any(|o| o.session_id == d.session_id),
            platform: d.platform,
            device_id: d.device_id,
            login: d.login,
            last_login: d.last_login_ms,
            kicked: d.kicked,
        });
        Ok(LoginAck {
            devices: devices.collect(),
            user: Some(self::user(&user)),
            session: reply.session,
            session_expires: reply.session_expires_ms,
            heads: None,
        })
    }

    pub(crate) async fn logout(&mut self, id: u32, logout: Logout) -> ServerFrame {
        let Some(who) = self.out.identity() else { return done(id) };
        let request = directory::LogoutRequest {
            app_id: who.app.0,
            uid: who.uid.0,
            session_id: who.session_id,
            all_devices: logout.all_devices,
        };
        self.out.set_leaving(true);
        let answer = match self.inner.deps.directory.logout(request).await {
            Ok(_) => {
                self.leave().await;
                done(id)
            }
            Err(failure) => errors::frame(id, &failure),
        };
        self.out.set_leaving(false);
        answer
    }

    /// Takes the connection out of everything that it is in.
    pub(crate) async fn leave(&mut self) {
        let deps = &self.inner.deps;
        let mut ended: Vec<ConversationKey> = std::mem::take(&mut self.rooms).into_iter().collect();
        ended.retain(|room| self.inner.hub.leave_room(*room, self.out.conn));
        if let Some(who) = self.out.identity() {
            ended.extend(self.inner.hub.remove(who.uid, self.out.conn));
            // Presence is soft: what does not get through here is put right by its own expiry.
            _ = deps.presence.offline(who.uid, deps.gateway_id, self.out.conn).await;
        }
        self.inner.align_audiences(ended).await;
        self.out.identify(None);
        self.user = None;
        self.blocked.clear();
    }
}

/// A user's profile as devices see it.
pub(crate) fn user(user: &directory::User) -> device::User {
    let profile = user.profile.clone().unwrap_or_default();
    device::User {
        username: user.username.clone(),
        appkey: user.appkey.clone(),
        nickname: profile.nickname.unwrap_or_default(),
        avatar: profile.avatar.unwrap_or_default(),
        birthday: profile.birthday.unwrap_or_default(),
        gender: profile.gender,
        signature: profile.signature.unwrap_or_default(),
        region: profile.region.unwrap_or_default(),
        address: profile.address.unwrap_or_default(),
        extras: profile.extras.map(Into::into).unwrap_or_default(),
        mtime_ms: user.mtime_ms,
        r#type: if user.admin { "admin" } else { "user" }.into(),
    }
}

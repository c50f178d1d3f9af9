//! Directory operations by a device: `call{method, body}`.

use mynah_proto::device::{Call, Reply, ServerFrame, server_frame};
use mynah_proto::{Failure, directory};
use mynah_types::Reason;
use serde::Deserialize;

use crate::connection::{Session, ok};
use crate::errors;
use crate::login;

#[derive(Deserialize)]
struct Register {
    username: String,
    password: String,
    #[serde(default)]
    is_md5: bool,
    nickname: Option<String>,
}

#[derive(Deserialize)]
struct Named {
    username: String,
    #[serde(default)]
    appkey: String,
}

impl Session {
    pub(crate) async fn call(&mut self, id: u32, call: Call) -> ServerFrame {
        let answer = match call.method.as_str() {
            "user.register" => self.register(&call.body).await,
            "user.get" if self.user.is_none() => {
                return errors::refuse(id, errors::NOT_LOGGED_IN, "", "log in first");
            }
            "user.get" => self.get_user(&call.body).await,
            "media.url" | "media.upload_grant" if self.user.is_none() => {
                return errors::refuse(id, errors::NOT_LOGGED_IN, "", "log in first");
            }
            "media.url" => self.media_url(&call.body).await,
            "media.upload_grant" => self.upload_grant(&call.body).await,
            _ => return errors::refuse(id, errors::UNKNOWN_METHOD, "call.method", "unknown method"),
        };
        match answer {
            Ok(body) => ok(id, server_frame::Body::Reply(Reply { body: body.into() })),
            Err(failure) => errors::frame(id, &failure),
        }
    }

    async fn register(&self, body: &[u8]) -> Result<Vec<u8>, Failure> {
        let new: Register = read(body)?;
        let user = directory::NewUser {
            username: new.username,
            password: new.password,
            password_is_md5: new.is_md5,
            profile: Some(directory::Profile { nickname: new.nickname, ..Default::default() }),
        };
        let app_id = self.app.as_ref().map_or(0, |app| app.app_id);
        let request = directory::RegisterRequest { app_id, users: vec![user], admin: false, by_device: true };
        let reply = self.inner.deps.directory.register(request).await?;
        match reply.results.into_iter().next().and_then(|result| result.failure) {
            Some(failure) => Err(failure),
            None => Ok(b"{}".to_vec()),
        }
    }

    async fn get_user(&self, body: &[u8]) -> Result<Vec<u8>, Failure> {
        let named: Named = read(body)?;
        let app_id = self.target_app(&named.appkey).await?;
        let request = directory::GetUserRequest { app_id, username: named.username, uid: 0 };
        let user = self.inner.deps.directory.get_user(request).await?;
        serde_json::to_vec(&login::user(&user)).map_err(|e| Failure::new(Reason::Internal, e.to_string()))
    }
}

pub(crate) fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|e| Failure::invalid("call.body", e.to_string()))
}

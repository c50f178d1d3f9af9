//! Users that come from another service, with the hashes of their passwords: importing costs no hash.

use mynah_ports::directory_store::NewUser;
use mynah_proto::Failure;
use mynah_proto::directory as wire;

use crate::hashing::{Md5Form, imported};
use crate::{Operator, OperatorError, validate};

/// Users of one step.
const STEP: usize = 500;

/// A user to be imported.
#[derive(Debug, Clone)]
pub struct ImportedUser {
    /// His name.
    pub username: String,
    /// The hash of his password.
    pub password: ImportedPassword,
    /// What he tells of himself.
    pub profile: wire::Profile,
}

/// A hash that another service kept.
#[derive(Debug, Clone)]
pub enum ImportedPassword {
    /// The lower-hex MD5 of the password, as the hosted service keeps it. It is replaced by an Argon2id hash at the first login.
    Md5(String),
    /// An Argon2id hash in PHC form over the lower-hex MD5 of the password, as this server keeps it.
    Argon2id(String),
}

impl Operator {
    /// Imports users into an app. Answers, in their order, why one was not: his name is taken, or something is out of form.
    ///
    /// # Errors
    /// When there is no such app, or the store does not serve. What was imported before that stays: importing again passes it over.
    pub async fn import_users(&self, appkey: &str, users: Vec<ImportedUser>) -> Result<Vec<Result<(), String>>, OperatorError> {
        let app = self.app(appkey).await?;
        let mut outcomes = Vec::with_capacity(users.len());
        let mut users = users.into_iter().peekable();
        while users.peek().is_some() {
            let (mut good, mut places) = (Vec::new(), Vec::new());
            for user in users.by_ref().take(STEP) {
                match read(user) {
                    Ok(user) => {
                        places.push(outcomes.len());
                        good.push(user);
                        outcomes.push(Ok(()));
                    }
                    Err(failure) => outcomes.push(Err(format!("{} {}", failure.field, failure.message))),
                }
            }
            let uids = self.store.insert_users(app.id, good, self.clock.now_ms()).await?;
            for (place, _) in places.into_iter().zip(uids).filter(|(_, uid)| uid.is_none()) {
                if let Some(outcome) = outcomes.get_mut(place) {
                    *outcome = Err("username is taken".into());
                }
            }
        }
        Ok(outcomes)
    }
}

fn read(user: ImportedUser) -> Result<NewUser, Failure> {
    let password = match user.password {
        ImportedPassword::Md5(text) => Md5Form::parse(&text).map(|form| form.stored()),
        ImportedPassword::Argon2id(text) => imported(text),
    };
    Ok(NewUser {
        username: validate::username("username", &user.username)?,
        password: password.ok_or_else(|| Failure::invalid("password", "is no hash of a known form"))?,
        admin: false,
        profile: validate::profile(Some(user.profile))?,
    })
}

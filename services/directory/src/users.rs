//! Users: registration, look-up, profiles, passwords.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use mynah_ports::changes::Subject;
use mynah_ports::deadline;
use mynah_ports::directory_store::{App, NewUser, Profile, User};
use mynah_proto::{Failure, directory as wire};
use mynah_types::{AppId, Reason, Uid, Username};

use crate::cache::Cache;
use crate::cross::Apps;
use crate::events::SelfEvent;
use crate::hashing::Md5Form;
use crate::{Inner, convert, validate};

/// Users of one registration who are hashed and made together.
const TOGETHER: usize = 32;
/// What their hashes may take on a slow processor.
const HASHED_WITHIN: Duration = Duration::from_secs(2);

/// Living users, by name and by number.
pub(crate) struct UserCache {
    by_name: Cache<(AppId, Username), Arc<User>>,
    by_uid: Cache<Uid, Arc<User>>,
}

impl UserCache {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { by_name: Cache::new(capacity), by_uid: Cache::new(capacity) }
    }

    pub(crate) fn invalidate(&self, user: &User) {
        self.by_name.invalidate(&(user.app, user.username.clone()));
        self.by_uid.invalidate(&user.uid);
    }
}

/// An element of a registration that may be made: its place in the request, the user, the password to hash.
type Candidate = (usize, Username, Profile, Md5Form);

impl Inner {
    /// The living users of these names, in the order of the names; those that are missing are left out.
    pub(crate) async fn known(&self, app: AppId, names: &[Username]) -> Result<Vec<Arc<User>>, Failure> {
        let ticket = self.users.by_name.ticket();
        let mut found: HashMap<Username, Arc<User>> = HashMap::with_capacity(names.len());
        let mut missing = Vec::new();
        for name in names {
            match self.users.by_name.get(&(app, name.clone())) {
                Some(user) => _ = found.insert(name.clone(), user),
                None => missing.push(name.clone()),
            }
        }
        if !missing.is_empty() {
            for user in self.store.users_by_name(app, &missing).await.map_err(convert::store)? {
                let user = Arc::new(user);
                self.users.by_name.insert(ticket, (app, user.username.clone()), Arc::clone(&user));
                found.insert(user.username.clone(), user);
            }
        }
        Ok(names.iter().filter_map(|name| found.get(name).cloned()).collect())
    }

    /// The living users of these numbers that belong to the app.
    pub(crate) async fn known_uids(&self, app: AppId, uids: &[Uid]) -> Result<HashMap<Uid, Arc<User>>, Failure> {
        let mut found = self.any_uids(uids).await?;
        found.retain(|_, user| user.app == app);
        Ok(found)
    }

    /// The living users of these numbers, of whatever app.
    pub(crate) async fn any_uids(&self, uids: &[Uid]) -> Result<HashMap<Uid, Arc<User>>, Failure> {
        let ticket = self.users.by_uid.ticket();
        let mut found = HashMap::with_capacity(uids.len());
        let mut missing = Vec::new();
        for uid in uids {
            match self.users.by_uid.get(uid) {
                Some(user) => _ = found.insert(*uid, user),
                None => missing.push(*uid),
            }
        }
        if !missing.is_empty() {
            for user in self.store.users_by_uid(&missing).await.map_err(convert::store)? {
                let user = Arc::new(user);
                self.users.by_uid.insert(ticket, user.uid, Arc::clone(&user));
                found.insert(user.uid, user);
            }
        }
        Ok(found)
    }

    /// The user that a call is about.
    pub(crate) async fn user_named(&self, app: AppId, name: &str) -> Result<Arc<User>, Failure> {
        let name = validate::username("username", name)?;
        self.known(app, &[name]).await?.into_iter().next().ok_or_else(convert::no_user)
    }

    /// Users that a list names, each once; all must be there.
    pub(crate) async fn users_named(
        &self,
        app: AppId,
        field: &str,
        names: &[String],
        most: usize,
    ) -> Result<Vec<Arc<User>>, Failure> {
        let names = validate::usernames(field, names, most)?;
        let found = self.known(app, &names).await?;
        if found.len() == names.len() {
            return Ok(found);
        }
        let there: HashSet<&Username> = found.iter().map(|user| &user.username).collect();
        let missing: Vec<&str> = names.iter().filter(|name| !there.contains(name)).map(Username::as_str).collect();
        Err(Failure::new(Reason::NamedUserNotFound, format!("no such user: {}", missing.join(", "))))
    }

    pub(crate) async fn get_user(&self, request: wire::GetUserRequest) -> Result<wire::User, Failure> {
        let app = self.app(request.app_id).await?;
        let user = self.user_of(&app, &request).await?;
        Ok(convert::user(&Apps::one(&app), &user))
    }

    /// By name, or by number if there is no name.
    pub(crate) async fn user_of(&self, app: &App, request: &wire::GetUserRequest) -> Result<Arc<User>, Failure> {
        if !request.username.is_empty() || request.uid == 0 {
            return self.user_named(app.id, &request.username).await;
        }
        let uid = Uid(request.uid);
        self.known_uids(app.id, &[uid]).await?.remove(&uid).ok_or_else(convert::no_user)
    }

    pub(crate) async fn get_users(&self, request: wire::GetUsersRequest) -> Result<wire::UserList, Failure> {
        let app = self.app(request.app_id).await?;
        let mut users = Vec::new();
        if !request.usernames.is_empty() {
            // Answers of other services come through here too: as many as a chatroom's change may name.
            let most = validate::ROOM_NAMES;
            users = if request.strict {
                self.users_named(app.id, "usernames", &request.usernames, most).await?
            } else {
                self.known(app.id, &validate::usernames("usernames", &request.usernames, most)?).await?
            };
        }
        let uids: Vec<Uid> = request.uids.iter().copied().map(Uid).collect();
        let found = if request.any_app { self.any_uids(&uids).await? } else { self.known_uids(app.id, &uids).await? };
        for uid in uids {
            match found.get(&uid) {
                Some(user) => users.push(Arc::clone(user)),
                None if request.strict => {
                    return Err(Failure::new(Reason::NamedUserNotFound, format!("no such user: {uid}")));
                }
                None => {}
            }
        }
        Ok(wire::UserList { users: self.shown(&users).await? })
    }

    pub(crate) async fn list_users(&self, request: wire::ListRequest, admins: bool) -> Result<wire::UserPage, Failure> {
        let app = self.app(request.app_id).await?;
        let count = validate::page_count(request.count)?;
        let (total, users) = self.store.list_users(app.id, admins, request.start, count).await.map_err(convert::store)?;
        Ok(wire::UserPage { total, users: self.shown(&users).await? })
    }

    pub(crate) async fn register(&self, request: wire::RegisterRequest) -> Result<wire::RegisterReply, Failure> {
        let app = if request.by_device { self.app_now(AppId(request.app_id)).await? } else { self.app(request.app_id).await? };
        if request.by_device && !app.rules.device_registration {
            return Err(Failure::new(Reason::RegistrationClosed, "devices may not register users in this app"));
        }
        match request.users.len() {
            0 => return Err(Failure::invalid("users", "must hold at least one user")),
            n if n > validate::REGISTRATIONS => {
                return Err(Failure::new(Reason::TooManyUsers, "more than 500 users in one call"));
            }
            _ => {}
        }
        let _place = self.hashing.registration()?;
        let mut results = vec![wire::RegisterResult::default(); request.users.len()];
        let candidates = self.candidates(app.id, request.users, &mut results).await?;
        let made = self.make(&app, request.admin, candidates).await?;
        for (place, result) in made {
            if let Some(slot) = results.get_mut(place) {
                *slot = result;
            }
        }
        Ok(wire::RegisterReply { results })
    }

    /// What may be made of a request. The others get their failure here, before any of them costs a hash.
    async fn candidates(
        &self,
        app: AppId,
        users: Vec<wire::NewUser>,
        results: &mut [wire::RegisterResult],
    ) -> Result<Vec<Candidate>, Failure> {
        let mut candidates: Vec<Candidate> = Vec::with_capacity(users.len());
        let mut failures = Vec::new();
        for (place, user) in users.into_iter().enumerate() {
            match candidate(user) {
                Ok((name, profile, form)) => candidates.push((place, name, profile, form)),
                Err(failure) => failures.push((place, failure)),
            }
        }
        let names: Vec<Username> = candidates.iter().map(|(_, name, _, _)| name.clone()).collect();
        let mut taken: HashSet<Username> = self.known(app, &names).await?.iter().map(|user| user.username.clone()).collect();
        candidates.retain(|(place, name, _, _)| {
            let free = taken.insert(name.clone());
            if !free {
                failures.push((*place, exists()));
            }
            free
        });
        for (place, failure) in failures {
            if let Some(slot) = results.get_mut(place) {
                slot.failure = Some(failure);
            }
        }
        Ok(candidates)
    }

    async fn make(
        &self,
        app: &App,
        admin: bool,
        candidates: Vec<Candidate>,
    ) -> Result<Vec<(usize, wire::RegisterResult)>, Failure> {
        let mut results = Vec::with_capacity(candidates.len());
        let mut left = candidates.into_iter();
        loop {
            let some: Vec<Candidate> = left.by_ref().take(TOGETHER).collect();
            if some.is_empty() {
                return Ok(results);
            }
            // Hashing takes long: what there is no time for is for the next call, and not lost with what is made.
            if !results.is_empty() && !deadline::leaves(deadline::LEAST + HASHED_WITHIN) {
                let late = |place| (place, wire::RegisterResult { uid: 0, failure: Some(convert::too_late()) });
                results.extend(some.into_iter().chain(left).map(|(place, ..)| late(place)));
                return Ok(results);
            }
            results.extend(self.make_some(app, admin, some).await?);
        }
    }

    async fn make_some(
        &self,
        app: &App,
        admin: bool,
        candidates: Vec<Candidate>,
    ) -> Result<Vec<(usize, wire::RegisterResult)>, Failure> {
        let hashed = stream::iter(candidates).map(|(place, username, profile, form)| async move {
            let password = self.hashing.hash_bulk(form).await?;
            Ok::<_, Failure>((place, NewUser { username, password, admin, profile }))
        });
        let hashed: Vec<(usize, NewUser)> = hashed.buffered(self.hashing.threads()).try_collect().await?;
        let (places, users): (Vec<usize>, Vec<NewUser>) = hashed.into_iter().unzip();
        let uids = self.store.insert_users(app.id, users, self.clock.now_ms()).await.map_err(convert::store)?;
        metrics::counter!("mynah_directory_registrations_total").increment(uids.iter().flatten().count() as u64);
        let result = |uid: Option<Uid>| match uid {
            Some(uid) => wire::RegisterResult { uid: uid.0, failure: None },
            None => wire::RegisterResult { uid: 0, failure: Some(exists()) },
        };
        Ok(places.into_iter().zip(uids.into_iter().map(result)).collect())
    }

    pub(crate) async fn update_user(&self, request: wire::UpdateUserRequest) -> Result<wire::Done, Failure> {
        let app = self.app(request.app_id).await?;
        let profile = validate::profile(request.profile)?;
        let user = self.user_named(app.id, &request.username).await?;
        if profile != Profile::default() {
            let done = self
                .store
                .update_profile(user.uid, profile, self.clock.now_ms(), SelfEvent::profile(&Apps::one(&app), &user))
                .await;
            // Whatever came of it: what is kept may be old.
            self.users.invalidate(&user);
            done.map_err(convert::store_about_user)?;
            self.tell([user.uid]).await;
            self.announcer.tell(Subject::User(user.uid), 0);
        }
        Ok(wire::Done {})
    }

    pub(crate) async fn set_password(&self, request: wire::SetPasswordRequest) -> Result<wire::Done, Failure> {
        let app = self.app(request.app_id).await?;
        let form = validate::new_password("new_password", &request.new_password, request.new_is_md5)?;
        let user = self.user_named(app.id, &request.username).await?;
        let mut verified = None;
        if let Some(old) = request.old_password {
            let stored = self.store.password(user.uid).await.map_err(convert::store)?.ok_or_else(convert::no_user)?;
            let wrong = || Failure::new(Reason::BadPassword, "wrong password");
            let old = validate::given_password(&old, request.old_is_md5).ok_or_else(wrong)?;
            if !self.hashing.verify(old, stored.clone()).await? {
                return Err(wrong());
            }
            verified = Some(stored);
        }
        let password = self.hashing.hash(form).await?;
        let keep = Some(request.keep_session).filter(|id| *id != 0);
        let revoked = self
            .store
            .set_password(user.uid, password, verified, keep, self.clock.now_ms())
            .await
            .map_err(convert::store_about_user)?;
        self.put_out(user.uid, &revoked, "password_changed").await;
        Ok(wire::Done {})
    }

    pub(crate) async fn set_disabled(&self, request: wire::SetDisabledRequest) -> Result<wire::Done, Failure> {
        let app = self.app(request.app_id).await?;
        let user = self.user_named(app.id, &request.username).await?;
        let done = self.store.set_disabled(user.uid, request.disabled, self.clock.now_ms()).await;
        self.users.invalidate(&user);
        done.map_err(convert::store_about_user)?;
        if request.disabled {
            self.put_out_all(user.uid, "disabled").await;
        } else {
            self.announcer.tell(Subject::User(user.uid), 0);
        }
        Ok(wire::Done {})
    }
}

fn candidate(user: wire::NewUser) -> Result<(Username, Profile, Md5Form), Failure> {
    Ok((
        validate::username("username", &user.username)?,
        validate::profile(user.profile)?,
        validate::new_password("password", &user.password, user.password_is_md5)?,
    ))
}

fn exists() -> Failure {
    Failure::new(Reason::UserExists, "user exist")
}

//! Friends: made and ended for both, noted by each for himself.

use std::collections::HashMap;
use std::sync::Arc;

use mynah_ports::directory_store::{FeedEvents, FriendNote, User};
use mynah_proto::{Failure, directory as wire};
use mynah_types::{Uid, Username};

use crate::cross::apps_with;
use crate::events::{Friendship, SelfEvent};
use crate::{Inner, convert, validate};

/// Friends that one user may have (our choice: none is documented).
const MOST: u32 = 5000;

/// The user, and those whom he names.
type Named = (Arc<User>, Vec<Arc<User>>);

impl Inner {
    pub(crate) async fn add_friends(&self, request: wire::FriendsRequest) -> Result<wire::Done, Failure> {
        let (user, peers) = self.friends_named(&request).await?;
        let (uids, told) = self.concerned(&user, &peers, Friendship::Made).await?;
        self.store.add_friends(user.uid, &uids, MOST, self.clock.now_ms(), told).await.map_err(convert::store)?;
        self.tell(uids.into_iter().chain([user.uid])).await;
        Ok(wire::Done {})
    }

    pub(crate) async fn remove_friends(&self, request: wire::FriendsRequest) -> Result<wire::Done, Failure> {
        let (user, peers) = self.friends_named(&request).await?;
        let (uids, told) = self.concerned(&user, &peers, Friendship::Ended).await?;
        self.store.remove_friends(user.uid, &uids, told).await.map_err(convert::store)?;
        self.tell(uids.into_iter().chain([user.uid])).await;
        Ok(wire::Done {})
    }

    async fn friends_named(&self, request: &wire::FriendsRequest) -> Result<Named, Failure> {
        let app = self.app(request.app_id).await?;
        let user = self.user_named(app.id, &request.username).await?;
        if request.peers.is_empty() && request.cross.iter().all(|one| one.add.is_empty()) {
            return Err(Failure::invalid("body", "must name at least one user"));
        }
        let (own, cross) = (&request.peers, &request.cross);
        let peers = self.named_across(&app, "body", own, cross, |one| &one.add, validate::NAMES).await?;
        if peers.iter().any(|peer| peer.uid == user.uid) {
            return Err(Failure::invalid("body", "must not name the user himself"));
        }
        Ok((user, peers))
    }

    /// The others' numbers, and what all of them are told.
    async fn concerned(&self, user: &User, peers: &[Arc<User>], what: Friendship) -> Result<(Vec<Uid>, FeedEvents), Failure> {
        let refs: Vec<&User> = peers.iter().map(Arc::as_ref).collect();
        let apps = self.apps_of(apps_with(refs.iter().copied().chain([user]))).await?;
        Ok((peers.iter().map(|peer| peer.uid).collect(), SelfEvent::friends(&apps, user, &refs, what)))
    }

    pub(crate) async fn note_friends(&self, request: wire::NoteFriendsRequest) -> Result<wire::Done, Failure> {
        let app = self.app(request.app_id).await?;
        let user = self.user_named(app.id, &request.username).await?;
        if request.notes.is_empty() || request.notes.len() > validate::NAMES {
            return Err(Failure::invalid("body", "must hold 1 to 500 notes"));
        }
        let mut wanted: HashMap<(String, String), wire::FriendNote> = HashMap::new();
        let mut cross: HashMap<String, Vec<String>> = HashMap::new();
        for note in request.notes {
            let note = checked(note)?;
            let appkey = if note.appkey.is_empty() { app.key.to_string() } else { note.appkey.clone() };
            cross.entry(appkey.clone()).or_default().push(note.username.clone());
            if wanted.insert((appkey, note.username.clone()), note).is_some() {
                return Err(Failure::invalid("username", "must not come twice"));
            }
        }
        let cross: Vec<wire::CrossNames> =
            cross.into_iter().map(|(appkey, add)| wire::CrossNames { appkey, add, remove: Vec::new() }).collect();
        let peers = self.named_across(&app, "username", &[], &cross, |one| &one.add, validate::NAMES).await?;
        let apps = self.apps_of(apps_with(peers.iter().map(Arc::as_ref))).await?;
        let notes = peers.iter().filter_map(|peer| {
            let note = wanted.remove(&(apps.key(peer.app).to_owned(), peer.username.to_string()))?;
            Some(FriendNote { peer: peer.uid, note_name: note.note_name, others: note.others })
        });
        let notes = notes.collect();
        let (_, told) = self.concerned(&user, &peers, Friendship::Noted).await?;
        self.store.note_friends(user.uid, notes, told).await.map_err(convert::store)?;
        self.tell([user.uid]).await;
        Ok(wire::Done {})
    }

    pub(crate) async fn friends(&self, request: wire::GetUserRequest) -> Result<wire::FriendList, Failure> {
        let app = self.app(request.app_id).await?;
        let user = self.user_of(&app, &request).await?;
        let friends = self.store.friends(user.uid).await.map_err(convert::store)?;
        let apps = self.apps_of(apps_with(friends.iter().map(|friend| &friend.user))).await?;
        let shown = friends.into_iter().map(|friend| wire::Friend {
            user: Some(convert::user(&apps, &friend.user)),
            note_name: friend.note_name,
            others: friend.others,
        });
        Ok(wire::FriendList { friends: shown.collect() })
    }
}

/// Lengths and forms of a note; at least one part is there.
fn checked(note: wire::FriendNote) -> Result<wire::FriendNote, Failure> {
    Username::parse(&note.username).map_err(|e| Failure::invalid("username", e.why))?;
    if note.note_name.is_none() && note.others.is_none() {
        return Err(Failure::invalid("note_name", "or others must be there"));
    }
    let note_name = note.note_name.map(|text| validate::at_most("note_name", text, 64)).transpose()?;
    if note_name.as_ref().is_some_and(|text| text.contains(['\n', '\r'])) {
        return Err(Failure::invalid("note_name", "must not hold line breaks"));
    }
    let others = note.others.map(|text| validate::at_most("others", text, 250)).transpose()?;
    Ok(wire::FriendNote { note_name, others, ..note })
}

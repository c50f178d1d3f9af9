//! Friends: made and ended for both, noted by each for himself.

use std::collections::HashMap;

use mynah_ports::directory_store::FriendNote;
use mynah_proto::{Failure, directory as wire};
use mynah_types::{Uid, Username};

use crate::{Inner, convert, validate};

/// Friends that one user may have (our choice: none is documented).
const MOST: u32 = 5000;

impl Inner {
    pub(crate) async fn add_friends(&self, request: wire::FriendsRequest) -> Result<wire::Done, Failure> {
        let (uid, peers) = self.friends_named(&request).await?;
        self.store.add_friends(uid, &peers, MOST, self.clock.now_ms()).await.map_err(convert::store)?;
        Ok(wire::Done {})
    }

    pub(crate) async fn remove_friends(&self, request: wire::FriendsRequest) -> Result<wire::Done, Failure> {
        let (uid, peers) = self.friends_named(&request).await?;
        self.store.remove_friends(uid, &peers).await.map_err(convert::store)?;
        Ok(wire::Done {})
    }

    async fn friends_named(&self, request: &wire::FriendsRequest) -> Result<(Uid, Vec<Uid>), Failure> {
        let app = self.app(request.app_id).await?;
        let user = self.user_named(app.id, &request.username).await?;
        let peers = self.users_named(app.id, "body", &request.peers, validate::NAMES).await?;
        if peers.iter().any(|peer| peer.uid == user.uid) {
            return Err(Failure::invalid("body", "must not name the user himself"));
        }
        Ok((user.uid, peers.iter().map(|peer| peer.uid).collect()))
    }

    pub(crate) async fn note_friends(&self, request: wire::NoteFriendsRequest) -> Result<wire::Done, Failure> {
        let app = self.app(request.app_id).await?;
        let user = self.user_named(app.id, &request.username).await?;
        let mut wanted: HashMap<String, wire::FriendNote> = HashMap::new();
        for note in request.notes {
            let note = checked(note)?;
            if wanted.insert(note.username.clone(), note).is_some() {
                return Err(Failure::invalid("username", "must not come twice"));
            }
        }
        let names: Vec<String> = wanted.keys().cloned().collect();
        let peers = self.users_named(app.id, "username", &names, validate::NAMES).await?;
        let notes = peers.iter().filter_map(|peer| {
            let note = wanted.remove(peer.username.as_str())?;
            Some(FriendNote { peer: peer.uid, note_name: note.note_name, others: note.others })
        });
        self.store.note_friends(user.uid, notes.collect()).await.map_err(convert::store)?;
        Ok(wire::Done {})
    }

    pub(crate) async fn friends(&self, request: wire::GetUserRequest) -> Result<wire::FriendList, Failure> {
        let app = self.app(request.app_id).await?;
        let user = self.user_of(&app, &request).await?;
        let friends = self.store.friends(user.uid).await.map_err(convert::store)?;
        let shown = friends.into_iter().filter(|friend| friend.user.app == app.id).map(|friend| wire::Friend {
            user: Some(convert::user(&app, &friend.user)),
            note_name: friend.note_name,
            others: friend.others,
        });
        Ok(wire::FriendList { friends: shown.collect() })
    }
}

/// Lengths and forms of a note (rest-api 1.5); at least one part is there.
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

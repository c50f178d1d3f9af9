//! Chatrooms: entered by a connection, left with it.

mod backlog;
mod expand;
mod inside;
mod turns;

use mynah_proto::device::{Party, RoomEnter, RoomFlags, RoomInfo, RoomLeave, RoomState, ServerFrame, server_frame};
use mynah_proto::router::RoomTailRequest;
use mynah_proto::{Failure, directory};
use mynah_types::{ConversationKey, Reason};

use crate::connection::{Session, done, ok};
use crate::entry::entry;
use crate::errors;

pub(crate) use backlog::{Bounds, Said};
pub(crate) use expand::{Message, Room};
pub(crate) use turns::Turns;

/// Rooms that one connection may be in.
const MOST_ROOMS: usize = 100;

impl Session {
    pub(crate) async fn room(&self, room_id: u64) -> Result<directory::Room, Failure> {
        let app_id = self.app.as_ref().map_or(0, |app| app.app_id);
        let request = directory::GetRoomsRequest { app_id, room_ids: vec![room_id], strict: false, member_uid: self.uid() };
        let rooms = self.inner.deps.directory.get_rooms(request).await?.rooms;
        rooms.into_iter().next().ok_or_else(|| Failure::new(Reason::RoomNotFound, "no such chatroom"))
    }

    pub(crate) async fn room_enter(&mut self, id: u32, enter: RoomEnter) -> ServerFrame {
        match self.enter(enter).await {
            Ok(state) => ok(id, server_frame::Body::RoomState(state)),
            Err(failure) => errors::frame(id, &failure),
        }
    }

    /// Subscribes first, then reads where the room stands: what is sent in between comes twice at worst, and seq tells.
    async fn enter(&mut self, enter: RoomEnter) -> Result<RoomState, Failure> {
        let number = enter.room_id.parse().map_err(|_| Failure::invalid("room_enter.room_id", "must be a number"))?;
        let room = self.room(number).await?;
        let key = ConversationKey::Room(room.room_id);
        if self.rooms.len() >= MOST_ROOMS && !self.rooms.contains(&key) {
            return Err(Failure::new(Reason::RateLimited, "too many rooms on one connection"));
        }
        let deps = &self.inner.deps;
        let bounds = deps.settings.room_bounds();
        self.inner.hub.enter_room(key, enter.last_seq.saturating_add(1), &self.out, bounds);
        self.rooms.insert(key);
        let failed = |e: mynah_ports::presence::Error| Failure::new(Reason::Unavailable, e.to_string());
        self.inner.align_audience(key).await.map_err(failed)?;
        let uid = self.user.as_ref().map_or(0, |user| user.uid);
        let request = RoomTailRequest { uid, room_id: room.room_id, last_seq: enter.last_seq, limit: 50 };
        let tail = deps.router.room_tail(request).await?;
        let owner = room.owner.unwrap_or_default();
        Ok(RoomState {
            conv_id: key.to_string(),
            info: Some(RoomInfo {
                room_id: room.room_id.to_string(),
                name: room.name,
                description: room.description,
                max_members: room.max_members,
                members: room.members,
                owner: Some(Party { username: owner.username, appkey: owner.appkey, ..Party::default() }),
            }),
            head_seq: tail.head_seq,
            entries: tail.entries.iter().map(entry).collect(),
            admins: Vec::new(),
            my: Some(RoomFlags { muted: tail.muted, admin: false, owner: owner.uid == uid }),
        })
    }

    pub(crate) async fn room_leave(&mut self, id: u32, leave: RoomLeave) -> ServerFrame {
        let Ok(number) = leave.room_id.parse() else {
            return errors::refuse(id, errors::INVALID, "room_leave.room_id", "must be a number");
        };
        let key = ConversationKey::Room(number);
        if self.rooms.remove(&key) && self.inner.hub.leave_room(key, self.out.conn) {
            self.inner.align_audiences([key]).await;
        }
        done(id)
    }
}

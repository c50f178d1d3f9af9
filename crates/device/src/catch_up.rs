//! Catching up: sync, history, the conversation list, read positions, retraction.

use mynah_proto::device::{
    self, ConvItem, ConvList, ConvPage, Covered, Entry, History, HistoryPage, Read, Retract, Retraction, ServerFrame, Sync,
    SyncPage, Target, entry, server_frame,
};
use mynah_proto::router::{
    HeadInfo, HeadsRequest, HistoryRequest, LocateRequest, ReadRequest, RetractRequest, SingleChatsRequest, SyncItem, SyncRange,
    SyncRequest,
};
use mynah_proto::{Failure, directory};
use mynah_types::ConversationKey;
use prost::Message as _;

use crate::connection::{Session, done, ok};
use crate::entry::entry as device_entry;
use crate::errors;

/// Conversations of one page.
const MOST_LISTED: usize = 200;

impl Session {
    fn uid(&self) -> u64 {
        self.user.as_ref().map_or(0, |user| user.uid)
    }

    pub(crate) async fn sync(&mut self, id: u32, sync: Sync) -> ServerFrame {
        if !matches!(sync.mode.as_str(), "" | "forward" | "latest") {
            return errors::refuse(id, errors::INVALID, "sync.mode", "must be forward or latest");
        }
        let range = |r: device::Range| SyncRange { conv_id: r.conv_id, after_seq: r.after_seq, limit: r.limit };
        let request = SyncRequest {
            uid: self.uid(),
            ranges: sync.ranges.into_iter().map(range).collect(),
            latest: sync.mode == "latest",
            max_entries: sync.max_entries,
            max_bytes: sync.max_bytes,
            online_since_ms: self.online_since,
        };
        match self.inner.deps.router.sync(request).await {
            Ok(reply) => {
                let items = reply.items.into_iter().map(covered).collect();
                ok(id, server_frame::Body::SyncPage(SyncPage { items, more: reply.more }))
            }
            Err(failure) => errors::frame(id, &failure),
        }
    }

    pub(crate) async fn history(&mut self, id: u32, history: History) -> ServerFrame {
        let in_room = history.conv_id.parse().is_ok_and(|key: ConversationKey| self.rooms.contains(&key));
        let request = HistoryRequest {
            uid: self.uid(),
            conv_id: history.conv_id.clone(),
            before_seq: history.before_seq,
            after_seq: history.after_seq,
            limit: history.limit,
            in_room,
            online_since_ms: self.online_since,
        };
        match self.inner.deps.router.history(request).await {
            Ok(reply) => {
                let page = HistoryPage {
                    conv_id: history.conv_id,
                    entries: reply.entries.iter().map(device_entry).collect(),
                    from_seq: reply.from_seq,
                    to_seq: reply.to_seq,
                    more: reply.more,
                };
                ok(id, server_frame::Body::HistoryPage(page))
            }
            Err(failure) => errors::frame(id, &failure),
        }
    }

    pub(crate) async fn read(&mut self, id: u32, read: Read) -> ServerFrame {
        let request = ReadRequest { conv_id: read.conv_id, uid: self.uid(), read_seq: read.read_seq, origin_conn: self.out.conn };
        match self.inner.deps.router.read(request).await {
            Ok(_) => done(id),
            Err(failure) => errors::frame(id, &failure),
        }
    }

    pub(crate) async fn retract(&mut self, id: u32, retract: Retract) -> ServerFrame {
        match self.try_retract(retract).await {
            Ok(()) => done(id),
            Err(failure) => errors::frame(id, &failure),
        }
    }

    async fn try_retract(&self, retract: Retract) -> Result<(), Failure> {
        let router = &self.inner.deps.router;
        let found = router.locate(LocateRequest { msg_id: retract.msg_id }).await?;
        // A message of another conversation is as good as none: the actor says so.
        let payload = Entry {
            from: Some(self.party("")),
            kind: Some(entry::Kind::Retract(Retraction { msg_id: retract.msg_id, seq: found.seq })),
            ..Entry::default()
        };
        let request = RetractRequest {
            conv_id: retract.conv_id,
            actor_uid: self.uid(),
            msg_id: retract.msg_id,
            payload: payload.encode_to_vec().into(),
            origin_conn: 0,
            privileged: false,
        };
        router.retract(request).await.map(|_| ())
    }

    pub(crate) async fn conv_list(&mut self, id: u32, list: ConvList) -> ServerFrame {
        match self.list(list).await {
            Ok(page) => ok(id, server_frame::Body::ConvPage(page)),
            Err(failure) => errors::frame(id, &failure),
        }
    }

    /// Groups come with the first page, then single chats in the order of their ids; the cursor is the last one's id.
    async fn list(&self, list: ConvList) -> Result<ConvPage, Failure> {
        let deps = &self.inner.deps;
        let app = self.app.clone().unwrap_or_default();
        let limit = usize::try_from(list.limit).ok().filter(|n| *n > 0).unwrap_or(MOST_LISTED).min(MOST_LISTED);
        let wants = |kind: &str| list.kinds.is_empty() || list.kinds.iter().any(|k| k == kind);
        let mut names = std::collections::HashMap::new();
        let mut ids = Vec::new();
        if list.cursor.is_empty() && wants("group") {
            let request = directory::GetUserRequest { app_id: app.app_id, uid: self.uid(), ..Default::default() };
            for group in deps.directory.groups_of(request).await?.groups {
                let key = ConversationKey::Group(group.gid).to_string();
                names.insert(key.clone(), (group.gid.to_string(), group.name));
                ids.push(key);
            }
        }
        let mut page = ConvPage::default();
        if wants("single") {
            let request =
                SingleChatsRequest { uid: self.uid(), after_conv_id: list.cursor, limit: u32::try_from(limit).unwrap_or(1) };
            let chats = deps.router.single_chats(request).await?;
            page.more = chats.more;
            page.cursor = chats.conv_ids.last().cloned().unwrap_or_default();
            self.peers(app.app_id, &chats.conv_ids, &mut names).await?;
            ids.extend(chats.conv_ids);
        }
        let mut heads = Vec::new();
        for some in ids.chunks(MOST_LISTED) {
            let request = HeadsRequest { uid: self.uid(), conv_ids: some.to_vec(), with_last: list.with_last };
            heads.extend(deps.router.heads(request).await?.heads);
        }
        page.items = heads.into_iter().map(|head| item(head, &app.appkey, &names)).collect();
        page.items.sort_by_key(|item| std::cmp::Reverse(item.head_ms));
        Ok(page)
    }

    async fn peers(
        &self,
        app_id: u64,
        chats: &[String],
        names: &mut std::collections::HashMap<String, (String, String)>,
    ) -> Result<(), Failure> {
        let own = mynah_types::Uid(self.uid());
        let peer = |id: &String| id.parse::<ConversationKey>().ok()?.peer_of(own);
        let uids = chats.iter().filter_map(peer).map(|uid| uid.0).collect();
        let request = directory::GetUsersRequest { app_id, uids, ..Default::default() };
        for user in self.inner.deps.directory.get_users(request).await?.users {
            let key = ConversationKey::single(own, mynah_types::Uid(user.uid)).to_string();
            let nickname = user.profile.and_then(|p| p.nickname).unwrap_or_else(|| user.username.clone());
            names.insert(key, (user.username, nickname));
        }
        Ok(())
    }
}

fn covered(item: SyncItem) -> Covered {
    Covered {
        entries: item.entries.iter().map(device_entry).collect(),
        conv_id: item.conv_id,
        from_seq: item.from_seq,
        covered_to: item.covered_to,
        head_seq: item.head_seq,
        min_seq: item.min_seq,
        reset: item.reset,
        more: item.more,
        error: item.failure.as_ref().map(errors::error),
    }
}

fn item(head: HeadInfo, appkey: &str, names: &std::collections::HashMap<String, (String, String)>) -> ConvItem {
    let kind = if head.conv_id.starts_with('g') { "group" } else { "single" };
    let (target_id, name) = names.get(&head.conv_id).cloned().unwrap_or_default();
    ConvItem {
        r#type: kind.into(),
        target: Some(Target { r#type: kind.into(), id: target_id, appkey: appkey.into(), name: name.clone() }),
        name,
        head_seq: head.head_seq,
        head_ms: head.head_ms,
        min_seq: head.min_seq,
        read_seq: head.read_seq,
        unread: head.unread,
        at_me_seq: head.at_me_seq,
        last: head.last.as_ref().map(device_entry),
        conv_id: head.conv_id,
        ..ConvItem::default()
    }
}

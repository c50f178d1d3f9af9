//! The conversation list: groups, single chats and the feed, those that moved last first.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

use mynah_ports::message_log::SETTLES_WITHIN;
use mynah_proto::device::{ConvItem, ConvList, ConvPage, ServerFrame, Target, server_frame};
use mynah_proto::router::{HeadInfo, HeadsRequest, SingleChatsRequest};
use mynah_proto::{Failure, directory};
use mynah_types::{ConversationKey, Millis, Uid};

use crate::connection::{Session, ok};
use crate::entry::entry as device_entry;
use crate::errors;
use crate::rate::Kind;

/// Conversations of one page.
const MOST_LISTED: usize = 200;
/// Conversations whose heads are read at once.
const HEADS_AT_ONCE: usize = 500;
/// Clocks of several machines differ by this, at most.
const SKEW: Duration = Duration::from_secs(5);

/// Entries have their time before they are durable: a list by time reaches back.
fn overlap_ms() -> Millis {
    Millis::try_from((SETTLES_WITHIN + SKEW).as_millis()).unwrap_or(Millis::MAX)
}

/// What a conversation is with.
#[derive(Default, Clone)]
struct Peer {
    id: String,
    name: String,
    appkey: String,
    shielded: bool,
}

type Names = HashMap<String, Peer>;

/// Where a page ends: the last one's time and id.
struct Cursor {
    head_ms: Millis,
    conv_id: String,
}

impl Cursor {
    fn parse(text: &str) -> Result<Option<Self>, Failure> {
        if text.is_empty() {
            return Ok(None);
        }
        let parts = text.split_once(':').and_then(|(ms, id)| Some((ms.parse().ok()?, id.parse::<ConversationKey>().ok()?)));
        let (head_ms, key) = parts.ok_or_else(|| Failure::invalid("conv_list.cursor", "is not one of this server's"))?;
        Ok(Some(Self { head_ms, conv_id: key.to_string() }))
    }

    fn after(head: &HeadInfo) -> String {
        format!("{}:{}", head.head_ms, head.conv_id)
    }

    /// Whether a conversation comes after the page that ended here.
    fn passes(&self, head: &HeadInfo) -> bool {
        (Reverse(head.head_ms), &head.conv_id) > (Reverse(self.head_ms), &self.conv_id)
    }
}

impl Session {
    pub(crate) async fn conv_list(&mut self, id: u32, list: ConvList) -> ServerFrame {
        match self.list(list).await {
            Ok(page) => ok(id, server_frame::Body::ConvPage(page)),
            Err(failure) => errors::frame(id, &failure),
        }
    }

    /// The first page of what moved since a server time in ms, as decimal text; empty = all.
    pub(crate) async fn moved_since(&mut self, cursor: &str) -> Result<ConvPage, Failure> {
        let bad = |_| Failure::invalid("login.resume.cursor", "must be a server time in ms");
        let since_ms = if cursor.is_empty() { 0 } else { cursor.parse().map_err(bad)? };
        self.list(ConvList { since_ms, ..ConvList::default() }).await
    }

    async fn list(&mut self, list: ConvList) -> Result<ConvPage, Failure> {
        if let Some(kind) = list.kinds.iter().find(|kind| !matches!(kind.as_str(), "single" | "group" | "feed")) {
            return Err(Failure::invalid("conv_list.kinds", format!("{kind} is neither single, group nor feed")));
        }
        let cursor = Cursor::parse(&list.cursor)?;
        let limit = usize::try_from(list.limit).ok().filter(|n| *n > 0).unwrap_or(MOST_LISTED).min(MOST_LISTED);
        let mut names = Names::new();
        let conversations = self.conversations(&list.kinds, &mut names).await?;
        self.admit_many(Kind::Call, u32::try_from(conversations.len() / HEADS_AT_ONCE).unwrap_or(u32::MAX))?;
        let mut heads = self.heads(conversations, false).await?;
        let since = list.since_ms.saturating_sub(overlap_ms());
        // A feed without an event is no conversation yet.
        heads.retain(|head| {
            head.head_seq > 0 && head.head_ms >= since && cursor.as_ref().is_none_or(|cursor| cursor.passes(head))
        });
        heads.sort_by(|a, b| (Reverse(a.head_ms), &a.conv_id).cmp(&(Reverse(b.head_ms), &b.conv_id)));
        let more = heads.len() > limit;
        heads.truncate(limit);
        let cursor = heads.last().map(Cursor::after).unwrap_or_default();
        self.name_peers(&heads, &mut names).await?;
        let dnd = self.dnd().await?;
        if list.with_last {
            let order: Vec<String> = heads.into_iter().map(|head| head.conv_id).collect();
            heads = self.heads(order, true).await?;
        }
        let items = heads.into_iter().map(|head| item(head, &mut names, &dnd)).collect();
        Ok(ConvPage { items, removed: Vec::new(), cursor, more })
    }

    /// Ids of all conversations of the user.
    async fn conversations(&self, kinds: &[String], names: &mut Names) -> Result<Vec<String>, Failure> {
        let deps = &self.inner.deps;
        let wants = |kind: &str| kinds.is_empty() || kinds.iter().any(|k| k == kind);
        let mut ids = Vec::new();
        if wants("group") {
            let app_id = self.app.as_ref().map_or(0, |app| app.app_id);
            let request = directory::GetUserRequest { app_id, uid: self.uid(), ..Default::default() };
            for group in deps.directory.groups_of(request).await?.groups {
                let key = ConversationKey::Group(group.gid).to_string();
                let (id, shielded) = (group.gid.to_string(), group.shielded);
                names.insert(key.clone(), Peer { id, name: group.name, appkey: group.appkey, shielded });
                ids.push(key);
            }
        }
        if wants("feed") {
            ids.push(ConversationKey::Feed(Uid(self.uid())).to_string());
        }
        let mut more = wants("single");
        let mut after_conv_id = String::new();
        while more {
            let request = SingleChatsRequest { uid: self.uid(), after_conv_id, limit: 500 };
            let page = deps.router.single_chats(request).await?;
            more = page.more;
            after_conv_id = page.conv_ids.last().cloned().unwrap_or_default();
            ids.extend(page.conv_ids);
        }
        Ok(ids)
    }

    async fn heads(&self, ids: Vec<String>, with_last: bool) -> Result<Vec<HeadInfo>, Failure> {
        let mut heads = Vec::with_capacity(ids.len());
        for some in ids.chunks(HEADS_AT_ONCE) {
            let request = HeadsRequest { uid: self.uid(), conv_ids: some.to_vec(), with_last };
            heads.extend(self.inner.deps.router.heads(request).await?.heads);
        }
        Ok(heads)
    }

    async fn dnd(&self) -> Result<Dnd, Failure> {
        let app_id = self.app.as_ref().map_or(0, |app| app.app_id);
        let request = directory::GetUserRequest { app_id, uid: self.uid(), ..Default::default() };
        let dnd = self.inner.deps.directory.dnd(request).await?;
        let own = Uid(self.uid());
        let users = dnd.uids.into_iter().map(|uid| ConversationKey::single(own, Uid(uid)));
        let quiet = users.chain(dnd.gids.into_iter().map(ConversationKey::Group)).map(|key| key.to_string());
        Ok(if dnd.global { None } else { Some(quiet.collect()) })
    }

    async fn name_peers(&self, heads: &[HeadInfo], names: &mut Names) -> Result<(), Failure> {
        let own = Uid(self.uid());
        let peer = |head: &HeadInfo| head.conv_id.parse::<ConversationKey>().ok()?.peer_of(own);
        let uids: Vec<u64> = heads.iter().filter_map(peer).map(|uid| uid.0).collect();
        if uids.is_empty() {
            return Ok(());
        }
        let app_id = self.app.as_ref().map_or(0, |app| app.app_id);
        let request = directory::GetUsersRequest { app_id, uids, any_app: true, ..Default::default() };
        for user in self.inner.deps.directory.get_users(request).await?.users {
            let key = ConversationKey::single(own, Uid(user.uid)).to_string();
            let nickname = user.profile.and_then(|p| p.nickname).filter(|name| !name.is_empty());
            let (id, name) = (user.username.clone(), nickname.unwrap_or(user.username));
            names.insert(key, Peer { id, name, appkey: user.appkey, shielded: false });
        }
        Ok(())
    }
}

/// Conversations that do not disturb the user; none stands for all.
type Dnd = Option<HashSet<String>>;

fn item(head: HeadInfo, names: &mut Names, dnd: &Dnd) -> ConvItem {
    let quiet = dnd.as_ref().is_none_or(|quiet| quiet.contains(&head.conv_id));
    let kind = match head.conv_id.chars().next() {
        Some('g') => "group",
        Some('f') => "feed",
        _ => "single",
    };
    let peer = names.remove(&head.conv_id).unwrap_or_default();
    ConvItem {
        r#type: kind.into(),
        target: Some(Target { r#type: kind.into(), id: peer.id, appkey: peer.appkey, name: peer.name.clone() }),
        name: peer.name,
        shielded: peer.shielded,
        head_seq: head.head_seq,
        head_ms: head.head_ms,
        min_seq: head.min_seq,
        read_seq: head.read_seq,
        unread: head.unread,
        at_me_seq: head.at_me_seq,
        dnd: quiet,
        last: head.last.as_ref().map(device_entry),
        conv_id: head.conv_id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(head_ms: Millis, conv_id: &str) -> HeadInfo {
        HeadInfo { head_ms, conv_id: conv_id.into(), ..HeadInfo::default() }
    }

    #[test]
    fn the_next_page_has_what_moved_before_and_namesakes_in_time_by_id() {
        let cursor = Cursor::parse(&Cursor::after(&head(50, "g.5"))).unwrap().unwrap();
        assert!(cursor.passes(&head(49, "g.1")));
        assert!(cursor.passes(&head(50, "g.6")));
        assert!(!cursor.passes(&head(50, "g.5")) && !cursor.passes(&head(51, "g.9")));
        assert!(Cursor::parse("x").is_err() && Cursor::parse("5:nothing").is_err());
    }
}

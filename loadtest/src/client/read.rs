//! The frames of a server, read in one pass into room that is used again.

use super::conv::Key;
use super::scan::Scan;
use super::text::{Own, digest, mix};

/// An entry, as far as it is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: Key,
    pub(crate) seq: u64,
    pub(crate) msg_id: u64,
    /// What it is, in one number.
    pub(crate) digest: u64,
    /// What it counts for receivers.
    pub(crate) delta: u32,
    /// What it says, if it is of this run.
    pub(crate) own: Option<Own>,
}

/// A conversation in a list or in a page of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) key: Key,
    pub(crate) head: u64,
    pub(crate) unread: u64,
    pub(crate) from: u64,
    /// The end of what a page covers.
    pub(crate) to: u64,
    pub(crate) more: bool,
    /// The code of a refusal.
    pub(crate) code: u64,
    /// The number in the name of the user whom a single chat is with.
    pub(crate) peer: Option<u32>,
    /// Where its entries end among those of the frame; they begin where those of the item before end.
    pub(crate) entries_end: usize,
}

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum What {
    #[default]
    Other,
    Error,
    Welcome,
    LoginAck,
    SendAck,
    SyncPage,
    HistoryPage,
    ConvPage,
    RoomState,
    Deliver,
    Heads,
    Skipped,
    Kicked,
    GoAway,
}

/// A frame, and what it holds.
#[derive(Debug, Default)]
pub(crate) struct Frame {
    pub(crate) id: u64,
    pub(crate) what: What,
    pub(crate) entries: Vec<Entry>,
    pub(crate) items: Vec<Item>,
    /// Of a `send_ack`.
    pub(crate) seq: u64,
    pub(crate) msg_id: u64,
    pub(crate) key: Option<Key>,
    /// Of an error.
    pub(crate) code: u64,
    pub(crate) retryable: bool,
    /// Of a page of the list, of `heads`: `resync_all`.
    pub(crate) more: bool,
    /// The session of a login; the cursor of a page of the list.
    pub(crate) text: String,
    /// Of `goaway`.
    pub(crate) reconnect_after_ms: u64,
}

/// How the reader understands texts and names.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reader {
    /// The number of the run, in its texts.
    pub(crate) run: u32,
    /// What the names of the run's users begin with.
    pub(crate) prefix: String,
}

impl Reader {
    /// Reads a frame. False if it is none.
    pub(crate) fn read(&self, line: &[u8], frame: &mut Frame) -> bool {
        let (entries, items) = (std::mem::take(&mut frame.entries), std::mem::take(&mut frame.items));
        *frame = Frame { entries, items, ..Frame::default() };
        frame.entries.clear();
        frame.items.clear();
        Scan::new(line).object(|name, scan| self.member(name, scan, frame)).is_some()
    }

    fn member(&self, name: &[u8], scan: &mut Scan<'_>, frame: &mut Frame) -> Option<()> {
        let what = match name {
            b"id" => return put(&mut frame.id, scan.number()),
            b"deliver" => What::Deliver,
            b"send_ack" => What::SendAck,
            b"error" => What::Error,
            b"welcome" => What::Welcome,
            b"login_ack" => What::LoginAck,
            b"sync_page" => What::SyncPage,
            b"history_page" => What::HistoryPage,
            b"conv_page" => What::ConvPage,
            b"room_state" => What::RoomState,
            b"heads" => What::Heads,
            b"skipped" => What::Skipped,
            b"kicked" => What::Kicked,
            b"goaway" => What::GoAway,
            _ => return scan.skip(),
        };
        frame.what = what;
        match what {
            What::HistoryPage | What::RoomState | What::Skipped => {
                let item = self.item(scan, &mut frame.entries)?;
                frame.items.push(item);
                Some(())
            }
            _ => self.body(scan, frame),
        }
    }

    fn body(&self, scan: &mut Scan<'_>, frame: &mut Frame) -> Option<()> {
        scan.object(|name, scan| match name {
            b"entries" => self.entries(scan, &mut frame.entries),
            b"items" => scan.array(|scan| {
                let item = self.item(scan, &mut frame.entries)?;
                frame.items.push(item);
                Some(())
            }),
            b"heads" => self.body(scan, frame),
            b"conv_id" => put(&mut frame.key, scan.string().map(Key::parse)),
            b"seq" => put(&mut frame.seq, scan.number()),
            b"msg_id" => put(&mut frame.msg_id, scan.number()),
            b"code" => put(&mut frame.code, scan.number()),
            b"retryable" => put(&mut frame.retryable, scan.flag()),
            b"more" | b"resync_all" => put(&mut frame.more, scan.flag()),
            b"reconnect_after_ms" => put(&mut frame.reconnect_after_ms, scan.number()),
            b"session" if frame.what == What::LoginAck => put(&mut frame.text, scan.string().map(copy)),
            b"cursor" if frame.what == What::ConvPage => put(&mut frame.text, scan.string().map(copy)),
            _ => scan.skip(),
        })
    }

    fn entries(&self, scan: &mut Scan<'_>, entries: &mut Vec<Entry>) -> Option<()> {
        scan.array(|scan| {
            let entry = self.entry(scan)?;
            entries.push(entry);
            Some(())
        })
    }

    fn entry(&self, scan: &mut Scan<'_>) -> Option<Entry> {
        let (mut key, mut seq, mut msg_id, mut delta, mut text) = (None, 0, 0, 0, None);
        scan.object(|name, scan| match name {
            b"conv_id" => put(&mut key, scan.string().map(Key::parse)),
            b"seq" => put(&mut seq, scan.number()),
            b"msg_id" => put(&mut msg_id, scan.number()),
            b"message" => scan.object(|name, scan| match name {
                b"msg_body" => scan.object(|name, scan| match name {
                    b"text" => put(&mut text, scan.string().map(Some)),
                    _ => scan.skip(),
                }),
                b"unread_delta" => put(&mut delta, u32::try_from(scan.number()?).ok()),
                _ => scan.skip(),
            }),
            _ => scan.skip(),
        })?;
        let digest = text.map_or_else(|| mix(0, msg_id), |text| digest(text, msg_id));
        let own = text.and_then(|text| Own::read(text, self.run));
        Some(Entry { key: key?, seq, msg_id, digest, delta, own })
    }

    fn item(&self, scan: &mut Scan<'_>, entries: &mut Vec<Entry>) -> Option<Item> {
        let mut key = None;
        let mut item = (0, 0, 0, 0, false, 0, None);
        scan.object(|name, scan| match name {
            b"conv_id" => put(&mut key, scan.string().map(Key::parse)),
            b"head_seq" => put(&mut item.0, scan.number()),
            b"unread" => put(&mut item.1, scan.number()),
            b"from_seq" => put(&mut item.2, scan.number()),
            b"covered_to" | b"to_seq" => put(&mut item.3, scan.number()),
            b"more" => put(&mut item.4, scan.flag()),
            b"entries" => self.entries(scan, entries),
            b"error" => scan.object(|name, scan| match name {
                b"code" => put(&mut item.5, scan.number()),
                _ => scan.skip(),
            }),
            b"target" => scan.object(|name, scan| match name {
                b"id" => put(&mut item.6, scan.string().map(|name| self.user(name))),
                _ => scan.skip(),
            }),
            _ => scan.skip(),
        })?;
        let (head, unread, from, to, more, code, peer) = item;
        Some(Item { key: key?, head, unread, from, to, more, code, peer, entries_end: entries.len() })
    }

    /// The number in a user's name.
    fn user(&self, name: &[u8]) -> Option<u32> {
        std::str::from_utf8(name.strip_prefix(self.prefix.as_bytes())?).ok()?.parse().ok()
    }
}

fn copy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn put<T>(to: &mut T, value: Option<T>) -> Option<()> {
    *to = value?;
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Frame {
        let mut frame = Frame::default();
        assert!(Reader { run: 5, prefix: "user".into() }.read(line.as_bytes(), &mut frame), "{line}");
        frame
    }

    #[test]
    fn a_delivery_is_read() {
        let frame = read(
            r#"{"deliver":{"entries":[{"conv_id":"s.1.2","seq":3,"msg_id":45,"ctime_ms":17,"cmid":"c1","from":{"username":"user0","type":"user"},"target":{"type":"single","id":"user1"},"cum_unread":1,"message":{"msg_type":"text","msg_body":{"text": "L5 77 8 0 1 xxx"},"unread_delta":1}}]}}"#,
        );
        assert_eq!(frame.what, What::Deliver);
        let own = Own { conv: 8, sender: 0, ordinal: 1, due_us: 77 };
        let key = Key::parse(b"s.1.2").unwrap();
        let digest = digest(b"L5 77 8 0 1 xxx", 45);
        assert_eq!(frame.entries, [Entry { key, seq: 3, msg_id: 45, digest, delta: 1, own: Some(own) }]);
    }

    #[test]
    fn answers_are_read() {
        let ack = read(r#"{"id":3,"send_ack":{"conv_id":"g.7","msg_id":459,"seq":1,"ctime_ms":5}}"#);
        assert_eq!((ack.id, ack.what, ack.key, ack.seq, ack.msg_id), (3, What::SendAck, Some(Key::group(7)), 1, 459));
        let login = read(
            r#"{"id":2,"login_ack":{"user":{"username":"u"},"session":"abc","heads":{"items":[{"conv_id":"s.1.2","type":"single","target":{"type":"single","id":"user00012"},"head_seq":4,"unread":2}],"cursor":"9:s.1.2","more":true}}}"#,
        );
        assert_eq!((login.what, login.text.as_str(), login.more), (What::LoginAck, "abc", true));
        let item = login.items.first().unwrap();
        assert_eq!((item.head, item.unread, item.peer), (4, 2, Some(12)));
        let error = read(r#"{"id":10,"error":{"code":803003,"message":"no such user","retryable":true}}"#);
        assert_eq!((error.what, error.code, error.retryable), (What::Error, 803_003, true));
    }

    #[test]
    fn pages_are_read_with_the_entries_of_each_conversation() {
        let page = read(
            r#"{"id":8,"sync_page":{"items":[{"conv_id":"g.1","entries":[{"conv_id":"g.1","seq":1,"msg_id":2,"event":{"event_type":8,"gid":"1"}},{"conv_id":"g.1","seq":2,"msg_id":3,"message":{"msg_body":{"text":"x"}}}],"from_seq":1,"covered_to":2,"head_seq":9,"more":true},{"conv_id":"s.1.9","error":{"code":803004}}]}}"#,
        );
        let items: Vec<_> = page.items.iter().map(|i| (i.entries_end, i.from, i.to, i.head, i.more, i.code)).collect();
        assert_eq!(items, [(2, 1, 2, 9, true, 0), (2, 0, 0, 0, false, 803_004)]);
        let skipped = read(r#"{"skipped":{"conv_id":"r.1","from_seq":4,"to_seq":6}}"#);
        let item = skipped.items.first().unwrap();
        assert_eq!((skipped.what, item.from, item.to), (What::Skipped, 4, 6));
    }
}

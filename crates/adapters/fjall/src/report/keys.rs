//! Keys of the index. Days first: what is too old lies together. All numbers are big-endian.

use mynah_ports::report_index::{Place, Queued, Scope, SentTo, Sort};
use mynah_types::{AppKey, ConversationKey, Millis, MsgId, ShardId, Uid};

use crate::packed;

/// Row of the index itself.
pub(super) const FORMAT: &[u8] = b"f";
/// Where the numbers of apps lie.
pub(super) const APPS: &[u8] = b"A";
/// Where positions lie.
pub(super) const POSITIONS: &[u8] = b"p";
/// Where everything lies that belongs to a day.
pub(super) const DAYS: &[u8] = b"d";

fn scope(scope: &Scope) -> Vec<u8> {
    match scope {
        Scope::App(app) => [b"a", app.as_str().as_bytes()].concat(),
        Scope::User(uid) => [b"u".as_slice(), &uid.0.to_be_bytes()].concat(),
        Scope::Conversation(key) => [b"c".as_slice(), &key.to_bytes()].concat(),
    }
}

pub(super) fn position(shard: ShardId) -> Vec<u8> {
    [POSITIONS, &shard.0.to_be_bytes()].concat()
}

pub(super) fn shard_of(key: &[u8]) -> Option<ShardId> {
    key.last_chunk::<2>().map(|bytes| ShardId(u16::from_be_bytes(*bytes)))
}

pub(super) fn day(day: u64) -> Vec<u8> {
    [DAYS, &day.to_be_bytes()].concat()
}

pub(super) fn day_of(key: &[u8]) -> Option<u64> {
    key.strip_prefix(DAYS)?.first_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes))
}

/// How a scope is named in places: an app by its number.
pub(super) enum Named {
    App(u64),
    User(Uid),
    Conversation(ConversationKey),
}

/// The number of an app, by which places name it.
pub(super) fn app_number(app: &AppKey) -> Vec<u8> {
    [APPS, app.as_str().as_bytes()].concat()
}

/// Where the places of a day lie.
pub(super) fn places_of(day: u64) -> Vec<u8> {
    // Days of two bytes last until 2149.
    u16::try_from(day).unwrap_or(u16::MAX).to_be_bytes().to_vec()
}

/// A place of a scope, at most 20 bytes while ids have three: day, scope, milliseconds of the day, msg_id.
pub(super) fn place(day: u64, whose: &Named, of_day: u32, id: MsgId) -> Vec<u8> {
    let mut row = Vec::with_capacity(24);
    row.extend(places_of(day));
    match whose {
        Named::App(number) => {
            row.push(b'a');
            packed::push(&mut row, *number);
        }
        Named::User(uid) => {
            row.push(b'u');
            packed::push(&mut row, uid.0);
        }
        Named::Conversation(key) => row.extend(packed::conversation(*key)),
    }
    row.extend(of_day.to_be_bytes());
    row.extend(id.0.to_be_bytes());
    row
}

/// Reads a place on a day that begins at this time.
pub(super) fn read_stored(day_begins: Millis, row: &[u8], value: &[u8]) -> Option<Place> {
    let tail: &[u8; 12] = row.last_chunk()?;
    let (of_day, id) = tail.split_first_chunk::<4>()?;
    let id = MsgId(u64::from_be_bytes(id.try_into().ok()?));
    let (key, seq) = packed::read_place(value)?;
    Some(Place { ctime: day_begins + u64::from(u32::from_be_bytes(*of_day)), msg_id: id, key, seq })
}

pub(super) fn hour(of: u64, whose: &Scope, hour: u64) -> Vec<u8> {
    [day(of).as_slice(), b"n", &scope(whose), &hour.to_be_bytes()].concat()
}

pub(super) fn senders(of: u64, app: &AppKey) -> Vec<u8> {
    [day(of).as_slice(), b"u", app.as_str().as_bytes()].concat()
}

pub(super) fn sender(of: u64, app: &AppKey, uid: Uid) -> Vec<u8> {
    [senders(of, app).as_slice(), &uid.0.to_be_bytes()].concat()
}

pub(super) fn groups(of: u64, app: &AppKey) -> Vec<u8> {
    [day(of).as_slice(), b"g", app.as_str().as_bytes()].concat()
}

pub(super) fn group(of: u64, app: &AppKey, gid: u64) -> Vec<u8> {
    [groups(of, app).as_slice(), &gid.to_be_bytes()].concat()
}

pub(super) fn sent_from(app: &AppKey, hour: u64) -> Vec<u8> {
    [b"h", app.as_str().as_bytes(), &hour.to_be_bytes()].concat()
}

pub(super) fn sent(app: &AppKey, hour: u64, to: SentTo, sort: Sort) -> Vec<u8> {
    let to = match to {
        SentTo::Single => b's',
        SentTo::Group => b'g',
        SentTo::Room => b'r',
    };
    let sort = match sort {
        Sort::Text => b't',
        Sort::Image => b'i',
        Sort::Voice => b'v',
        Sort::Other => b'o',
    };
    [sent_from(app, hour).as_slice(), &[to, sort]].concat()
}

pub(super) fn read_sent(key: &[u8]) -> Option<(u64, SentTo, Sort)> {
    let (rest, [to, sort]) = key.split_last_chunk::<2>()?;
    let to = match to {
        b's' => SentTo::Single,
        b'g' => SentTo::Group,
        b'r' => SentTo::Room,
        _ => return None,
    };
    let sort = match sort {
        b't' => Sort::Text,
        b'i' => Sort::Image,
        b'v' => Sort::Voice,
        b'o' => Sort::Other,
        _ => return None,
    };
    rest.last_chunk::<8>().map(|hour| (u64::from_be_bytes(*hour), to, sort))
}

pub(super) fn queue(app: &AppKey) -> Vec<u8> {
    [b"q", app.as_str().as_bytes()].concat()
}

pub(super) fn queued(app: &AppKey, number: u64) -> Vec<u8> {
    [queue(app).as_slice(), &number.to_be_bytes()].concat()
}

/// The last number that the queue of an app gave.
pub(super) fn queue_end(app: &AppKey) -> Vec<u8> {
    [b"Q", app.as_str().as_bytes()].concat()
}

/// A place as a value: conversation, seq, time, msg_id.
pub(super) fn write_place(place: Place) -> Vec<u8> {
    let numbers = [place.seq, place.ctime, place.msg_id.0].map(u64::to_be_bytes);
    [place.key.to_bytes().as_slice(), numbers.as_flattened()].concat()
}

pub(super) fn read_place(value: &[u8]) -> Option<Place> {
    let (key, numbers) = value.split_first_chunk::<17>()?;
    let (numbers, []) = numbers.as_chunks::<8>() else { return None };
    let [seq, ctime, id] = <[[u8; 8]; 3]>::try_from(numbers).ok()?.map(u64::from_be_bytes);
    Some(Place { ctime, msg_id: MsgId(id), key: ConversationKey::from_bytes(key)?, seq })
}

/// The number that a key ends with.
pub(super) fn number_of(key: &[u8]) -> Option<u64> {
    key.last_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes))
}

pub(super) fn read_queued(key: &[u8], value: &[u8]) -> Option<Queued> {
    Some(Queued { number: number_of(key)?, place: read_place(value)? })
}

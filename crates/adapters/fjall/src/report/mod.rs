//! The report index in a store of its own: lost, it is made again from the log, so nothing of it is synced to disk by each write.

mod apps;
mod counts;
mod days;
mod keys;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use fjall::{Database, Keyspace, KeyspaceCreateOptions};
use mynah_ports::report_index::{Active, Error, Place, Queued, Recorded, ReportIndex, Scope, Sent, SentTo, Stretch};
use mynah_types::{AppKey, ConversationKey, Millis, MsgId, ShardId};
use parking_lot::Mutex;

use apps::{Apps, Given};
use counts::Counts;
use days::Zone;
use keys::Named;

use crate::{engine, packed};

/// Rows that are deleted with one write.
const SWEEP: usize = 10_000;
/// Rows that are remembered as there before all are forgotten.
const MOST_THERE: usize = 100_000;
/// Bytes of the block cache.
const CACHE_BYTES: u64 = 8 << 20;

struct Store {
    db: Database,
    rows: Keyspace,
    /// Where messages lie, by day and scope.
    places: Keyspace,
    apps: Apps,
    zone: Zone,
    counts: Counts,
    /// Rows without a value that are there: they are not written again with each message.
    there: Mutex<HashSet<Vec<u8>>>,
}

/// The embedded report index.
#[derive(Clone)]
pub struct FjallReport(Arc<Store>);

fn unavailable(error: fjall::Error) -> Error {
    Error::Unavailable(error.to_string())
}

fn number(value: &[u8]) -> Result<u64, Error> {
    let bytes: [u8; 8] = value.try_into().map_err(|_| Error::Damaged("a counter does not read".into()))?;
    Ok(u64::from_be_bytes(bytes))
}

impl FjallReport {
    /// Opens the index in a folder, or creates it. One of another log, or with days of another zone, is emptied.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn open(path: &Path, log_epoch: &str, zone_minutes: i32) -> Result<Self, Error> {
        let format = format!("3 {log_epoch} {zone_minutes}");
        let store = Store::open(path, zone_minutes)?;
        let stored = store.rows.get(keys::FORMAT).map_err(unavailable)?;
        if stored.is_some_and(|stored| stored.as_ref() != format.as_bytes()) {
            store.rows.clear().map_err(unavailable)?;
            store.places.clear().map_err(unavailable)?;
        }
        store.rows.insert(keys::FORMAT, format).map_err(unavailable)?;
        Ok(Self(Arc::new(store)))
    }

    /// Runs what may read many rows apart from the tasks that must not wait.
    async fn apart<T: Send + 'static>(&self, work: impl FnOnce(&Store) -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
        let store = Arc::clone(&self.0);
        let done = tokio::task::spawn_blocking(move || work(&store)).await;
        done.unwrap_or_else(|error| Err(Error::Unavailable(error.to_string())))
    }
}

impl Store {
    fn open(path: &Path, zone_minutes: i32) -> Result<Self, Error> {
        let db = engine::open(path, CACHE_BYTES).map_err(unavailable)?;
        let rows = db.keyspace("rows", KeyspaceCreateOptions::default).map_err(unavailable)?;
        let places = db.keyspace("places", KeyspaceCreateOptions::default).map_err(unavailable)?;
        Ok(Self {
            apps: Apps::default(),
            places,
            db,
            rows,
            zone: Zone::new(zone_minutes),
            counts: Counts::default(),
            there: Mutex::default(),
        })
    }

    fn counter(&self, key: &[u8]) -> Result<u64, Error> {
        self.rows.get(key).map_err(unavailable)?.map_or(Ok(0), |value| number(&value))
    }

    fn record(&self, shard: ShardId, upto: MsgId, messages: &[Recorded]) -> Result<(), Error> {
        if MsgId(self.counter(&keys::position(shard))?) >= upto {
            return Ok(()); // It is recorded.
        }
        let mut batch = self.db.batch();
        let mut counters: HashMap<Vec<u8>, u64> = HashMap::new();
        let mut queues: HashMap<&AppKey, u64> = HashMap::new();
        let (mut hours, mut active, mut given) = (BTreeSet::new(), HashSet::new(), Given::new());
        for message in messages {
            let place = message.place;
            let (day, hour) = self.zone.of(place.ctime);
            hours.insert(hour);
            for scope in scopes(message) {
                let whose = self.named_or_new(&scope, &mut given)?;
                let row = keys::place(day, &whose, self.zone.within(day, place.ctime), place.msg_id);
                batch.insert(&self.places, row, packed::place(place.key, place.seq));
                if !matches!(scope, Scope::User(_)) {
                    *counters.entry(keys::hour(day, &scope, hour)).or_default() += 1;
                }
            }
            let to = sent_to(place.key);
            *counters.entry(keys::sent(&message.app, hour, to, message.sort)).or_default() += 1;
            active.insert(keys::sender(day, &message.app, message.sender));
            if let ConversationKey::Group(gid) = place.key {
                active.insert(keys::group(day, &message.app, gid));
            }
            if message.queued {
                let last = match queues.get(&message.app) {
                    Some(last) => *last,
                    None => self.counter(&keys::queue_end(&message.app))?,
                };
                queues.insert(&message.app, last + 1);
                batch.insert(&self.rows, keys::queued(&message.app, last + 1), keys::write_place(place));
            }
        }
        let mut there = self.there.lock();
        active.retain(|row| !there.contains(row));
        for row in &active {
            batch.insert(&self.rows, row.as_slice(), []);
        }
        for (key, more) in counters {
            let sum = self.counter(&key)? + more;
            batch.insert(&self.rows, key, sum.to_be_bytes());
        }
        for (app, number) in &given {
            batch.insert(&self.rows, keys::app_number(app), number.to_be_bytes());
        }
        for (app, last) in queues {
            batch.insert(&self.rows, keys::queue_end(app), last.to_be_bytes());
        }
        batch.insert(&self.rows, keys::position(shard), upto.0.to_be_bytes());
        batch.commit().map_err(unavailable)?;
        if there.len() > MOST_THERE {
            there.clear();
        }
        there.extend(active);
        self.apps.stored(given);
        self.counts.recorded(hours);
        Ok(())
    }

    fn positions(&self) -> Result<Vec<(ShardId, MsgId)>, Error> {
        let rows = self.rows.prefix(keys::POSITIONS).map(|row| {
            let (key, value) = row.into_inner().map_err(unavailable)?;
            let shard = keys::shard_of(&key).ok_or_else(|| Error::Damaged("a position without a shard".into()))?;
            Ok((shard, MsgId(number(&value)?)))
        });
        rows.collect()
    }

    /// How many places a scope has in a stretch that lies inside one hour.
    fn inside(&self, scope: &Scope, hour: u64, stretch: Stretch) -> Result<u64, Error> {
        let day = hour / 24;
        if stretch == self.zone.hour(hour) {
            return match scope {
                Scope::User(_) => self.counts.get(scope, hour, || self.count_places(day, scope, stretch)),
                _ => self.counter(&keys::hour(day, scope, hour)),
            };
        }
        self.count_places(day, scope, stretch)
    }

    fn count_places(&self, day: u64, scope: &Scope, stretch: Stretch) -> Result<u64, Error> {
        let Some(whose) = self.named(scope)? else { return Ok(0) };
        let rows = self.places.range(self.range(day, &whose, stretch, MsgId(0)));
        rows.map(|row| row.key().map_err(unavailable)).try_fold(0, |sum, row| row.map(|_| sum + 1))
    }

    /// The rows of a scope on a day, from the (time, msg_id) on.
    fn range(&self, day: u64, whose: &Named, stretch: Stretch, first: MsgId) -> RangeInclusive<Vec<u8>> {
        let (from, to) = (self.zone.within(day, stretch.from), self.zone.within(day, stretch.to));
        keys::place(day, whose, from, first)..=keys::place(day, whose, to, MsgId(u64::MAX))
    }

    /// How places name a scope; none if it has none yet.
    fn named(&self, scope: &Scope) -> Result<Option<Named>, Error> {
        let app = match scope {
            Scope::User(uid) => return Ok(Some(Named::User(*uid))),
            Scope::Conversation(key) => return Ok(Some(Named::Conversation(*key))),
            Scope::App(app) => app,
        };
        Ok(self.apps.get(&self.rows, app)?.map(Named::App))
    }

    /// The same where places are recorded: an app that has no number is given one.
    fn named_or_new(&self, scope: &Scope, given: &mut Given) -> Result<Named, Error> {
        Ok(match scope {
            Scope::User(uid) => Named::User(*uid),
            Scope::Conversation(key) => Named::Conversation(*key),
            Scope::App(app) => Named::App(self.apps.get_or_give(&self.rows, app, given)?),
        })
    }

    fn count(&self, scope: &Scope, stretch: Stretch) -> Result<u64, Error> {
        let hours = self.zone.hours(self.held(stretch)?);
        hours.map(|(hour, part)| self.inside(scope, hour, part)).try_fold(0, |sum, count| count.map(|count| sum + count))
    }

    /// A stretch without the years before the first day that is held: nothing is looked for there.
    fn held(&self, stretch: Stretch) -> Result<Stretch, Error> {
        let first = self.rows.prefix(keys::DAYS).next().map(|row| row.key().map_err(unavailable)).transpose()?;
        let last = self.rows.prefix(keys::DAYS).next_back().map(|row| row.key().map_err(unavailable)).transpose()?;
        let day = |key: Option<fjall::Slice>| key.and_then(|key| keys::day_of(&key));
        let (Some(first), Some(last)) = (day(first), day(last)) else { return Ok(Stretch { from: 1, to: 0 }) };
        let (begin, end) = (self.zone.hour(first * 24).from, self.zone.hour(last * 24 + 23).to);
        Ok(Stretch { from: stretch.from.max(begin), to: stretch.to.min(end) })
    }

    fn places(
        &self,
        scope: &Scope,
        stretch: Stretch,
        after: Option<(Millis, MsgId)>,
        skip: u64,
        limit: usize,
    ) -> Result<Vec<Place>, Error> {
        let stretch = self.held(stretch)?;
        let (mut from, mut skip) = (stretch.from, skip);
        if skip > 0 {
            for (hour, part) in self.zone.hours(stretch) {
                let count = self.inside(scope, hour, part)?;
                if count > skip {
                    break;
                }
                skip -= count;
                from = part.to + 1;
            }
        }
        let after = after.filter(|(ctime, _)| *ctime >= from);
        let (from, first) = after.map_or((from, MsgId(0)), |(ctime, id)| (ctime, MsgId(id.0 + 1)));
        let mut places = Vec::new();
        if from > stretch.to {
            return Ok(places);
        }
        let (mut first, mut from, mut skip) = (first, from, usize::try_from(skip).unwrap_or(usize::MAX));
        let Some(whose) = self.named(scope)? else { return Ok(places) };
        for day in self.zone.of(from).0..=self.zone.of(stretch.to).0 {
            let rows = self.places.range(self.range(day, &whose, Stretch { from, to: stretch.to }, first));
            for row in rows.skip(skip).take(limit - places.len()) {
                let (row, value) = row.into_inner().map_err(unavailable)?;
                let place = keys::read_stored(self.zone.begin(day), &row, &value);
                places.push(place.ok_or_else(|| Error::Damaged("a place does not read".into()))?);
            }
            // The rest of what is skipped lies in one hour, so in one day.
            (from, first, skip) = (0, MsgId(0), 0);
            if places.len() == limit {
                break;
            }
        }
        Ok(places)
    }

    fn sent(&self, app: &AppKey, from: u64, to: u64) -> Result<Vec<Sent>, Error> {
        let rows = self.rows.range(keys::sent_from(app, from)..keys::sent_from(app, to + 1));
        let read = |row: fjall::Guard| {
            let (key, value) = row.into_inner().map_err(unavailable)?;
            let (hour, to, sort) = keys::read_sent(&key).ok_or_else(|| Error::Damaged("a count does not read".into()))?;
            Ok(Sent { hour, to, sort, count: number(&value)? })
        };
        rows.map(read).collect()
    }

    fn rows_of(&self, prefix: Vec<u8>) -> Result<u64, Error> {
        self.rows.prefix(prefix).map(|row| row.key().map_err(unavailable)).try_fold(0, |sum, row| row.map(|_| sum + 1))
    }

    fn sweep(&self, of: &Keyspace, range: std::ops::Range<Vec<u8>>) -> Result<(), Error> {
        loop {
            let mut batch = self.db.batch();
            let mut count = 0;
            for row in of.range(range.clone()).take(SWEEP) {
                batch.remove(of, row.key().map_err(unavailable)?);
                count += 1;
            }
            batch.commit().map_err(unavailable)?;
            if count < SWEEP {
                return Ok(());
            }
        }
    }

    fn queue(&self, app: &AppKey, limit: usize) -> Result<Vec<Queued>, Error> {
        let read = |row: fjall::Guard| {
            let (key, value) = row.into_inner().map_err(unavailable)?;
            keys::read_queued(&key, &value).ok_or_else(|| Error::Damaged("a queued message does not read".into()))
        };
        self.rows.prefix(keys::queue(app)).take(limit).map(read).collect()
    }
}

fn sent_to(key: ConversationKey) -> SentTo {
    match key {
        ConversationKey::Group(_) => SentTo::Group,
        ConversationKey::Room(_) => SentTo::Room,
        ConversationKey::Single(..) | ConversationKey::Feed(_) => SentTo::Single,
    }
}

/// Where a message is listed, each scope once.
fn scopes(message: &Recorded) -> Vec<Scope> {
    let key = message.place.key;
    let mut scopes = vec![Scope::App(message.app.clone()), Scope::User(message.sender)];
    match key.peer_of(message.sender) {
        Some(peer) if peer != message.sender => scopes.push(Scope::User(peer)),
        Some(_) => {}
        None => scopes.push(Scope::Conversation(key)),
    }
    scopes
}

#[async_trait]
impl ReportIndex for FjallReport {
    async fn positions(&self) -> Result<Vec<(ShardId, MsgId)>, Error> {
        self.0.positions()
    }

    async fn record(&self, shard: ShardId, upto: MsgId, messages: Vec<Recorded>) -> Result<(), Error> {
        self.apart(move |store| store.record(shard, upto, &messages)).await
    }

    async fn count(&self, scope: &Scope, stretch: Stretch) -> Result<u64, Error> {
        let scope = scope.clone();
        self.apart(move |store| store.count(&scope, stretch)).await
    }

    async fn places(
        &self,
        scope: &Scope,
        stretch: Stretch,
        after: Option<(Millis, MsgId)>,
        skip: u64,
        limit: usize,
    ) -> Result<Vec<Place>, Error> {
        let scope = scope.clone();
        self.apart(move |store| store.places(&scope, stretch, after, skip, limit)).await
    }

    async fn sent(&self, app: &AppKey, from: u64, to: u64) -> Result<Vec<Sent>, Error> {
        let app = app.clone();
        self.apart(move |store| store.sent(&app, from, to)).await
    }

    async fn active(&self, app: &AppKey, day: u64) -> Result<Active, Error> {
        let app = app.clone();
        self.apart(move |store| {
            Ok(Active { senders: store.rows_of(keys::senders(day, &app))?, groups: store.rows_of(keys::groups(day, &app))? })
        })
        .await
    }

    async fn forget_before(&self, day: u64) -> Result<(), Error> {
        self.apart(move |store| {
            store.sweep(&store.places, Vec::new()..keys::places_of(day))?;
            store.sweep(&store.rows, keys::DAYS.to_vec()..keys::day(day))?;
            store.there.lock().clear();
            store.counts.forget();
            Ok(())
        })
        .await
    }

    async fn queued(&self, app: &AppKey, limit: usize) -> Result<Vec<Queued>, Error> {
        let app = app.clone();
        self.apart(move |store| store.queue(&app, limit)).await
    }

    async fn waiting(&self, app: &AppKey) -> Result<Option<(u64, u64)>, Error> {
        let mut rows = self.0.rows.prefix(keys::queue(app));
        let number = |row: fjall::Guard| {
            let key = row.key().map_err(unavailable)?;
            keys::number_of(&key).ok_or_else(|| Error::Damaged("a queued message without a number".into()))
        };
        let Some(first) = rows.next().map(number).transpose()? else { return Ok(None) };
        let last = rows.next_back().map(number).transpose()?;
        Ok(Some((first, last.unwrap_or(first))))
    }

    async fn taken(&self, app: &AppKey, upto: u64) -> Result<(), Error> {
        let app = app.clone();
        self.apart(move |store| store.sweep(&store.rows, keys::queue(&app)..keys::queued(&app, upto + 1))).await
    }
}

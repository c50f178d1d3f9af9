//! Groups and chatrooms: rosters, their members, their changes.

use bytes::Bytes;
use deadpool_postgres::{GenericClient, Transaction};
use mynah_ports::directory_store::{
    Change, ChangeLimits, FirstPayload, Member, NewRoster, Refusal, Roster, RosterChange, RosterKind,
};
use mynah_types::{AppId, Role, Uid};
use tokio_postgres::Row;

use crate::engine::{int, ints, number, one, row, rows, run, size, small};
use crate::errors::Failure;
use crate::packed::{self, pack, pack_members, pack_roles, role_number, unpack, unpack_members, unpack_roles};
use crate::users::{self, Hold, uids_of};
use crate::{apps, switches};

const COLUMNS: &str = "r.id, r.kind, r.app_id, r.name, r.descr, r.avatar, r.flag, r.owner, r.members, r.version, r.applied, \
     r.dissolved, r.ctime, r.mtime, r.maker";
const MEMBER_COLUMNS: &str = "m.uid, m.role, m.silenced, m.joined, m.since_version";

/// Makes a roster. `payload` is taken by the attempt that comes as far as a number: nothing after it makes an attempt be repeated.
pub(crate) async fn create(
    tx: &Transaction<'_>,
    new: &mut NewRoster,
    payload: &mut Option<FirstPayload>,
) -> Result<Roster, Failure> {
    let (kind, app, now) = (new.kind, new.app, new.now);
    let joined: Vec<(Uid, Role)> =
        std::iter::once((new.owner, Role::Owner)).chain(new.members.iter().map(|uid| (*uid, Role::Member))).collect();
    let uids: Vec<Uid> = joined.iter().map(|(uid, _)| *uid).collect();
    apps::lock(tx, app).await?;
    users::all_live(tx, &uids, &[], hold(kind)).await?;
    check_limits(tx, kind, 0, &uids, new.limits).await?;
    // Last, because every roster of the deployment waits for it.
    let sql = "UPDATE counters SET value = value + 1 WHERE name = 'roster' RETURNING value";
    let id: u64 = number(&one(tx, sql, &[]).await?, 0)?;
    let make = payload.take().ok_or(Failure::Moved)?;
    let roster = first_state(id, new, joined.len());
    let change = Change {
        version: 1,
        joined,
        left: Vec::new(),
        changed: Vec::new(),
        dissolved: false,
        payload: make(id),
        actor: new.actor,
    };
    // Sent together: one way to the engine and back while the number is held.
    tokio::try_join!(
        insert_roster(tx, &roster),
        insert_members(tx, id, kind, &change.joined, 1, now),
        count_roster(tx, app, kind, 1),
        insert_change(tx, id, &change),
    )?;
    Ok(roster)
}

fn first_state(id: u64, new: &NewRoster, members: usize) -> Roster {
    Roster {
        id,
        kind: new.kind,
        app: new.app,
        name: new.name.clone(),
        desc: new.desc.clone(),
        avatar: new.avatar.clone(),
        flag: new.flag,
        owner: new.owner,
        members: u32::try_from(members).unwrap_or(u32::MAX),
        version: 1,
        applied: 0,
        dissolved: false,
        maker: new.maker,
        ctime: new.now,
        mtime: new.now,
    }
}

async fn insert_roster(tx: &Transaction<'_>, r: &Roster) -> Result<(), Failure> {
    let sql = "INSERT INTO rosters (id, kind, app_id, name, descr, avatar, flag, owner, members, version, ctime, mtime, maker) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    run(
        tx,
        sql,
        &[
            &int(r.id),
            &kind_number(r.kind),
            &int(r.app.0),
            &r.name,
            &r.desc,
            &r.avatar,
            &i16::from(r.flag),
            &int(r.owner.0),
            &i64::from(r.members),
            &int(r.version),
            &int(r.ctime),
            &int(r.mtime),
            &int(r.maker),
        ],
    )
    .await
    .map(drop)
}

pub(crate) async fn commit_change(tx: &Transaction<'_>, wanted: &RosterChange) -> Result<Roster, Failure> {
    let change = &wanted.change;
    if change.dissolved {
        // Its app counts one less, and rows of apps come first.
        let sql = "SELECT 1 FROM apps WHERE app_id = (SELECT app_id FROM rosters WHERE id = $1) FOR NO KEY UPDATE";
        run(tx, sql, &[&int(wanted.id)]).await?;
    }
    // Held from here on: the version that is read is the one that stands until we are done.
    let sql = format!("SELECT {COLUMNS} FROM rosters r WHERE r.id = $1 FOR NO KEY UPDATE");
    let held = row(tx, &sql, &[&int(wanted.id)]).await?.as_ref().map(read).transpose()?;
    let Some(roster) = held.filter(|r| !r.dissolved) else {
        return Err(Refusal::RosterGone.into());
    };
    if roster.version != wanted.seen_version || change.version != wanted.seen_version + 1 {
        return Err(Refusal::VersionMoved.into());
    }
    let joining: Vec<Uid> = change.joined.iter().map(|(uid, _)| *uid).collect();
    hold_users(tx, &roster, &joining, change).await?;
    if !joining.is_empty() {
        check_limits(tx, roster.kind, roster.members, &joining, wanted.limits).await?;
        insert_members(tx, roster.id, roster.kind, &change.joined, change.version, wanted.now).await?;
    }
    let left = if change.left.is_empty() { 0 } else { remove_members(tx, roster.id, &change.left).await? };
    change_members(tx, roster.id, &change.changed).await?;
    let mut members = (u64::from(roster.members) + joining.len() as u64).saturating_sub(left);
    if change.dissolved {
        run(tx, "DELETE FROM members WHERE roster_id = $1", &[&int(roster.id)]).await?;
        switches::dissolve(tx, roster.id).await?;
        count_roster(tx, roster.app, roster.kind, -1).await?;
        members = 0;
    }
    insert_change(tx, roster.id, change).await?;
    update_roster(tx, &roster, wanted, members).await
}

/// Holds who comes in, and of a group those too whose switches go: in one step, since rows of users have one order.
async fn hold_users(tx: &Transaction<'_>, roster: &Roster, joining: &[Uid], change: &Change) -> Result<(), Failure> {
    let mut others = Vec::new();
    if roster.kind == RosterKind::Group {
        others.clone_from(&change.left);
        if change.dissolved {
            others.extend(switches::holders(tx, roster.id).await?);
        }
    }
    users::all_live(tx, joining, &others, hold(roster.kind)).await
}

async fn update_roster(tx: &Transaction<'_>, was: &Roster, wanted: &RosterChange, members: u64) -> Result<Roster, Failure> {
    let change = &wanted.change;
    let owner = change.changed.iter().find(|(_, role, _)| *role == Role::Owner).map_or(was.owner, |(uid, ..)| *uid);
    let (name, desc, avatar) = match &wanted.details {
        Some(new) => (&new.name, &new.desc, &new.avatar),
        None => (&was.name, &was.desc, &was.avatar),
    };
    let sql = format!(
        "UPDATE rosters r SET owner = $2, members = $3, version = $4, dissolved = $5, mtime = $6, name = $7, descr = $8, avatar = $9 \
         WHERE id = $1 RETURNING {COLUMNS}"
    );
    let (id, owner, members, version) = (int(was.id), int(owner.0), int(members), int(change.version));
    let now = int(wanted.now);
    let row = one(tx, &sql, &[&id, &owner, &members, &version, &change.dissolved, &now, name, desc, avatar]).await?;
    read(&row)
}

/// A user's groups are counted: who joins one is held alone.
fn hold(kind: RosterKind) -> Hold {
    match kind {
        RosterKind::Group => Hold::Alone,
        RosterKind::Room => Hold::Alive,
    }
}

async fn check_limits(
    tx: &Transaction<'_>,
    kind: RosterKind,
    members: u32,
    joining: &[Uid],
    limits: ChangeLimits,
) -> Result<(), Failure> {
    if u64::from(members) + joining.len() as u64 > u64::from(limits.max_members) {
        return Err(Refusal::RosterFull.into());
    }
    if kind == RosterKind::Room {
        return Ok(());
    }
    let sql = "SELECT u FROM unnest($1::bigint[]) AS t (u) \
               WHERE (SELECT count(*) FROM members m WHERE m.uid = u AND m.kind = $2) >= $3";
    let uids = ints(joining.iter().map(|uid| uid.0));
    let most = i64::from(limits.max_groups_per_user);
    let full = uids_of(&rows(tx, sql, &[&uids, &kind_number(kind), &most]).await?)?;
    let full: Vec<Uid> = joining.iter().filter(|uid| full.contains(uid)).copied().collect();
    if full.is_empty() { Ok(()) } else { Err(Refusal::TooManyGroups(full).into()) }
}

async fn insert_members(
    tx: &Transaction<'_>,
    id: u64,
    kind: RosterKind,
    joined: &[(Uid, Role)],
    version: u64,
    now: u64,
) -> Result<(), Failure> {
    let sql = "INSERT INTO members (roster_id, kind, uid, place, role, joined, since_version) \
               SELECT $1, $2, uid, place, role, $3, $4 FROM unnest($5::bigint[], $6::smallint[], $7::smallint[]) \
               WITH ORDINALITY AS t (uid, place, role, n) ORDER BY n";
    let uids = ints(joined.iter().map(|(uid, _)| uid.0));
    let places: Vec<i16> = joined.iter().map(|(_, role)| place(*role)).collect();
    let roles: Vec<i16> = joined.iter().map(|(_, role)| i16::from(role_number(*role))).collect();
    run(tx, sql, &[&int(id), &kind_number(kind), &int(now), &int(version), &uids, &places, &roles]).await.map(drop)
}

/// Takes members away, with what they had switched for the roster. How many there were of them.
async fn remove_members(tx: &Transaction<'_>, id: u64, uids: &[Uid]) -> Result<u64, Failure> {
    let sql = "DELETE FROM members WHERE roster_id = $1 AND uid = ANY($2)";
    let removed = run(tx, sql, &[&int(id), &ints(uids.iter().map(|uid| uid.0))]).await?;
    switches::leave(tx, id, uids).await?;
    Ok(removed)
}

async fn change_members(tx: &Transaction<'_>, id: u64, changed: &[(Uid, Role, bool)]) -> Result<(), Failure> {
    if changed.is_empty() {
        return Ok(());
    }
    let sql = "UPDATE members m SET role = t.role, place = t.place, silenced = t.silenced \
               FROM unnest($2::bigint[], $3::smallint[], $4::smallint[], $5::boolean[]) AS t (uid, role, place, silenced) \
               WHERE m.roster_id = $1 AND m.uid = t.uid";
    let uids = ints(changed.iter().map(|(uid, ..)| uid.0));
    let roles: Vec<i16> = changed.iter().map(|(_, role, _)| i16::from(role_number(*role))).collect();
    let places: Vec<i16> = changed.iter().map(|(_, role, _)| place(*role)).collect();
    let silenced: Vec<bool> = changed.iter().map(|(.., silenced)| *silenced).collect();
    run(tx, sql, &[&int(id), &uids, &roles, &places, &silenced]).await.map(drop)
}

async fn count_roster(tx: &Transaction<'_>, app: AppId, kind: RosterKind, by: i64) -> Result<(), Failure> {
    let sql = match kind {
        RosterKind::Group => "UPDATE apps SET n_groups = n_groups + $2 WHERE app_id = $1",
        RosterKind::Room => "UPDATE apps SET n_rooms = n_rooms + $2 WHERE app_id = $1",
    };
    run(tx, sql, &[&int(app.0), &by]).await.map(drop)
}

/// Changes stay for ever, confirmed or not: a log that was lost, or stands at an older version, learns its members from them.
async fn insert_change(tx: &Transaction<'_>, id: u64, change: &Change) -> Result<(), Failure> {
    let sql = "INSERT INTO changes (roster_id, version, joined, gone, changed, dissolved, payload, actor) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    run(
        tx,
        sql,
        &[
            &int(id),
            &int(change.version),
            &pack_roles(&change.joined),
            &pack(&change.left),
            &pack_members(&change.changed),
            &change.dissolved,
            &change.payload.as_ref(),
            &int(change.actor.0),
        ],
    )
    .await
    .map(drop)
}

pub(crate) async fn by_id(conn: &impl GenericClient, id: u64) -> Result<Option<Roster>, Failure> {
    let sql = format!("SELECT {COLUMNS} FROM rosters r WHERE r.id = $1");
    row(conn, &sql, &[&int(id)]).await?.as_ref().map(read).transpose()
}

pub(crate) async fn list(
    tx: &Transaction<'_>,
    app: AppId,
    kind: RosterKind,
    start: u64,
    count: u32,
) -> Result<(u64, Vec<Roster>), Failure> {
    let sql = "SELECT CASE WHEN $2 THEN n_groups ELSE n_rooms END FROM apps WHERE app_id = $1";
    let total = match row(tx, sql, &[&int(app.0), &(kind == RosterKind::Group)]).await? {
        Some(row) => number(&row, 0)?,
        None => 0,
    };
    if start >= total {
        return Ok((total, Vec::new()));
    }
    let sql = format!(
        "SELECT {COLUMNS} FROM rosters r WHERE r.app_id = $1 AND r.kind = $2 AND NOT r.dissolved ORDER BY r.id LIMIT $3 OFFSET $4"
    );
    let found = rows(tx, &sql, &[&int(app.0), &kind_number(kind), &i64::from(count), &int(start)]).await?;
    Ok((total, found.iter().map(read).collect::<Result<_, _>>()?))
}

pub(crate) async fn members(conn: &impl GenericClient, id: u64, start: u64, count: u32) -> Result<Vec<Member>, Failure> {
    let sql = format!("SELECT {MEMBER_COLUMNS} FROM members m WHERE m.roster_id = $1 ORDER BY m.place, m.id LIMIT $2 OFFSET $3");
    let found = rows(conn, &sql, &[&int(id), &i64::from(count), &int(start)]).await?;
    found.iter().map(|row| member(row, 0)).collect()
}

/// In the order of the users given.
pub(crate) async fn member_rows(conn: &impl GenericClient, id: u64, uids: &[Uid]) -> Result<Vec<Member>, Failure> {
    let sql = format!(
        "SELECT {MEMBER_COLUMNS} FROM unnest($2::bigint[]) WITH ORDINALITY AS t (uid, n) \
         JOIN members m ON m.roster_id = $1 AND m.uid = t.uid ORDER BY t.n"
    );
    let found = rows(conn, &sql, &[&int(id), &ints(uids.iter().map(|uid| uid.0))]).await?;
    found.iter().map(|row| member(row, 0)).collect()
}

pub(crate) async fn of_user(conn: &impl GenericClient, uid: Uid, kind: RosterKind) -> Result<Vec<(Roster, Member)>, Failure> {
    let sql = format!(
        "SELECT {COLUMNS}, {MEMBER_COLUMNS} FROM members m JOIN rosters r ON r.id = m.roster_id \
         WHERE m.uid = $1 AND m.kind = $2 ORDER BY m.id"
    );
    let found = rows(conn, &sql, &[&int(uid.0), &kind_number(kind)]).await?;
    let places = COLUMNS.split(',').count();
    found.iter().map(|row| Ok((read(row)?, member(row, places)?))).collect()
}

pub(crate) async fn changes(conn: &impl GenericClient, id: u64, after: u64, limit: usize) -> Result<Vec<Change>, Failure> {
    let sql = "SELECT version, joined, gone, changed, dissolved, payload, actor FROM changes \
               WHERE roster_id = $1 AND version > $2 ORDER BY version LIMIT $3";
    let found = rows(conn, sql, &[&int(id), &int(after), &size(limit)]).await?;
    let changes = found.iter().map(|row| {
        Ok(Change {
            version: number(row, 0)?,
            joined: unpack_roles(row.try_get(1)?),
            left: unpack(row.try_get(2)?),
            changed: unpack_members(row.try_get(3)?),
            dissolved: row.try_get(4)?,
            payload: Bytes::from(row.try_get::<_, Vec<u8>>(5)?),
            actor: Uid(number(row, 6)?),
        })
    });
    changes.collect()
}

pub(crate) async fn set_applied(tx: &Transaction<'_>, id: u64, version: u64) -> Result<(), Failure> {
    run(tx, "UPDATE rosters SET applied = $2 WHERE id = $1 AND applied < $2", &[&int(id), &int(version)]).await.map(drop)
}

pub(crate) async fn pending(conn: &impl GenericClient, limit: usize) -> Result<Vec<Roster>, Failure> {
    let sql = format!("SELECT {COLUMNS} FROM rosters r WHERE r.applied < r.version ORDER BY r.mtime LIMIT $1");
    rows(conn, &sql, &[&size(limit)]).await?.iter().map(read).collect()
}

pub(crate) async fn pending_of(conn: &impl GenericClient, owner: Uid, kind: RosterKind) -> Result<Vec<Roster>, Failure> {
    let sql =
        format!("SELECT {COLUMNS} FROM rosters r WHERE r.owner = $1 AND r.kind = $2 AND r.applied < r.version ORDER BY r.id");
    rows(conn, &sql, &[&int(owner.0), &kind_number(kind)]).await?.iter().map(read).collect()
}

pub(crate) async fn pending_count(conn: &impl GenericClient) -> Result<u64, Failure> {
    number(&one(conn, "SELECT count(*) FROM rosters WHERE applied < version", &[]).await?, 0)
}

fn read(row: &Row) -> Result<Roster, Failure> {
    Ok(Roster {
        id: number(row, 0)?,
        kind: if small(row, 1)? == 1 { RosterKind::Group } else { RosterKind::Room },
        app: AppId(number(row, 2)?),
        name: row.try_get(3)?,
        desc: row.try_get(4)?,
        avatar: row.try_get(5)?,
        flag: small(row, 6)?,
        owner: Uid(number(row, 7)?),
        members: number(row, 8)?,
        version: number(row, 9)?,
        applied: number(row, 10)?,
        dissolved: row.try_get(11)?,
        ctime: number(row, 12)?,
        mtime: number(row, 13)?,
        maker: number(row, 14)?,
    })
}

fn member(row: &Row, first: usize) -> Result<Member, Failure> {
    Ok(Member {
        uid: Uid(number(row, first)?),
        role: packed::role(small(row, first + 1)?),
        silenced: row.try_get(first + 2)?,
        joined: number(row, first + 3)?,
        since_version: number(row, first + 4)?,
    })
}

pub(crate) fn kind_number(kind: RosterKind) -> i16 {
    match kind {
        RosterKind::Group => 1,
        RosterKind::Room => 2,
    }
}

fn place(role: Role) -> i16 {
    i16::from(role != Role::Owner)
}

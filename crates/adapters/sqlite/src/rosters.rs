//! Groups and chatrooms: rosters, their members, their changes.

use bytes::Bytes;
use mynah_ports::directory_store::{Change, ChangeLimits, Error, Member, NewRoster, Refusal, Roster, RosterChange, RosterKind};
use mynah_types::{AppId, Role, Uid};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::engine::failed;
use crate::{switches, users};

const COLUMNS: &str = "r.id, r.kind, r.app_id, r.name, r.descr, r.avatar, r.flag, r.owner, r.members, r.version, r.applied, \
     r.dissolved, r.ctime, r.mtime, r.maker";
/// In the packed role of a change: the member is silenced.
const SILENCED: u8 = 0x80;
const MEMBER_COLUMNS: &str = "m.uid, m.role, m.silenced, m.joined, m.since_version";

pub(crate) fn create(conn: &Connection, new: NewRoster) -> Result<Roster, Error> {
    let joined: Vec<(Uid, Role)> =
        std::iter::once((new.owner, Role::Owner)).chain(new.members.iter().map(|uid| (*uid, Role::Member))).collect();
    let uids: Vec<Uid> = joined.iter().map(|(uid, _)| *uid).collect();
    users::all_live(conn, &uids)?;
    check_limits(conn, new.kind, 0, &uids, new.limits)?;
    let id: u64 = conn
        .query_row("UPDATE counters SET value = value + 1 WHERE name = 'roster' RETURNING value", [], |row| row.get(0))
        .map_err(failed)?;
    conn.execute(
        "INSERT INTO rosters (id, kind, app_id, name, descr, avatar, flag, owner, members, version, ctime, mtime, maker) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 1, ?10, ?10, ?11)",
        params![
            id,
            kind_number(new.kind),
            new.app.0,
            new.name,
            new.desc,
            new.avatar,
            new.flag,
            new.owner.0,
            joined.len(),
            new.now,
            new.maker
        ],
    )
    .map_err(failed)?;
    insert_members(conn, id, new.kind, &joined, 1, new.now)?;
    count_roster(conn, new.app, new.kind, 1)?;
    let change = Change {
        version: 1,
        joined,
        left: Vec::new(),
        changed: Vec::new(),
        dissolved: false,
        payload: (new.payload)(id),
        actor: new.actor,
    };
    insert_change(conn, id, &change)?;
    existing(conn, id)
}

pub(crate) fn commit_change(conn: &Connection, wanted: &RosterChange) -> Result<Roster, Error> {
    let change = &wanted.change;
    let Some(roster) = by_id(conn, wanted.id)?.filter(|r| !r.dissolved) else {
        return Err(Error::Refused(Refusal::RosterGone));
    };
    if roster.version != wanted.seen_version || change.version != wanted.seen_version + 1 {
        return Err(Error::Refused(Refusal::VersionMoved));
    }
    let joining: Vec<Uid> = change.joined.iter().map(|(uid, _)| *uid).collect();
    users::all_live(conn, &joining)?;
    check_limits(conn, roster.kind, roster.members, &joining, wanted.limits)?;
    insert_members(conn, roster.id, roster.kind, &change.joined, change.version, wanted.now)?;
    let mut left = 0;
    for uid in &change.left {
        left += conn
            .prepare_cached("DELETE FROM members WHERE roster_id = ?1 AND uid = ?2")
            .and_then(|mut delete| delete.execute([roster.id, uid.0]))
            .map_err(failed)?;
    }
    switches::leave(conn, roster.id, &change.left)?;
    for (uid, role, silenced) in &change.changed {
        conn.prepare_cached("UPDATE members SET role = ?3, place = ?4, silenced = ?5 WHERE roster_id = ?1 AND uid = ?2")
            .and_then(|mut update| update.execute(params![roster.id, uid.0, role_number(*role), place(*role), silenced]))
            .map_err(failed)?;
    }
    if let Some(details) = &wanted.details {
        conn.prepare_cached("UPDATE rosters SET name = ?2, descr = ?3, avatar = ?4 WHERE id = ?1")
            .and_then(|mut update| update.execute(params![roster.id, details.name, details.desc, details.avatar]))
            .map_err(failed)?;
    }
    let owner = change.changed.iter().find(|(_, role, _)| *role == Role::Owner).map_or(roster.owner, |(uid, ..)| *uid);
    let mut members = u64::from(roster.members) + joining.len() as u64;
    members = members.saturating_sub(left as u64);
    if change.dissolved {
        conn.execute("DELETE FROM members WHERE roster_id = ?1", [roster.id]).map_err(failed)?;
        switches::dissolve(conn, roster.id)?;
        count_roster(conn, roster.app, roster.kind, -1)?;
        members = 0;
    }
    conn.prepare_cached("UPDATE rosters SET owner = ?2, members = ?3, version = ?4, dissolved = ?5, mtime = ?6 WHERE id = ?1")
        .and_then(|mut update| update.execute(params![roster.id, owner.0, members, change.version, change.dissolved, wanted.now]))
        .map_err(failed)?;
    insert_change(conn, roster.id, change)?;
    existing(conn, roster.id)
}

fn check_limits(conn: &Connection, kind: RosterKind, members: u32, joining: &[Uid], limits: ChangeLimits) -> Result<(), Error> {
    if joining.is_empty() {
        return Ok(());
    }
    if u64::from(members) + joining.len() as u64 > u64::from(limits.max_members) {
        return Err(Error::Refused(Refusal::RosterFull));
    }
    if kind == RosterKind::Room {
        return Ok(());
    }
    let mut count = conn.prepare_cached("SELECT count(*) FROM members WHERE uid = ?1 AND kind = ?2").map_err(failed)?;
    let mut full = Vec::new();
    for uid in joining {
        let groups: u32 = count.query_row(params![uid.0, kind_number(kind)], |row| row.get(0)).map_err(failed)?;
        if groups >= limits.max_groups_per_user {
            full.push(*uid);
        }
    }
    if full.is_empty() { Ok(()) } else { Err(Error::Refused(Refusal::TooManyGroups(full))) }
}

fn insert_members(
    conn: &Connection,
    id: u64,
    kind: RosterKind,
    joined: &[(Uid, Role)],
    version: u64,
    now: u64,
) -> Result<(), Error> {
    let mut insert = conn
        .prepare_cached(
            "INSERT INTO members (roster_id, kind, uid, place, role, joined, since_version) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )
        .map_err(failed)?;
    for (uid, role) in joined {
        insert.execute(params![id, kind_number(kind), uid.0, place(*role), role_number(*role), now, version]).map_err(failed)?;
    }
    Ok(())
}

fn count_roster(conn: &Connection, app: AppId, kind: RosterKind, by: i64) -> Result<(), Error> {
    let sql = match kind {
        RosterKind::Group => "UPDATE apps SET n_groups = n_groups + ?2 WHERE app_id = ?1",
        RosterKind::Room => "UPDATE apps SET n_rooms = n_rooms + ?2 WHERE app_id = ?1",
    };
    conn.prepare_cached(sql).and_then(|mut update| update.execute(params![app.0, by])).map(drop).map_err(failed)
}

/// Changes stay for ever, confirmed or not. A log that was restored from a backup, or whose loss was accepted, stands at an older version
/// than the router once confirmed, and an actor applies versions one by one: with one of them gone, it could never again tell who its
/// members are. To prune them takes a record that holds all members at a version, for the actor to start from.
fn insert_change(conn: &Connection, id: u64, change: &Change) -> Result<(), Error> {
    conn.prepare_cached(
        "INSERT INTO changes (roster_id, version, joined, gone, changed, dissolved, payload, actor) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )
    .and_then(|mut insert| {
        insert.execute(params![
            id,
            change.version,
            pack_roles(&change.joined),
            pack(&change.left),
            pack_members(&change.changed),
            change.dissolved,
            change.payload.as_ref(),
            change.actor.0,
        ])
    })
    .map(drop)
    .map_err(failed)
}

pub(crate) fn by_id(conn: &Connection, id: u64) -> Result<Option<Roster>, Error> {
    let mut query = conn.prepare_cached(&format!("SELECT {COLUMNS} FROM rosters r WHERE r.id = ?1")).map_err(failed)?;
    query.query_row([id], row).optional().map_err(failed)
}

fn existing(conn: &Connection, id: u64) -> Result<Roster, Error> {
    by_id(conn, id)?.ok_or_else(|| Error::Damaged(format!("roster {id} was written and is not there")))
}

pub(crate) fn list(conn: &Connection, app: AppId, kind: RosterKind, start: u64, count: u32) -> Result<(u64, Vec<Roster>), Error> {
    let totals: Option<(u64, u64)> = conn
        .prepare_cached("SELECT n_groups, n_rooms FROM apps WHERE app_id = ?1")
        .and_then(|mut query| query.query_row([app.0], |row| Ok((row.get(0)?, row.get(1)?))).optional())
        .map_err(failed)?;
    let total = totals.map_or(0, |(groups, rooms)| if kind == RosterKind::Group { groups } else { rooms });
    if start >= total {
        return Ok((total, Vec::new()));
    }
    let sql = format!(
        "SELECT {COLUMNS} FROM rosters r WHERE r.app_id = ?1 AND r.kind = ?2 AND r.dissolved = 0 ORDER BY r.id LIMIT ?3 OFFSET ?4"
    );
    let mut query = conn.prepare_cached(&sql).map_err(failed)?;
    let rows = query.query_map(params![app.0, kind_number(kind), count, start], row).map_err(failed)?;
    Ok((total, rows.collect::<Result<_, _>>().map_err(failed)?))
}

pub(crate) fn members(conn: &Connection, id: u64, start: u64, count: u32) -> Result<Vec<Member>, Error> {
    let sql = format!("SELECT {MEMBER_COLUMNS} FROM members m WHERE m.roster_id = ?1 ORDER BY m.place, m.id LIMIT ?2 OFFSET ?3");
    let mut query = conn.prepare_cached(&sql).map_err(failed)?;
    let rows = query.query_map(params![id, count, start], |row| member(row, 0)).map_err(failed)?;
    rows.map(|member| member.map_err(failed)).collect()
}

pub(crate) fn member_rows(conn: &Connection, id: u64, uids: &[Uid]) -> Result<Vec<Member>, Error> {
    let sql = format!("SELECT {MEMBER_COLUMNS} FROM members m WHERE m.roster_id = ?1 AND m.uid = ?2");
    let mut query = conn.prepare_cached(&sql).map_err(failed)?;
    let mut found = Vec::new();
    for uid in uids {
        found.extend(query.query_row([id, uid.0], |row| member(row, 0)).optional().map_err(failed)?);
    }
    Ok(found)
}

pub(crate) fn of_user(conn: &Connection, uid: Uid, kind: RosterKind) -> Result<Vec<(Roster, Member)>, Error> {
    let sql = format!(
        "SELECT {COLUMNS}, {MEMBER_COLUMNS} FROM members m JOIN rosters r ON r.id = m.roster_id \
         WHERE m.uid = ?1 AND m.kind = ?2 ORDER BY m.id"
    );
    let mut query = conn.prepare_cached(&sql).map_err(failed)?;
    let found = query.query_map(params![uid.0, kind_number(kind)], |r| Ok((row(r)?, member(r, 15)?))).map_err(failed)?;
    found.map(|pair| pair.map_err(failed)).collect()
}

pub(crate) fn changes(conn: &Connection, id: u64, after: u64, limit: usize) -> Result<Vec<Change>, Error> {
    let mut query = conn
        .prepare_cached(
            "SELECT version, joined, gone, changed, dissolved, payload, actor FROM changes \
             WHERE roster_id = ?1 AND version > ?2 ORDER BY version LIMIT ?3",
        )
        .map_err(failed)?;
    let rows = query
        .query_map(params![id, after, limit], |row| {
            let blob = |column| row.get::<_, Vec<u8>>(column);
            Ok(Change {
                version: row.get(0)?,
                joined: unpack_roles(&blob(1)?),
                left: unpack(&blob(2)?),
                changed: unpack_members(&blob(3)?),
                dissolved: row.get(4)?,
                payload: Bytes::from(blob(5)?),
                actor: Uid(row.get(6)?),
            })
        })
        .map_err(failed)?;
    rows.map(|change| change.map_err(failed)).collect()
}

pub(crate) fn set_applied(conn: &Connection, id: u64, version: u64) -> Result<(), Error> {
    conn.prepare_cached("UPDATE rosters SET applied = ?2 WHERE id = ?1 AND applied < ?2")
        .and_then(|mut update| update.execute([id, version]))
        .map(drop)
        .map_err(failed)
}

pub(crate) fn pending(conn: &Connection, limit: usize) -> Result<Vec<Roster>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM rosters r WHERE r.applied < r.version ORDER BY r.mtime LIMIT ?1");
    let mut query = conn.prepare_cached(&sql).map_err(failed)?;
    let rows = query.query_map([limit], row).map_err(failed)?;
    rows.map(|roster| roster.map_err(failed)).collect()
}

pub(crate) fn pending_of(conn: &Connection, owner: Uid, kind: RosterKind) -> Result<Vec<Roster>, Error> {
    let sql =
        format!("SELECT {COLUMNS} FROM rosters r WHERE r.owner = ?1 AND r.kind = ?2 AND r.applied < r.version ORDER BY r.id");
    let mut query = conn.prepare_cached(&sql).map_err(failed)?;
    let rows = query.query_map(params![owner.0, kind_number(kind)], row).map_err(failed)?;
    rows.map(|roster| roster.map_err(failed)).collect()
}

pub(crate) fn pending_count(conn: &Connection) -> Result<u64, Error> {
    conn.query_row("SELECT count(*) FROM rosters WHERE applied < version", [], |row| row.get(0)).map_err(failed)
}

fn row(row: &Row<'_>) -> rusqlite::Result<Roster> {
    Ok(Roster {
        id: row.get(0)?,
        kind: if row.get::<_, u8>(1)? == 1 { RosterKind::Group } else { RosterKind::Room },
        app: AppId(row.get(2)?),
        name: row.get(3)?,
        desc: row.get(4)?,
        avatar: row.get(5)?,
        flag: row.get(6)?,
        owner: Uid(row.get(7)?),
        members: row.get(8)?,
        version: row.get(9)?,
        applied: row.get(10)?,
        dissolved: row.get(11)?,
        ctime: row.get(12)?,
        mtime: row.get(13)?,
        maker: row.get(14)?,
    })
}

fn member(row: &Row<'_>, first: usize) -> rusqlite::Result<Member> {
    Ok(Member {
        uid: Uid(row.get(first)?),
        role: role(row.get(first + 1)?),
        silenced: row.get(first + 2)?,
        joined: row.get(first + 3)?,
        since_version: row.get(first + 4)?,
    })
}

pub(crate) fn kind_number(kind: RosterKind) -> u8 {
    match kind {
        RosterKind::Group => 1,
        RosterKind::Room => 2,
    }
}

fn role_number(role: Role) -> u8 {
    match role {
        Role::Member => 0,
        Role::Keeper => 1,
        Role::Owner => 2,
    }
}

fn role(number: u8) -> Role {
    match number {
        2 => Role::Owner,
        1 => Role::Keeper,
        _ => Role::Member,
    }
}

fn place(role: Role) -> u8 {
    u8::from(role != Role::Owner)
}

fn pack(uids: &[Uid]) -> Vec<u8> {
    uids.iter().flat_map(|uid| uid.0.to_be_bytes()).collect()
}

fn unpack(bytes: &[u8]) -> Vec<Uid> {
    bytes.as_chunks::<8>().0.iter().map(|uid| Uid(u64::from_be_bytes(*uid))).collect()
}

fn pack_roles(members: &[(Uid, Role)]) -> Vec<u8> {
    members.iter().flat_map(|(uid, role)| uid.0.to_be_bytes().into_iter().chain([role_number(*role)])).collect()
}

/// As roles are packed, with the highest bit of the role's byte for silence.
fn pack_members(members: &[(Uid, Role, bool)]) -> Vec<u8> {
    let byte = |role: Role, silenced: bool| role_number(role) | if silenced { SILENCED } else { 0 };
    members.iter().flat_map(|(uid, role, silenced)| uid.0.to_be_bytes().into_iter().chain([byte(*role, *silenced)])).collect()
}

fn unpack_members(bytes: &[u8]) -> Vec<(Uid, Role, bool)> {
    let one = |[uid @ .., byte]: &[u8; 9]| (Uid(u64::from_be_bytes(*uid)), role(byte & !SILENCED), byte & SILENCED != 0);
    bytes.as_chunks::<9>().0.iter().map(one).collect()
}

fn unpack_roles(bytes: &[u8]) -> Vec<(Uid, Role)> {
    let one = |[uid @ .., number]: &[u8; 9]| (Uid(u64::from_be_bytes(*uid)), role(*number));
    bytes.as_chunks::<9>().0.iter().map(one).collect()
}

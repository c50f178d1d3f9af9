-- Times are milliseconds since the Unix epoch. Rosters are groups (kind 1) and chatrooms (kind 2).

CREATE TABLE apps (
    app_id INTEGER PRIMARY KEY AUTOINCREMENT,
    appkey TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    secret_digest BLOB NOT NULL,
    secret_sealed BLOB NOT NULL,
    demo INTEGER NOT NULL,
    disabled INTEGER NOT NULL,
    multi_device TEXT NOT NULL,
    signature_rule TEXT NOT NULL,
    max_group_members INTEGER NOT NULL,
    max_groups_per_user INTEGER NOT NULL,
    max_room_members INTEGER NOT NULL,
    device_registration INTEGER NOT NULL,
    ctime INTEGER NOT NULL,
    -- Totals of the lists, kept by the transactions that change them.
    n_users INTEGER NOT NULL DEFAULT 0,
    n_admins INTEGER NOT NULL DEFAULT 0,
    n_groups INTEGER NOT NULL DEFAULT 0,
    n_rooms INTEGER NOT NULL DEFAULT 0
);

-- AUTOINCREMENT: a uid is never used again.
CREATE TABLE users (
    uid INTEGER PRIMARY KEY AUTOINCREMENT,
    app_id INTEGER NOT NULL,
    username TEXT NOT NULL,
    admin INTEGER NOT NULL,
    disabled INTEGER NOT NULL DEFAULT 0,
    password TEXT NOT NULL,
    nickname TEXT,
    avatar TEXT,
    birthday TEXT,
    signature TEXT,
    gender INTEGER,
    region TEXT,
    address TEXT,
    extras TEXT,
    ctime INTEGER NOT NULL,
    mtime INTEGER NOT NULL,
    deleted_at INTEGER
);
CREATE UNIQUE INDEX users_name ON users (app_id, username) WHERE deleted_at IS NULL;
CREATE INDEX users_list ON users (app_id, admin, uid) WHERE deleted_at IS NULL;

CREATE TABLE pending_deletions (uid INTEGER PRIMARY KEY, since INTEGER NOT NULL);

CREATE TABLE sessions (
    session_id INTEGER PRIMARY KEY AUTOINCREMENT,
    token BLOB NOT NULL UNIQUE,
    app_id INTEGER NOT NULL,
    uid INTEGER NOT NULL,
    platform TEXT NOT NULL,
    device_id TEXT NOT NULL,
    ctime INTEGER NOT NULL,
    last_used INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    revoked_at INTEGER
);
CREATE INDEX sessions_live ON sessions (uid) WHERE revoked_at IS NULL;
CREATE INDEX sessions_end ON sessions (expires);

CREATE TABLE devices (
    uid INTEGER NOT NULL,
    platform TEXT NOT NULL,
    device_id TEXT NOT NULL,
    session_id INTEGER NOT NULL,
    last_login INTEGER NOT NULL,
    PRIMARY KEY (uid, platform)
) WITHOUT ROWID;

CREATE TABLE blacklist (
    id INTEGER PRIMARY KEY,
    uid INTEGER NOT NULL,
    peer INTEGER NOT NULL,
    ctime INTEGER NOT NULL,
    UNIQUE (uid, peer)
);
CREATE INDEX blacklist_peer ON blacklist (peer);

-- Pairs whose change the router has not confirmed.
CREATE TABLE relation_notes (
    uid INTEGER NOT NULL,
    peer INTEGER NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (uid, peer)
) WITHOUT ROWID;

CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO counters (name, value) VALUES ('roster', 10000000), ('generation', 0);

CREATE TABLE rosters (
    id INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,
    app_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    descr TEXT NOT NULL,
    avatar TEXT NOT NULL,
    flag INTEGER NOT NULL,
    owner INTEGER NOT NULL,
    members INTEGER NOT NULL,
    version INTEGER NOT NULL,
    applied INTEGER NOT NULL DEFAULT 0,
    dissolved INTEGER NOT NULL DEFAULT 0,
    ctime INTEGER NOT NULL,
    mtime INTEGER NOT NULL
);
CREATE INDEX rosters_list ON rosters (app_id, kind, id) WHERE dissolved = 0;
CREATE INDEX rosters_pending ON rosters (mtime) WHERE applied < version;
CREATE INDEX rosters_pending_owner ON rosters (owner, kind) WHERE applied < version;

-- place: 0 the owner, 1 everybody else; id tells the order they came in.
CREATE TABLE members (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    roster_id INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    uid INTEGER NOT NULL,
    place INTEGER NOT NULL,
    role INTEGER NOT NULL,
    silenced INTEGER NOT NULL DEFAULT 0,
    joined INTEGER NOT NULL,
    since_version INTEGER NOT NULL,
    UNIQUE (roster_id, uid)
);
CREATE INDEX members_order ON members (roster_id, place, id);
CREATE INDEX members_user ON members (uid, kind, id);

-- joined, changed: 9 bytes a user (uid, role); gone: 8 bytes a user; big endian.
CREATE TABLE changes (
    roster_id INTEGER NOT NULL,
    version INTEGER NOT NULL,
    joined BLOB NOT NULL,
    gone BLOB NOT NULL,
    changed BLOB NOT NULL,
    dissolved INTEGER NOT NULL,
    payload BLOB NOT NULL,
    actor INTEGER NOT NULL,
    PRIMARY KEY (roster_id, version)
);

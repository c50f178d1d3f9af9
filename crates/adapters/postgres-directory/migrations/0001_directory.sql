-- Times are milliseconds since the Unix epoch. Rosters are groups (kind 1) and chatrooms (kind 2).

CREATE TABLE apps (
    app_id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    appkey TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    secret_digest BYTEA NOT NULL,
    secret_sealed BYTEA NOT NULL,
    demo BOOLEAN NOT NULL,
    disabled BOOLEAN NOT NULL,
    multi_device TEXT NOT NULL,
    signature_rule TEXT NOT NULL,
    max_group_members BIGINT NOT NULL,
    max_groups_per_user BIGINT NOT NULL,
    max_room_members BIGINT NOT NULL,
    device_registration BOOLEAN NOT NULL,
    word_filter BOOLEAN NOT NULL DEFAULT FALSE,
    ctime BIGINT NOT NULL,
    -- Totals of the lists, kept by the transactions that change them.
    n_users BIGINT NOT NULL DEFAULT 0,
    n_admins BIGINT NOT NULL DEFAULT 0,
    n_groups BIGINT NOT NULL DEFAULT 0,
    n_rooms BIGINT NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

-- A uid is never used again: an identity only rises.
CREATE TABLE users (
    uid BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    app_id BIGINT NOT NULL,
    username TEXT NOT NULL,
    admin BOOLEAN NOT NULL,
    disabled BOOLEAN NOT NULL DEFAULT FALSE,
    password TEXT NOT NULL,
    nickname TEXT,
    avatar TEXT,
    birthday TEXT,
    signature TEXT,
    gender SMALLINT,
    region TEXT,
    address TEXT,
    extras TEXT,
    ctime BIGINT NOT NULL,
    mtime BIGINT NOT NULL,
    deleted_at BIGINT
);
-- Racing registrations of one name make one user.
CREATE UNIQUE INDEX users_name ON users (app_id, username) WHERE deleted_at IS NULL;
CREATE INDEX users_list ON users (app_id, admin, uid) WHERE deleted_at IS NULL;
CREATE INDEX users_ctime ON users (app_id, ctime) WHERE deleted_at IS NULL AND NOT admin;

CREATE TABLE pending_deletions (uid BIGINT PRIMARY KEY, since BIGINT NOT NULL);

CREATE TABLE sessions (
    session_id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    token BYTEA NOT NULL UNIQUE,
    app_id BIGINT NOT NULL,
    uid BIGINT NOT NULL,
    platform TEXT NOT NULL,
    device_id TEXT NOT NULL,
    ctime BIGINT NOT NULL,
    last_used BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    revoked_at BIGINT
);
CREATE INDEX sessions_live ON sessions (uid) WHERE revoked_at IS NULL;
CREATE INDEX sessions_end ON sessions (expires);

CREATE TABLE devices (
    uid BIGINT NOT NULL,
    platform TEXT COLLATE "C" NOT NULL,
    device_id TEXT NOT NULL,
    session_id BIGINT NOT NULL,
    last_login BIGINT NOT NULL,
    PRIMARY KEY (uid, platform)
);

CREATE TABLE blacklist (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uid BIGINT NOT NULL,
    peer BIGINT NOT NULL,
    ctime BIGINT NOT NULL,
    UNIQUE (uid, peer)
);
CREATE INDEX blacklist_peer ON blacklist (peer);

-- Pairs whose change the router has not confirmed.
CREATE TABLE relation_notes (
    uid BIGINT NOT NULL,
    peer BIGINT NOT NULL,
    since BIGINT NOT NULL,
    PRIMARY KEY (uid, peer)
);

-- Rows and no sequences: what is rolled back takes no number, and what was given is durable with the commit that gave it.
CREATE TABLE counters (name TEXT PRIMARY KEY, value BIGINT NOT NULL) WITH (fillfactor = 10);
INSERT INTO counters (name, value) VALUES ('roster', 10000000), ('generation', 0);

CREATE TABLE rosters (
    id BIGINT PRIMARY KEY,
    kind SMALLINT NOT NULL,
    app_id BIGINT NOT NULL,
    name TEXT NOT NULL,
    descr TEXT NOT NULL,
    avatar TEXT NOT NULL,
    flag SMALLINT NOT NULL,
    owner BIGINT NOT NULL,
    members BIGINT NOT NULL,
    version BIGINT NOT NULL,
    applied BIGINT NOT NULL DEFAULT 0,
    dissolved BOOLEAN NOT NULL DEFAULT FALSE,
    ctime BIGINT NOT NULL,
    mtime BIGINT NOT NULL
);
CREATE INDEX rosters_list ON rosters (app_id, kind, id) WHERE NOT dissolved;
CREATE INDEX rosters_ctime ON rosters (app_id, kind, ctime) WHERE NOT dissolved;
CREATE INDEX rosters_pending ON rosters (mtime) WHERE applied < version;
CREATE INDEX rosters_pending_owner ON rosters (owner, kind) WHERE applied < version;

-- place: 0 the owner, 1 everybody else; id tells the order they came in.
CREATE TABLE members (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    roster_id BIGINT NOT NULL,
    kind SMALLINT NOT NULL,
    uid BIGINT NOT NULL,
    place SMALLINT NOT NULL,
    role SMALLINT NOT NULL,
    silenced BOOLEAN NOT NULL DEFAULT FALSE,
    joined BIGINT NOT NULL,
    since_version BIGINT NOT NULL,
    UNIQUE (roster_id, uid)
);
CREATE INDEX members_order ON members (roster_id, place, id);
CREATE INDEX members_user ON members (uid, kind, id);

-- joined, changed: 9 bytes a user (uid, role); gone: 8 bytes a user; big endian.
CREATE TABLE changes (
    roster_id BIGINT NOT NULL,
    version BIGINT NOT NULL,
    joined BYTEA NOT NULL,
    gone BYTEA NOT NULL,
    changed BYTEA NOT NULL,
    dissolved BOOLEAN NOT NULL,
    payload BYTEA NOT NULL,
    actor BIGINT NOT NULL,
    PRIMARY KEY (roster_id, version)
);

-- Both directions of a friendship have a row: the note of each is his own.
CREATE TABLE friends (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uid BIGINT NOT NULL,
    peer BIGINT NOT NULL,
    note_name TEXT NOT NULL DEFAULT '',
    others TEXT NOT NULL DEFAULT '',
    ctime BIGINT NOT NULL,
    UNIQUE (uid, peer)
);
CREATE INDEX friends_peer ON friends (peer);

-- What a user has switched on. kind: 1 do not disturb of a user, 2 of a group, 3 of everybody (target 0), 4 the shield of a group.
CREATE TABLE switches (
    uid BIGINT NOT NULL,
    kind SMALLINT NOT NULL,
    target BIGINT NOT NULL,
    PRIMARY KEY (uid, kind, target)
);
CREATE INDEX switches_target ON switches (kind, target);

-- Sensitive words.
CREATE TABLE words (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    app_id BIGINT NOT NULL,
    word TEXT NOT NULL,
    ctime BIGINT NOT NULL,
    UNIQUE (app_id, word)
);

-- Events for users' feeds that the router has not confirmed. Who adds one holds its user's row: numbers of a user come in order.
CREATE TABLE feed_events (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uid BIGINT NOT NULL,
    payload BYTEA NOT NULL
);
CREATE INDEX feed_events_uid ON feed_events (uid, id);

-- Shields (switches of kind 4) whose change the router has not confirmed.
CREATE TABLE shield_notes (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uid BIGINT NOT NULL,
    gid BIGINT NOT NULL,
    UNIQUE (uid, gid)
);
CREATE INDEX shield_notes_gid ON shield_notes (gid);

-- Which app's server may act on which other app's users.
CREATE TABLE grants (
    app_id BIGINT NOT NULL,
    target BIGINT NOT NULL,
    PRIMARY KEY (app_id, target)
);

-- Uploaded files: what is known of them. The bytes lie in the media store.
CREATE TABLE media (
    id TEXT PRIMARY KEY,
    app_id BIGINT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    size BIGINT NOT NULL,
    crc32 BIGINT NOT NULL,
    hash TEXT NOT NULL,
    format TEXT NOT NULL,
    width BIGINT NOT NULL,
    height BIGINT NOT NULL,
    ctime BIGINT NOT NULL
);

-- Who logged in on which day of the zone that is set, days since 1970.
CREATE TABLE activity (
    app_id BIGINT NOT NULL,
    day BIGINT NOT NULL,
    uid BIGINT NOT NULL,
    PRIMARY KEY (app_id, day, uid)
);

-- Where an app's server is told of messages. Secrets are sealed; the one before is there while it is being replaced.
CREATE TABLE callbacks (
    app_id BIGINT PRIMARY KEY,
    url TEXT NOT NULL,
    secret BYTEA NOT NULL,
    before BYTEA,
    with_master_secret BOOLEAN NOT NULL,
    allow_private BOOLEAN NOT NULL
);

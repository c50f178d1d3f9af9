-- Events for users' feeds that the router has not confirmed.
CREATE TABLE feed_events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uid INTEGER NOT NULL,
    payload BLOB NOT NULL
);
CREATE INDEX feed_events_uid ON feed_events (uid, id);
-- Shields (switches of kind 4) whose change the router has not confirmed.
CREATE TABLE shield_notes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uid INTEGER NOT NULL,
    gid INTEGER NOT NULL,
    UNIQUE (uid, gid)
);
-- Which app's server may act on which other app's users.
CREATE TABLE grants (
    app_id INTEGER NOT NULL,
    target INTEGER NOT NULL,
    PRIMARY KEY (app_id, target)
) WITHOUT ROWID;

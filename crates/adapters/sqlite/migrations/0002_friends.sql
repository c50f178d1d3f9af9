-- Both directions of a friendship have a row: the note of each is his own.
CREATE TABLE friends (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uid INTEGER NOT NULL,
    peer INTEGER NOT NULL,
    note_name TEXT NOT NULL DEFAULT '',
    others TEXT NOT NULL DEFAULT '',
    ctime INTEGER NOT NULL,
    UNIQUE (uid, peer)
);
CREATE INDEX friends_peer ON friends (peer);

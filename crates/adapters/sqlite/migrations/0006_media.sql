-- Uploaded files: what is known of them. The bytes lie in the media store.
CREATE TABLE media (
    id TEXT PRIMARY KEY,
    app_id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    size INTEGER NOT NULL,
    crc32 INTEGER NOT NULL,
    hash TEXT NOT NULL,
    format TEXT NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    ctime INTEGER NOT NULL
) WITHOUT ROWID;

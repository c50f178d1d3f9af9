-- Where an app's server is told of messages. Secrets are sealed; the one before is there while it is being replaced.
CREATE TABLE callbacks (
    app_id INTEGER PRIMARY KEY,
    url TEXT NOT NULL,
    secret BLOB NOT NULL,
    before BLOB,
    with_master_secret INTEGER NOT NULL,
    allow_private INTEGER NOT NULL
);

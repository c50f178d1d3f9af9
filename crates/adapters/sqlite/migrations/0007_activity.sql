-- Who logged in on which day of the zone that is set, days since 1970. And what statistics count by time.
CREATE TABLE activity (
    app_id INTEGER NOT NULL,
    day INTEGER NOT NULL,
    uid INTEGER NOT NULL,
    PRIMARY KEY (app_id, day, uid)
) WITHOUT ROWID;
CREATE INDEX users_ctime ON users (app_id, ctime) WHERE deleted_at IS NULL AND admin = 0;
CREATE INDEX rosters_ctime ON rosters (app_id, kind, ctime) WHERE dissolved = 0;

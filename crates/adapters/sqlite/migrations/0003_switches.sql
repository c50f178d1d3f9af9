-- What a user has switched on. kind: 1 do not disturb of a user, 2 of a group, 3 of everybody (target 0).
CREATE TABLE switches (
    uid INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    target INTEGER NOT NULL,
    PRIMARY KEY (uid, kind, target)
) WITHOUT ROWID;
CREATE INDEX switches_target ON switches (kind, target);

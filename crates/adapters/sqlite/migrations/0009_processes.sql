-- Web signatures that were accepted, by digest. slice: its first byte, by which they are counted.
CREATE TABLE signatures (
    slice INTEGER NOT NULL,
    digest BLOB NOT NULL,
    expires INTEGER NOT NULL,
    PRIMARY KEY (slice, digest)
) WITHOUT ROWID;
CREATE INDEX signatures_end ON signatures (expires);
-- The process that made it.
ALTER TABLE rosters ADD COLUMN maker INTEGER NOT NULL DEFAULT 0;
-- Rises with each change of a pair.
ALTER TABLE relation_notes ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
INSERT INTO counters (name, value) VALUES ('relation', 0);
-- again: the router was told, and is to be told again. due: not before this time. id rises with each change.
ALTER TABLE shield_notes ADD COLUMN again INTEGER NOT NULL DEFAULT 0;
ALTER TABLE shield_notes ADD COLUMN due INTEGER NOT NULL DEFAULT 0;

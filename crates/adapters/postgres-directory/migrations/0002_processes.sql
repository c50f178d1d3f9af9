-- Web signatures that were accepted, by digest. slice: its first byte, by which they are counted.
CREATE TABLE signatures (
    slice SMALLINT NOT NULL,
    digest BYTEA NOT NULL,
    expires BIGINT NOT NULL,
    PRIMARY KEY (slice, digest)
);
CREATE INDEX signatures_end ON signatures (expires);

-- The process that made it.
ALTER TABLE rosters ADD COLUMN maker BIGINT NOT NULL DEFAULT 0;

-- Rises with each change of a pair. Who changes one holds its user's row: numbers of a user come in order.
ALTER TABLE relation_notes ADD COLUMN number BIGINT NOT NULL DEFAULT 0;
CREATE SEQUENCE relation_numbers;

-- again: the router was told, and is to be told again. due: not before this time. id rises with each change.
ALTER TABLE shield_notes ADD COLUMN again BOOLEAN NOT NULL DEFAULT FALSE, ADD COLUMN due BIGINT NOT NULL DEFAULT 0;

-- Which process does some work for all of them, until when.
CREATE TABLE turns (
    work TEXT PRIMARY KEY,
    process BIGINT NOT NULL,
    until TIMESTAMPTZ NOT NULL
) WITH (fillfactor = 10);

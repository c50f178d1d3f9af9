-- Which shards this database has, and of which set of databases it is one: fixed once written. The row of a new database is written by
-- whoever opens it first, and the rows of other shards go with that: nobody can claim them here.
CREATE TABLE served (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    set_id text NOT NULL,
    first integer NOT NULL,
    last integer NOT NULL
);
-- One from before has all shards.
INSERT INTO served (set_id, first, last) SELECT l.epoch, 0, l.shards - 1 FROM log l, schema_version v WHERE v.version > 0;

-- The databases of the set, where it has several, as they were when somebody last opened all: the place of one that was lost is not
-- taken by an empty one, and the identity of one that does not answer is known.
CREATE TABLE parts (
    first integer PRIMARY KEY,
    last integer NOT NULL,
    birth text NOT NULL,
    identity text NOT NULL
);

-- What routers of schema version 2 wrote beside it: one that lives and has the shards, one whose lease has ended.
INSERT INTO routers (router, incarnation, address, expires)
VALUES (7, 3, 'router-7:1', clock_timestamp() + interval '1 hour'), (8, 2, 'router-8:1', '-infinity');

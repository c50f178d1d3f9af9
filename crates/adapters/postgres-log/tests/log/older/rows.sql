-- What a router of schema version 1 wrote: kept as it is, like the migrations. Conversations are group 10000001 (shard 193) and the
-- single chat of users 1 and 2 (shard 165).
UPDATE shards SET epoch = 5, token = decode('11111111111111111111111111111111', 'hex'), owner = 7, incarnation = 3,
    counter = 1750000000004, delivered = 448000000000961, published = 448000000000705 WHERE shard = 193;
UPDATE shards SET epoch = 9, token = decode('22222222222222222222222222222222', 'hex'), owner = 7, incarnation = 3,
    counter = 1750000000001 WHERE shard = 165;

INSERT INTO entries (conversation, seq, shard, kind, no_offline, msg_id, ctime, sender, content_hash, member_version, cum_unread,
    unread_delta, target_id, target_seq, cmid, payload)
VALUES
    (decode('6700000000009896810000000000000000', 'hex'), 1, 193, 1, false, 448000000000449, 1001, 1, -2, 7, 1, 1, 0, 0, 'first', 'hello'),
    (decode('6700000000009896810000000000000000', 'hex'), 2, 193, 2, false, 448000000000705, 1002, -1, 0, 8, 1, 0, 0, 0, NULL, 'joined'),
    (decode('6700000000009896810000000000000000', 'hex'), 3, 193, 1, true, 448000000000961, 1003, 3, 12, 8, 3, 2, 0, 0, 'Third', decode('00ff', 'hex')),
    (decode('6700000000009896810000000000000000', 'hex'), 4, 193, 3, false, 448000000001217, 1004, 1, 13, 8, 3, 0, 448000000000449, 1, 'back', ''),
    (decode('7300000000000000010000000000000002', 'hex'), 1, 165, 1, false, 448000000000421, 2001, 2, 14, 0, 1, 1, 0, 0, 'one', 'alone');

INSERT INTO retracted (conversation, seq, weight) VALUES (decode('6700000000009896810000000000000000', 'hex'), 1, 1);

INSERT INTO meta (conversation, member_version, dissolved, at_all_seq, min_seq)
VALUES (decode('6700000000009896810000000000000000', 'hex'), 8, true, 3, 1);

INSERT INTO members (conversation, uid, from_version, from_seq, until_seq, role, silenced)
VALUES
    (decode('6700000000009896810000000000000000', 'hex'), 1, 7, 1, NULL, 2, false),
    (decode('6700000000009896810000000000000000', 'hex'), 2, 7, 1, 2, 0, false),
    (decode('6700000000009896810000000000000000', 'hex'), 3, 8, 2, NULL, 1, true);

INSERT INTO positions (conversation, uid, read_seq, own_seq, deleted_to, at_me_seq)
VALUES (decode('6700000000009896810000000000000000', 'hex'), 3, 2, 3, 1, 4);

INSERT INTO hidden (conversation, uid, from_seq, until_seq)
VALUES
    (decode('6700000000009896810000000000000000', 'hex'), 3, 1, 2),
    (decode('6700000000009896810000000000000000', 'hex'), 3, 4, NULL);

INSERT INTO listed (uid, conversation)
VALUES
    (1, decode('7300000000000000010000000000000002', 'hex')),
    (2, decode('7300000000000000010000000000000002', 'hex'));

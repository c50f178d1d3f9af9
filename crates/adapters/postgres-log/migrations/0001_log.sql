-- The log itself: one row. Its identity is made here, once.
CREATE TABLE log (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    epoch text NOT NULL,
    shards integer NOT NULL
);
INSERT INTO log (epoch, shards) VALUES (left(replace(gen_random_uuid()::text, '-', ''), 16), 256);

-- Ownership. Each append locks the rows of its shards: they are what fences. Much room in a page keeps updates in place.
CREATE TABLE shards (
    shard integer PRIMARY KEY,
    epoch bigint NOT NULL DEFAULT 0,
    token bytea NOT NULL DEFAULT '',
    -- The router that holds it, in one of its lives; none if it was claimed for no router.
    owner bigint,
    incarnation bigint,
    -- The highest counter that an id was ever made of, or that a claim began above.
    counter bigint NOT NULL DEFAULT 0,
    delivered bigint NOT NULL DEFAULT 0,
    published bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 20);
INSERT INTO shards (shard) SELECT generate_series(0, 255);

-- A conversation is named by the 17 bytes of its key, whose order is the order of keys. The head is the entry of the highest seq.
-- Numbers are unsigned: a user id or a hash keeps its bits.
CREATE TABLE entries (
    conversation bytea NOT NULL,
    seq bigint NOT NULL,
    shard integer NOT NULL,
    kind smallint NOT NULL,
    no_offline boolean NOT NULL,
    msg_id bigint NOT NULL,
    ctime bigint NOT NULL,
    sender bigint NOT NULL,
    content_hash bigint NOT NULL,
    member_version bigint NOT NULL,
    cum_unread bigint NOT NULL,
    unread_delta bigint NOT NULL,
    target_id bigint NOT NULL,
    target_seq bigint NOT NULL,
    cmid text COLLATE "C",
    payload bytea NOT NULL,
    PRIMARY KEY (conversation, seq)
);
CREATE UNIQUE INDEX entries_by_id ON entries (shard, msg_id);
CREATE UNIQUE INDEX entries_by_cmid ON entries (conversation, sender, cmid) WHERE cmid IS NOT NULL;

CREATE TABLE retracted (
    conversation bytea NOT NULL,
    seq bigint NOT NULL,
    -- What the entry had added to unread.
    weight bigint NOT NULL,
    PRIMARY KEY (conversation, seq)
);

CREATE TABLE meta (
    conversation bytea PRIMARY KEY,
    member_version bigint NOT NULL,
    dissolved boolean NOT NULL,
    at_all_seq bigint NOT NULL,
    min_seq bigint NOT NULL
);

CREATE TABLE members (
    conversation bytea NOT NULL,
    uid bigint NOT NULL,
    from_version bigint NOT NULL,
    from_seq bigint NOT NULL,
    until_seq bigint,
    role smallint NOT NULL,
    silenced boolean NOT NULL,
    PRIMARY KEY (conversation, uid)
);

CREATE TABLE positions (
    conversation bytea NOT NULL,
    uid bigint NOT NULL,
    read_seq bigint NOT NULL,
    own_seq bigint NOT NULL,
    deleted_to bigint NOT NULL,
    at_me_seq bigint NOT NULL,
    PRIMARY KEY (conversation, uid)
) WITH (fillfactor = 80);

CREATE TABLE hidden (
    conversation bytea NOT NULL,
    uid bigint NOT NULL,
    from_seq bigint NOT NULL,
    until_seq bigint,
    PRIMARY KEY (conversation, uid, from_seq)
);

CREATE TABLE listed (
    uid bigint NOT NULL,
    conversation bytea NOT NULL,
    PRIMARY KEY (uid, conversation)
);

-- Takes shards over. Who appends under an earlier token holds the row until he has committed; who comes later finds another token.
CREATE FUNCTION claim(g_shard integer[], g_token bytea[])
RETURNS TABLE (shard integer, epoch bigint, token bytea, counter bigint, delivered bigint, published bigint)
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM shards s WHERE s.shard = ANY (g_shard) ORDER BY s.shard FOR NO KEY UPDATE;
    RETURN QUERY
        UPDATE shards s
        SET epoch = s.epoch + 1,
            token = g.token,
            owner = NULL,
            incarnation = NULL,
            -- The clock, so that no id is given twice even by a database that was set back.
            counter = greatest(s.counter, (extract(epoch FROM clock_timestamp()) * 1000)::bigint)
        FROM unnest(g_shard, g_token) AS g (shard, token)
        WHERE s.shard = g.shard
        RETURNING s.shard, s.epoch, s.token, s.counter, s.delivered, s.published;
END
$$;

-- One append: the whole of it is one statement, so that nobody holds a lock while he waits for his client.
--
-- Arrays of one letter belong together, an element a row. `owner` counts the shards' elements from 1, `part` the conversations'.
-- The answer has an element a conversation: 0 done, 1 does not fit, 2 fenced.
--
-- It must run in "read committed": each statement inside sees what was committed before the locks were had.
CREATE FUNCTION append(
    s_shard integer[], s_token bytea[], s_delivered bigint[], s_published bigint[],
    c_owner integer[], c_key bytea[], c_head bigint[], c_first bigint[], c_last bigint[], c_drop bigint[],
    e_part integer[], e_key bytea[], e_seq bigint[], e_kind smallint[], e_no_offline boolean[], e_msg_id bigint[],
    e_ctime bigint[], e_sender bigint[], e_content_hash bigint[], e_member_version bigint[], e_cum_unread bigint[],
    e_unread_delta bigint[], e_target_id bigint[], e_target_seq bigint[], e_cmid text[], e_payload bytea[],
    p_part integer[], p_key bytea[], p_uid bigint[], p_read bigint[], p_own bigint[], p_deleted bigint[], p_at_me bigint[],
    m_part integer[], m_key bytea[], m_uid bigint[], m_version bigint[], m_from bigint[], m_until bigint[], m_role smallint[],
    m_silenced boolean[],
    t_part integer[], t_key bytea[], t_member_version bigint[], t_dissolved boolean[], t_at_all bigint[], t_min bigint[],
    h_part integer[], h_key bytea[], h_uid bigint[], h_from bigint[], h_until bigint[],
    l_part integer[], l_key bytea[], l_uid bigint[]
) RETURNS integer[]
LANGUAGE plpgsql AS $$
DECLARE
    owned bigint[];
    used integer[] := '{}';
    outcome integer[];
BEGIN
    -- Rows are locked in the order of their numbers, so that two appends never wait for one another. A row of another owner is
    -- left alone; one whose owner changes meanwhile is looked at again when the lock is had.
    SELECT coalesce(array_agg(locked.place), '{}') INTO owned FROM (
        SELECT g.place FROM unnest(s_shard, s_token) WITH ORDINALITY AS g (shard, token, place)
        JOIN shards s ON s.shard = g.shard AND s.token = g.token
        ORDER BY s.shard FOR NO KEY UPDATE OF s
    ) AS locked;

    SELECT coalesce(array_agg(DISTINCT n.part), '{}') INTO used
    FROM unnest(e_part, e_key, e_sender, e_cmid) AS n (part, key, sender, cmid)
    JOIN entries x ON x.conversation = n.key AND x.sender = n.sender AND x.cmid = n.cmid;

    SELECT coalesce(array_agg(CASE
        WHEN NOT c.owner = ANY (owned) THEN 2
        WHEN c.part = ANY (used)
            OR c.head <> coalesce((SELECT x.seq FROM entries x WHERE x.conversation = c.key ORDER BY x.seq DESC LIMIT 1), 0)
            OR c.first <= (SELECT s.counter FROM shards s WHERE s.shard = s_shard[c.owner])
        THEN 1 ELSE 0 END ORDER BY c.part), '{}')
    INTO outcome
    FROM unnest(c_owner, c_key, c_head, c_first) WITH ORDINALITY AS c (owner, key, head, first, part);

    INSERT INTO entries (conversation, seq, shard, kind, no_offline, msg_id, ctime, sender, content_hash, member_version,
        cum_unread, unread_delta, target_id, target_seq, cmid, payload)
    SELECT n.key, n.seq, s_shard[c_owner[n.part]], n.kind, n.no_offline, n.msg_id, n.ctime, n.sender, n.content_hash,
        n.member_version, n.cum_unread, n.unread_delta, n.target_id, n.target_seq, n.cmid, n.payload
    FROM unnest(e_part, e_key, e_seq, e_kind, e_no_offline, e_msg_id, e_ctime, e_sender, e_content_hash, e_member_version,
        e_cum_unread, e_unread_delta, e_target_id, e_target_seq, e_cmid, e_payload)
        AS n (part, key, seq, kind, no_offline, msg_id, ctime, sender, content_hash, member_version,
        cum_unread, unread_delta, target_id, target_seq, cmid, payload)
    WHERE outcome[n.part] = 0;

    UPDATE shards s
    SET counter = greatest(s.counter, n.counter),
        delivered = greatest(s.delivered, n.delivered),
        published = greatest(s.published, n.published)
    FROM (
        SELECT w.shard, max(w.counter) AS counter, max(w.delivered) AS delivered, max(w.published) AS published
        FROM (
            SELECT s_shard[c.owner] AS shard, c.last AS counter, NULL::bigint AS delivered, NULL::bigint AS published
            FROM unnest(c_owner, c_last) WITH ORDINALITY AS c (owner, last, part)
            WHERE outcome[c.part] = 0 AND c.last IS NOT NULL
            UNION ALL
            SELECT g.shard, NULL, g.delivered, g.published
            FROM unnest(s_shard, s_delivered, s_published) WITH ORDINALITY AS g (shard, delivered, published, place)
            WHERE g.place = ANY (owned) AND g.delivered IS NOT NULL
        ) AS w GROUP BY w.shard
    ) AS n
    WHERE s.shard = n.shard;

    IF 3 = ANY (e_kind) THEN
        INSERT INTO retracted (conversation, seq, weight)
        SELECT x.conversation, x.seq, CASE WHEN x.kind = 1 AND NOT x.no_offline THEN x.unread_delta ELSE 0 END
        FROM unnest(e_part, e_key, e_kind, e_target_seq) AS n (part, key, kind, target_seq)
        JOIN entries x ON x.conversation = n.key AND x.seq = n.target_seq
        WHERE outcome[n.part] = 0 AND n.kind = 3
        ON CONFLICT DO NOTHING;
    END IF;

    IF 1 < ANY (c_drop) THEN
        -- The last entry stays: it holds the place that the next one follows.
        DELETE FROM entries x USING unnest(c_key, c_drop, c_head) WITH ORDINALITY AS c (key, below, head, part)
        WHERE outcome[c.part] = 0 AND x.conversation = c.key AND x.seq < least(c.below, c.head);
        DELETE FROM retracted x USING unnest(c_key, c_drop, c_head) WITH ORDINALITY AS c (key, below, head, part)
        WHERE outcome[c.part] = 0 AND x.conversation = c.key AND x.seq < least(c.below, c.head);
    END IF;

    IF cardinality(p_part) > 0 THEN
        INSERT INTO positions AS x (conversation, uid, read_seq, own_seq, deleted_to, at_me_seq)
        SELECT n.key, n.uid, max(n.read_seq), max(n.own_seq), max(n.deleted_to), max(n.at_me_seq)
        FROM unnest(p_part, p_key, p_uid, p_read, p_own, p_deleted, p_at_me)
            AS n (part, key, uid, read_seq, own_seq, deleted_to, at_me_seq)
        WHERE outcome[n.part] = 0 GROUP BY n.key, n.uid
        ON CONFLICT (conversation, uid) DO UPDATE
        SET read_seq = greatest(x.read_seq, excluded.read_seq), own_seq = greatest(x.own_seq, excluded.own_seq),
            deleted_to = greatest(x.deleted_to, excluded.deleted_to), at_me_seq = greatest(x.at_me_seq, excluded.at_me_seq)
        WHERE x.read_seq < excluded.read_seq OR x.own_seq < excluded.own_seq
            OR x.deleted_to < excluded.deleted_to OR x.at_me_seq < excluded.at_me_seq;
    END IF;

    IF cardinality(m_part) > 0 THEN
        -- Of several rows of one user the last one counts.
        INSERT INTO members (conversation, uid, from_version, from_seq, until_seq, role, silenced)
        SELECT DISTINCT ON (n.key, n.uid) n.key, n.uid, n.from_version, n.from_seq, n.until_seq, n.role, n.silenced
        FROM unnest(m_part, m_key, m_uid, m_version, m_from, m_until, m_role, m_silenced) WITH ORDINALITY
            AS n (part, key, uid, from_version, from_seq, until_seq, role, silenced, place)
        WHERE outcome[n.part] = 0 ORDER BY n.key, n.uid, n.place DESC
        ON CONFLICT (conversation, uid) DO UPDATE
        SET from_version = excluded.from_version, from_seq = excluded.from_seq, until_seq = excluded.until_seq,
            role = excluded.role, silenced = excluded.silenced;
    END IF;

    IF cardinality(t_part) > 0 THEN
        INSERT INTO meta (conversation, member_version, dissolved, at_all_seq, min_seq)
        SELECT n.key, n.member_version, n.dissolved, n.at_all_seq, n.min_seq
        FROM unnest(t_part, t_key, t_member_version, t_dissolved, t_at_all, t_min)
            AS n (part, key, member_version, dissolved, at_all_seq, min_seq)
        WHERE outcome[n.part] = 0
        ON CONFLICT (conversation) DO UPDATE
        SET member_version = excluded.member_version, dissolved = excluded.dissolved, at_all_seq = excluded.at_all_seq,
            min_seq = excluded.min_seq;
    END IF;

    IF cardinality(h_part) > 0 THEN
        DELETE FROM hidden x USING unnest(h_part, h_key, h_uid, h_from) AS n (part, key, uid, from_seq)
        WHERE outcome[n.part] = 0 AND x.conversation = n.key AND x.uid = n.uid AND x.from_seq = n.from_seq;
        INSERT INTO hidden (conversation, uid, from_seq, until_seq)
        SELECT n.key, n.uid, n.from_seq, n.until_seq FROM (
            SELECT DISTINCT ON (h.key, h.uid, h.from_seq) h.key, h.uid, h.from_seq, h.until_seq
            FROM unnest(h_part, h_key, h_uid, h_from, h_until) WITH ORDINALITY
                AS h (part, key, uid, from_seq, until_seq, place)
            WHERE outcome[h.part] = 0 ORDER BY h.key, h.uid, h.from_seq, h.place DESC
        ) AS n WHERE n.until_seq IS NULL OR n.until_seq >= n.from_seq;
    END IF;

    IF cardinality(l_part) > 0 THEN
        INSERT INTO listed (uid, conversation)
        SELECT n.uid, n.key FROM unnest(l_part, l_key, l_uid) AS n (part, key, uid) WHERE outcome[n.part] = 0
        ON CONFLICT DO NOTHING;
    END IF;
    RETURN outcome;
END
$$;

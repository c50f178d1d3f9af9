-- The routers, each in its latest life. A row stays when its lease has ended: an earlier life is known by it.
-- Locks are taken in one order: shards by number, then routers by id.
CREATE TABLE routers (
    router bigint PRIMARY KEY,
    incarnation bigint NOT NULL,
    address text NOT NULL,
    expires timestamptz NOT NULL
) WITH (fillfactor = 20);

-- Whether this life of a router has a lease that runs. The clock is read at the time of asking, not when the statement began.
CREATE FUNCTION lives(g_router bigint, g_incarnation bigint) RETURNS boolean
LANGUAGE sql VOLATILE AS $$
    SELECT EXISTS (
        SELECT FROM routers r
        WHERE r.router = g_router AND r.incarnation = g_incarnation AND r.expires > clock_timestamp()
    )
$$;

-- Answers 0 and the incarnation when the lease was renewed or begun, 1 and the newest incarnation when this one's is over, 2 when
-- another one lives under this name.
CREATE FUNCTION heartbeat(g_router bigint, g_incarnation bigint, g_address text, g_lasts bigint, OUT answer integer, OUT newest bigint)
LANGUAGE plpgsql AS $$
DECLARE
    found_row routers;
    running boolean;
BEGIN
    newest := g_incarnation;
    answer := 0;
    INSERT INTO routers (router, incarnation, address, expires)
    VALUES (g_router, g_incarnation, g_address, clock_timestamp() + g_lasts * interval '1 millisecond')
    ON CONFLICT DO NOTHING;
    IF FOUND THEN
        RETURN;
    END IF;
    SELECT * INTO found_row FROM routers r WHERE r.router = g_router FOR UPDATE;
    -- After the lock was had: a claim that held it may have found the lease ended.
    running := found_row.expires > clock_timestamp();
    IF found_row.incarnation > g_incarnation OR (found_row.incarnation = g_incarnation AND NOT running) THEN
        newest := found_row.incarnation;
        answer := 1;
    ELSIF running AND (found_row.incarnation < g_incarnation OR found_row.address <> g_address) THEN
        answer := 2;
    ELSE
        UPDATE routers r
        SET incarnation = g_incarnation, address = g_address, expires = clock_timestamp() + g_lasts * interval '1 millisecond'
        WHERE r.router = g_router;
    END IF;
END
$$;

-- Claims what a router may have: without patience only what nobody holds locked, so that one stuck shard keeps no other one back.
--
-- Who appends under an earlier token holds the row until he has committed; a heartbeat that came in
-- time holds its router's row until then.
CREATE FUNCTION claim_for(g_router bigint, g_incarnation bigint, g_shard integer[], g_token bytea[], g_patient boolean)
RETURNS TABLE (shard integer, epoch bigint, token bytea, counter bigint, delivered bigint, published bigint)
LANGUAGE plpgsql AS $$
DECLARE
    free integer[];
BEGIN
    IF NOT lives(g_router, g_incarnation) THEN
        RETURN;
    END IF;
    -- What a living owner holds is left alone: to wait for his appends would be for nothing.
    SELECT coalesce(array_agg(s.shard), '{}') INTO free FROM shards s
    WHERE s.shard = ANY (g_shard)
        AND (s.owner IS NULL OR (s.owner = g_router AND s.incarnation = g_incarnation) OR NOT lives(s.owner, s.incarnation));
    IF g_patient THEN
        PERFORM FROM shards s WHERE s.shard = ANY (free) ORDER BY s.shard FOR NO KEY UPDATE;
    ELSE
        SELECT coalesce(array_agg(locked.shard), '{}') INTO free FROM (
            SELECT s.shard FROM shards s WHERE s.shard = ANY (free) ORDER BY s.shard FOR NO KEY UPDATE SKIP LOCKED
        ) AS locked;
    END IF;
    PERFORM FROM routers r
    WHERE r.router = g_router OR r.router IN (SELECT s.owner FROM shards s WHERE s.shard = ANY (free))
    ORDER BY r.router FOR SHARE;
    -- Looked at again: no lease is renewed from here on.
    IF NOT lives(g_router, g_incarnation) THEN
        RETURN;
    END IF;
    RETURN QUERY
        UPDATE shards s
        SET epoch = s.epoch + 1,
            token = g.token,
            owner = g_router,
            incarnation = g_incarnation,
            counter = greatest(s.counter, (extract(epoch FROM clock_timestamp()) * 1000)::bigint)
        FROM unnest(g_shard, g_token) AS g (shard, token)
        WHERE s.shard = g.shard AND s.shard = ANY (free)
            AND (s.owner IS NULL OR (s.owner = g_router AND s.incarnation = g_incarnation) OR NOT lives(s.owner, s.incarnation))
        RETURNING s.shard, s.epoch, s.token, s.counter, s.delivered, s.published;
END
$$;

-- Lets shards go, all of them if none are named. No token is empty, so that a late append under the old one is refused.
CREATE FUNCTION release(g_router bigint, g_incarnation bigint, g_shard integer[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM shards s
    WHERE s.owner = g_router AND s.incarnation = g_incarnation AND (g_shard IS NULL OR s.shard = ANY (g_shard))
    ORDER BY s.shard FOR NO KEY UPDATE;
    UPDATE shards s SET owner = NULL, incarnation = NULL, token = ''
    WHERE s.owner = g_router AND s.incarnation = g_incarnation AND (g_shard IS NULL OR s.shard = ANY (g_shard));
END
$$;

CREATE FUNCTION leave(g_router bigint, g_incarnation bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM release(g_router, g_incarnation, NULL);
    UPDATE routers r SET expires = '-infinity' WHERE r.router = g_router AND r.incarnation = g_incarnation;
END
$$;

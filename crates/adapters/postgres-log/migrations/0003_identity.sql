-- The identity of the log: another one when the database was set back to an earlier state, or a replica took over, which may not have
-- had all of it. Then the server is another system or writes another time line.
CREATE FUNCTION identity() RETURNS text
LANGUAGE sql VOLATILE AS $$
    SELECT left(encode(sha256(convert_to(concat_ws(' ',
        l.epoch, s.system_identifier, left(pg_walfile_name(pg_current_wal_lsn()), 8)), 'UTF8')), 'hex'), 16)
    FROM log l, pg_control_system() s
$$;

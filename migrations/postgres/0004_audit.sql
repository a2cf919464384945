-- The record of every decision with effect, every effect and every human act. hash is
-- SHA-256 over the hash before and the entry; people stand in it by pseudonym only.

CREATE TABLE audit (
    number bigint NOT NULL PRIMARY KEY,
    at timestamptz NOT NULL,
    run_id uuid,
    kind text NOT NULL,
    subject text,
    person text,
    by_name text,
    detail text NOT NULL,
    hash text NOT NULL
);
CREATE INDEX audit_subject ON audit (subject);

-- Where the record ends: what was cut off shows here. One row, which whoever adds an entry
-- locks last.
CREATE TABLE audit_head (
    name text NOT NULL PRIMARY KEY,
    number bigint NOT NULL,
    hash text NOT NULL
);

CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the audit record is only added to'; END $$;
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();

-- People who were erased, by pseudonym: whoever has one of them is never written to again.
CREATE TABLE forgotten (
    pseudonym text NOT NULL PRIMARY KEY,
    by_name text NOT NULL,
    forgotten_at timestamptz NOT NULL
);

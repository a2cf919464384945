-- The record of every decision with effect, every effect and every human act. hash is
-- SHA-256 over the hash before and the entry; people stand in it by pseudonym only.

CREATE TABLE audit (
    number integer NOT NULL PRIMARY KEY,
    at text NOT NULL,
    run_id blob,
    kind text NOT NULL,
    subject text,
    person text,
    by_name text,
    detail text NOT NULL,
    hash text NOT NULL
) STRICT;
CREATE INDEX audit_subject ON audit (subject);

-- Where the record ends: what was cut off shows here. One row, which whoever adds an entry
-- locks last.
CREATE TABLE audit_head (
    name text NOT NULL PRIMARY KEY,
    number integer NOT NULL,
    hash text NOT NULL
) STRICT;

CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit record is only added to'); END;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit record is only added to'); END;

-- People who were erased, by pseudonym: whoever has one of them is never written to again.
CREATE TABLE forgotten (
    pseudonym text NOT NULL PRIMARY KEY,
    by_name text NOT NULL,
    forgotten_at text NOT NULL
) STRICT;

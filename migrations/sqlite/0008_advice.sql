-- What hosts have seen of a grant: a call that Xero refused for want of a scope (docs/scopes.md).
CREATE TABLE signals (
    grant_id blob NOT NULL PRIMARY KEY,
    first_seen_at text NOT NULL,
    last_seen_at text NOT NULL,
    needs text NOT NULL
) STRICT;

-- Steps that a person takes for a connection that the program leaves alone, each done or not.
CREATE TABLE checklist (
    connection_key blob NOT NULL,
    step text NOT NULL,
    by_name text NOT NULL,
    done_at text NOT NULL
) STRICT;
CREATE UNIQUE INDEX checklist_connection_key ON checklist (connection_key, step);

-- What hosts have seen of a grant: a call that Xero refused for want of a scope (docs/scopes.md).
CREATE TABLE signals (
    grant_id uuid NOT NULL PRIMARY KEY,
    first_seen_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    needs text NOT NULL
);

-- Steps that a person takes for a connection that the program leaves alone, each done or not.
CREATE TABLE checklist (
    connection_key uuid NOT NULL,
    step text NOT NULL,
    by_name text NOT NULL,
    done_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX checklist_connection_key ON checklist (connection_key, step);

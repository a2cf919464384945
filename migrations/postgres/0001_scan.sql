-- What the scan knows: the app this database serves, the stored connections as their host
-- last showed them, and what became of every scan. Times are UTC and written by the worker.

CREATE TABLE settings (
    name text NOT NULL PRIMARY KEY,
    value text NOT NULL
);

-- Sets of known scopes, once each; a million connections share a few hundred.
CREATE TABLE scope_sets (
    id bigint NOT NULL PRIMARY KEY,
    scopes text NOT NULL UNIQUE
);

-- What one person consented to.
CREATE TABLE grants (
    grant_id uuid NOT NULL,
    class text NOT NULL,
    unsettled text,
    scope_set bigint,
    evidence_source text,
    evidence_at timestamptz,
    ready boolean NOT NULL,
    first_seen_at timestamptz NOT NULL,
    ready_at timestamptz
);
CREATE UNIQUE INDEX grants_grant_id ON grants (grant_id);

-- One row per connection. connection_key is Xero's id, or derived where the host has none.
CREATE TABLE connections (
    connection_key uuid NOT NULL,
    connection_id uuid,
    grant_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    tenant_name text,
    tenant_type text,
    account_id text,
    auth_event_id uuid,
    flow text,
    connected_at timestamptz,
    updated_at timestamptz,
    last_used_at timestamptz,
    required_set bigint,
    evidence text NOT NULL,
    doubt text,
    presence text NOT NULL,
    class text NOT NULL,
    readiness text NOT NULL,
    some_evidence_ready boolean NOT NULL,
    token_behind boolean NOT NULL,
    manual boolean NOT NULL,
    reachable boolean NOT NULL,
    covered boolean NOT NULL,
    first_seen_at timestamptz NOT NULL,
    absent_since timestamptz
);
CREATE UNIQUE INDEX connections_connection_key ON connections (connection_key);
CREATE INDEX connections_grant_id ON connections (grant_id);
CREATE INDEX connections_tenant_id ON connections (tenant_id);
-- Holds all that a count needs, so that counting a million reads no table.
CREATE INDEX connections_standing
    ON connections (presence, class, readiness, manual, reachable, covered, token_behind);

-- Who is responsible for a connection: one row per row of the inventory. fingerprint is the
-- row as it was read; NULL when the row was bad or is gone, so that it is read anew.
CREATE TABLE people (
    connection_key uuid NOT NULL,
    fingerprint bigint,
    recipient text,
    email text,
    name text,
    locale text,
    time_zone text,
    country text
);
CREATE INDEX people_connection_key ON people (connection_key);

-- The bad rows of the last complete scan.
CREATE TABLE bad_rows (
    fingerprint bigint NOT NULL,
    place text NOT NULL,
    field text,
    code text NOT NULL,
    reason text NOT NULL,
    connection_key uuid
);

-- Every scan that came to an end: complete ones, and those that the guard stopped. number
-- tells which came later, whatever the clocks of the workers said.
CREATE TABLE scans (
    scan_id uuid NOT NULL PRIMARY KEY,
    number bigint NOT NULL,
    run_id uuid NOT NULL,
    finished_at timestamptz NOT NULL,
    outcome text NOT NULL,
    rows_read bigint NOT NULL,
    bad_rows bigint NOT NULL,
    connections bigint NOT NULL,
    changed bigint NOT NULL,
    newly_gone bigint NOT NULL,
    digest text,
    reasons text,
    required_scopes text NOT NULL
);
CREATE INDEX scans_number ON scans (number);

-- Scans that a named person let through.
CREATE TABLE accepted_scans (
    digest text NOT NULL,
    by_name text NOT NULL,
    reason text NOT NULL,
    accepted_at timestamptz NOT NULL,
    used_by uuid
);

-- What changed about a connection after it was first seen.
CREATE TABLE changes (
    connection_key uuid NOT NULL,
    changed_at timestamptz NOT NULL,
    run_id uuid NOT NULL,
    what text NOT NULL,
    before text,
    after text
);
CREATE INDEX changes_connection_key ON changes (connection_key);

CREATE TABLE exemptions (
    subject text NOT NULL PRIMARY KEY,
    until timestamptz NOT NULL,
    reason text NOT NULL,
    by_name text NOT NULL,
    added_at timestamptz NOT NULL
);

CREATE TABLE runs (
    run_id uuid NOT NULL PRIMARY KEY,
    job text NOT NULL,
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    exit_code bigint,
    progress text
);
CREATE INDEX runs_started_at ON runs (started_at);

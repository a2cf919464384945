-- What the scan knows: the app this database serves, the stored connections as their host
-- last showed them, and what became of every scan. Times are UTC and written by the worker.

CREATE TABLE settings (
    name text NOT NULL PRIMARY KEY,
    value text NOT NULL
) STRICT;

-- Sets of known scopes, once each; a million connections share a few hundred.
CREATE TABLE scope_sets (
    id integer NOT NULL PRIMARY KEY,
    scopes text NOT NULL UNIQUE
) STRICT;

-- What one person consented to.
CREATE TABLE grants (
    grant_id blob NOT NULL,
    class text NOT NULL,
    unsettled text,
    scope_set integer,
    evidence_source text,
    evidence_at text,
    ready integer NOT NULL,
    first_seen_at text NOT NULL,
    ready_at text
) STRICT;
CREATE UNIQUE INDEX grants_grant_id ON grants (grant_id);

-- One row per connection. connection_key is Xero's id, or derived where the host has none.
CREATE TABLE connections (
    connection_key blob NOT NULL,
    connection_id blob,
    grant_id blob NOT NULL,
    tenant_id blob NOT NULL,
    tenant_name text,
    tenant_type text,
    account_id text,
    auth_event_id blob,
    flow text,
    connected_at text,
    updated_at text,
    last_used_at text,
    required_set integer,
    evidence text NOT NULL,
    doubt text,
    presence text NOT NULL,
    class text NOT NULL,
    readiness text NOT NULL,
    some_evidence_ready integer NOT NULL,
    token_behind integer NOT NULL,
    manual integer NOT NULL,
    reachable integer NOT NULL,
    covered integer NOT NULL,
    first_seen_at text NOT NULL,
    absent_since text
) STRICT;
CREATE UNIQUE INDEX connections_connection_key ON connections (connection_key);
CREATE INDEX connections_grant_id ON connections (grant_id);
CREATE INDEX connections_tenant_id ON connections (tenant_id);
-- Holds all that a count needs, so that counting a million reads no table.
CREATE INDEX connections_standing
    ON connections (presence, class, readiness, manual, reachable, covered, token_behind);

-- Who is responsible for a connection: one row per row of the inventory. fingerprint is the
-- row as it was read; NULL when the row was bad or is gone, so that it is read anew.
CREATE TABLE people (
    connection_key blob NOT NULL,
    fingerprint integer,
    recipient text,
    email text,
    name text,
    locale text,
    time_zone text,
    country text
) STRICT;
CREATE INDEX people_connection_key ON people (connection_key);

-- The bad rows of the last complete scan.
CREATE TABLE bad_rows (
    fingerprint integer NOT NULL,
    place text NOT NULL,
    field text,
    code text NOT NULL,
    reason text NOT NULL,
    connection_key blob
) STRICT;

-- Every scan that came to an end: complete ones, and those that the guard stopped. number
-- tells which came later, whatever the clocks of the workers said.
CREATE TABLE scans (
    scan_id blob NOT NULL PRIMARY KEY,
    number integer NOT NULL,
    run_id blob NOT NULL,
    finished_at text NOT NULL,
    outcome text NOT NULL,
    rows_read integer NOT NULL,
    bad_rows integer NOT NULL,
    connections integer NOT NULL,
    changed integer NOT NULL,
    newly_gone integer NOT NULL,
    digest text,
    reasons text,
    required_scopes text NOT NULL
) STRICT;
CREATE INDEX scans_number ON scans (number);

-- Scans that a named person let through.
CREATE TABLE accepted_scans (
    digest text NOT NULL,
    by_name text NOT NULL,
    reason text NOT NULL,
    accepted_at text NOT NULL,
    used_by blob
) STRICT;

-- What changed about a connection after it was first seen.
CREATE TABLE changes (
    connection_key blob NOT NULL,
    changed_at text NOT NULL,
    run_id blob NOT NULL,
    what text NOT NULL,
    before text,
    after text
) STRICT;
CREATE INDEX changes_connection_key ON changes (connection_key);

CREATE TABLE exemptions (
    subject text NOT NULL PRIMARY KEY,
    until text NOT NULL,
    reason text NOT NULL,
    by_name text NOT NULL,
    added_at text NOT NULL
) STRICT;

CREATE TABLE runs (
    run_id blob NOT NULL PRIMARY KEY,
    job text NOT NULL,
    started_at text NOT NULL,
    finished_at text,
    exit_code integer,
    progress text
) STRICT;
CREATE INDEX runs_started_at ON runs (started_at);

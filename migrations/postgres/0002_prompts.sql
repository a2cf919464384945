-- The first effects: prompts with what they said and what became of them, and what people decided
-- about them. Times are UTC and written by the worker.

-- The deadline, and every date that it had before: a changed one is a new edition.
CREATE TABLE editions (
    number bigint NOT NULL PRIMARY KEY,
    deadline timestamptz NOT NULL,
    since timestamptz NOT NULL
);

-- One row for each recipient, stage, channel and edition, whatever happens to it.
-- state: queued, leased, sending, sent, refused, unknown. day is the campaign's day on which it
-- counts against the caps, NULL while it counts on none. fence grows with every lease.
-- deadline, digest and the hashes are of the message as it was last about to be sent.
CREATE TABLE prompts (
    prompt_id uuid NOT NULL PRIMARY KEY,
    recipient text NOT NULL,
    stage text NOT NULL,
    channel text NOT NULL,
    edition bigint NOT NULL,
    state text NOT NULL,
    day text,
    due_at timestamptz NOT NULL,
    attempts bigint NOT NULL,
    lease_owner uuid,
    lease_until timestamptz,
    fence bigint NOT NULL,
    is_notice boolean NOT NULL,
    deadline timestamptz,
    digest text,
    message_sha256 text,
    template_sha256 text,
    sending_at timestamptz,
    sent_at timestamptz,
    outcome text,
    reference text,
    bounced_at timestamptz,
    settled_by text,
    run_id uuid NOT NULL,
    made_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX prompts_once ON prompts (recipient, stage, channel, edition);
CREATE INDEX prompts_day ON prompts (day, stage);
CREATE INDEX prompts_state ON prompts (state);
CREATE INDEX prompts_reference ON prompts (reference);

-- The connections that a prompt shows, each with what it was told for: void when it changes.
-- removal_from is the promise, where the message named one.
CREATE TABLE prompt_connections (
    prompt_id uuid NOT NULL,
    connection_key uuid NOT NULL,
    required text NOT NULL,
    connected_at timestamptz,
    removal_from timestamptz
);
CREATE INDEX prompt_connections_prompt_id ON prompt_connections (prompt_id);
CREATE INDEX prompt_connections_connection_key ON prompt_connections (connection_key);

-- Addresses that are never written to.
CREATE TABLE suppressions (
    recipient text NOT NULL PRIMARY KEY,
    reason text NOT NULL,
    by_name text NOT NULL,
    added_at timestamptz NOT NULL
);

-- While one has no end, nothing has effects.
CREATE TABLE pauses (
    paused_at timestamptz NOT NULL PRIMARY KEY,
    reason text NOT NULL,
    by_name text NOT NULL,
    resumed_at timestamptz,
    resumed_by text
);

-- What a named person vouches for, for the configuration that it was said of.
CREATE TABLE confirmations (
    what text NOT NULL,
    configuration text NOT NULL,
    by_name text NOT NULL,
    note text NOT NULL,
    confirmed_at timestamptz NOT NULL
);
CREATE INDEX confirmations_what ON confirmations (what, configuration);

-- The last result of each check that effects rely on, for the configuration that it was made of.
CREATE TABLE preflights (
    subject text NOT NULL PRIMARY KEY,
    configuration text NOT NULL,
    day text NOT NULL,
    passed boolean NOT NULL,
    detail text NOT NULL,
    checked_at timestamptz NOT NULL
);

-- When the next message of a kind may go, for all replicas together.
CREATE TABLE rates (
    name text NOT NULL PRIMARY KEY,
    next_at timestamptz NOT NULL
);

-- What became of connections that a webhook was told of, to be told there in turn.
-- state: queued, leased, sent, refused.
CREATE TABLE announcements (
    announcement_id uuid NOT NULL PRIMARY KEY,
    webhook text NOT NULL,
    connection_key uuid NOT NULL,
    what text NOT NULL,
    body text NOT NULL,
    state text NOT NULL,
    due_at timestamptz NOT NULL,
    attempts bigint NOT NULL,
    lease_owner uuid,
    lease_until timestamptz,
    fence bigint NOT NULL,
    outcome text,
    made_at timestamptz NOT NULL,
    sent_at timestamptz
);
CREATE INDEX announcements_connection_key ON announcements (connection_key);
CREATE INDEX announcements_state ON announcements (state, due_at);

-- Webhooks that fail: since when, and when they are tried again.
CREATE TABLE endpoints (
    webhook text NOT NULL PRIMARY KEY,
    failing_since timestamptz NOT NULL,
    failures bigint NOT NULL,
    probe_at timestamptz NOT NULL
);

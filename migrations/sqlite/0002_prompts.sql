-- The first effects: prompts with what they said and what became of them, and what people decided
-- about them. Times are UTC and written by the worker.

-- The deadline, and every date that it had before: a changed one is a new edition.
CREATE TABLE editions (
    number integer NOT NULL PRIMARY KEY,
    deadline text NOT NULL,
    since text NOT NULL
) STRICT;

-- One row for each recipient, stage, channel and edition, whatever happens to it.
-- state: queued, leased, sending, sent, refused, unknown. day is the campaign's day on which it
-- counts against the caps, NULL while it counts on none. fence grows with every lease.
-- deadline, digest and the hashes are of the message as it was last about to be sent.
CREATE TABLE prompts (
    prompt_id blob NOT NULL PRIMARY KEY,
    recipient text NOT NULL,
    stage text NOT NULL,
    channel text NOT NULL,
    edition integer NOT NULL,
    state text NOT NULL,
    day text,
    due_at text NOT NULL,
    attempts integer NOT NULL,
    lease_owner blob,
    lease_until text,
    fence integer NOT NULL,
    is_notice integer NOT NULL,
    deadline text,
    digest text,
    message_sha256 text,
    template_sha256 text,
    sending_at text,
    sent_at text,
    outcome text,
    reference text,
    bounced_at text,
    settled_by text,
    run_id blob NOT NULL,
    made_at text NOT NULL
) STRICT;
CREATE UNIQUE INDEX prompts_once ON prompts (recipient, stage, channel, edition);
CREATE INDEX prompts_day ON prompts (day, stage);
CREATE INDEX prompts_state ON prompts (state);
CREATE INDEX prompts_reference ON prompts (reference);

-- The connections that a prompt shows, each with what it was told for: void when it changes.
-- removal_from is the promise, where the message named one.
CREATE TABLE prompt_connections (
    prompt_id blob NOT NULL,
    connection_key blob NOT NULL,
    required text NOT NULL,
    connected_at text,
    removal_from text
) STRICT;
CREATE INDEX prompt_connections_prompt_id ON prompt_connections (prompt_id);
CREATE INDEX prompt_connections_connection_key ON prompt_connections (connection_key);

-- Addresses that are never written to.
CREATE TABLE suppressions (
    recipient text NOT NULL PRIMARY KEY,
    reason text NOT NULL,
    by_name text NOT NULL,
    added_at text NOT NULL
) STRICT;

-- While one has no end, nothing has effects.
CREATE TABLE pauses (
    paused_at text NOT NULL PRIMARY KEY,
    reason text NOT NULL,
    by_name text NOT NULL,
    resumed_at text,
    resumed_by text
) STRICT;

-- What a named person vouches for, for the configuration that it was said of.
CREATE TABLE confirmations (
    what text NOT NULL,
    configuration text NOT NULL,
    by_name text NOT NULL,
    note text NOT NULL,
    confirmed_at text NOT NULL
) STRICT;
CREATE INDEX confirmations_what ON confirmations (what, configuration);

-- The last result of each check that effects rely on, for the configuration that it was made of.
CREATE TABLE preflights (
    subject text NOT NULL PRIMARY KEY,
    configuration text NOT NULL,
    day text NOT NULL,
    passed integer NOT NULL,
    detail text NOT NULL,
    checked_at text NOT NULL
) STRICT;

-- When the next message of a kind may go, for all replicas together.
CREATE TABLE rates (
    name text NOT NULL PRIMARY KEY,
    next_at text NOT NULL
) STRICT;

-- What became of connections that a webhook was told of, to be told there in turn.
-- state: queued, leased, sent, refused.
CREATE TABLE announcements (
    announcement_id blob NOT NULL PRIMARY KEY,
    webhook text NOT NULL,
    connection_key blob NOT NULL,
    what text NOT NULL,
    body text NOT NULL,
    state text NOT NULL,
    due_at text NOT NULL,
    attempts integer NOT NULL,
    lease_owner blob,
    lease_until text,
    fence integer NOT NULL,
    outcome text,
    made_at text NOT NULL,
    sent_at text
) STRICT;
CREATE INDEX announcements_connection_key ON announcements (connection_key);
CREATE INDEX announcements_state ON announcements (state, due_at);

-- Webhooks that fail: since when, and when they are tried again.
CREATE TABLE endpoints (
    webhook text NOT NULL PRIMARY KEY,
    failing_since text NOT NULL,
    failures integer NOT NULL,
    probe_at text NOT NULL
) STRICT;

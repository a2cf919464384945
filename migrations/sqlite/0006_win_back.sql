-- Xero's own list of connections, and what follows a removal. Times are UTC and written by the
-- worker.

-- Every reading of Xero's list, put to use or not. outcome: good, empty, short, incomplete,
-- failed; only a good one changes anything. The counts are of the list as it was read.
CREATE TABLE xero_lists (
    number integer NOT NULL PRIMARY KEY,
    run_id blob NOT NULL,
    read_at text NOT NULL,
    outcome text NOT NULL,
    detail text,
    connections integer NOT NULL,
    tenants integer NOT NULL,
    not_in_inventory integer NOT NULL,
    gone integer NOT NULL,
    unresolved integer NOT NULL
) STRICT;

-- What Xero says of each connection that a good list had, or that the inventory has and a good
-- list lacked. It has been in every good list from first_seen_at on until missing_since.
-- connection_key is the inventory's connection that it is.
CREATE TABLE xero_connections (
    connection_id blob NOT NULL PRIMARY KEY,
    tenant_id blob NOT NULL,
    tenant_type text,
    auth_event_id blob,
    created_at text,
    updated_at text,
    connection_key blob,
    first_seen_at text,
    missing_since text
) STRICT;
CREATE INDEX xero_connections_connection_key ON xero_connections (connection_key);

-- What followed the removal of a connection: one row for each, and so one for each tenant.
CREATE TABLE win_backs (
    connection_key blob NOT NULL PRIMARY KEY,
    tenant_id blob NOT NULL,
    removed_at text NOT NULL,
    crossed_at text,
    back_at text,
    returned_at text
) STRICT;
CREATE INDEX win_backs_tenant_id ON win_backs (tenant_id);

-- Messages that follow a removal go out as often as there are removals: wave counts them. It
-- is 0 for everything else.
ALTER TABLE prompts ADD COLUMN wave integer NOT NULL DEFAULT 0;
DROP INDEX prompts_once;
CREATE UNIQUE INDEX prompts_once ON prompts (recipient, stage, channel, edition, wave);

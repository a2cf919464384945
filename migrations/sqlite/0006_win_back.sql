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

-- What followed a removal. crossed_at: it was found that its person had consented before it, too
-- late to be seen. back_at: its tenant was seen connected again, whatever its scopes.
ALTER TABLE removals ADD COLUMN crossed_at text;
ALTER TABLE removals ADD COLUMN back_at text;

-- Messages that follow a removal go out as often as there are removals: wave counts them. It
-- is 0 for everything else.
ALTER TABLE prompts ADD COLUMN wave integer NOT NULL DEFAULT 0;
DROP INDEX prompts_once;
CREATE UNIQUE INDEX prompts_once ON prompts (recipient, stage, channel, edition, wave);

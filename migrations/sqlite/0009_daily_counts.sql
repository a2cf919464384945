-- The course of the campaign, day by day: what reports, forecasts and comparisons are made from,
-- so that none of them has to read all that ever happened. Times are UTC and written by the worker.

-- One row for each number that was counted on one of the campaign's days. measure says what; part
-- is the stage, reason or language that it is about, else ''; since is the day on which
-- those counted were told at that stage, else ''.
CREATE TABLE daily_counts (
    day text NOT NULL,
    measure text NOT NULL,
    part text NOT NULL,
    since text NOT NULL,
    number integer NOT NULL
) STRICT;
CREATE UNIQUE INDEX daily_counts_row ON daily_counts (day, measure, part, since);

-- Connections whose people were all passed over at a stage, so that its effect can be measured.
CREATE TABLE hold_backs (
    connection_key blob NOT NULL,
    stage text NOT NULL,
    held_at text NOT NULL
) STRICT;
CREATE UNIQUE INDEX hold_backs_once ON hold_backs (connection_key, stage);
CREATE INDEX hold_backs_held_at ON hold_backs (held_at);

-- A day's events are found by their time.
CREATE INDEX changes_changed_at ON changes (changed_at);
CREATE INDEX prompts_sent_at ON prompts (sent_at);
CREATE INDEX prompts_bounced_at ON prompts (bounced_at);
-- Few lines name a removal date; those that do are counted for every report.
CREATE INDEX prompt_connections_removal_from ON prompt_connections (removal_from)
    WHERE removal_from IS NOT NULL;
-- Holds all that counting tenants needs.
DROP INDEX connections_tenant_id;
CREATE INDEX connections_tenant_id ON connections (tenant_id, presence, readiness);

-- Removals: what is planned, who signed it off, and what became of each one. Times are UTC and
-- written by the worker.

-- Plans, each by the SHA-256 of what it says. configuration holds everything that it was made
-- by, by name, so that it can be said what has changed since. The same plan made again once its
-- time is over gets new times; approvals from before count no more.
CREATE TABLE plans (
    plan_id text NOT NULL PRIMARY KEY,
    configuration text NOT NULL,
    removals integer NOT NULL,
    made_at text NOT NULL,
    valid_until text NOT NULL
) STRICT;
CREATE INDEX plans_made_at ON plans (made_at);

-- What a plan removes. planned is what must be the same still when it is removed; entry tells a
-- person everything that the removal touches. Both by pseudonym.
CREATE TABLE plan_removals (
    plan_id text NOT NULL,
    connection_key blob NOT NULL,
    place integer NOT NULL,
    not_before text NOT NULL,
    planned text NOT NULL,
    entry text NOT NULL
) STRICT;
CREATE UNIQUE INDEX plan_removals_once ON plan_removals (plan_id, connection_key);
CREATE INDEX plan_removals_connection_key ON plan_removals (connection_key);

-- Who signed a plan off, when, and from which machine and account.
CREATE TABLE approvals (
    plan_id text NOT NULL,
    by_name text NOT NULL,
    approved_at text NOT NULL,
    host text NOT NULL,
    os_user text NOT NULL,
    note text
) STRICT;
CREATE UNIQUE INDEX approvals_once ON approvals (plan_id, by_name);

-- One row for each connection of a plan that was taken in hand, or that the plan was wrong about.
-- state: queued, leased, deleting, unknown, removed, gone, set_aside, dropped. day is the
-- campaign's day on which it counts against the caps, NULL while it counts on none. planned is
-- the plan's. people are pseudonyms. lost counts the calls that got no answer; looked_at is when
-- it was last seen as planned. returned_at: a ready grant for its tenant was seen again.
CREATE TABLE removals (
    removal_id blob NOT NULL PRIMARY KEY,
    connection_key blob NOT NULL,
    connection_id blob NOT NULL,
    tenant_id blob NOT NULL,
    grant_id blob NOT NULL,
    plan_id text NOT NULL,
    planned text NOT NULL,
    people text NOT NULL,
    state text NOT NULL,
    day text,
    due_at text NOT NULL,
    attempts integer NOT NULL,
    lost integer NOT NULL,
    lease_owner blob,
    lease_until text,
    fence integer NOT NULL,
    looked_at text,
    intended_at text,
    settled_at text,
    outcome text,
    correlation text,
    returned_at text,
    run_id blob NOT NULL,
    made_at text NOT NULL
) STRICT;
-- No tenant is removed twice in a campaign, whatever a program believes.
CREATE UNIQUE INDEX removals_tenant_once ON removals (tenant_id)
    WHERE state IN ('leased', 'deleting', 'unknown', 'removed');
CREATE UNIQUE INDEX removals_plan_once ON removals (plan_id, connection_key);
CREATE INDEX removals_tenant_id ON removals (tenant_id);
CREATE INDEX removals_connection_key ON removals (connection_key);
CREATE INDEX removals_grant_id ON removals (grant_id);
CREATE INDEX removals_state ON removals (state);
CREATE INDEX removals_day ON removals (day);

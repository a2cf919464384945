-- When jobs began by their schedules, and which process runs a job now. Times are UTC and
-- written by the worker.

-- An instant at which a job's schedule let it begin, taken up once by all processes together.
-- state: running, done, interrupted (whoever comes next goes on with it), given_up.
CREATE TABLE fires (
    job text NOT NULL,
    fire_at timestamptz NOT NULL,
    state text NOT NULL,
    attempts bigint NOT NULL,
    run_id uuid NOT NULL,
    taken_at timestamptz NOT NULL,
    finished_at timestamptz,
    exit_code bigint
);
CREATE UNIQUE INDEX fires_once ON fires (job, fire_at);

-- Who runs a job: one process at a time, until the time given unless it renews that. fence
-- grows with each that takes it. sharing: its run hands prompts over, and others may take part.
CREATE TABLE leases (
    job text NOT NULL PRIMARY KEY,
    owner uuid NOT NULL,
    holder text NOT NULL,
    fence bigint NOT NULL,
    run_id uuid NOT NULL,
    until timestamptz NOT NULL,
    sharing boolean NOT NULL
);

-- A job's last runs, without reading all of them.
CREATE INDEX runs_job ON runs (job, finished_at);

-- What a run has taken on, by all who take part in it.
CREATE INDEX prompts_run ON prompts (run_id);

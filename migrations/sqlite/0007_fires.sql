-- When jobs began by their schedules, and which process runs a job now. Times are UTC and
-- written by the worker.

-- An instant at which a job's schedule let it begin, taken up once by all processes together.
-- state: running, done, interrupted (whoever comes next goes on with it), given_up.
CREATE TABLE fires (
    job text NOT NULL,
    fire_at text NOT NULL,
    state text NOT NULL,
    attempts integer NOT NULL,
    run_id blob NOT NULL,
    taken_at text NOT NULL,
    finished_at text,
    exit_code integer
) STRICT;
CREATE UNIQUE INDEX fires_once ON fires (job, fire_at);

-- Who runs a job: one process at a time, until the time given unless it renews that. fence
-- grows with each that takes it. sharing: its run hands prompts over, and others may take part.
CREATE TABLE leases (
    job text NOT NULL PRIMARY KEY,
    owner blob NOT NULL,
    holder text NOT NULL,
    fence integer NOT NULL,
    run_id blob NOT NULL,
    until text NOT NULL,
    sharing integer NOT NULL
) STRICT;

-- A job's last runs, without reading all of them.
CREATE INDEX runs_job ON runs (job, finished_at);

-- What a run has taken on, by all who take part in it.
CREATE INDEX prompts_run ON prompts (run_id);
